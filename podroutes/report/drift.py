"""A drift check's findings on a terminal: what differs, where, since when, what it breaks and what fixes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from podroutes.drift.classes import DRIFT_CLASSES
from podroutes.drift.findings import Direction
from podroutes.outcomes import RunReport
from podroutes.report.styled import Console, Styled
from podroutes.report.table import Cell, print_table

_MOST_LIMITS: Final = 4
_MOST_NODES: Final = 12
_MOST_REASONS: Final = 20
_CELLS: Final = {"ok": ("ok", "green"), "cut": ("CUT", "bold red"), "unknown": ("?", "yellow")}


def print_findings(console: Console, report: RunReport) -> None:
    """Print a row for each finding, then what each class of them breaks and what fixes it."""
    rows = []
    hosts_by_code: dict[str, dict[str, None]] = {}
    for host in report.hosts:
        for finding in host.findings:
            hosts_by_code.setdefault(finding.code, {})[host.host] = None
            code = Styled(finding.code, "magenta" if finding.is_drift else "yellow")
            seen = "-" if finding.since is None else f"{finding.state}, since {_time(finding.since)}"
            rows.append((host.host, finding.layer, code, seen, finding.message))
    if not rows:
        return
    print_table(console, ("HOST", "LAYER", "CODE", "SEEN", "WHAT"), rows)
    console.print()
    for code_name, hosts in hosts_by_code.items():
        fix = Styled(f"Fix: {_fix(code_name, list(hosts))}", "cyan")
        console.print(Styled(f"{code_name}: ", "bold"), f"{DRIFT_CLASSES[code_name].breaks} ", fix)
    console.print()


def _fix(code: str, hosts: Sequence[str]) -> str:
    """What fixes a class on some hosts, to be copied; if there are many hosts, on all."""
    limit = "".join(f" --limit {host}" for host in hosts) if len(hosts) <= _MOST_LIMITS else ""
    return DRIFT_CLASSES[code].fix.replace(" --limit HOST", limit)


def _time(when: datetime) -> str:
    return f"{when.astimezone():%Y-%m-%d %H:%M}"


def print_healed(console: Console, report: RunReport) -> None:
    """Print what an earlier check found and this one no longer does."""
    for one in report.healed:
        line = f"resolved: {one.host}: {one.code}: {one.subject} (first seen {_time(one.since)})"
        console.print(Styled(line, "green"))


def print_directions(console: Console, directions: Sequence[Direction]) -> None:
    """Print which pods reach which, rows from, columns to; nothing where all is open and nothing was pinged.

    Of a large cluster, only nodes with a direction that is not ok, and no matrix that no terminal can show.
    """
    wrong = [direction for direction in directions if direction.state != "ok"]
    pinged = [direction for direction in directions if direction.ping]
    if not wrong and not pinged:
        return
    # Columns are in the order of the rows.
    order = {source: number for number, source in enumerate(dict.fromkeys(one.source for one in directions))}
    shown = wrong if len(order) > _MOST_NODES else directions
    sources = sorted({one.source for one in shown}, key=order.__getitem__)
    targets = sorted(dict.fromkeys(one.target for one in shown), key=lambda name: order.get(name, len(order)))
    if 0 < len(sources) <= _MOST_NODES and len(targets) <= _MOST_NODES:
        cells = {(direction.source, direction.target): _CELLS[direction.state] for direction in directions}
        rows: list[list[Cell]] = [
            [source, *(Styled(*cells.get((source, target), ("·", "dim"))) for target in targets), ""]
            for source in sources
        ]
        print_table(console, ("FROM, TO PODS OF", *targets, ""), rows)
    cut = [direction for direction in directions if direction.state == "cut"]
    for direction in cut[:_MOST_REASONS]:
        console.print(f"  {direction.source} → {direction.target}: {direction.reason}")
    if len(cut) > _MOST_REASONS:
        console.print(f"  and {len(cut) - _MOST_REASONS} more")
    if pinged:
        answered = [direction for direction in pinged if direction.ping == "answered"]
        line = f"pings answered: {len(answered)} of {len(pinged)}"
        if despite := sum(direction.state == "cut" for direction in answered):
            line += f"; {despite} of them by a gateway itself, whose pods are not reached"
        console.print(line)
    console.print()
