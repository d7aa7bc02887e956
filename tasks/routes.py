"""Pod routes in the kernel."""

from msgspec import Struct
from msgspec.structs import replace
from nornir.core.task import Result, Task

from podroutes.host.changes import HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import desired_routes
from podroutes.plan.routes import plan_routes
from podroutes.plan.unresolved_routes import unresolved_lookups
from tasks.ensure import ensure


class Routes(Struct, frozen=True):
    """The kernel's routes alone, as a `Work`."""

    plan: NetworkPlan

    def plan_host(self, node: Node, state: HostState) -> HostPlan:
        """What one host needs."""
        return plan_routes(self.plan, node, state, desired_routes(self.plan, node, state))

    def remaining(self, node: Node, state: HostState) -> HostPlan:
        """What one host still lacks, the ways that the kernel really chooses included."""
        desired = desired_routes(self.plan, node, state)
        left = plan_routes(self.plan, node, state, desired)
        lookups = tuple(one.message for one in unresolved_lookups(self.plan, node, state, desired))
        return replace(left, unresolved=left.unresolved + lookups)


def ensure_routes(task: Task, plan: NetworkPlan) -> Result:
    """Give the host a route to every worker's pod CIDR but its own.

    Args:
        task: Nornir's task.
        plan: The cluster's network.

    Returns:
        As `tasks.ensure.ensure`.
    """
    return ensure(task, Routes(plan))
