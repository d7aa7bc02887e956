"""Everything that a host needs: the capabilities together, in the order of their changes on the host."""

from nornir.core.task import Result, Task

from podroutes.host.changes import HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import DesiredRoutes
from podroutes.plan.forwarding import plan_forwarding_removal
from podroutes.plan.host import Composition, Planner
from podroutes.plan.managed_files import plan_leftovers
from podroutes.plan.persist import plan_persist_removal
from podroutes.plan.routes import plan_routes_removal
from podroutes.plan.routes_service import ServiceFiles, plan_routes_service_removal
from tasks.ensure import Approved, ensure
from tasks.forwarding import Forwarding
from tasks.persist import Persist
from tasks.routes import Routes
from tasks.routes_service import RoutesService
from tasks.service_files import load_service_files


def provision(task: Task, plan: NetworkPlan, approved: Approved | None = None) -> Result:
    """Give a machine, or the cloud that machines run in, everything that it needs.

    Args:
        task: Nornir's task; under a dry run, changes are only planned.
        plan: The cluster's network.
        approved: The changes that a person has said yes to, by host; another plan is refused then.

    Returns:
        As `tasks.ensure.ensure`.
    """
    if task.host.name in plan.clouds:
        # Only an inventory with a cloud is to load the SDK.
        from tasks.ensure_cloud import ensure_cloud  # noqa: PLC0415

        return ensure_cloud(task, plan, approved=approved)
    return ensure(task, provisioning(plan), approved=approved)


def deprovision(task: Task, plan: NetworkPlan, approved: Approved | None = None) -> Result:
    """Take back exactly what provisioning put there; arguments and result as `provision`."""
    if task.host.name in plan.clouds:
        from tasks.ensure_cloud import ensure_cloud  # noqa: PLC0415  # see above

        return ensure_cloud(task, plan, remove=True, approved=approved)
    return ensure(task, Deprovisioning(plan), approved=approved)


def provisioning(plan: NetworkPlan, files: ServiceFiles | None = None) -> Composition:
    """The planner of all capabilities.

    Args:
        plan: The cluster's network.
        files: Those of the unit; this package's own where None.
    """
    return Composition(
        plan,
        (
            Leftovers(plan),  # first, so that a run that is interrupted again does not add to them
            Forwarding(plan),
            Routes(plan),
            Persist(plan),
            RoutesService(plan, files or load_service_files()),
        ),
    )


class Leftovers(Planner, frozen=True):
    """Plans to remove what interrupted writes have left."""

    def plan_part(self, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
        """Plan what one host needs."""
        return plan_leftovers(state)


class Deprovisioning(Planner, frozen=True):
    """Plans to remove everything that is ours."""

    def plan_part(self, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
        """Plan what one host needs."""
        return (
            plan_leftovers(state)
            + plan_routes_removal(self.plan, state)
            + plan_persist_removal(state)
            + plan_routes_service_removal(state)
            + plan_forwarding_removal(state)
        )
