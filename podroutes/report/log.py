"""The history on a terminal: a row for each run, oldest first, with the findings that began or ended with it."""

from datetime import datetime, timedelta
from typing import Final

from podroutes import exit_codes
from podroutes.drift.history import History, PastRun
from podroutes.report.styled import Console, Piece, Styled
from podroutes.report.table import Cell, print_table

_MOST_RUNS: Final = 50
_RESULTS: Final = {
    exit_codes.OK: ("ok", "green"),
    exit_codes.DRIFT: ("drift", "magenta"),
    exit_codes.FAILED: ("incomplete", "bold red"),
}


def print_log(console: Console, history: History) -> None:
    """Print the last runs, in local time, and the findings that are still open.

    Raises:
        UsageError: There is no history, or it can't be read.
        LockHeldError: Another process did not finish writing.
    """
    runs = history.runs(_MOST_RUNS)
    print_table(
        console,
        ("STARTED", "RESULT", "CHECKED", "DRIFTED", "FINDINGS", "CUT", "NEW AND RESOLVED"),
        [_row(run) for run in reversed(runs)],
    )
    still_open = history.open_findings()
    console.print()
    console.print(Styled(f"open: {len(still_open)}", "bold"))
    for finding in still_open:
        console.print(f"  {finding.host}: {finding.code}: {finding.subject}, since {_time(finding.since)}")


def _row(run: PastRun) -> tuple[Cell, ...]:
    name, style = _RESULTS.get(run.exit_code, (str(run.exit_code), ""))
    return (
        _time(run.started),
        Styled("interrupted" if run.interrupted else name, style),
        f"{run.checked} of {run.asked}",
        str(run.drifted),
        str(run.findings),
        str(run.cut),
        _events(run),
    )


def _events(run: PastRun) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for sign, style, findings in (("+", "magenta", run.new), ("-", "green", run.healed)):
        for finding in findings:
            lasted = f" after {duration(run.started - finding.since)}" if sign == "-" else ""
            pieces.append(", " if pieces else "")
            pieces.append(Styled(f"{sign} {finding.host} {finding.code} {finding.subject}{lasted}", style))
    return tuple(pieces) or ("-",)


def _time(when: datetime) -> str:
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}"


def duration(span: timedelta) -> str:
    """A span of time in its two largest units, such as `2 h 5 min`."""
    seconds = max(0, round(span.total_seconds()))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count != 0:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
