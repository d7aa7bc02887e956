"""Pod routes in the kernel: one to every worker's pod CIDR but the host's own."""

from nornir.core.task import Result, Task

from podroutes.host.changes import HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import DesiredRoutes, desired_routes
from podroutes.plan.host import Planner
from podroutes.plan.routes import plan_routes
from podroutes.plan.unresolved_routes import unresolved_lookups
from tasks.ensure import ensure


class Routes(Planner, frozen=True):
    """Plans the kernel's routes, and verifies the ways that the kernel really chooses."""

    def plan_part(self, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
        """Plan what one host needs."""
        return plan_routes(self.plan, node, state, desired)

    def unresolved(self, node: Node, state: HostState) -> tuple[str, ...]:
        """The pod CIDRs whose packets go another way."""
        desired = desired_routes(self.plan, node, state)
        return tuple(one.message for one in unresolved_lookups(self.plan, node, state, desired))


def ensure_routes(task: Task, plan: NetworkPlan) -> Result:
    """Give the host its pod routes, until it reboots; arguments and result as `tasks.provision.provision`."""
    return ensure(task, Routes(plan))
