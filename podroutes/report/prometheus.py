"""Metrics for the textfile collector of Prometheus' node_exporter, which reads `*.prom` at any moment."""

import sys
from collections import Counter
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from podroutes.atomic_write import replace_file
from podroutes.drift.classes import COVERAGE_CODES
from podroutes.errors import UsageError
from podroutes.outcomes import FAILURES, RunReport
from podroutes.report.summary import is_complete, is_repaired

PREFIX: Final = "pod_routes_"
_LAST_SUCCESS: Final = f"{PREFIX}last_success_timestamp_seconds"
# The exporter runs as another user.
_MODE: Final = 0o644


def write_prometheus(report: RunReport, target: str) -> None:
    """Write a run's metrics, whole or not at all.

    The time of the last success is that of the last run which knew every host that it was asked for; where this run did
    not, the value of the file that is there stays.

    Args:
        report: Of the run.
        target: Path of a file, which node_exporter reads if it ends in `.prom`; `-` for standard output.

    Raises:
        UsageError: The file can't be written.
    """
    if target == "-":
        sys.stdout.write(render_prometheus(report, last_success=0.0))
        return
    try:
        # What a link leads to is replaced, not the link.
        path = Path(target).resolve()
        text = render_prometheus(report, last_success=_previous_success(path, report.runbook))
        replace_file(path, text, mode=_MODE)
    except OSError as error:
        message = f"{target} can't be written: {error.strerror}"
        raise UsageError(message) from error


def render_prometheus(report: RunReport, *, last_success: float) -> str:
    """A run's metrics in Prometheus' text format, without timestamps.

    Args:
        report: Of the run.
        last_success: When all hosts were known before, in Unix seconds; 0 for never.
    """
    registry = CollectorRegistry()
    ended = report.started.timestamp() + report.seconds
    asked = len(report.hosts)
    _gauge(registry, report, "hosts_checked", "Hosts whose state is known.", report.checked)
    _gauge(registry, report, "hosts_unknown", "Hosts that could not be checked.", asked - report.checked)
    hosts = _family(registry, "hosts", "Hosts by what became of them.", "outcome")
    for outcome, count in report.counts.items():
        hosts.labels(report.runbook, str(outcome)).set(count)
    checked = _family(registry, "host_checked", "Whether the host's state is known.", "host")
    for host in report.hosts:
        checked.labels(report.runbook, host.host).set(host.outcome not in FAILURES)
    findings = _family(registry, "findings", "What was found and not repaired.", "host", "code", "layer", "severity")
    for labels, count in _findings(report).items():
        findings.labels(report.runbook, *labels).set(count)
    directions = _family(registry, "directions", "Ordered pairs of nodes, by whether packets to pods arrive.", "state")
    for state in ("ok", "cut", "unknown"):
        found = sum(1 for direction in report.directions if direction.state == state)
        directions.labels(report.runbook, state).set(found)
    changes = sum(len(host.changes) for host in report.hosts)
    _gauge(registry, report, "changes", "Changes made; in a dry run, that would be made.", changes)
    _gauge(registry, report, "dry_run", "Whether nothing was to be changed.", report.dry_run)
    _gauge(registry, report, "duration_seconds", "How long the run took.", report.seconds)
    _gauge(registry, report, "last_run_timestamp_seconds", "When the last run ended, in Unix time.", ended)
    name, text = _LAST_SUCCESS.removeprefix(PREFIX), "When the last run ended that knew every host; 0 for never."
    _gauge(registry, report, name, text, ended if is_complete(report) else last_success)
    return generate_latest(registry).decode()


def _findings(report: RunReport) -> Counter[tuple[str, str, str, str]]:
    return Counter(
        (host.host, finding.code, finding.layer, finding.drift_class.severity)
        for host in report.hosts
        for finding in host.findings
        if finding.code in COVERAGE_CODES or not finding.is_drift or not is_repaired(report, host)
    )


def _family(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Gauge:
    # Files of several runbooks lie in one folder, and no series may be in two.
    return Gauge(f"{PREFIX}{name}", text, ("runbook", *labels), registry=registry)


def _gauge(registry: CollectorRegistry, report: RunReport, name: str, text: str, value: float) -> None:
    _family(registry, name, text).labels(report.runbook).set(value)


def _previous_success(path: Path, runbook: str) -> float:
    """The value that an earlier run left; 0, which alarms, where there is none that can be read."""
    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return 0.0
    values = (
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == _LAST_SUCCESS and sample.labels.get("runbook") == runbook
    )
    return next(values, 0.0)
