"""A cloud made what the plan wants: collect, plan, apply what differs, verify, as for every other host."""

from nornir.core.task import Result, Task
from openstack.connection import Connection

from podroutes.errors import HostConflictError, PodRoutesError, VerificationError
from podroutes.host.changes import Change, HostPlan
from podroutes.host.cloud import CloudState
from podroutes.inventory.network_plan import Cloud, NetworkPlan
from podroutes.plan.cloud import CloudPlan, lease_note, pairs_to_take_back, plan_cloud
from tasks.cloud import collect_cloud, connection_to
from tasks.ensure import ChangeResult, result_of
from tasks.ports import ensure_address_pairs, write_address_pairs
from tasks.record import fill
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
    ensured = ChangeResult()
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

    def run(self, ensured: ChangeResult, approved: dict[str, tuple[Change, ...]] | None) -> None:
        state, planned = self.plan_now()
        host_plan: HostPlan = planned.host_plan
        ensured.notes = host_plan.notes
        if host_plan.conflicts:
            raise HostConflictError("; ".join(host_plan.conflicts))
        will_change = bool(host_plan.changes) and not self.task.is_dry_run()
        if will_change and approved is not None and approved.get(self.cloud.name) != host_plan.changes:
            message = "it has changed since the changes were shown: nothing was done; run this again"
            raise HostConflictError(message)
        ensured.changes = host_plan.changes
        if not will_change:
            return
        self._apply(ensured, state, planned)
        if not self.remove and any(change.layer == "subnet" for change in host_plan.changes):
            ensured.notes = (*ensured.notes, lease_note(self.plan, self.cloud))

    def _apply(self, ensured: ChangeResult, state: CloudState, planned: CloudPlan) -> None:
        # Ports first: routes to ports that drop the packets help nobody; and back in the opposite order.
        steps = (ensure_address_pairs, ensure_host_routes)
        found = (state, planned)
        try:
            for step in reversed(steps) if self.remove else steps:
                found = step(self.connection, self.cloud, self.plan_now, found)
            left = found[1].host_plan
            if left.changes or left.conflicts:
                lines = [*left.conflicts, *(f"{change.subject}: still {change.reason}" for change in left.changes)]
                raise VerificationError("; ".join(lines))
        except Exception:
            if not self.remove and planned.pairs:
                self._take_pairs_back(ensured, state)
            raise

    def _take_pairs_back(self, ensured: ChangeResult, before: CloudState) -> None:
        """A port that may send from pod addresses without a route to answer by would be half a change."""
        try:
            now = collect_cloud(self.connection, self.cloud)
            pairs = pairs_to_take_back(self.plan, self.cloud, before, now)
            write_address_pairs(self.connection, self.cloud, pairs)
        except PodRoutesError:
            note = "address pairs that were added could not be taken back; the next run that gets through fixes all"
            ensured.notes = (*ensured.notes, note)
