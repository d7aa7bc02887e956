"""Fixing what a drift check found, and nothing else, by provisioning's own tasks."""

import functools
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace
from nornir.core.task import AggregatedResult

from podroutes.drift.detection import find_drift
from podroutes.drift.findings import Finding
from podroutes.drift.reachability import directions
from podroutes.host.state import HostState
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport
from runbooks._approval import planned_changes
from runbooks._ping import check_with_pings
from runbooks._run import Run, states_of
from tasks.provision import provision, provisioning


class Fix(Struct, frozen=True):
    """How to fix.

    Attributes:
        run: The run that the check was done in.
        ping: Whether to verify by pings.
    """

    run: Run
    ping: bool

    def fix(self, report: RunReport, result: AggregatedResult, states: Mapping[str, HostState]) -> RunReport:
        """Make the changes that the check planned on the hosts that have drifted; read and judge them again.

        Args:
            report: The check's.
            result: Nornir's result of the check.
            states: What the check read, by host.

        Returns:
            A report with the findings of the check, each host's outcome, and which pods reach which now.
        """
        approved = planned_changes(report, result)
        if not approved:
            return replace(report, hosts=tuple(_not_fixed(host) for host in report.hosts))
        task = functools.partial(provision, plan=self.run.session.plan, approved=approved)
        fixed, after = self.run.over_hosts(task, title="fix", dry_run=False, hosts=tuple(approved))
        outcomes = {host.host: host for host in fixed.hosts}
        states = {**states, **states_of(after, HostState)}
        remaining = {name: self._remaining(name, states[name]) for name in approved if name in states}
        session = self.run.session
        fixed = replace(
            fixed, healed=report.healed, directions=directions(session.plan, states, among=set(session.hosts))
        )
        if self.ping and not fixed.interrupted:
            pings = check_with_pings(self.run, fixed.directions, states)
            remaining = {name: (*remaining.get(name, ()), *pings.findings.get(name, ())) for name in approved}
            fixed = replace(fixed, directions=pings.directions, seconds=pings.seconds, interrupted=pings.interrupted)
        hosts = tuple(
            _fixed(host, outcomes[host.host], remaining.get(host.host, ()))
            if host.host in outcomes
            else _not_fixed(host)
            for host in report.hosts
        )
        return replace(fixed, hosts=hosts)

    def _remaining(self, name: str, state: HostState) -> tuple[Finding, ...]:
        plan = self.run.session.plan
        findings = find_drift(provisioning(plan), plan.nodes[name], state)
        return tuple(finding for finding in findings if finding.is_drift)


def _fixed(checked: HostOutcome, fixed: HostOutcome, remaining: tuple[Finding, ...]) -> HostOutcome:
    """The outcome of a host that was changed; changes after which it still has drift have not fixed it."""
    fixed = replace(fixed, findings=checked.findings, commands=checked.commands + fixed.commands)
    if fixed.outcome in FAILURES or not remaining:
        return fixed
    reason = f"still: {'; '.join(finding.message for finding in remaining)}"
    return replace(fixed, outcome=Outcome.FAILED, reason=reason)


def _not_fixed(host: HostOutcome) -> HostOutcome:
    """A host with drift that provisioning can't fix has failed."""
    if host.outcome != Outcome.DRIFT:
        return host
    reason = "; ".join(finding.message for finding in host.findings if finding.is_drift)
    return replace(host, outcome=Outcome.FAILED, reason=f"can't be fixed from here: {reason}")
