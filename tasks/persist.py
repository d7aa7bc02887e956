"""What the network manager keeps of the routes."""

from msgspec import Struct
from nornir.core.task import Result, Task

from podroutes.changes import HostPlan
from podroutes.host_state import HostState
from podroutes.network_plan import NetworkPlan, Node
from podroutes.planning.persist import plan_persist
from tasks.ensure import ensure


class Persist(Struct, frozen=True):
    """The network manager's list alone, as a `Work`."""

    plan: NetworkPlan

    def plan_host(self, node: Node, state: HostState) -> HostPlan:
        """What one host needs."""
        return plan_persist(self.plan, node, state)

    def remaining(self, node: Node, state: HostState, planned: HostPlan | None = None) -> HostPlan:
        """What one host still lacks."""
        return self.plan_host(node, state) if planned is None else planned


def ensure_persist(task: Task, plan: NetworkPlan) -> Result:
    """Have the network manager keep the host's pod routes, where the inventory says so.

    Args:
        task: Nornir's task.
        plan: The cluster's network.

    Returns:
        As `tasks.ensure.ensure`.
    """
    return ensure(task, Persist(plan))
