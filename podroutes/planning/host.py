"""A whole host: what all capabilities together make of it, in the order in which it has to happen."""

from dataclasses import dataclass, replace

from podroutes.changes import HostPlan
from podroutes.host_state import HostState
from podroutes.network_plan import NetworkPlan, Node
from podroutes.planning.forwarding import plan_forwarding, plan_forwarding_removal
from podroutes.planning.routes import plan_routes, plan_routes_removal, unmet_lookups
from podroutes.planning.routes_service import ServiceFiles, plan_routes_service, plan_routes_service_removal
from podroutes.routes import PROTOCOL


@dataclass(frozen=True)
class Provisioning:
    """Gives hosts what the plan wants.

    Attributes:
        plan: The cluster's network.
        files: The service's files.
    """

    plan: NetworkPlan
    files: ServiceFiles

    def plan_host(self, node: Node, state: HostState) -> HostPlan:
        """Plan everything that one host needs."""
        service = plan_routes_service(self.plan, node, state, self.files)
        if not node.routes_service and service.changes:
            # Stopping the unit takes its routes away: they are all put back after it.
            without = {
                family: tuple(route for route in routes if route.protocol != PROTOCOL)
                for family, routes in state.routes.items()
            }
            routes = plan_routes(self.plan, node, replace(state, routes=without))
            return plan_forwarding(self.plan, state) + service + routes
        return plan_forwarding(self.plan, state) + plan_routes(self.plan, node, state) + service

    def remaining(self, node: Node, state: HostState) -> HostPlan:
        """What is still not as wanted, the kernel's own choice of ways included; read after a change."""
        left = self.plan_host(node, state)
        return replace(left, unmet=left.unmet + unmet_lookups(self.plan, node, state))


@dataclass(frozen=True)
class Deprovisioning:
    """Takes back from hosts exactly what provisioning put there.

    Attributes:
        plan: The cluster's network.
    """

    plan: NetworkPlan

    def plan_host(self, node: Node, state: HostState) -> HostPlan:  # the same for every node
        """Plan the removal of everything that is ours on one host."""
        return (
            plan_routes_removal(self.plan, state) + plan_routes_service_removal(state) + plan_forwarding_removal(state)
        )

    def remaining(self, node: Node, state: HostState) -> HostPlan:
        """What is still there."""
        return self.plan_host(node, state)
