"""A drift check's findings on a terminal: what differs, where, since when, what it breaks and what mends it."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from podroutes.findings import Direction
from podroutes.outcomes import RunReport
from podroutes.report.table import print_table

_CELLS: Final = {"ok": ("ok", "green"), "cut": ("CUT", "bold red"), "unknown": ("?", "yellow")}


def print_findings(console: Console, report: RunReport) -> None:
    """Print a row for each finding, then what each kind of them breaks and what mends it."""
    rows = []
    classes = {}
    for host in report.hosts:
        for finding in host.findings:
            classes[finding.code] = finding.drift_class
            style = "yellow" if not finding.is_drift else "magenta"
            since = "" if finding.since is None else f"{finding.since:%Y-%m-%d %H:%M}"
            state = "" if finding.state is None else f"{finding.state}, since {since}"
            rows.append((host.host, finding.layer, Text(finding.code, style=style), state or "-", finding.message))
    if not rows:
        return
    print_table(console, ("HOST", "LAYER", "CODE", "SEEN", "WHAT"), rows)
    console.print()
    for code, drift_class in classes.items():
        line = Text(f"{code}: ", style="bold")
        line.append(f"{drift_class.breaks} ", style="not bold")
        line.append(f"Mend: {drift_class.mend}", style="not bold cyan")
        console.print(line, soft_wrap=True)
    console.print()


def print_healed(console: Console, report: RunReport) -> None:
    """Print what an earlier check found and this one no longer does."""
    for healed in report.healed:
        line = f"healed: {healed.host}: {healed.code}: {healed.subject} (first seen {healed.since:%Y-%m-%d %H:%M})"
        console.print(Text(line, style="green"), soft_wrap=True)


def print_directions(console: Console, directions: Sequence[Direction]) -> None:
    """Print which pods reach which, rows from, columns to; nothing where all is open and nothing was pinged."""
    if all(direction.state == "ok" and not direction.ping for direction in directions):
        return
    sources = list(dict.fromkeys(direction.source for direction in directions))
    targets = list(dict.fromkeys(direction.target for direction in directions))
    cells = {(direction.source, direction.target): _CELLS[direction.state] for direction in directions}
    rows: list[list[str | Text]] = [
        [source, *(Text(*cells.get((source, target), ("·", "dim"))) for target in targets), ""] for source in sources
    ]
    print_table(console, ("FROM, TO PODS OF", *targets, ""), rows)
    for direction in directions:
        if direction.state == "cut":
            console.print(f"  {direction.source} → {direction.target}: {direction.reason}", soft_wrap=True)
    console.print()


def coverage(report: RunReport) -> str:
    """How many hosts the report knows the state of, such as `checked 5 of 6; 1 unknown`."""
    unknown = len(report.hosts) - report.checked
    return f"checked {report.checked} of {len(report.hosts)}" + (f"; {unknown} unknown" if unknown else "")
