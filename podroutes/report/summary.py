"""What several formats ask of a drift check's report, answered once."""

from podroutes.drift.classes import COVERAGE_CODES, DRIFT_CLASSES, DriftClass
from podroutes.drift.findings import Finding
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport


def count(number: int, noun: str) -> str:
    """A number with its noun, such as `1 host` or `2 hosts`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def coverage(report: RunReport) -> str:
    """How many hosts were checked, such as `checked 5 of 6; 1 unknown`."""
    unknown = len(report.hosts) - report.checked
    return f"checked {report.checked} of {len(report.hosts)}" + (f"; {unknown} unknown" if unknown != 0 else "")


def is_complete(report: RunReport) -> bool:
    """Whether the state of every host that was asked for is known."""
    return not report.interrupted and 0 < len(report.hosts) == report.checked


def is_fixed(report: RunReport, host: HostOutcome) -> bool:
    """Whether the same run fixed what it found on a host."""
    return host.outcome == Outcome.CHANGED and not report.dry_run


def open_drift(report: RunReport, host: HostOutcome) -> tuple[Finding, ...]:
    """The findings that make a host drifted: no notices, and nothing that this run fixed.

    Findings that say that the host could not be checked are not among them: its state is unknown.
    """
    if is_fixed(report, host):
        return ()
    return tuple(finding for finding in host.findings if finding.is_drift and finding.code not in COVERAGE_CODES)


def drift_by_host(report: RunReport) -> dict[str, tuple[Finding, ...]]:
    """`open_drift` of each host that has any."""
    return {host.host: findings for host in report.hosts if (findings := open_drift(report, host))}


def checks_of(report: RunReport, host: HostOutcome) -> tuple[DriftClass, ...]:
    """The classes that a host can have findings of, in the table's order; without those of coverage."""
    layers = {"cloud"} if _is_cloud(report, host) else {"kernel", "persisted", "host"}
    return tuple(one for one in DRIFT_CLASSES.values() if one.layer in layers and one.code not in COVERAGE_CODES)


def _is_cloud(report: RunReport, host: HostOutcome) -> bool:
    """Whether a host of the report is the cloud that machines run in.

    Every machine is the source of a direction, even one that could not be read; a cloud never is.
    """
    if any(finding.layer == "cloud" for finding in host.findings):
        return True
    return bool(report.directions) and host.host not in {direction.source for direction in report.directions}


def fix_for(drift_class: DriftClass, host: str) -> str:
    """The command that fixes a class of drift on one host, or what a person has to do."""
    return drift_class.fix.replace("HOST", host)


def unknown_reason(host: HostOutcome) -> str:
    """Why a host's state is unknown, in a line; empty if it is known."""
    return (host.reason or str(host.outcome)) if host.outcome in FAILURES else ""
