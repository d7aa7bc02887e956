"""What has drifted on a host: provisioning's own plan, read as findings, with what no provisioning can resolve."""

from collections.abc import Iterable, Iterator
from typing import Final

from podroutes.drift.findings import Finding, new_finding
from podroutes.errors import UnreachableError
from podroutes.host.changes import Change, HostPlan, is_file
from podroutes.host.managed_files import UNIT_NAME
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.outcomes import HostOutcome, Outcome
from podroutes.plan.desired_routes import FEW, desired_routes, some_of
from podroutes.plan.foreign_routes import find_foreign_routes
from podroutes.plan.forwarding import plan_forwarding
from podroutes.plan.host import Planner
from podroutes.plan.managed_files import plan_leftovers
from podroutes.plan.persist import plan_persist, removing_managers
from podroutes.plan.routes import plan_routes
from podroutes.plan.routes_service import plan_routes_service_removal
from podroutes.plan.unresolved_routes import Unresolved, unresolved_lookups, unresolved_routes

# With these, packets do not go where the unit has had the kernel send them.
_UNIT_WITHOUT_ROUTES: Final = frozenset({"route-missing", "route-wrong-next-hop", "route-wrong-device"})


def find_drift(planner: Planner, node: Node, state: HostState) -> tuple[Finding, ...]:
    """Compare a host with what it should have.

    Args:
        planner: What provisioning would do.
        node: The host.
        state: What was read.

    Returns:
        The findings: conflicts first, then as provisioning would fix them, then what it leaves alone.
    """
    desired = desired_routes(planner.plan, node, state)
    if node.routes_service:
        plan = planner.plan_host(node, state)
    else:
        # Removing the unit removes its routes, so provisioning adds all of them again: they are not missing now.
        plan = (
            plan_leftovers(state)
            + plan_forwarding(planner.plan, state)
            + plan_routes(planner.plan, node, state, desired)
            + plan_persist(planner.plan, node, state, desired)
        )
    findings = [*findings_of(plan, conflict="plan-conflict")]
    overruled = plan_forwarding(planner.plan, state).unresolved
    findings += [new_finding("forwarding-overruled", message.partition(" ")[0], message) for message in overruled]
    findings += _unit_findings(node, state, plan)
    if not plan.conflicts:
        # Where packets go whose routes are to be changed is not known yet.
        changed = {change.subject for change in plan.changes if change.drift}
        lookups = unresolved_lookups(planner.plan, node, state, desired)
        unresolved = unresolved_routes(planner.plan, node, state, desired)
        findings += _unresolved_findings([*unresolved, *(one for one in lookups if one.subject not in changed)])
        findings += _foreign_findings(planner.plan, node, state)
    managers = removing_managers(planner.plan, node, state, desired)
    findings += [new_finding("manager-removes-routes", manager.unit, manager.message) for manager in managers]
    return tuple({finding.key: finding for finding in findings}.values())


def findings_of(plan: HostPlan, *, conflict: str) -> Iterator[Finding]:
    """The findings of a plan for a machine or for a cloud.

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
    subject, before, after = change.subject, change.before, change.after
    # A file's whole text is provisioning's diff to show; here its path and the reason say enough.
    if is_file(subject) or before == after:
        return new_finding(change.drift, subject, f"{subject}: {change.finding or change.reason}")
    if change.finding:
        message = f"{change.finding}: {subject} is {before or 'not there'}; expected: {after}"
    elif before and after:
        message = f"{subject}: {before}; expected: {after}"
    elif after:
        missing = f"no route to {subject}" if change.layer == "routes" else f"{subject}: missing"
        message = f"{missing}; expected: {after}"
    else:
        message = f"{subject}: {before}; {change.reason}"
    return new_finding(change.drift, subject, message, expected=after, found=before)


def _unit_findings(node: Node, state: HostState, plan: HostPlan) -> Iterator[Finding]:
    unit = state.unit
    if not node.routes_service:
        if plan_routes_service_removal(state).changes:
            message = f"{UNIT_NAME} is there; expected: none (routes_service: false)"
            yield new_finding("unit-unwanted", UNIT_NAME, message)
        return
    missing = sorted({change.subject for change in plan.changes if change.drift in _UNIT_WITHOUT_ROUTES})
    if unit.active == "active" and missing:
        message = f"{UNIT_NAME} is active, and its routes are not there: {', '.join(missing)}"
        yield new_finding("unit-without-routes", UNIT_NAME, message)
    if unit.drop_ins:
        message = f"{UNIT_NAME} has drop-ins that are not ours: {unit.drop_ins}"
        yield new_finding("unit-drop-in", UNIT_NAME, message, found=unit.drop_ins)


def _unresolved_findings(unresolved: Iterable[Unresolved]) -> Iterator[Finding]:
    """One finding for each code and subject, with all that is to be said of it."""
    grouped: dict[tuple[str, str], list[Unresolved]] = {}
    for one in unresolved:
        grouped.setdefault((one.code, one.subject), []).append(one)
    for (code, subject), together in grouped.items():
        message = "; ".join(one.message for one in together)
        yield new_finding(code, subject, message, found="; ".join(one.found for one in together if one.found))


def _foreign_findings(plan: NetworkPlan, node: Node, state: HostState) -> Iterator[Finding]:
    routes = find_foreign_routes(plan, node, state).harmless
    if len(routes) > FEW:
        ranges = ", ".join(map(str, plan.cluster_cidrs))
        message = f"{len(routes)} routes inside {ranges} are not ours, left alone: {some_of(routes)}"
        yield new_finding("foreign-route", ranges, message, found=some_of(routes))
    else:
        for route in routes:
            yield new_finding("foreign-route", str(route), f"not ours, left alone: {route}", found=str(route))


def finding_of_error(error: Exception, message: str) -> Finding:
    """The finding that stands for a host that could not be checked."""
    code = "host-unreachable" if isinstance(error, UnreachableError) else "result-unknown"
    return new_finding(code, "host", message)


def finding_of_outcome(outcome: HostOutcome, subject: str) -> Finding:
    """The finding that stands for a host that did not answer a further question; `subject` is what it was asked."""
    code = "host-unreachable" if outcome.outcome == Outcome.UNREACHABLE else "result-unknown"
    return new_finding(code, subject, outcome.reason)
