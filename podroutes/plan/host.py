"""A whole host: what all capabilities together make of it, in the order in which it has to happen."""

from msgspec import Struct
from msgspec.structs import replace

from podroutes.host.changes import HostPlan
from podroutes.host.routes import PROTOCOL
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.forwarding import plan_forwarding, plan_forwarding_removal
from podroutes.plan.managed_files import plan_leftovers
from podroutes.plan.persist import plan_persist, plan_persist_removal, releases_routes
from podroutes.plan.routes import DesiredRoutes, desired_routes, plan_routes, plan_routes_removal, unmet_lookups
from podroutes.plan.routes_service import ServiceFiles, plan_routes_service, plan_routes_service_removal


class Provisioning(Struct, frozen=True):
    """Gives hosts what the plan wants.

    Attributes:
        plan: The cluster's network.
        files: The service's files.
    """

    plan: NetworkPlan
    files: ServiceFiles

    def plan_host(self, node: Node, state: HostState, wanted: DesiredRoutes | None = None) -> HostPlan:
        """Plan everything that one host needs.

        Args:
            node: The host.
            state: What was read.
            wanted: The routes that it should have, where they are computed already.
        """
        # What the last writes have left goes first, so that a run that is interrupted again does not add to it.
        forwarding = plan_leftovers(state) + plan_forwarding(self.plan, state)
        if wanted is None:
            wanted = desired_routes(self.plan, node, state)
        routes = plan_routes(self.plan, node, state, wanted)
        persist = plan_persist(self.plan, node, state, wanted)
        service = plan_routes_service(self.plan, node, state, self.files, wanted)
        if not releases_routes(persist) and (node.routes_service or not service.changes):
            return forwarding + routes + persist + service
        # The unit takes away the routes that it knows when it stops, and systemd-networkd when it is no longer to keep
        # them. What has to go does so before, and all others of ours are put back after.
        removals = tuple(change for change in routes.changes if change.action == "remove")
        gone = {change.before for change in removals}
        left = {
            family: tuple(route for route in present if route.protocol != PROTOCOL and str(route) not in gone)
            for family, present in state.routes.items()
        }
        again = plan_routes(self.plan, node, replace(state, routes=left), wanted)
        put_back = [change if change in routes.changes else replace(change, drift="") for change in again.changes]
        return forwarding + HostPlan(removals) + persist + service + replace(again, changes=tuple(put_back))

    def remaining(self, node: Node, state: HostState, planned: HostPlan | None = None) -> HostPlan:
        """What is still not as wanted, the kernel's own choice of ways included.

        Args:
            node: The host.
            state: What was read last.
            planned: The plan for that very state, where it is made already.
        """
        wanted = desired_routes(self.plan, node, state)
        left = self.plan_host(node, state, wanted) if planned is None else planned
        lookups = tuple(one.message for one in unmet_lookups(self.plan, node, state, wanted))
        return replace(left, unmet=left.unmet + lookups)


class Deprovisioning(Struct, frozen=True):
    """Takes back from hosts exactly what provisioning put there.

    Attributes:
        plan: The cluster's network.
    """

    plan: NetworkPlan

    def plan_host(self, node: Node, state: HostState) -> HostPlan:  # the same for every node
        """Plan the removal of everything that is ours on one host."""
        return (
            plan_leftovers(state)
            + plan_routes_removal(self.plan, state)
            + plan_persist_removal(state)
            + plan_routes_service_removal(state)
            + plan_forwarding_removal(state)
        )

    def remaining(self, node: Node, state: HostState, planned: HostPlan | None = None) -> HostPlan:
        """What is still there."""
        return self.plan_host(node, state) if planned is None else planned
