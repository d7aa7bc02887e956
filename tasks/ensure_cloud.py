"""A cloud, as every other host: collect, plan, apply what differs, verify."""

from msgspec import Struct
from nornir.core.task import Result, Task
from openstack.connection import Connection

from podroutes.errors import PodRoutesError, VerificationError
from podroutes.host.cloud import CloudState
from podroutes.inventory.network_plan import Cloud, NetworkPlan
from podroutes.plan.cloud import lease_note, pairs_to_take_back, plan_cloud
from tasks.cloud import collect_cloud, connection_to
from tasks.ensure import Approved, ChangeResult, is_to_change, nornir_result
from tasks.ports import address_pairs, write_address_pairs
from tasks.reconcile import Planned, reconcile
from tasks.subnet import host_routes


def ensure_cloud(task: Task, plan: NetworkPlan, *, remove: bool = False, approved: Approved | None = None) -> Result:
    """Give a cloud its pod routes and address pairs; under a dry run, only plan it.

    Args:
        task: Nornir's task.
        plan: The cluster's network.
        remove: Take everything of ours back instead.
        approved: The changes that a person has said yes to, by host; another plan is refused then.

    Returns:
        As `tasks.ensure.ensure`.
    """
    result = ChangeResult()
    result.fill(lambda: _ensure(task, plan, result, approved, remove=remove))
    return nornir_result(task, result)


def _ensure(task: Task, plan: NetworkPlan, result: ChangeResult, approved: Approved | None, *, remove: bool) -> None:
    cloud = plan.clouds[task.host.name]
    change = _Change(plan, cloud, connection_to(task, cloud), remove, result)
    planned = change.plan_now()
    if is_to_change(task, planned[1].host_plan, approved, result):
        change.apply(planned)
        if not remove and any(one.layer == "subnet" for one in result.changes):
            result.notes = (*result.notes, lease_note(plan, cloud))


class _Change(Struct):
    """A change of one cloud."""

    plan: NetworkPlan
    cloud: Cloud
    connection: Connection
    remove: bool
    result: ChangeResult

    def plan_now(self) -> Planned:
        state = collect_cloud(self.connection, self.cloud)
        return state, plan_cloud(self.plan, self.cloud, state, remove=self.remove)

    def apply(self, planned: Planned) -> None:
        before, first_plan = planned
        # Ports first: routes to ports that drop the packets help nobody; and back in the opposite order.
        parts = [part(self.connection, self.cloud) for part in (address_pairs, host_routes)]
        try:
            for part in reversed(parts) if self.remove else parts:
                planned = reconcile(part, self.plan_now, planned)
            left = planned[1].host_plan
            if left.changes or left.conflicts:
                lines = [*left.conflicts, *(f"{change.subject}: still {change.reason}" for change in left.changes)]
                raise VerificationError("; ".join(lines))
        except Exception:
            if not self.remove and first_plan.pairs:
                self._take_pairs_back(before)
            raise

    def _take_pairs_back(self, before: CloudState) -> None:
        """A port that may send from pod addresses without a route to answer by would be half a change."""
        try:
            now = collect_cloud(self.connection, self.cloud)
            pairs = pairs_to_take_back(self.plan, self.cloud, before, now)
            write_address_pairs(self.connection, self.cloud, pairs)
        except PodRoutesError:
            note = "address pairs that were added could not be taken back; the next run that gets through fixes all"
            self.result.notes = (*self.result.notes, note)
