"""IP forwarding, now and after a reboot."""

from nornir.core.task import Result, Task

from podroutes.host.changes import HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import DesiredRoutes
from podroutes.plan.forwarding import plan_forwarding
from podroutes.plan.host import Planner
from tasks.ensure import ensure


class Forwarding(Planner, frozen=True):
    """Plans forwarding of the cluster's families, in the kernel and in sysctl.d."""

    def plan_part(self, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
        """Plan what one host needs."""
        return plan_forwarding(self.plan, state)


def ensure_forwarding(task: Task, plan: NetworkPlan) -> Result:
    """Turn forwarding of the cluster's families on; arguments and result as `tasks.provision.provision`."""
    return ensure(task, Forwarding(plan))
