"""One line for Nagios, Icinga and the like, as monitoring plugins print it: state, what is wrong, performance data.

| state | when |
|---|---|
| CRITICAL (2) | pods can't reach others: a direction is cut |
| WARNING (1) | something has drifted, and pods still reach each other |
| UNKNOWN (3) | a host could not be checked, the run was interrupted, or there was no host |
| OK (0) | every host was checked, and none has drifted |

The first row that applies counts: a host in an unknown state hides no drift on others.
"""

from typing import Final

from podroutes.outcomes import RunReport
from podroutes.report.summary import (
    count,
    coverage,
    drift_by_host,
    is_complete,
    is_fixed,
)
from podroutes.report.write import Past
from podroutes.text import one_line

_STATES: Final = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_OK, _WARNING, _CRITICAL, _UNKNOWN = range(4)
_MOST_NAMED: Final = 3


def render(report: RunReport, _: Past) -> str:
    """The line, with its newline."""
    text = _plain(f"POD ROUTES {_STATES[exit_code(report)]} - {'; '.join(_parts(report))}")
    return f"{text} | {_performance(report)}\n"


def exit_code(report: RunReport) -> int:
    """The plugin's exit code, 0 to 3."""
    if report.cut_count != 0:
        return _CRITICAL
    if drift_by_host(report):
        return _WARNING
    return _OK if is_complete(report) else _UNKNOWN


def render_error(message: str) -> tuple[int, str]:
    """The exit code and the line where an error prevented the check."""
    return _UNKNOWN, _plain(f"POD ROUTES {_STATES[_UNKNOWN]} - {message}") + "\n"


def _drift(report: RunReport) -> list[str]:
    return [
        f"{host} {finding.code} {finding.subject}"
        for host, findings in drift_by_host(report).items()
        for finding in findings
    ]


def _parts(report: RunReport) -> list[str]:
    parts = [coverage(report)]
    if report.interrupted:
        parts.append("interrupted")
    if cut := report.cut_count:
        parts.append(f"{count(cut, 'direction')} cut")
    if drift := _drift(report):
        more = f" and {len(drift) - _MOST_NAMED} more" if len(drift) > _MOST_NAMED else ""
        parts.append(f"{count(len(drift), 'finding')}: {', '.join(drift[:_MOST_NAMED])}{more}")
    else:
        parts.append("no drift" if is_complete(report) else "no drift on the others")
    if fixed := sum(is_fixed(report, host) for host in report.hosts):
        parts.append(f"{count(fixed, 'host')} fixed")
    return parts


def _performance(report: RunReport) -> str:
    asked = len(report.hosts)
    # label=value[unit];warning;critical;minimum;maximum; a threshold of 0 means: alarm above 0.
    return (
        f"checked={report.checked};;;0;{asked} "
        f"unknown={asked - report.checked};;;0;{asked} "
        f"findings={len(_drift(report))};0;;0 "
        f"cut={report.cut_count};;0;0;{len(report.directions)} "
        f"time={report.seconds:.3f}s;;;0"
    )


def _plain(text: str) -> str:
    # `|` begins the performance data, a newline ends the line.
    return one_line(text.replace("|", "/"), limit=4000)
