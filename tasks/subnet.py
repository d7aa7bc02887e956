"""Pod routes in the cloud: host routes of the subnet, or extra routes of the router."""

import time
from collections.abc import Callable
from functools import partial

from openstack.connection import Connection

from podroutes.cloud import CloudState
from podroutes.network_plan import Cloud
from podroutes.planning.cloud import CloudPlan
from tasks.cloud import call
from tasks.reconcile import reconcile


def ensure_host_routes(
    connection: Connection,
    cloud: Cloud,
    plan_now: Callable[[], tuple[CloudState, CloudPlan]],
    found: tuple[CloudState, CloudPlan],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[CloudState, CloudPlan]:
    """Write the lists of routes that differ, until a later read shows what is wanted.

    Args:
        connection: To the cloud.
        cloud: What the inventory says of it.
        plan_now: Reads the cloud and plans again.
        found: What it gave just now.
        sleep: Waits that many seconds.

    Returns:
        What it gave last; the same if there was nothing to write.

    Raises:
        VerificationError: It never came to be so.
        HostError: The cloud can't be reached.
        CloudError: It refuses.
    """
    if not found[1].has_routes_to_write:
        return found
    return reconcile(
        partial(_write_routes, connection, cloud),
        plan_now,
        found[1],
        lambda planned: planned.has_routes_to_write,
        sleep=sleep,
    )


def _write_routes(connection: Connection, cloud: Cloud, planned: CloudPlan) -> None:
    network = connection.network
    # Where routes move from one to the other, they are there before they go here.
    if planned.router_add:
        body = {"router": {"routes": [route.as_json() for route in planned.router_add]}}
        add = partial(network.add_extra_routes_to_router, planned.router_id, body=body)
        call(cloud, "add the router's routes", add)
    for subnet_id, routes in planned.host_routes.items():
        # The id and a new list: an object whose list was changed in place sends nothing.
        write = partial(network.update_subnet, subnet_id, host_routes=[route.as_json() for route in routes])
        call(cloud, "change the subnet's host routes", write)
    if planned.router_remove:
        body = {"router": {"routes": [route.as_json() for route in planned.router_remove]}}
        remove = partial(network.remove_extra_routes_from_router, planned.router_id, body=body)
        call(cloud, "remove the router's routes", remove)
