"""The product, as its README says."""

import sys
from functools import partial
from pathlib import Path

from benchmarks.contenders import Command, Contender, Work
from benchmarks.paths import ROOT
from benchmarks.sites import Site
from lab.inventory import write_inventory

_RUNBOOKS = {
    Work.FIRST: ["provision.py", "--yes"],
    Work.AGAIN: ["provision.py", "--yes"],
    Work.READ: ["drift_check.py"],
}


def write_files(site: Site) -> Path:
    """Write the inventory, with the addresses where hosts are reached.

    Args:
        site: The cluster.

    Returns:
        Nornir's configuration.
    """
    folder = site.folder / "product"
    write_inventory(site.layout, folder)
    if site.trip != 0:
        (folder / "hosts.yaml").write_text(_hosts_behind_proxies(site))
    return folder / "config.yaml"


def _hosts_behind_proxies(site: Site) -> str:
    """A host that is reached at another address than its own has to say its own."""
    lines = ["---"]
    for host in site.hosts:
        lines += [f"{host.name}:", f"  hostname: {site.address(host)}", "  groups:", f"    - {host.role}s", "  data:"]
        lines += ["    internal_ips:", f"      - {host.address.ip}"]
        if host.pod_cidr is not None:
            lines.append(f"    pod_index: {host.index}")
    return "\n".join(lines) + "\n"


def runbook(site: Site, work: Work, *options: str) -> Command:
    """The command of a work.

    Args:
        site: The cluster.
        work: Which.
        options: In addition.
    """
    name, *own = _RUNBOOKS[work]
    path = str(ROOT / "runbooks" / name)
    return Command((sys.executable, path, "--config", str(write_files(site)), *own, *options))


def _command(work: Work, site: Site) -> Command:
    return runbook(site, work)


PRODUCT = Contender("product", "pod-routes", {work: partial(_command, work) for work in _RUNBOOKS})
