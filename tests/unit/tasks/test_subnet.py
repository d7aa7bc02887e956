"""Writing routes and pairs until a later read shows them: rivals, lost answers, refusals. No time passes here."""

from collections.abc import Callable

import pytest
from keystoneauth1 import exceptions as keystone
from msgspec.structs import replace
from openstack.connection import Connection

from podroutes.errors import AuthenticationError, CloudBusyError, CloudError, UnreachableError, VerificationError
from podroutes.inventory.key_types import SubnetNames
from podroutes.inventory.network_plan import Cloud
from podroutes.plan.cloud import CloudPlan, plan_cloud
from tasks.cloud import collect_cloud
from tasks.ports import address_pairs
from tasks.reconcile import ATTEMPTS, LONGEST_PAUSE, Part, Planned, reconcile
from tasks.subnet import host_routes
from tests.unit.podroutes.builders import ipv4_cluster
from tests.unit.tasks.neutron import Neutron, raising, refusal

# The SDK warns of what it calls itself.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")

CLOUD = Cloud(name="cloud", cloud="kubernetes", network="the-network", subnet=SubnetNames(["kubernetes"]))
OURS = {(f"10.200.{x}.0/24", f"10.240.0.2{x}") for x in range(3)}
PAIRS = {f"worker-{x}": [f"10.200.{x}.0/24"] for x in range(3)}
LOST = raising(keystone.ConnectFailure("Remote end closed connection without response"))


class Run:
    """One run's writing, with time that is counted and does not pass."""

    def __init__(self, neutron: Neutron, cloud: Cloud = CLOUD) -> None:
        self.neutron = neutron
        self.cloud = cloud
        self.slept: list[float] = []
        self.during_sleep: list[Callable[[], None]] = []

    def plan_now(self) -> Planned:
        state = collect_cloud(self.neutron.connection, self.cloud)
        return state, plan_cloud(ipv4_cluster(), self.cloud, state)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.during_sleep:
            self.during_sleep.pop(0)()

    def reconcile(self, part: Callable[[Connection, Cloud], Part]) -> CloudPlan:
        chosen = part(self.neutron.connection, self.cloud)
        return reconcile(chosen, self.plan_now, self.plan_now(), sleep=self.sleep)[1]

    def routes(self) -> CloudPlan:
        return self.reconcile(host_routes)

    def pairs(self) -> CloudPlan:
        return self.reconcile(address_pairs)


@pytest.fixture
def neutron() -> Neutron:
    return Neutron()


@pytest.fixture
def run(neutron: Neutron) -> Run:
    return Run(neutron)


def test_without_rivals_there_is_one_write_and_it_is_read_again_after_a_moment() -> None:
    neutron = Neutron()
    run = Run(neutron)
    assert not run.routes().has_routes_to_write
    assert neutron.routes == OURS
    assert neutron.writes() == ["write subnets"]
    assert neutron.requests[-3:] == ["read networks", "read subnets", "read ports"]
    assert len(run.slept) == 1
    assert 0.2 <= run.slept[0] <= 0.4


def test_nothing_is_written_and_nothing_more_is_read_where_nothing_differs() -> None:
    neutron = Neutron()
    Run(neutron).routes()
    neutron.requests.clear()
    run = Run(neutron)
    run.routes()
    assert (len(neutron.requests), neutron.writes(), run.slept) == (3, [], [])


def rival(neutron: Neutron, *routes: tuple[str, str]) -> Callable[[], None]:
    """Somebody who writes the list that it has read earlier, with its own route."""

    def write() -> None:
        listed = [{"destination": destination, "nexthop": hop} for destination, hop in routes]
        neutron.one("subnets", "four")["host_routes"] = listed

    return write


FOREIGN = ("192.168.100.0/24", "10.240.0.1")


def test_a_rival_that_overwrites_us_is_answered_with_both() -> None:
    neutron = Neutron()
    run = Run(neutron)
    run.during_sleep = [rival(neutron, FOREIGN)]
    run.routes()
    assert neutron.routes == OURS | {FOREIGN}
    assert neutron.writes() == ["write subnets"] * 2


def test_what_a_rival_writes_while_we_wait_is_kept() -> None:
    neutron = Neutron()
    run = Run(neutron)
    second = ("192.168.101.0/24", "10.240.0.1")
    run.during_sleep = [rival(neutron, FOREIGN), rival(neutron, FOREIGN, second)]
    run.routes()
    assert neutron.routes == OURS | {FOREIGN, second}


