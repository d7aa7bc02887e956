"""Metrics for the textfile collector of Prometheus' node_exporter, which reads `*.prom` at any moment."""

from collections import Counter
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from podroutes.drift.classes import COVERAGE_CODES
from podroutes.outcomes import FAILURES, RunReport
from podroutes.report.summary import is_complete, is_fixed
from podroutes.report.write import Past

PREFIX: Final = "pod_routes_"
_LAST_SUCCESS: Final = "last_success_timestamp_seconds"


def render(report: RunReport, past: Past) -> str:
    """A run's metrics in Prometheus' text format, without timestamps.

    The last success is the last run that knew the state of every host that it was asked for; where this run did not,
    the value in the previous file stays.
    """
    registry = CollectorRegistry()

    def family(name: str, text: str, *labels: str) -> Gauge:
        # Files of several runbooks lie in one folder, and no series may be in two.
        return Gauge(f"{PREFIX}{name}", text, ("runbook", *labels), registry=registry)

    def gauge(name: str, text: str, value: float) -> None:
        family(name, text).labels(report.runbook).set(value)

    ended = report.started.timestamp() + report.seconds
    gauge("hosts_checked", "Hosts whose state is known.", report.checked)
    gauge("hosts_unknown", "Hosts that could not be checked.", len(report.hosts) - report.checked)
    hosts = family("hosts", "Hosts by outcome.", "outcome")
    for outcome, count in report.counts.items():
        hosts.labels(report.runbook, str(outcome)).set(count)
    checked = family("host_checked", "Whether the host's state is known.", "host")
    for host in report.hosts:
        checked.labels(report.runbook, host.host).set(host.outcome not in FAILURES)
    findings = family("findings", "What was found and not fixed.", "host", "code", "layer", "severity")
    for labels, count in _findings(report).items():
        findings.labels(report.runbook, *labels).set(count)
    directions = family("directions", "Ordered pairs of nodes, by whether packets to pods arrive.", "state")
    states = Counter(direction.state for direction in report.directions)
    for state in ("ok", "cut", "unknown"):
        directions.labels(report.runbook, state).set(states[state])
    gauge("changes", "Changes made; in a dry run, to make.", sum(len(host.changes) for host in report.hosts))
    gauge("dry_run", "Whether it was a dry run.", report.dry_run)
    gauge("duration_seconds", "How long the run took.", report.seconds)
    gauge("last_run_timestamp_seconds", "When the last run ended, in Unix time.", ended)
    success = ended if is_complete(report) else _previous_success(past.previous, report.runbook)
    gauge(_LAST_SUCCESS, "When the last run ended that knew every host's state; 0 for never.", success)
    return generate_latest(registry).decode()


def _findings(report: RunReport) -> Counter[tuple[str, str, str, str]]:
    return Counter(
        (host.host, finding.code, finding.layer, finding.drift_class.severity)
        for host in report.hosts
        for finding in host.findings
        if finding.code in COVERAGE_CODES or not finding.is_drift or not is_fixed(report, host)
    )


def _previous_success(file: Path | None, runbook: str) -> float:
    """The value that an earlier run left; 0, which alarms, where there is none that can be read."""
    try:
        families = list(text_string_to_metric_families("" if file is None else file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return 0.0
    values = (
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == PREFIX + _LAST_SUCCESS and sample.labels.get("runbook") == runbook
    )
    return next(values, 0.0)
