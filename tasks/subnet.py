"""Pod routes in the cloud: host routes of the subnet, or extra routes of the router."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from openstack.connection import Connection

from podroutes.host.cloud import CloudState, HostRoute
from podroutes.inventory.network_plan import Cloud
from podroutes.plan.cloud import CloudPlan
from tasks.cloud import call
from tasks.reconcile import Part


def host_routes(connection: Connection, cloud: Cloud) -> Part:
    """The lists of routes, for `tasks.reconcile.reconcile`."""
    return Part(partial(_write, connection, cloud), lambda plan: plan.has_routes_to_write, _content)


def _content(state: CloudState, plan: CloudPlan) -> Mapping[str, frozenset[HostRoute]]:
    """The routes of each subnet and of the router."""
    content = {
        subnet.id: frozenset(plan.host_routes.get(subnet.id, subnet.host_routes)) for subnet in state.subnets.values()
    }
    if state.router is not None:
        content[state.router.id] = frozenset(state.router.routes) - set(plan.router_remove) | set(plan.router_add)
    return content


def _write(connection: Connection, cloud: Cloud, plan: CloudPlan) -> None:
    network = connection.network
    # Where routes move from one to the other, they are there before they go here.
    if plan.router_add:
        body = {"router": {"routes": _as_json(plan.router_add)}}
        add = partial(network.add_extra_routes_to_router, plan.router_id, body=body)
        call(cloud, "add the router's routes", add)
    for subnet_id, routes in plan.host_routes.items():
        # The id and a new list: an object whose list was changed in place sends nothing.
        write = partial(network.update_subnet, subnet_id, host_routes=_as_json(routes))
        call(cloud, "change the subnet's host routes", write)
    if plan.router_remove:
        body = {"router": {"routes": _as_json(plan.router_remove)}}
        remove = partial(network.remove_extra_routes_from_router, plan.router_id, body=body)
        call(cloud, "remove the router's routes", remove)


def _as_json(routes: tuple[HostRoute, ...]) -> list[Any]:
    return [route.as_json() for route in routes]
