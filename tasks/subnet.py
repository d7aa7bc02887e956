"""Pod routes in the cloud: host routes of the subnet, or extra routes of the router.

Neutron replaces a subnet's whole list at once and has no way to refuse a list that a rival has changed meanwhile
(`If-Match` is not atomic, and host routes do not bump the revision). So a change is reconciled: written, read back at
once, and read again after a moment; whoever was overwritten writes again.
"""

import random
import time
from collections.abc import Callable, Mapping
from typing import Final

from openstack.connection import Connection

from podroutes.cloud import CloudState, HostRoute
from podroutes.errors import VerificationError
from podroutes.network_plan import Cloud
from podroutes.planning.cloud import CloudPlan
from tasks.cloud import call

# Each attempt waits twice as long as the one before, with jitter, so that rivals do not meet again and again.
ATTEMPTS: Final = 12
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 4.0


def ensure_host_routes(
    connection: Connection,
    cloud: Cloud,
    plan_now: Callable[[], tuple[CloudState, CloudPlan]],
    planned: CloudPlan,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> CloudState:
    """Write the lists that differ until a later read shows what is wanted.

    Args:
        connection: To the cloud.
        cloud: What the inventory says of it.
        plan_now: Reads the cloud and plans again.
        planned: What differs now.
        sleep: Waits that many seconds.

    Returns:
        The state that was read last.

    Raises:
        VerificationError: It never came to be so; the message says what is missing.
        HostError: The cloud can't be reached or refuses.
    """
    for attempt in range(ATTEMPTS):
        _write_routes(connection, cloud, planned)
        state, left = plan_now()
        if not _has_routes_to_write(left):
            sleep(_pause(0))  # a rival that read before us writes now
            state, left = plan_now()
            if not _has_routes_to_write(left):
                return state
        planned = left
        sleep(_pause(attempt))
    missing = "; ".join(f"{change.subject}: {change.reason}" for change in planned.host_plan.changes)
    message = f"somebody keeps changing the cloud's routes; after {ATTEMPTS} attempts: {missing}"
    raise VerificationError(message)


def _pause(attempt: int) -> float:
    longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
    return random.uniform(0.5, 1.0) * longest  # noqa: S311  # jitter, no secret


def _has_routes_to_write(plan: CloudPlan) -> bool:
    return bool(plan.host_routes or plan.router_add or plan.router_remove)


def _write_routes(connection: Connection, cloud: Cloud, planned: CloudPlan) -> None:
    network = connection.network
    for subnet_id, routes in planned.host_routes.items():
        body = [_as_json(route) for route in routes]
        # The id and a new list: an object whose list was changed in place sends nothing.
        call(
            cloud,
            "change the subnet's host routes",
            lambda subnet_id=subnet_id, body=body: network.update_subnet(subnet_id, host_routes=body),  # type: ignore[misc]
        )
    if cloud.router is None:
        return
    for what, routes, change in (
        ("add the router's routes", planned.router_add, network.add_extra_routes_to_router),
        ("remove the router's routes", planned.router_remove, network.remove_extra_routes_from_router),
    ):
        if routes:
            content = {"router": {"routes": [_as_json(route) for route in routes]}}
            call(cloud, what, lambda change=change, content=content: change(planned.router_id, body=content))  # type: ignore[misc]


def _as_json(route: HostRoute) -> Mapping[str, str]:
    return {"destination": str(route.destination), "nexthop": str(route.nexthop)}
