"""Many who change one subnet at the same time, on a database that lets them: nothing is lost, neither ours nor theirs.

MariaDB and many threads: SQLite has one writer, which hides what this is about.
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from lab.cloud.api import Api
from tests.integration.cloud_lab import CLOUD, SUBNET, CloudLab, as_json

WRITERS = 20
# In a row, that show a writer its own route and nothing new.
CALM_LOOKS = 3
OURS = {"10.200.0.0/24": "10.240.0.20"}
# What a subnet may have at most, ours among them.
THEIRS = {f"192.168.{number}.0/24": "10.240.0.1" for number in range(WRITERS - len(OURS))}


@pytest.fixture
def busy(cloud_lab: CloudLab) -> CloudLab:
    """A cloud on MariaDB."""
    cloud_lab.ensure("mariadb")
    cloud_lab.reset()
    return cloud_lab


def test_none_of_twenty_writers_loses_anything(busy: CloudLab) -> None:
    inventory = busy.inventory(allowed_address_pairs=False)
    for worker in ("worker-1", "worker-2"):
        del inventory.hosts[worker]
    subnet, start = busy.id("subnet", SUBNET), Barrier(WRITERS)
    users = [busy.cloud.api("kubernetes") for _ in THEIRS]
    for user in users:
        assert _routes(user, subnet) == {}  # logged in

    def rival(user: Api, destination: str) -> None:
        start.wait()
        _add(user, subnet, destination, THEIRS[destination])

    with (
        ThreadPoolExecutor(WRITERS) as pool,
        busy.start("provision", "--yes", "--limit", CLOUD, inventory=inventory) as ours,
    ):
        theirs = [pool.submit(rival, user, destination) for user, destination in zip(users, THEIRS, strict=True)]
        _wait(lambda: busy.count("GET", path="/v2.0/networks") > 0)
        start.wait()
        for one in theirs:
            one.result()
        run = ours.finish()
    if run.exit_code != 0:
        # A computer too slow for so many at once: it gives up, says so, and nobody has lost anything by it.
        assert "somebody keeps changing it" in run.reason(CLOUD)
        run = busy.on_cloud("provision", "--yes", inventory=inventory)
    assert (run.exit_code, run.outcomes) == (0, {CLOUD: "changed"}), run.text
    assert busy.subnet_routes() == OURS | THEIRS


def _add(user: Api, subnet: str, destination: str, hop: str) -> None:
    """What a careful writer does: add its route until it is there and nobody else has written for a while.

    A writer that is slow can still take it away with what it read before, and nobody would put it back.
    """
    seen: dict[str, str] = {}
    calm = 0
    while calm < CALM_LOOKS:
        started = time.monotonic()
        routes = _routes(user, subnet)
        calm = calm + 1 if destination in routes and routes == seen else 0
        seen = routes
        if destination not in routes:
            seen = routes | {destination: hop}
            user.call("PUT", f"/v2.0/subnets/{subnet}", {"subnet": {"host_routes": as_json(seen)}})
        took = time.monotonic() - started
        time.sleep(random.uniform(0.5, 1) * max(0.4, 2 * took))  # noqa: S311  # jitter, no secret


def _routes(user: Api, subnet: str) -> dict[str, str]:
    listed = user.get(f"/v2.0/subnets/{subnet}")["subnet"]["host_routes"]
    return {route["destination"]: route["nexthop"] for route in listed}


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
