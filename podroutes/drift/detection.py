"""What has drifted on a host: provisioning's own plan, read as findings, with what no provisioning can fix."""

from collections.abc import Iterator
from typing import Final

from podroutes.drift.findings import Finding, new_finding
from podroutes.errors import UnreachableError
from podroutes.host.changes import Change, HostPlan, is_file
from podroutes.host.state import UNIT_NAME, HostState
from podroutes.inventory.network_plan import Node
from podroutes.outcomes import HostOutcome, Outcome
from podroutes.plan.forwarding import plan_forwarding
from podroutes.plan.host import Planner
from podroutes.plan.managed_files import plan_leftovers
from podroutes.plan.persist import plan_persist, removing_managers
from podroutes.plan.routes import (
    FEW,
    DesiredRoutes,
    Foreign,
    Unmet,
    desired_routes,
    plan_routes,
    some_of,
    sort_foreign,
    unmet_lookups,
    unmet_routes,
)
from podroutes.plan.routes_service import plan_routes_service_removal

# Without these, packets do not go where the unit has told the kernel to send them.
_NOT_THERE: Final = frozenset({"route-missing", "route-wrong-next-hop", "route-wrong-device"})


def find_drift(
    work: Planner,
    node: Node,
    state: HostState,
    planned: HostPlan | None = None,
    wanted: DesiredRoutes | None = None,
) -> tuple[Finding, ...]:
    """Compare a host with what it should have.

    Args:
        work: What provisioning would do.
        node: The host.
        state: What was read.
        planned: What provisioning plans for that state, where that is known already.
        wanted: The routes that the host should have, likewise.

    Returns:
        The findings: conflicts first, then as provisioning would fix them, then what it leaves alone.
    """
    if wanted is None:
        wanted = desired_routes(work.plan, node, state)
    plan = _plan(work, node, state, planned, wanted)
    findings = [*findings_of(plan, conflict="plan-conflict"), *_more(work, node, state, plan, wanted)]
    return tuple({finding.key: finding for finding in findings}.values())


def _plan(work: Planner, node: Node, state: HostState, planned: HostPlan | None, wanted: DesiredRoutes) -> HostPlan:
    if node.routes_service:
        return work.plan_host(node, state, wanted) if planned is None else planned
    # Taking the unit away takes its routes along, so provisioning puts all of them back: they are not missing now.
    return (
        plan_leftovers(state)
        + plan_forwarding(work.plan, state)
        + plan_routes(work.plan, node, state, wanted)
        + plan_persist(work.plan, node, state, wanted)
    )


def findings_of(plan: HostPlan, *, conflict: str) -> Iterator[Finding]:
    """The findings that a plan tells, of a machine or of a cloud.

    Args:
        plan: What provisioning would do.
        conflict: Code for what contradicts the plan.
    """
    for message in plan.conflicts:
        yield new_finding(conflict, message, message)
    for change in plan.changes:
        if change.drift:
            yield _finding(change)


def _finding(change: Change) -> Finding:
    # A file's whole text is provisioning's diff to show; here its path and the reason say enough.
    if is_file(change.subject):
        return new_finding(change.drift, change.subject, f"{change.subject}: {change.finding or change.reason}")
    if change.finding:
        return new_finding(change.drift, change.subject, f"{change.subject}: {change.finding}")
    if change.before and change.after:
        message = f"{change.subject}: {change.before}; wanted: {change.after}"
    elif change.after:
        message = f"{change.subject}: missing; wanted: {change.after}"
    else:
        message = f"{change.subject}: {change.before}; {change.reason}"
    return new_finding(change.drift, change.subject, message, expected=change.after, found=change.before)


def _more(work: Planner, node: Node, state: HostState, plan: HostPlan, wanted: DesiredRoutes) -> Iterator[Finding]:
    for message in plan_forwarding(work.plan, state).unmet if plan.unmet else ():
        yield new_finding("forwarding-overruled", message.partition(" ")[0], message)
    yield from _unit_findings(work, node, state, plan)
    if not plan.conflicts:
        changed = {change.subject for change in plan.changes if change.drift}
        foreign = sort_foreign(work.plan, node, state)
        # What stays wrong whatever provisioning does, in its own words; several of one subject are one finding.
        left_wrong: dict[tuple[str, str], list[Unmet]] = {}
        for one in (
            *unmet_routes(work.plan, node, state, wanted, foreign),
            # Where packets go whose routes are to be changed is not known before.
            *(one for one in unmet_lookups(work.plan, node, state, wanted) if one.subject not in changed),
        ):
            left_wrong.setdefault((one.code, one.subject), []).append(one)
        for (code, subject), together in left_wrong.items():
            message = "; ".join(one.message for one in together)
            yield new_finding(code, subject, message, found="; ".join(one.found for one in together if one.found))
        yield from _foreign(work, foreign)
    for manager in removing_managers(work.plan, node, state, wanted):
        yield new_finding("manager-removes-routes", manager.unit, manager.message)


def _unit_findings(work: Planner, node: Node, state: HostState, plan: HostPlan) -> Iterator[Finding]:
    unit = state.unit
    if not node.routes_service:
        unwanted = plan_routes_service_removal(state).changes
        if unwanted:
            yield new_finding("unit-unwanted", UNIT_NAME, f"{UNIT_NAME} is there; wanted: none (routes_service: false)")
        return
    gone = sorted({change.subject for change in plan.changes if change.drift in _NOT_THERE})
    if unit.active == "active" and gone:
        message = f"{UNIT_NAME} is active, and its routes are not there: {', '.join(gone)}"
        yield new_finding("unit-without-routes", UNIT_NAME, message)
    if unit.drop_ins:
        message = f"{UNIT_NAME} has drop-ins that are not ours: {unit.drop_ins}"
        yield new_finding("unit-drop-in", UNIT_NAME, message, found=unit.drop_ins)


def _foreign(work: Planner, foreign: Foreign) -> Iterator[Finding]:
    routes = [str(route) for route in foreign.left]
    if len(routes) > FEW:
        ranges = ", ".join(map(str, work.plan.cluster_cidrs))
        message = f"{len(routes)} routes inside {ranges} are not ours, left alone: {some_of(routes)}"
        yield new_finding("foreign-route", ranges, message, found=some_of(routes))
    else:
        for route in routes:
            yield new_finding("foreign-route", route, f"not ours, left alone: {route}", found=route)


def finding_of_error(error: Exception, message: str) -> Finding:
    """The finding that stands for a host that could not be checked."""
    return new_finding(_coverage_code(unreachable=isinstance(error, UnreachableError)), "host", message)


def finding_of_outcome(outcome: HostOutcome, subject: str) -> Finding:
    """The finding that stands for a further question that a host did not answer.

    Args:
        outcome: What became of the host then.
        subject: What it was asked.
    """
    return new_finding(_coverage_code(unreachable=outcome.outcome == Outcome.UNREACHABLE), subject, outcome.reason)


def _coverage_code(*, unreachable: bool) -> str:
    return "host-unreachable" if unreachable else "result-unknown"
