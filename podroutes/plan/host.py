"""A whole host: what all capabilities together make of it, in the order in which it has to happen."""

from msgspec import Struct
from msgspec.structs import replace

from podroutes.host.changes import HostPlan
from podroutes.host.routes import PROTOCOL
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import desired_routes
from podroutes.plan.forwarding import plan_forwarding, plan_forwarding_removal
from podroutes.plan.managed_files import plan_leftovers
from podroutes.plan.persist import plan_persist, plan_persist_removal, releases_routes
from podroutes.plan.routes import plan_routes, plan_routes_removal
from podroutes.plan.routes_service import ServiceFiles, plan_routes_service, plan_routes_service_removal
from podroutes.plan.unresolved_routes import unresolved_lookups


class Provisioning(Struct, frozen=True):
    """Plans what hosts need to be as the network plan says.

    Attributes:
        plan: The cluster's network.
        files: The service's files.
    """

    plan: NetworkPlan
    files: ServiceFiles

    def plan_host(self, node: Node, state: HostState) -> HostPlan:
        """Plan everything that one host needs."""
        desired = desired_routes(self.plan, node, state)
        # Leftovers of interrupted writes go first, so that another interrupted run does not add to them.
        forwarding = plan_leftovers(state) + plan_forwarding(self.plan, state)
        routes = plan_routes(self.plan, node, state, desired)
        persist = plan_persist(self.plan, node, state, desired)
        service = plan_routes_service(self.plan, node, state, self.files, desired)
        if not releases_routes(persist) and (node.routes_service or not service.changes):
            return forwarding + routes + persist + service
        # The unit removes the routes that it knows when it stops, and systemd-networkd when it is no longer to keep
        # them. So routes are removed before, and all others of ours are restored after.
        removals = tuple(change for change in routes.changes if change.action == "remove")
        gone = {change.before for change in removals}
        left = {
            family: tuple(route for route in present if route.protocol != PROTOCOL and str(route) not in gone)
            for family, present in state.routes.items()
        }
        again = plan_routes(self.plan, node, replace(state, routes=left), desired)
        restored = tuple(change if change in routes.changes else replace(change, drift="") for change in again.changes)
        return forwarding + HostPlan(removals) + persist + service + replace(again, changes=restored)

    def remaining(self, node: Node, state: HostState) -> HostPlan:
        """What is still not as it should be, the kernel's own choice of routes included."""
        left = self.plan_host(node, state)
        desired = desired_routes(self.plan, node, state)
        lookups = tuple(one.message for one in unresolved_lookups(self.plan, node, state, desired))
        return replace(left, unresolved=left.unresolved + lookups)


class Deprovisioning(Struct, frozen=True):
    """Plans the removal from hosts of exactly what provisioning put there.

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

    remaining = plan_host
