"""JUnit XML: a suite for each host, a case for each check. Drift is a failure, an unknown state an error."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from podroutes.drift.findings import Finding
from podroutes.outcomes import HostOutcome, Outcome, RunReport
from podroutes.report.summary import (
    checks_of,
    coverage,
    fix_for,
    is_complete,
    is_fixed,
    open_drift,
    unknown_reason,
)
from podroutes.report.write import Past

# XML 1.0, production 2 (Char): everything else can't be written, not even escaped.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT: Final = "\ufffd"


def render(report: RunReport, _: Past) -> str:
    """A drift check's report as JUnit XML."""
    xml = JUnitXml(name=report.runbook)
    for host in report.hosts:
        xml.add_testsuite(_suite(report, host))
    xml.update_statistics()  # type: ignore[no-untyped-call]  # junitparser leaves it so
    # Hosts are checked at the same time: the sum of their times is not how long it took.
    xml.time = report.seconds
    content = xml.tostring()  # type: ignore[no-untyped-call]  # likewise
    text = content.decode() if isinstance(content, bytes) else content
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _suite(report: RunReport, host: HostOutcome) -> TestSuite:
    suite = TestSuite(_clean(host.host))
    suite.timestamp = report.started.isoformat()
    suite.hostname = _clean(host.host)
    suite.add_property("runbook", report.runbook)
    suite.add_property("outcome", str(host.outcome))
    suite.add_property("coverage", coverage(report))
    suite.add_property("complete", str(is_complete(report)).lower())
    suite.add_property("dry_run", str(report.dry_run).lower())
    suite.add_testcases([_reachable(report, host), _result_known(report, host)])
    for drift_class in checks_of(report, host):
        findings = [finding for finding in host.findings if finding.code == drift_class.code]
        suite.add_testcase(_check(report, host, drift_class.code, findings))
    return suite


def _reachable(report: RunReport, host: HostOutcome) -> TestCase:
    case = _case(report, host, "reachable", seconds=host.seconds)
    if host.outcome == Outcome.UNREACHABLE:
        case.result = [_error(host)]
    elif host.outcome == Outcome.SKIPPED or (host.outcome == Outcome.FAILED and not host.error):
        # It was not tried, or the run ended before it answered.
        case.result = [Skipped(_clean(unknown_reason(host)))]
    return case


def _result_known(report: RunReport, host: HostOutcome) -> TestCase:
    case = _case(report, host, "result-known")
    if host.outcome == Outcome.FAILED:
        case.result = [_error(host)]
    else:
        _skip_unknown(case, host)
    return case


def _check(report: RunReport, host: HostOutcome, code: str, findings: list[Finding]) -> TestCase:
    case = _case(report, host, code)
    if drift := [finding for finding in findings if finding in open_drift(report, host)]:
        case.result = [_failure(host, drift)]
    elif findings:
        word = "fixed" if is_fixed(report, host) and findings[0].is_drift else "notice"
        case.system_out = _clean("\n".join(f"{word}: {line}" for line in _lines(findings)))
    else:
        _skip_unknown(case, host)
    return case


def _skip_unknown(case: TestCase, host: HostOutcome) -> None:
    if reason := unknown_reason(host):
        case.result = [Skipped(_clean(f"not checked: {reason}"))]


def _failure(host: HostOutcome, findings: list[Finding]) -> Failure:
    drift_class = findings[0].drift_class
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    failure = Failure(_clean(findings[0].message + more), drift_class.code)
    text = [*_lines(findings), f"breaks: {drift_class.breaks}", f"fix: {fix_for(drift_class, host.host)}"]
    failure.text = _clean("\n".join(text))
    return failure


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        yield finding.message
        if finding.expected or finding.found:
            yield f"  expected: {finding.expected or 'nothing'}"
            yield f"  found: {finding.found or 'nothing'}"
        if finding.since is not None:
            yield f"  {finding.state}, since {finding.since.isoformat()}"


def _case(report: RunReport, host: HostOutcome, name: str, *, seconds: float = 0.0) -> TestCase:
    return TestCase(name, classname=_clean(f"{report.runbook}.{host.host}"), time=seconds)


def _error(host: HostOutcome) -> Error:
    error = Error(_clean(host.reason or str(host.outcome)), _clean(host.error) or str(host.outcome))
    error.text = _clean("\n".join(_lines(host.findings)) or host.reason)
    return error


def _clean(text: str) -> str:
    return _NOT_XML.sub(_REPLACEMENT, text)
