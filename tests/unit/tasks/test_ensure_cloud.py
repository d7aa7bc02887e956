"""A cloud from end to end, with the SDK's network as a double: order, verification, and what is undone when."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from keystoneauth1 import exceptions as keystone
from msgspec.structs import replace
from nornir.core.task import Task

from podroutes.host.changes import Change
from podroutes.inventory.key_types import SubnetNames
from podroutes.inventory.network_plan import Cloud, NetworkPlan
from tasks.ensure import ChangeResult
from tasks.ensure_cloud import ensure_cloud
from tests.unit.podroutes.builders import ipv4_cluster
from tests.unit.tasks.neutron import Neutron, raising, refusal

# The SDK warns of what it calls itself.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")

CLOUD = Cloud(name="cloud", cloud="kubernetes", network="the-network", subnet=SubnetNames(["kubernetes"]))
OURS = {(f"10.200.{x}.0/24", f"10.240.0.2{x}") for x in range(3)}
PAIRS = {f"worker-{x}": [f"10.200.{x}.0/24"] for x in range(3)}
NONE: dict[str, list[str]] = {f"worker-{x}": [] for x in range(3)}
DEAD = raising(keystone.ConnectFailure("refused"))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.reconcile.FIRST_PAUSE", 0.0)
    monkeypatch.setattr("tasks.reconcile.LONGEST_PAUSE", 0.0)
    monkeypatch.setattr("tasks.cloud._READ_PAUSES", (0.0, 0.0))


@pytest.fixture
def neutron() -> Neutron:
    return Neutron()


def run(
    neutron: Neutron,
    *,
    cloud: Cloud = CLOUD,
    remove: bool = False,
    dry_run: bool = False,
    approved: dict[str, tuple[Change, ...]] | None = None,
) -> ChangeResult:
    plan: NetworkPlan = replace(ipv4_cluster(), clouds={"cloud": cloud})
    connections = {"openstack": SimpleNamespace(connection=neutron.connection)}
    task = SimpleNamespace(host=SimpleNamespace(name="cloud", connections=connections), is_dry_run=lambda: dry_run)
    result = ensure_cloud(cast("Task", task), plan, remove=remove, approved=approved)
    ensured = result.result
    assert isinstance(ensured, ChangeResult)
    assert result.failed == (ensured.error is not None)
    assert result.changed == (bool(ensured.changes) and not result.failed)
    return ensured


def test_ports_come_before_routes_and_a_second_run_only_reads(neutron: Neutron) -> None:
    done = run(neutron)
    assert done.error is None
    assert neutron.writes() == ["write ports"] * 3 + ["write subnets"]
    assert (neutron.routes, neutron.pairs) == (OURS, PAIRS)
    assert [note for note in done.notes if "next DHCP renewal" in note]
    neutron.requests.clear()
    again = run(neutron)
    assert (again.changes, again.notes, again.error) == ((), (), None)
    assert neutron.requests == ["read networks", "read subnets", "read ports"]


def test_it_is_taken_back_in_the_opposite_order(neutron: Neutron) -> None:
    run(neutron)
    neutron.requests.clear()
    done = run(neutron, remove=True)
    assert done.error is None
    assert neutron.writes() == ["write subnets"] + ["write ports"] * 3
    assert (neutron.routes, neutron.pairs, done.notes) == (set(), NONE, ())


def test_pairs_that_outlive_their_routes_are_better_than_the_opposite(neutron: Neutron) -> None:
    run(neutron)
    neutron.before["write subnets"] = [refusal(500, "x", "no")]
    assert run(neutron, remove=True).error is not None
    assert (neutron.routes, neutron.pairs) == (OURS, PAIRS)


def test_a_dry_run_and_a_plan_that_nobody_has_seen_write_nothing(neutron: Neutron) -> None:
    shown = run(neutron, dry_run=True)
    assert len(shown.changes) == 6
    neutron.one("ports", "port-0")["allowed_address_pairs"] = [{"ip_address": "10.200.0.0/24"}]
    refused = run(neutron, approved={"cloud": shown.changes})
    assert "changed since the changes were shown" in str(refused.error)
    assert neutron.writes() == []
    neutron.one("ports", "port-0")["allowed_address_pairs"] = []
    assert run(neutron, approved={"cloud": shown.changes}).error is None


@pytest.mark.parametrize("where", ["write subnets", "write ports"])
def test_pairs_are_taken_back_after_a_refusal(neutron: Neutron, where: str) -> None:
    neutron.before[where] = [None, refusal(400, "x", "no")] if where == "write ports" else [refusal(400, "x", "no")]
    done = run(neutron)
    assert "no" in str(done.error)
    assert (neutron.routes, neutron.pairs) == (set(), NONE)
    assert [note for note in done.notes if "could not be taken back" in note] == []


def test_also_after_an_error_that_nobody_foresaw(neutron: Neutron) -> None:
    neutron.before["write subnets"] = [raising(ZeroDivisionError("odd"))]
    assert isinstance(run(neutron).error, ZeroDivisionError)
    assert neutron.pairs == NONE


def test_where_the_api_is_gone_the_next_run_fixes_and_this_one_says_so(neutron: Neutron) -> None:
    def dies() -> None:
        neutron.before |= {f"read {kind}": [DEAD] * 9 for kind in ("networks", "subnets", "ports")}
        DEAD()

    neutron.before["write subnets"] = [dies]
    done = run(neutron)
    assert "does not answer" in str(done.error)
    assert done.notes == (
        "address pairs that were added could not be taken back; the next run that gets through fixes all",
    )
    assert neutron.pairs == PAIRS
    neutron.before.clear()
    assert run(neutron).error is None
    assert (neutron.routes, neutron.pairs) == (OURS, PAIRS)


def _turns_dhcp_off(neutron: Neutron) -> Callable[[], None]:
    return lambda: neutron.one("subnets", "four").update(enable_dhcp=False)


def test_what_comes_to_contradict_the_plan_meanwhile_is_an_error_and_undoes_the_pairs(neutron: Neutron) -> None:
    neutron.after["write ports"] = [None, None, _turns_dhcp_off(neutron)]
    done = run(neutron)
    assert "has DHCP off" in str(done.error)
    assert (neutron.routes, neutron.pairs) == (set(), NONE)


def test_a_conflict_touches_nothing(neutron: Neutron) -> None:
    _turns_dhcp_off(neutron)()
    done = run(neutron)
    assert "has DHCP off" in str(done.error)
    assert (done.changes, neutron.writes()) == ((), [])
