"""Pod routes in the kernel."""

from msgspec import Struct
from msgspec.structs import replace
from nornir.core.task import Result, Task

from podroutes.host.changes import HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.routes import desired_routes, plan_routes, unmet_lookups
from tasks.ensure import ensure


class Routes(Struct, frozen=True):
    """The kernel's routes alone, as a `Work`."""

    plan: NetworkPlan

    def plan_host(self, node: Node, state: HostState) -> HostPlan:
        """What one host needs."""
        return plan_routes(self.plan, node, state)

    def remaining(self, node: Node, state: HostState, planned: HostPlan | None = None) -> HostPlan:
        """What one host still lacks, the ways that the kernel really chooses included."""
        wanted = desired_routes(self.plan, node, state)
        left = plan_routes(self.plan, node, state, wanted) if planned is None else planned
        lookups = tuple(one.message for one in unmet_lookups(self.plan, node, state, wanted))
        return replace(left, unmet=left.unmet + lookups)


def ensure_routes(task: Task, plan: NetworkPlan) -> Result:
    """Give the host a route to every worker's pod CIDR but its own.

    Args:
        task: Nornir's task.
        plan: The cluster's network.

    Returns:
        As `tasks.ensure.ensure`.
    """
    return ensure(task, Routes(plan))
