"""A cloud made what the plan wants: collect, plan, apply what differs, verify, as for every other host."""

from contextlib import suppress

from nornir.core.task import Result, Task
from openstack.connection import Connection

from podroutes.changes import Change, HostPlan
from podroutes.cloud import CloudState
from podroutes.errors import HostConflictError, HostError, PodRoutesError, VerificationError
from podroutes.network_plan import Cloud, NetworkPlan
from podroutes.planning.cloud import CloudPlan, lease_note, plan_cloud
from tasks.cloud import collect_cloud, connection_to
from tasks.ensure import Ensured, result_of
from tasks.guard import fill
from tasks.ports import write_address_pairs
from tasks.subnet import ensure_host_routes


def ensure_cloud(
    task: Task, plan: NetworkPlan, *, remove: bool = False, approved: dict[str, tuple[Change, ...]] | None = None
) -> Result:
    """Give a cloud its pod routes and address pairs; under a dry run, only plan it.

    Args:
        task: Nornir's task.
        plan: The cluster's network.
        remove: Take everything of ours back instead.
        approved: The changes that a person has said yes to, by host; another plan is refused then.

    Returns:
        As `tasks.ensure.ensure`.
    """
    ensured = Ensured()
    fill(ensured, lambda: _Work(task, plan, remove=remove).run(ensured, approved))
    return result_of(task, ensured)


class _Work:
    def __init__(self, task: Task, plan: NetworkPlan, *, remove: bool) -> None:
        self.task = task
        self.plan = plan
        self.remove = remove
        self.cloud: Cloud = plan.clouds[task.host.name]
        self.connection: Connection = connection_to(task, self.cloud)

    def plan_now(self) -> tuple[CloudState, CloudPlan]:
        state = collect_cloud(self.connection, self.cloud)
        return state, plan_cloud(self.plan, self.cloud, state, remove=self.remove)

    def run(self, ensured: Ensured, approved: dict[str, tuple[Change, ...]] | None) -> None:
        state, planned = self.plan_now()
        host_plan: HostPlan = planned.host_plan
        ensured.notes = host_plan.notes
        if host_plan.conflicts:
            raise HostConflictError("; ".join(host_plan.conflicts))
        ensured.changes = host_plan.changes
        if not host_plan.changes or self.task.is_dry_run():
            return
        if approved is not None and approved.get(self.cloud.name) != host_plan.changes:
            message = "it has changed since the changes were shown: nothing was done; run this again"
            raise HostConflictError(message)
        after = self._apply(state, planned)
        left = plan_cloud(self.plan, self.cloud, after, remove=self.remove).host_plan
        if left.changes or left.conflicts:
            lines = [*left.conflicts, *(f"{change.subject}: still {change.reason}" for change in left.changes)]
            raise VerificationError("; ".join(lines))
        if not self.remove and any(change.layer == "subnet" for change in host_plan.changes):
            ensured.notes = (*ensured.notes, lease_note(self.plan, self.cloud))

    def _apply(self, state: CloudState, planned: CloudPlan) -> CloudState:
        before = {port.id: port.allowed_address_pairs for port in state.ports if port.id in planned.pairs}
        write_address_pairs(self.connection, self.cloud, planned.pairs)
        if not (planned.host_routes or planned.router_add or planned.router_remove):
            return self.plan_now()[0]
        try:
            return ensure_host_routes(self.connection, self.cloud, self.plan_now, planned)
        except PodRoutesError:
            # Ports that let pods send without a route to answer by would be half a change.
            with suppress(HostError, PodRoutesError):
                write_address_pairs(self.connection, self.cloud, before)
            raise
