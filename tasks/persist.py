"""What a host's network manager has to know of the routes (`persist: networkd`)."""

from podroutes.host.changes import HostPlan
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import Node
from podroutes.plan.desired_routes import DesiredRoutes
from podroutes.plan.host import Planner
from podroutes.plan.persist import plan_persist


class Persist(Planner, frozen=True):
    """Plans systemd-networkd's drop-ins; a part of `tasks.provision` alone, since removing one takes routes along."""

    def plan_part(self, node: Node, state: HostState, desired: DesiredRoutes) -> HostPlan:
        """Plan what one host needs."""
        return plan_persist(self.plan, node, state, desired)
