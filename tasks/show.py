"""Reading whatever a host of the inventory is: a machine, or the cloud that machines run in."""

from nornir.core.task import Result, Task

from podroutes.inventory.network_plan import NetworkPlan
from tasks.facts import collect_facts


def read_any(task: Task, plan: NetworkPlan) -> Result:
    """Read a host's state; changes nothing.

    Args:
        task: Nornir's task.
        plan: The cluster's network.

    Returns:
        A `HostState` or a `CloudState` as result.

    Raises:
        PodRoutesError: It can't be read.
    """
    cloud = plan.clouds.get(task.host.name)
    if cloud is None:
        return collect_facts(task, plan, route_text=True)
    # Only an inventory with a cloud is to load the SDK.
    from tasks.cloud import collect_cloud, connection_to  # noqa: PLC0415

    return Result(host=task.host, result=collect_cloud(connection_to(task, cloud), cloud))
