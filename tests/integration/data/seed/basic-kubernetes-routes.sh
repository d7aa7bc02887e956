#!/usr/bin/env bash
##
## This script will create or delete pod network routes based on
## /etc/hosts. It is useful for demonstrating L2 Kubernetes networking
## in clouds that don't provide for fancy routing as GCE does.
##
## Example usage:
##
##   basic-kubernetes-routes.sh add 10.200.X.0/24 10.240.0.2X eth0
##

## Enable "strict mode."
set -euo pipefail

## Enable "debug mode."
set -x

## Get arguments.
action=${1}  # add|del
shift
destination_range_template=${1}  # e.g. 10.200.X.0/24, where X is pod block index
                                 #      and Y is the kind ordinal (see below)
shift
next_hop_address_template=${1}   # e.g. 10.240.0.2X
shift
device=${1}  # e.g. eth0

## Set contextual variables.
hosts_that_may_need_routes=$(grep " worker-" /etc/hosts | grep -v " $(hostname -s)$" | cut -d' ' -f2)

## Apply the action requested for all hosts that may need routes.
for h in ${hosts_that_may_need_routes}; do
  x=$(cut -d- -f2 <<< ${h})

  destination_range=$(sed -e "s@X@${x}@g" <<< ${destination_range_template})
  next_hop_address=$(sed -e "s@X@${x}@g" <<< ${next_hop_address_template})

  /sbin/ip route ${action} ${destination_range} via ${next_hop_address} \
    dev ${device} || true  ## Allow route commands to fail
                           ## without crashing this script.
done
