"""Allowed address pairs: what lets pod traffic out of, and into, a worker's port."""

from collections.abc import Mapping
from functools import partial

from openstack.connection import Connection

from podroutes.host.cloud import AddressPair, CloudState
from podroutes.inventory.network_plan import Cloud
from podroutes.plan.cloud import CloudPlan
from tasks.cloud import call
from tasks.reconcile import Part


def address_pairs(connection: Connection, cloud: Cloud) -> Part:
    """The lists of pairs, for `tasks.reconcile.reconcile`."""
    return Part(
        lambda plan: write_address_pairs(connection, cloud, plan.pairs), lambda plan: bool(plan.pairs), _content
    )


def _content(state: CloudState, plan: CloudPlan) -> Mapping[str, frozenset[str]]:
    """The pairs of each port; Neutron fills in MAC addresses."""
    return {
        port.id: frozenset(pair.ip_address for pair in plan.pairs.get(port.id, port.allowed_address_pairs))
        for port in state.ports
    }


def write_address_pairs(connection: Connection, cloud: Cloud, pairs: Mapping[str, tuple[AddressPair, ...]]) -> None:
    """Give ports whole lists of pairs.

    Args:
        connection: To the cloud.
        cloud: What the inventory says of it.
        pairs: The lists, foreign pairs included, by the port's id.

    Raises:
        HostError: The cloud can't be reached.
        CloudError: It refuses.
    """
    for port_id, listed in pairs.items():
        body = [pair.as_json() for pair in listed]
        write = partial(connection.network.update_port, port_id, allowed_address_pairs=body)
        call(cloud, "change a port's allowed address pairs", write)
