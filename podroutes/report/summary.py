"""What several formats ask of a report, answered once."""

from typing import Final

from podroutes.drift.classes import COVERAGE_CODES, DRIFT_CLASSES, DriftClass
from podroutes.drift.findings import Finding
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport

DRIFT_CHECK: Final = "drift_check"


def is_drift_check(report: RunReport) -> bool:
    """Whether hosts were only compared; other runbooks change them."""
    return report.runbook == DRIFT_CHECK


def coverage(report: RunReport) -> str:
    """How many hosts are known, such as `checked 5 of 6; 1 unknown`."""
    asked = len(report.hosts)
    unknown = asked - report.checked
    return f"checked {report.checked} of {asked}" + (f"; {unknown} unknown" if unknown != 0 else "")


def is_complete(report: RunReport) -> bool:
    """Whether every host that was asked for is known."""
    return not report.interrupted and 0 < len(report.hosts) == report.checked


def is_repaired(report: RunReport, host: HostOutcome) -> bool:
    """Whether what was found on a host was fixed by the same run."""
    return host.outcome == Outcome.CHANGED and not report.dry_run


def open_drift(report: RunReport, host: HostOutcome) -> tuple[Finding, ...]:
    """The findings that make a host drifted: no notices, nothing that this run has repaired.

    What says that the host could not be checked is not among them: nothing is known of it.
    """
    if is_repaired(report, host):
        return ()
    return tuple(finding for finding in host.findings if finding.is_drift and finding.code not in COVERAGE_CODES)


def is_cloud(report: RunReport, host: HostOutcome) -> bool:
    """Whether a host of the report is the cloud that machines run in.

    Every machine is the source of a direction, also one that could not be read; a cloud never is.
    """
    if any(finding.layer == "cloud" for finding in host.findings):
        return True
    return bool(report.directions) and host.host not in {direction.source for direction in report.directions}


def checks_of(report: RunReport, host: HostOutcome) -> tuple[DriftClass, ...]:
    """The classes that a host can have findings of, in the table's order; without those of coverage."""
    layers = {"cloud"} if is_cloud(report, host) else {"kernel", "persisted", "host"}
    return tuple(one for one in DRIFT_CLASSES.values() if one.layer in layers and one.code not in COVERAGE_CODES)


def fix_for(drift_class: DriftClass, host: str) -> str:
    """The command that fixes a class of drift on one host, or what a person has to do."""
    return drift_class.fix.replace("HOST", host)


def unknown_reason(host: HostOutcome) -> str:
    """Why a host is not known, in a line; empty where it is."""
    return (host.reason or str(host.outcome)) if host.outcome in FAILURES else ""
