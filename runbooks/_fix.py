"""Fixing what a drift check found, and nothing else, by provisioning's own tasks."""

import functools
from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace
from nornir.core.task import AggregatedResult

from podroutes.drift.detection import find_drift
from podroutes.drift.findings import Direction, Finding
from podroutes.host.changes import Change
from podroutes.host.state import HostState
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport
from runbooks._ping import check_with_pings
from runbooks._run import Run
from tasks.drift import CheckResult
from tasks.ensure import ChangeResult
from tasks.provision import provision, provisioning


class Fix(Struct, frozen=True):
    """How to fix.

    Attributes:
        run: The run that the check was done in.
        directions: Judges which pods reach which.
        ping: Whether to prove it.
    """

    run: Run
    directions: Callable[[Mapping[str, HostState]], tuple[Direction, ...]]
    ping: bool

    def fix(self, report: RunReport, result: AggregatedResult, states: Mapping[str, HostState]) -> RunReport:
        """Make the changes that the check found on the hosts that have drifted; read them again, and judge anew.

        Args:
            report: The check's.
            result: Nornir's result of the check.
            states: What the check read, by host.

        Returns:
            A report with the findings of the check, what became of each host, and which pods reach which now.
        """
        approved = _approved(report, result)
        if not approved:
            return replace(report, hosts=tuple(_not_fixed(host) for host in report.hosts))
        task = functools.partial(provision, plan=self.run.session.plan, approved=approved)
        fixed, after = self.run.over_hosts(task, title="fix", dry_run=False, hosts=tuple(approved))
        states = dict(states) | _states(after)
        left = {name: self._left(name, states[name]) for name in approved if name in states}
        directions = self.directions(states)
        told = fixed
        if self.ping and not fixed.interrupted:
            proof = check_with_pings(self.run, directions, states)
            directions = proof.directions
            left = {name: (*left.get(name, ()), *proof.findings.get(name, ())) for name in approved}
            told = replace(fixed, seconds=proof.seconds, interrupted=proof.interrupted)
        done = {host.host: host for host in fixed.hosts}
        hosts = tuple(
            _fixed(host, done[host.host], left.get(host.host, ())) if host.host in done else _not_fixed(host)
            for host in report.hosts
        )
        return replace(told, hosts=hosts, healed=report.healed, directions=directions)

    def _left(self, name: str, state: HostState) -> tuple[Finding, ...]:
        plan = self.run.session.plan
        findings = find_drift(provisioning(plan), plan.nodes[name], state)
        return tuple(finding for finding in findings if finding.is_drift)


def _approved(report: RunReport, result: AggregatedResult) -> dict[str, tuple[Change, ...]]:
    approved = {}
    for host in report.hosts:
        checked = result[host.host][0].result if host.host in result else None
        if host.outcome == Outcome.DRIFT and isinstance(checked, CheckResult) and checked.changes:
            approved[host.host] = checked.changes
    return approved


def _states(result: AggregatedResult) -> dict[str, HostState]:
    return {
        name: host[0].result.state
        for name, host in result.items()
        if isinstance(host[0].result, ChangeResult) and host[0].result.state is not None
    }


def _fixed(checked: HostOutcome, fixed: HostOutcome, left: tuple[Finding, ...]) -> HostOutcome:
    """What became of a host that was changed; changes that leave it drifted have not fixed it."""
    told: dict[str, object] = {"findings": checked.findings, "commands": checked.commands + fixed.commands}
    if fixed.outcome not in FAILURES and left:
        told |= {"outcome": Outcome.FAILED, "reason": f"still: {'; '.join(finding.message for finding in left)}"}
    return replace(fixed, **told)


def _not_fixed(host: HostOutcome) -> HostOutcome:
    """A host that has drifted in a way that no provisioning fixes stays wrong: that is a failure."""
    if host.outcome != Outcome.DRIFT:
        return host
    reason = "; ".join(finding.message for finding in host.findings if finding.is_drift)
    return replace(host, outcome=Outcome.FAILED, reason=f"can't be fixed from here: {reason}")
