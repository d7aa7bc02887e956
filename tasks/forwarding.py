"""IP forwarding, now and after a reboot."""

from msgspec import Struct
from nornir.core.task import Result, Task

from podroutes.host.changes import HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.forwarding import plan_forwarding
from tasks.ensure import ensure


class Forwarding(Struct, frozen=True):
    """Forwarding alone, as a `Work`."""

    plan: NetworkPlan

    def plan_host(self, node: Node, state: HostState) -> HostPlan:
        """What one host needs."""
        return plan_forwarding(self.plan, state)

    def remaining(self, node: Node, state: HostState) -> HostPlan:
        """What one host still lacks."""
        return self.plan_host(node, state)


def ensure_forwarding(task: Task, plan: NetworkPlan) -> Result:
    """Turn forwarding of the cluster's families on, in the kernel and in sysctl.d.

    Args:
        task: Nornir's task.
        plan: The cluster's network.

    Returns:
        As `tasks.ensure.ensure`.
    """
    return ensure(task, Forwarding(plan))
