"""Proof on the data plane: pings between the workers' pods' gateways, beside what the routing tables say."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from podroutes.drift.detection import finding_of_outcome
from podroutes.drift.findings import Direction, Finding
from podroutes.drift.ping import ping_findings, with_pings
from podroutes.host.state import HostState
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport
from runbooks._run import Run
from tasks.drift import count_of
from tasks.ping import ping_pods


class PingCheck(Struct, frozen=True):
    """What pings showed.

    Attributes:
        directions: By the tables and by the pings.
        findings: What only a ping shows, by the host that sent it.
        pinged: Outcomes of the hosts that were asked to ping, by name.
        commands: How many remote commands each of them took.
        seconds: Since the run began.
        interrupted: Whether it was stopped before its end.
    """

    directions: tuple[Direction, ...]
    findings: Mapping[str, tuple[Finding, ...]]
    pinged: Mapping[str, HostOutcome]
    seconds: float
    interrupted: bool

    def beside(self, report: RunReport) -> RunReport:
        """The report with what the pings add to it."""
        return replace(
            report,
            directions=self.directions,
            hosts=tuple(self._host(host) for host in report.hosts),
            seconds=self.seconds,
            interrupted=report.interrupted or self.interrupted,
        )

    def _host(self, host: HostOutcome) -> HostOutcome:
        pinged = self.pinged.get(host.host)
        if pinged is None:
            return host
        told = {"commands": host.commands + pinged.commands, "seconds": round(host.seconds + pinged.seconds, 3)}
        if pinged.outcome in FAILURES:
            findings = (*host.findings, finding_of_outcome(pinged, "ping"))
            return replace(pinged, **told, findings=findings)
        findings = (*host.findings, *self.findings.get(host.host, ()))
        if findings == host.findings:
            return replace(host, **told)
        return replace(host, **told, outcome=Outcome.DRIFT, reason=count_of(findings), findings=findings)


def check_with_pings(run: Run, directions: tuple[Direction, ...], states: Mapping[str, HostState]) -> PingCheck:
    """Ping between all workers that were read.

    Args:
        run: The run that they were read in.
        directions: By the tables.
        states: What was read, by host.
    """
    plan = run.session.plan
    workers = [worker.name for worker in plan.workers if worker.name in states]
    report, result = run.over_hosts(
        ping_pods, title="ping", dry_run=True, hosts=workers, plan=plan, states=dict(states)
    )
    pinged = {host.host: host for host in report.hosts}
    answers = {name: host[0].result for name, host in result.items() if pinged[name].outcome not in FAILURES}
    proven = with_pings(directions, answers)
    # Without another worker that was read, none had anything to send.
    pinged = {name: replace(host, commands=int(answers.get(name) != ())) for name, host in pinged.items()}
    return PingCheck(proven, ping_findings(proven), pinged, report.seconds, report.interrupted)
