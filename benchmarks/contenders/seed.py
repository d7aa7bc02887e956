"""What the guide does: loops of ssh, one machine after the other, from one's own terminal.

Its script and unit are the guide's, but for the address of a next hop: written as the guide does, `10.240.0.2X`, it is
wrong from worker-10 on, and no larger cluster could be compared. Its loops keep nothing of the forwarding at a reboot.
"""

from functools import partial
from pathlib import Path

from benchmarks.contenders import Command, Contender, Work
from benchmarks.sites import Site

_SCRIPT = """\
#!/usr/bin/env bash
set -euo pipefail
set -x

action=${1}
shift
destination_range_template=${1}
shift
device=${1}

hosts_that_may_need_routes=$(grep " worker-" /etc/hosts | grep -v " $(hostname -s)$" | cut -d' ' -f2)

for h in ${hosts_that_may_need_routes}; do
  x=$(cut -d- -f2 <<< ${h})

  destination_range=$(sed -e "s@X@${x}@g" <<< ${destination_range_template})
  next_hop_address=10.240.0.$((20 + x))

  /sbin/ip route ${action} ${destination_range} via ${next_hop_address} \\
    dev ${device} || true
done
"""

_UNIT = """\
[Unit]
Description=Add static routes
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=true
ExecStart=/usr/local/sbin/basic-kubernetes-routes.sh add 10.200.X.0/24 eth0
ExecStop=/usr/local/sbin/basic-kubernetes-routes.sh  del 10.200.X.0/24 eth0

[Install]
WantedBy=multi-user.target
"""

_PROVISION = """\
for instance in ${INSTANCES}; do
  echo "==> ${instance}"
  ssh -q ${instance} sudo sysctl -w net.ipv4.ip_forward=1
done

for instance in ${INSTANCES}; do
  ssh -q ${instance} "sudo tee /etc/systemd/system/routes.service" < routes.service
  ssh -q ${instance} "sudo tee /usr/local/sbin/basic-kubernetes-routes.sh" < basic-kubernetes-routes.sh
  ssh -q ${instance} 'sudo chmod 0644 /etc/systemd/system/routes.service \\
    && sudo chmod 0755 /usr/local/sbin/basic-kubernetes-routes.sh \\
    && sudo systemctl daemon-reload \\
    && sudo systemctl enable routes \\
    && sudo systemctl restart routes \\
    && ip route'
done
"""

_VERIFY = """\
for instance in ${INSTANCES}; do
  echo "==> ${instance}"
  ssh -q ${instance} ip route
done
"""


def _command(loops: str, site: Site) -> Command:
    folder = Path(site.folder, "seed")
    folder.mkdir(exist_ok=True)
    for name, text in (("basic-kubernetes-routes.sh", _SCRIPT), ("routes.service", _UNIT)):
        (folder / name).write_text(text)
    instances = " ".join(site.address(host) for host in site.hosts)
    return Command(("bash", "-c", f"set -e; cd {folder}\n{loops}"), {"INSTANCES": instances})


SEED = Contender(
    "seed",
    "the guide's loops",
    {
        Work.FIRST: partial(_command, _PROVISION),
        Work.AGAIN: partial(_command, _PROVISION),
        Work.READ: partial(_command, _VERIFY),
    },
    persistent=False,
)
