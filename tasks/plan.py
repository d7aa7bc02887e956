"""The cluster's network plan, from the inventory that Nornir has loaded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from nornir.core import Nornir
from nornir.core.inventory import Host

from podroutes.errors import InventoryError, Problem
from podroutes.inventory.model import DEFAULTS, Holder, HostEntry
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.inventory.preflight import build_network_plan

_FILES: Final = ("host_file", "group_file", "defaults_file")


def plan_of(nornir: Nornir, problems: Sequence[Problem] = ()) -> NetworkPlan:
    """Check the whole inventory, and compute the network plan from it.

    Args:
        nornir: Before any filter: pod CIDRs of machines that a run is not about are routed to as well.
        problems: What is known to be wrong already.

    Raises:
        InventoryError: The inventory is wrong; with every problem.
    """
    inventory = nornir.inventory
    problems = [*problems, *getattr(inventory, "problems", ())]
    files = {name: shown(nornir.config.inventory.options.get(name) or "") for name in _FILES}
    defaults = Holder(files["defaults_file"], DEFAULTS)
    keys = getattr(inventory, "keys", {})
    source = getattr(inventory, "source", "")
    try:
        entries = [_entry(host, files, defaults, keys.get(host.name), source) for host in inventory.hosts.values()]
    except RecursionError as error:
        raise InventoryError(problems or [defaults.problem("", "groups contain each other")]) from error
    try:
        plan = build_network_plan(inventory.defaults.data, defaults, entries)
    except InventoryError as error:
        # What the source of a host says of a key is nearer to the cause.
        known = {(problem.host, problem.key) for problem in problems}
        more = [problem for problem in error.problems if (problem.host, problem.key) not in known]
        raise InventoryError([*problems, *more]) from error
    if problems:
        raise InventoryError(problems)
    return plan


def _entry(
    host: Host, files: Mapping[str, str], defaults: Holder, found: Sequence[str] | None, source: str
) -> HostEntry:
    """A host with where each of its keys is written; `found` are those that come from the inventory's source."""
    program = Holder(source, host.name)
    # A host that a program knows may stand in no file at all.
    own = Holder(files["host_file"], host.name) if found is None or files["host_file"] else program
    holders = {key: program if key in (found or ()) else own for key in host.data}
    groups = host.extended_groups()
    for group in groups:
        for key in group.data:
            holders.setdefault(key, Holder(files["group_file"], group.name))
    for key in host.defaults.data:
        holders.setdefault(key, defaults)
    return HostEntry(
        name=host.name,
        hostname=host.hostname,
        groups=frozenset(group.name for group in groups),
        data=host.extended_data(),
        holder=own,
        holders=holders,
        source=program if found is not None else None,
    )


def shown(path: str | Path) -> str:
    """A path as a person would write it: relative to the working folder, if it is below it; empty if it is none."""
    if path == "":
        return ""
    absolute = Path.cwd() / path
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)