def test_while_others_write_beside_us_we_keep_watching(neutron: Neutron, run: Run) -> None:
    # One that adds to what we wrote, and one that had read before us.
    run.during_sleep = [rival(neutron, *OURS, FOREIGN), rival(neutron, FOREIGN)]
    run.routes()
    assert neutron.routes == OURS | {FOREIGN}
    assert neutron.writes() == ["write subnets"] * 2
    assert len(run.slept) == 3


def test_and_are_content_in_the_end_where_they_never_stop(neutron: Neutron, run: Run) -> None:
    run.during_sleep = [rival(neutron, *OURS, (f"192.168.{x}.0/24", "10.240.0.1")) for x in range(50)]
    assert not run.routes().has_routes_to_write
    assert neutron.writes() == ["write subnets"]
    assert len(run.slept) == ATTEMPTS


def test_a_rival_that_never_stops_ends_it_with_what_is_missing() -> None:
    neutron = Neutron()
    run = Run(neutron)
    run.during_sleep = [rival(neutron, FOREIGN)] * 50
    with pytest.raises(VerificationError) as raised:
        run.routes()
    assert str(raised.value).startswith(
        f"somebody keeps changing it; after {ATTEMPTS} attempts: port worker-0: 10.200.0.0/24: "
    )
    assert "subnet kubernetes: 10.200.2.0/24: missing" in str(raised.value)
    assert neutron.writes() == ["write subnets"] * ATTEMPTS
    assert max(run.slept) <= LONGEST_PAUSE
    assert run.slept[4] > run.slept[0]


@pytest.mark.parametrize("failure", [LOST, raising(keystone.ConnectTimeout("timed out"))])
def test_a_lost_answer_to_a_change_that_was_made_is_no_second_change(failure: Callable[[], None]) -> None:
    neutron = Neutron()
    neutron.after["write subnets"] = [failure]
    Run(neutron).routes()
    assert neutron.routes == OURS
    assert neutron.writes() == ["write subnets"]


@pytest.mark.parametrize(
    "failure", [LOST, refusal(503, message="no server"), refusal(409, "Conflict", "There was a conflict.")]
)
def test_what_passes_is_tried_again_after_a_look(failure: Callable[[], None]) -> None:
    neutron = Neutron()
    neutron.before["write subnets"] = [failure, failure]
    run = Run(neutron)
    run.during_sleep = [rival(neutron, FOREIGN)]
    run.routes()
    assert neutron.routes == OURS | {FOREIGN}
    assert neutron.writes() == ["write subnets"] * 3


@pytest.mark.parametrize(
    ("failure", "error"), [(LOST, UnreachableError), (refusal(503, message="no server"), CloudBusyError)]
)
def test_but_not_for_ever(failure: Callable[[], None], error: type[Exception]) -> None:
    neutron = Neutron()
    neutron.before["write subnets"] = [failure] * 9
    with pytest.raises(error):
        Run(neutron).routes()
    assert neutron.writes() == ["write subnets"] * 3
    assert neutron.routes == set()


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (refusal(400, "HostRoutesExhausted", "too many"), CloudError),
        (refusal(403, "x", "x"), CloudError),
        (refusal(404, "x", "x"), CloudError),
        (refusal(412, "x", "x"), CloudError),
        (refusal(500, "x", "x"), CloudError),
        (raising(keystone.Unauthorized("x")), AuthenticationError),
    ],
)
def test_a_refusal_is_not_asked_for_twice(failure: Callable[[], None], error: type[Exception]) -> None:
    neutron = Neutron()
    neutron.before["write subnets"] = [failure] * 9
    with pytest.raises(error):
        Run(neutron).routes()
    assert neutron.writes() == ["write subnets"]


def test_only_the_ports_that_differ_are_written_and_lost_answers_are_looked_after() -> None:
    neutron = Neutron()
    neutron.one("ports", "port-1")["allowed_address_pairs"] = [{"ip_address": "10.200.1.0/24"}]
    neutron.after["write ports"] = [LOST]
    assert Run(neutron).pairs().pairs == {}
    assert neutron.pairs == PAIRS
    assert neutron.writes() == ["write ports"] * 2


def test_the_router_gets_routes_before_the_subnet_loses_them_and_the_other_way_round() -> None:
    neutron = Neutron()
    Run(neutron).routes()
    neutron.requests.clear()
    to_router = replace(CLOUD, router="kubernetes", route_target="router")
    Run(neutron, to_router).routes()
    assert neutron.writes() == ["write routers", "write subnets"]
    assert neutron.routes == set()
    assert len(neutron.one("routers", "r")["routes"]) == 3
    neutron.requests.clear()
    Run(neutron, replace(to_router, route_target="subnet")).routes()
    assert neutron.writes() == ["write subnets", "write routers"]
    assert neutron.routes == OURS
    assert neutron.one("routers", "r")["routes"] == []
