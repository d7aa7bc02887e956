"""Pod routes in the cloud: host routes of the subnet, or extra routes of the router."""

import time
from collections.abc import Callable, Mapping
from functools import partial

from openstack.connection import Connection

from podroutes.host.cloud import CloudState, HostRoute
from podroutes.inventory.network_plan import Cloud
from podroutes.plan.cloud import CloudPlan
from tasks.cloud import call
from tasks.reconcile import Part, reconcile


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
    part = Part(
        write=partial(_write_routes, connection, cloud),
        differs=lambda planned: planned.has_routes_to_write,
        content=lambda state: _content(state, CloudPlan()),
        after=_content,
    )
    return reconcile(part, plan_now, found, sleep=sleep)


def _content(state: CloudState, planned: CloudPlan) -> Mapping[str, frozenset[HostRoute]]:
    """The routes of each subnet and of the router, after a plan was carried out."""
    content = {
        subnet.id: frozenset(planned.host_routes.get(subnet.id, subnet.host_routes))
        for subnet in state.subnets.values()
    }
    if state.router is not None:
        content[state.router.id] = frozenset(state.router.routes) - set(planned.router_remove) | set(planned.router_add)
    return content


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
