"""`routes.service`, its script and its data file: the routes after a reboot."""

from nornir.core.task import Result, Task

from podroutes.host.changes import HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import DesiredRoutes
from podroutes.plan.host import Planner
from podroutes.plan.routes_service import ServiceFiles, plan_routes_service
from tasks.ensure import ensure
from tasks.service_files import load_service_files


class RoutesService(Planner, frozen=True):
    """Plans the unit.

    Attributes:
        files: The files that are the same on every host.
    """

    files: ServiceFiles

    def plan_part(self, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
        """Plan what one host needs."""
        return plan_routes_service(self.plan, node, state, self.files, desired)


def ensure_routes_service(task: Task, plan: NetworkPlan) -> Result:
    """Install, enable and start the unit; arguments and result as `tasks.provision.provision`."""
    return ensure(task, RoutesService(plan, load_service_files()))
