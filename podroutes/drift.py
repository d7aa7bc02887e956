"""What has drifted on a host: provisioning's own plan, read as findings, with what no provisioning can mend."""

from collections.abc import Iterator

from podroutes.changes import Change, HostPlan
from podroutes.drift_classes import DRIFT_CLASSES
from podroutes.errors import UnreachableError
from podroutes.findings import Finding, new_finding
from podroutes.host_state import UNIT_NAME, HostState
from podroutes.network_plan import Node
from podroutes.planning.host import Provisioning
from podroutes.planning.routes import foreign_routes, networkd_removes_routes, shadowed_routes, wanted_routes


def find_drift(work: Provisioning, node: Node, state: HostState) -> tuple[Finding, ...]:
    """Compare a host with what it should have.

    Args:
        work: What provisioning would do.
        node: The host.
        state: What was read.

    Returns:
        The findings: conflicts first, then as provisioning would mend them, then what it leaves alone.
    """
    plan = work.plan_host(node, state)
    findings = [*findings_of(plan, conflict="plan-conflict"), *_more(work, node, state, plan)]
    return tuple({finding.key: finding for finding in findings}.values())


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
    if change.subject.startswith("/"):
        return new_finding(change.drift, change.subject, f"{change.subject}: {change.reason}")
    if change.before and change.after:
        message = f"{change.subject}: {change.before}; wanted: {change.after}"
    elif change.after:
        message = f"{change.subject}: missing; wanted: {change.after}"
    else:
        message = f"{change.subject}: {change.before}; {change.reason}"
    return new_finding(change.drift, change.subject, message, expected=change.after, found=change.before)


def _more(work: Provisioning, node: Node, state: HostState, plan: HostPlan) -> Iterator[Finding]:
    for message in plan.unmet:
        yield new_finding("forwarding-not-kept", message.partition(" ")[0], message)
    missing = {change.subject for change in plan.changes if change.drift.startswith("route-")}
    unit = state.units.get(UNIT_NAME)
    if node.routes_service and unit is not None and unit.active == "active" and missing:
        yield new_finding(
            "unit-without-routes",
            UNIT_NAME,
            f"{UNIT_NAME} is active, and its routes are not there: {', '.join(sorted(missing))}",
        )
    if not plan.conflicts:
        for pod_route, message in shadowed_routes(work.plan, node, state):
            # What the main table lacks is told as such.
            if str(pod_route.destination) not in missing:
                yield new_finding("route-shadowed", str(pod_route.destination), message)
    wanted, _ = wanted_routes(work.plan, node, state)
    present = {(route.destination, route.via, route.dev) for route in wanted}
    for routes in state.routes.values():
        for route in routes:
            if route.linkdown and (route.destination, route.via, route.dev) in present:
                yield new_finding("route-linkdown", str(route.destination), f"{route.dev} has no carrier: {route}")
    for route in foreign_routes(work.plan, node, state):
        yield new_finding("foreign-route", str(route), f"not ours, left alone: {route}", found=str(route))
    if networkd_removes_routes(state):
        yield new_finding(
            "manager-removes-routes", "systemd-networkd.service", DRIFT_CLASSES["manager-removes-routes"].breaks
        )


def finding_of_error(error: Exception, message: str) -> Finding:
    """The finding that stands for a host that could not be checked."""
    code = "host-unreachable" if isinstance(error, UnreachableError) else "result-unknown"
    return new_finding(code, "host", message)
