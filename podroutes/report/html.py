"""One HTML page that stands alone: no script, nothing to load, readable on paper and in the dark."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from podroutes.drift.classes import COVERAGE_CODES
from podroutes.drift.findings import Finding
from podroutes.drift.history import History, PastFinding
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport
from podroutes.report.json_report import write_atomically
from podroutes.report.picture import draw_matrix, draw_strip
from podroutes.report.summary import (
    coverage,
    fix_for,
    is_complete,
    is_drift_check,
    is_repaired,
    open_drift,
    unknown_reason,
)

_TEMPLATE: Final = "report.html.j2"
_MOST_RUNS: Final = 90
_MOST_CUT: Final = 40
_ORDER: Final = dict.fromkeys(FAILURES, 1) | {Outcome.DRIFT: 0, Outcome.CHANGED: 2, Outcome.OK: 3}


class _FindingView(Struct, frozen=True):
    finding: Finding
    status: str
    breaks: str
    fix: str
    is_command: bool


class _HostView(Struct, frozen=True):
    host: HostOutcome
    findings: tuple[_FindingView, ...]
    unknown: str
    last_known: tuple[PastFinding, ...]

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to say but that it is as wanted."""
        told = (self.findings, self.unknown, self.host.changes, self.host.notes)
        return self.host.outcome == Outcome.OK and not any(told)


def write_html(report: RunReport, target: str, *, history: History | None = None) -> None:
    """Write a report as one page, whole or not at all.

    Args:
        report: Of the run.
        target: Path of a file, or `-` for standard output.
        history: Where the past runs are from; None for no strip.

    Raises:
        UsageError: The file can't be written, or the history can't be read.
        LockHeldError: Another process did not end writing the history.
    """
    write_atomically(target, render_html(report, history=history))


def render_html(report: RunReport, *, history: History | None = None) -> str:
    """The page's text; see `write_html`."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"time": _time, "code": _code}
    source = files("podroutes.report").joinpath("templates", _TEMPLATE).read_text(encoding="utf-8")
    runs = history.runs(_MOST_RUNS) if history is not None else ()
    past = history.open_findings() if history is not None else ()
    # What is wrong first, then what is unknown; a mere notice last.
    hosts = sorted(
        (_host_view(report, host, past) for host in report.hosts), key=lambda view: _ORDER[view.host.outcome]
    )
    cut = [direction for direction in report.directions if direction.state == "cut"]
    text = environment.from_string(source).render(
        title="Drift check of the pod network" if is_drift_check(report) else f"Pod network: {report.runbook}",
        report=report,
        verdict=_verdict(report),
        summary=_summary(report),
        coverage=coverage(report),
        unknown=len(report.hosts) - report.checked,
        drifted=sum(1 for host in report.hosts if open_drift(report, host)),
        drift=sum(len(open_drift(report, host)) for host in report.hosts),
        changes=sum(len(host.changes) for host in report.hosts),
        is_drift_check=is_drift_check(report),
        hosts=[view for view in hosts if not view.is_quiet],
        quiet=[view.host.host for view in hosts if view.is_quiet],
        cut=cut[:_MOST_CUT],
        cut_count=report.cut_count,
        matrix=draw_matrix(report.directions),
        pinged=any(direction.ping for direction in report.directions),
        strip=draw_strip(runs),
        runs=len(runs),
        oldest=runs[-1].started if runs else None,
    )
    # A lone surrogate, from an odd file name say, can't be encoded.
    return text.encode(errors="replace").decode()


def _verdict(report: RunReport) -> tuple[str, str]:
    """A style's name, and the words."""
    drift = any(open_drift(report, host) for host in report.hosts)
    if not report.hosts:
        return "incomplete", "No host was checked"
    if not is_complete(report):
        return "incomplete", "Incomplete, and drift was found" if drift else "Incomplete"
    if drift:
        return "drift", "Drift was found"
    if any(host.outcome == Outcome.CHANGED for host in report.hosts):
        return "ok", "Changes are needed" if report.dry_run else "As wanted, after changes"
    return "ok", "All is as wanted"


def _summary(report: RunReport) -> str:
    """One line to quote: coverage, drift, what it cuts off."""
    parts = [coverage(report)]
    if is_drift_check(report):
        drift = sum(len(open_drift(report, host)) for host in report.hosts)
        drifted = sum(1 for host in report.hosts if open_drift(report, host))
        parts.append(f"{_count(drift, 'finding')} on {_count(drifted, 'host')}" if drift != 0 else "no drift found")
        if cut := report.cut_count:
            parts.append(f"{_count(cut, 'direction')} cut")
    if changes := sum(len(host.changes) for host in report.hosts):
        parts.append(f"{_count(changes, 'change')}{' to make' if report.dry_run else ''}")
    return "; ".join(parts)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _code(text: str) -> Markup:
    """Text in which backquotes mark what is typed, as the table of drift classes has them."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 == 1 else Markup("{}").format(part)
        for index, part in enumerate(parts)
    )


def _host_view(report: RunReport, host: HostOutcome, past: Sequence[PastFinding]) -> _HostView:
    unknown = host.outcome in FAILURES
    return _HostView(
        host=host,
        findings=tuple(_finding_view(report, host, finding) for finding in host.findings),
        unknown=unknown_reason(host),
        last_known=tuple(one for one in past if unknown and one.host == host.host and one.code not in COVERAGE_CODES),
    )


def _finding_view(report: RunReport, host: HostOutcome, finding: Finding) -> _FindingView:
    drift_class = finding.drift_class
    if not finding.is_drift:
        status = "notice"
    elif finding.code in COVERAGE_CODES:
        status = "unknown"
    else:
        status = "repaired" if is_repaired(report, host) else "drift"
    fix = fix_for(drift_class, host.host)
    return _FindingView(finding, status, drift_class.breaks, fix, is_command=fix.startswith("python "))


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
