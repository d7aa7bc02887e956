"""Reports on a terminal: who changed, who failed and why, in lines that a person reads from top to bottom."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from podroutes.outcomes import FAILURES, ChangeRecord, HostOutcome, Outcome, RunReport
from podroutes.report.diff import diff_of
from podroutes.report.styled import Console, Styled
from podroutes.report.summary import count
from podroutes.report.table import print_table

STYLES: Final = {
    Outcome.OK: "green",
    Outcome.CHANGED: "yellow",
    Outcome.DRIFT: "magenta",
    Outcome.FAILED: "bold red",
    Outcome.UNREACHABLE: "bold red",
    Outcome.SKIPPED: "red",
}
_LAYER_NAMES: Final = {"routes_service": "service"}
_DIFF_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


def new_console(file: TextIO | None = None) -> Console:
    """A console for a person: colours on a terminal only, none with NO_COLOR; no line is cut for a pipe."""
    file = file if file is not None else sys.stdout
    if not file.isatty() and not os.environ.get("FORCE_COLOR"):
        return Console(file)
    # Only a terminal needs it; importing it takes a tenth of a short run.
    from podroutes.report.colours import ColourConsole  # noqa: PLC0415

    return ColourConsole(file)


def print_diff(console: Console, hosts: Iterable[HostOutcome]) -> None:
    """Print every change of every host."""
    for host in hosts:
        if host.changes:
            console.print(Styled(host.host, "bold"))
            for line in diff_of(host.changes).splitlines():
                console.print(Styled(f"  {line}", _DIFF_STYLES.get(line.lstrip()[:1], "")))
            console.print()


def print_recap(
    console: Console, report: RunReport, *, unmanaged: Sequence[str] = (), notes: Sequence[str] = ()
) -> None:
    """Print a row for each host, and a line that sums them up.

    Args:
        console: Where to.
        report: Of the run.
        unmanaged: Hosts that the inventory excludes (`manage_routes: false`).
        notes: What the inventory says of machines that are not in it.
    """
    rows = [
        (
            host.host,
            Styled(_outcome_name(host.outcome, report), STYLES[host.outcome]),
            f"{host.seconds:.1f} s" if host.seconds else "-",
            _detail(host),
        )
        for host in report.hosts
    ]
    print_table(console, ("HOST", "OUTCOME", "TIME", "WHAT"), rows)
    hosts_by_note: dict[str, list[str]] = {}
    for host in report.hosts:
        for note in host.notes:
            hosts_by_note.setdefault(note, []).append(host.host)
    print_notes(console, [f"{', '.join(names)}: {note}" for note, names in hosts_by_note.items()])
    print_notes(console, notes)
    if unmanaged:
        console.print(f"not managed, by the inventory: {', '.join(unmanaged)}")
    console.print(Styled(summary(report), "bold red" if report.exit_code == 1 else "bold green"))


def print_notes(console: Console, notes: Iterable[str]) -> None:
    """Print sentences that a person should know, a line each."""
    for note in notes:
        console.print(Styled(f"note: {note}", "cyan"))


def summary(report: RunReport) -> str:
    """One line: how many hosts ended how; the numbers sum to the hosts that were asked for."""
    parts = [f"{number} {_outcome_name(outcome, report)}" for outcome, number in report.counts.items() if number != 0]
    findings = sum(len(host.findings) for host in report.hosts)
    changes = sum(len(host.changes) for host in report.hosts if host.outcome == Outcome.CHANGED)
    if findings:
        parts.append(count(findings, "finding"))
    if changes or not findings:
        parts.append(f"{count(changes, 'change')}{' to make' if report.dry_run else ''}")
    parts.append(f"{report.seconds:.1f} s")
    if report.dry_run:
        parts.append("dry run, nothing was changed")
    return f"{count(len(report.hosts), 'host')}: {', '.join(parts)}{' (interrupted)' if report.interrupted else ''}"


def print_failures(console: Console, report: RunReport) -> None:
    """Say in one line that a run with failures has failed; nothing if it has none."""
    failed = [host.host for host in report.hosts if host.outcome in FAILURES]
    if failed:
        console.print(Styled(f"FAILED: {', '.join(failed)}", "bold red"))


def _outcome_name(outcome: Outcome, report: RunReport) -> str:
    return "would change" if report.dry_run and outcome == Outcome.CHANGED else str(outcome)


def _detail(host: HostOutcome) -> str:
    if host.reason:
        return host.reason
    return changes_by_layer(host.changes) or ("up to date" if host.outcome == Outcome.OK else "for an unknown reason")


def changes_by_layer(changes: Iterable[ChangeRecord]) -> str:
    """How many changes there are in each layer, such as `forwarding 2, routes 3`."""
    counts = Counter(change.layer for change in changes)
    return ", ".join(f"{_LAYER_NAMES.get(layer, layer)} {number}" for layer, number in counts.items())
