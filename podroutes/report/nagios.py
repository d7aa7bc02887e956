"""One line for Nagios, Icinga and the like, as monitoring plugins print it: state, what is wrong, performance data.

| state | when |
|---|---|
| CRITICAL (2) | pods can't reach others: a direction is cut |
| WARNING (1) | something has drifted, and pods still reach each other |
| UNKNOWN (3) | a host could not be checked, the run was interrupted, or there was no host |
| OK (0) | every host was checked, and none has drifted |

The first that holds is told, in this order: a host that is not known hides no drift that is.
"""

from typing import Final

from podroutes.outcomes import RunReport
from podroutes.report.summary import coverage, is_complete, is_repaired, open_drift
from podroutes.text import one_line

_STATES: Final = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_OK, _WARNING, _CRITICAL, _UNKNOWN = range(4)
_MOST_NAMED: Final = 3


def nagios_line(report: RunReport) -> tuple[int, str]:
    """The plugin's exit code and its line.

    Args:
        report: Of a drift check.

    Returns:
        0 to 3, and one line without its newline.
    """
    state = _state(report)
    text = _plain(f"POD ROUTES {_STATES[state]} - {'; '.join(_parts(report))}")
    return state, f"{text} | {_performance(report)}"


def error_line(message: str) -> tuple[int, str]:
    """The plugin's exit code and its line where no check could be made at all.

    Args:
        message: What prevented it.
    """
    return _UNKNOWN, _plain(f"POD ROUTES {_STATES[_UNKNOWN]} - {message}")


def _state(report: RunReport) -> int:
    if report.cut_count != 0:
        return _CRITICAL
    if _drift(report):
        return _WARNING
    return _OK if is_complete(report) else _UNKNOWN


def _drift(report: RunReport) -> list[str]:
    return [
        f"{host.host} {finding.code} {finding.subject}" for host in report.hosts for finding in open_drift(report, host)
    ]


def _parts(report: RunReport) -> list[str]:
    parts = [coverage(report)]
    if report.interrupted:
        parts.append("interrupted")
    if cut := report.cut_count:
        parts.append(f"{cut} {'direction' if cut == 1 else 'directions'} cut")
    drift = _drift(report)
    if drift:
        more = f" and {len(drift) - _MOST_NAMED} more" if len(drift) > _MOST_NAMED else ""
        parts.append(
            f"{len(drift)} {'finding' if len(drift) == 1 else 'findings'}: {', '.join(drift[:_MOST_NAMED])}{more}"
        )
    else:
        parts.append("no drift" if is_complete(report) else "no drift on the others")
    if repaired := sum(1 for host in report.hosts if is_repaired(report, host)):
        parts.append(f"{repaired} {'host' if repaired == 1 else 'hosts'} repaired")
    return parts


def _performance(report: RunReport) -> str:
    asked = len(report.hosts)
    # label=value[unit];warning;critical;minimum;maximum; a threshold of 0 means: alarm above 0.
    return " ".join(
        (
            f"checked={report.checked};;;0;{asked}",
            f"unknown={asked - report.checked};;;0;{asked}",
            f"findings={len(_drift(report))};0;;0",
            f"cut={report.cut_count};;0;0;{len(report.directions)}",
            f"time={report.seconds:.3f}s;;;0",
        )
    )


def _plain(text: str) -> str:
    # `|` begins the performance data, a newline ends the line.
    return one_line(text.replace("|", "/"), limit=4000)
