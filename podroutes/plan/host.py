"""Planners: each decides what hosts need of one capability; a composition of them decides what they need of all."""

from msgspec import Struct
from msgspec.structs import replace

from podroutes.host.changes import HostPlan
from podroutes.host.routes import PROTOCOL
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import DesiredRoutes, desired_routes
from podroutes.plan.persist import releases_routes
from podroutes.plan.routes import plan_routes


class Planner(Struct, frozen=True):
    """Decides what hosts need; a capability derives its own from it.

    Attributes:
        plan: The cluster's network.
    """

    plan: NetworkPlan

    def plan_host(self, node: Node, state: HostState) -> HostPlan:
        """Plan what one host needs.

        Args:
            node: The host.
            state: What was read.
        """
        return self.plan_part(node, state, desired_routes(self.plan, node, state))

    def plan_part(self, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
        """Plan what one host needs, given the routes that it should have; a capability decides here."""
        raise NotImplementedError

    def unresolved(self, node: Node, state: HostState) -> tuple[str, ...]:  # for those that verify more
        """What is wrong on a host that needs no change: a line each."""
        return ()


class Composition(Planner, frozen=True):
    """Several planners as one.

    Attributes:
        planners: In the order of their changes on the host.
    """

    planners: tuple[Planner, ...]

    def plan_part(self, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
        """Plan what one host needs of all capabilities."""
        merged = HostPlan()
        for planner in self.planners:
            merged += planner.plan_part(node, state, desired)
        stops_unit = any(change.layer == "routes_service" and change.action == "disable" for change in merged.changes)
        if stops_unit or releases_routes(merged):
            return _with_routes_restored(merged, self.plan, node, state, desired)
        return merged

    def unresolved(self, node: Node, state: HostState) -> tuple[str, ...]:
        """What is wrong on a host that needs no change, of all capabilities."""
        return tuple(line for planner in self.planners for line in planner.unresolved(node, state))


def _with_routes_restored(
    merged: HostPlan, plan: NetworkPlan, node: Node, state: HostState, desired: DesiredRoutes
) -> HostPlan:
    """The same plan where it makes the kernel lose routes of ours.

    The unit removes the routes that it knows when it stops, and systemd-networkd those that it is no longer to keep.
    Routes that have to go do so before, and all others are added again after.
    """
    routes = [change for change in merged.changes if change.layer == "routes"]
    others = [change for change in merged.changes if change.layer != "routes"]
    removals = [change for change in routes if change.action == "remove"]
    gone = {change.before for change in removals}
    left = {
        family: tuple(route for route in present if route.protocol != PROTOCOL and str(route) not in gone)
        for family, present in state.routes.items()
    }
    added = plan_routes(plan, node, replace(state, routes=left), desired).changes
    # A route that is there now is not missing: it only goes with the unit.
    restored = [change if change in routes else replace(change, drift="") for change in added]
    return replace(merged, changes=(*removals, *others, *restored))
