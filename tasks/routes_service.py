"""`routes.service`, its script and its data file: the routes after a reboot."""

from msgspec import Struct
from nornir.core.task import Result, Task

from podroutes.host.changes import HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import desired_routes
from podroutes.plan.routes_service import ServiceFiles, plan_routes_service
from tasks.ensure import ensure
from tasks.service_files import load_service_files


class RoutesService(Struct, frozen=True):
    """The unit alone, as a `Work`."""

    plan: NetworkPlan
    files: ServiceFiles

    def plan_host(self, node: Node, state: HostState) -> HostPlan:
        """What one host needs."""
        desired = desired_routes(self.plan, node, state)
        return plan_routes_service(self.plan, node, state, self.files, desired)

    def remaining(self, node: Node, state: HostState) -> HostPlan:
        """What one host still lacks."""
        return self.plan_host(node, state)


def ensure_routes_service(task: Task, plan: NetworkPlan) -> Result:
    """Install, enable and start the unit that gives the host its routes at boot.

    Args:
        task: Nornir's task.
        plan: The cluster's network.

    Returns:
        As `tasks.ensure.ensure`.
    """
    return ensure(task, RoutesService(plan, load_service_files()))
