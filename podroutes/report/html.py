"""One HTML page that stands alone: no script, nothing to load, readable on paper and in the dark."""

import functools
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from podroutes.drift.classes import COVERAGE_CODES
from podroutes.drift.findings import Finding
from podroutes.drift.history import History, PastFinding
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport
from podroutes.report.picture import matrix_of, strip_of
from podroutes.report.summary import (
    count,
    coverage,
    drift_by_host,
    fix_for,
    is_complete,
    is_fixed,
    unknown_reason,
)
from podroutes.report.write import Past

_TEMPLATE: Final = "report.html.j2"
_MOST_RUNS: Final = 90
_MOST_CUT: Final = 40
# Drift comes first, then unknown hosts; hosts with mere notices last.
_ORDER: Final = dict.fromkeys(FAILURES, 1) | {Outcome.DRIFT: 0, Outcome.CHANGED: 2, Outcome.OK: 3}


def render(report: RunReport, past: Past) -> str:
    """A drift check's page, with past runs from the history where there is one."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"time": _time, "code": _code}
    source = files("podroutes.report").joinpath("templates", _TEMPLATE).read_text(encoding="utf-8")
    runs = past.history.runs(_MOST_RUNS) if past.history is not None else ()
    hosts = sorted(report.hosts, key=lambda host: _ORDER[host.outcome])
    drift = drift_by_host(report)
    text = environment.from_string(source).render(
        report=report,
        verdict=_verdict(report),
        summary=_summary(report),
        coverage=coverage(report),
        unknown=len(report.hosts) - report.checked,
        drifted=len(drift),
        drift=sum(map(len, drift.values())),
        changes=sum(len(host.changes) for host in report.hosts),
        hosts=[host for host in hosts if not _is_quiet(host)],
        quiet=[host.host for host in hosts if _is_quiet(host)],
        last_known=_last_known(report, past.history),
        status_of=functools.partial(_status, report),
        fix_for=fix_for,
        unknown_reason=unknown_reason,
        cut=[direction for direction in report.directions if direction.state == "cut"][:_MOST_CUT],
        cut_count=report.cut_count,
        matrix=matrix_of(report.directions),
        pinged=any(direction.ping for direction in report.directions),
        strip=strip_of(runs),
        oldest=runs[-1].started if runs else None,
    )
    # A lone surrogate, from an odd file name say, can't be encoded.
    return text.encode(errors="replace").decode()


def _verdict(report: RunReport) -> tuple[str, str]:
    """A style's name, and the words."""
    drift = drift_by_host(report)
    if not report.hosts:
        return "incomplete", "No host was checked"
    if not is_complete(report):
        return "incomplete", "Incomplete, and drift was found" if drift else "Incomplete"
    if drift:
        return "drift", "Drift was found"
    if any(host.outcome == Outcome.CHANGED for host in report.hosts):
        return "ok", "Up to date, after changes"
    return "ok", "Everything is up to date"


def _summary(report: RunReport) -> str:
    """One line to quote: coverage, drift, what it cuts off."""
    drift = drift_by_host(report)
    findings = sum(map(len, drift.values()))
    parts = [coverage(report)]
    parts.append(f"{count(findings, 'finding')} on {count(len(drift), 'host')}" if drift else "no drift found")
    if cut := report.cut_count:
        parts.append(f"{count(cut, 'direction')} cut")
    if changes := sum(len(host.changes) for host in report.hosts):
        parts.append(count(changes, "change"))
    return "; ".join(parts)


def _code(text: str) -> Markup:
    """Text in which backquotes mark what is typed, as the table of drift classes has them."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 == 1 else Markup("{}").format(part)
        for index, part in enumerate(parts)
    )


def _is_quiet(host: HostOutcome) -> bool:
    """Whether there is nothing to say of a host but that it is up to date."""
    return host.outcome == Outcome.OK and not (host.findings or host.changes or host.notes)


def _last_known(report: RunReport, history: History | None) -> dict[str, list[PastFinding]]:
    """What earlier checks found on the hosts that this one could not check."""
    found: dict[str, list[PastFinding]] = {host.host: [] for host in report.hosts}
    unknown = {host.host for host in report.hosts if host.outcome in FAILURES}
    for one in history.open_findings() if history is not None else ():
        if one.host in unknown and one.code not in COVERAGE_CODES:
            found[one.host].append(one)
    return found


def _status(report: RunReport, host: HostOutcome, finding: Finding) -> str:
    if not finding.is_drift:
        return "notice"
    if finding.code in COVERAGE_CODES:
        return "unknown"
    return "fixed" if is_fixed(report, host) else "drift"


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
