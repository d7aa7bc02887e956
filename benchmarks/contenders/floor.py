"""The floor: a plain script of the same change, and of the same reading, written by hand."""

import json
import shlex
import sys
from functools import partial
from pathlib import Path

from benchmarks.contenders import Command, Contender, Work
from benchmarks.contenders.files import SCRIPT_PATH, SYSCTL_PATH, UNIT, UNIT_PATH
from benchmarks.hosts import desired_routes
from benchmarks.sites import KEY_FILE, Site
from lab.layout import Host
from lab.template import USER

# What a person would look at: the addresses, all routes, the way to a pod, forwarding now and later, unit and files.
_READ = f"""
ip -j address show
ip -j route show table main
ip -j route get 10.200.1.1
cat /proc/sys/net/ipv4/ip_forward
cat /etc/sysctl.d/*.conf
systemctl show --property=LoadState,ActiveState,UnitFileState,NeedDaemonReload routes.service
cat {UNIT_PATH} {SCRIPT_PATH}
exit 0
"""


def change_script(routes: dict[str, str]) -> str:
    """The whole change of one host, by hand.

    Args:
        routes: Next hop by pod network.
    """
    lines = "".join(f"/sbin/ip route replace {cidr} via {via} dev eth0\n" for cidr, via in routes.items())
    return f"""
set -e
printf %s {shlex.quote(f"#!/bin/sh{chr(10)}{lines}")} >{SCRIPT_PATH}
chmod 755 {SCRIPT_PATH}
printf %s {shlex.quote(UNIT)} >{UNIT_PATH}
echo net.ipv4.ip_forward=1 >{SYSCTL_PATH}
sysctl -w net.ipv4.ip_forward=1
systemctl daemon-reload
systemctl enable --quiet routes.service
systemctl start routes.service
ip route
"""


def _command(work: Work, site: Site) -> Command:
    def entry(host: Host) -> dict[str, str]:
        key_type, key = site.host_key(host)
        script = change_script(desired_routes(host, site.hosts)) if work == Work.FIRST else _READ
        return {"address": site.address(host), "key_type": key_type, "key": key, "script": script}

    path = Path(site.folder, f"floor-{work}.json")
    path.write_text(json.dumps({"user": USER, "key_file": KEY_FILE, "hosts": [entry(host) for host in site.hosts]}))
    return Command((sys.executable, "-m", "benchmarks.floor", str(path)))


FLOOR = Contender("floor", "floor (bare asyncssh)", {work: partial(_command, work) for work in (Work.FIRST, Work.READ)})
