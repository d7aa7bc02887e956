"""What a network manager is given of the routes: a host's state in, the exact changes out."""

import pytest
from msgspec.structs import replace

from podroutes.drift.detection import find_drift
from podroutes.host.changes import NetworkdFile
from podroutes.host.network_managers import MANAGERS, ManagedLink, Manager
from podroutes.host.state import FileState, HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import desired_routes
from podroutes.plan.persist import RemovingManager, plan_persist_removal, removing_managers
from tasks.persist import Persist
from tasks.provision import Deprovisioning
from tests.unit.podroutes.builders import DUAL, IPV4, link, plan_of, worker
from tests.unit.podroutes.healthy import healthy, work_of

NETWORK = "/run/systemd/network/10-netplan-eth0.network"
DROP_IN = "/etc/systemd/network/10-netplan-eth0.network.d/90-kubernetes-pod-routes.conf"
OTHER = "/etc/systemd/network/eth9.network.d/90-kubernetes-pod-routes.conf"
CONTENT = """# Managed by pod-routes; changes to this file are overwritten.

[Route]
Destination=10.200.1.0/24
Gateway=10.240.0.21
GatewayOnLink=no
Protocol=201
Metric=0

[Route]
Destination=10.200.2.0/24
Gateway=10.240.0.22
GatewayOnLink=no
Protocol=201
Metric=0
"""
RIGHT = FileState(CONTENT, 0o644, 0, 0)
NETWORKD = ManagedLink("systemd-networkd", NETWORK)
READ = replace(NETWORKD, drop_ins=(DROP_IN,))


def cluster(persist: str = "networkd") -> NetworkPlan:
    return plan_of(IPV4, *(worker(index, persist=persist) for index in range(3)))


def a_host(managed: ManagedLink | None = NETWORKD, plan: NetworkPlan | None = None, **files: FileState) -> HostState:
    found = healthy(plan or cluster(), "worker-0")
    places = {"ours": DROP_IN, "other": OTHER}
    return replace(
        found,
        managers={} if managed is None else {"eth0": managed},
        files=dict(found.files) | {places[name]: file for name, file in files.items()},
    )


CHANGES: dict[str, tuple[HostState, list[tuple[str, str, str]]]] = {
    "missing": (a_host(), [("write", DROP_IN, "missing")]),
    "there": (a_host(ours=RIGHT), []),
    "there, and read": (a_host(READ, ours=RIGHT), []),
    "there, and not read": (
        a_host(replace(READ, drop_ins=()), ours=RIGHT),
        [("write", DROP_IN, "systemd-networkd has not read it")],
    ),
    "edited": (a_host(ours=replace(RIGHT, content=CONTENT + "x")), [("write", DROP_IN, "it differs")]),
    "another mode": (a_host(ours=replace(RIGHT, mode=0o600)), [("write", DROP_IN, "it differs")]),
    "a link": (a_host(ours=replace(RIGHT, regular=False)), [("write", DROP_IN, "it differs")]),
    "beside another .network file as well": (
        a_host(ours=RIGHT, other=RIGHT),
        [("remove", OTHER, "this software put it there")],
    ),
    "somebody else's beside another .network file": (
        a_host(ours=RIGHT, other=replace(RIGHT, content="[Route]\n")),
        [],
    ),
    "DHCP, of a new systemd-networkd": (a_host(replace(READ, leased=True), ours=RIGHT), []),
}


def removing(plan: NetworkPlan, node: Node, found: HostState) -> list[RemovingManager]:
    return list(removing_managers(plan, node, found, desired_routes(plan, node, found)))


@pytest.mark.parametrize(("found", "expected"), CHANGES.values(), ids=CHANGES)
def test_changes(found: HostState, expected: list[tuple[str, str, str]]) -> None:
    plan = cluster()
    planned = Persist(plan).plan_host(plan.nodes["worker-0"], found)
    assert [(change.action, change.subject, change.reason) for change in planned.changes] == expected
    assert planned.conflicts == planned.unresolved == planned.notes == ()
    drifted = {(one.code, one.subject) for one in find_drift(work_of(plan), plan.nodes["worker-0"], found)}
    assert drifted == {("manager-lacks-routes", subject) for _, subject, _ in expected}


def test_what_is_written_and_whom_it_waits_for() -> None:
    plan = cluster()
    (change,) = Persist(plan).plan_host(plan.nodes["worker-0"], a_host()).changes
    assert change.steps == (NetworkdFile(DROP_IN, CONTENT, "eth0"),)
    (change,) = Persist(plan).plan_host(plan.nodes["worker-0"], a_host(ours=RIGHT, other=RIGHT)).changes
    assert change.steps == (NetworkdFile(OTHER, "", ""),)  # no interface uses it


def shared(found: HostState) -> HostState:
    return replace(found, managers={**found.managers, "eth5": NETWORKD})


CONFLICTS: dict[str, tuple[HostState, str]] = {
    "nobody": (a_host(None), "systemd-networkd does not set up eth0, no network manager does; "),
    "another": (a_host(ManagedLink("NetworkManager")), "systemd-networkd does not set up eth0, NetworkManager does; "),
    "no file": (a_host(ManagedLink("systemd-networkd")), "eth0 has no .network file whose name can be used (''); "),
    "an odd file": (
        a_host(replace(NETWORKD, network_file="/etc/systemd/network/a b.network")),
        "eth0 has no .network file whose name can be used ('/etc/systemd/network/a b.network'); ",
    ),
    "a shared file": (
        shared(a_host()),
        f"{NETWORK} is that of eth0 and of eth5, where the routes can't be: give eth0 a file of its own, or ",
    ),
    "not yet": (a_host(replace(NETWORKD, settled=False)), "systemd-networkd has not done with eth0: "),
    "DHCP": (a_host(replace(NETWORKD, leased=True)), "eth0 has its address from DHCP or router advertisements, "),
}


@pytest.mark.parametrize(("found", "message"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_the_host_contradicts_is_a_conflict_everywhere(found: HostState, message: str) -> None:
    plan = cluster()
    node = plan.nodes["worker-0"]
    planned = Persist(plan).plan_host(node, found)
    assert planned.changes == ()
    (conflict,) = planned.conflicts
    assert conflict.startswith(f"persist: networkd: {message}")
    assert conflict.endswith(("write persist: unit in the inventory", "look at networkctl status eth0"))
    assert work_of(plan).plan_host(node, found).conflicts == (conflict,)
    assert [(one.code, one.message) for one in find_drift(work_of(plan), node, found)] == [("plan-conflict", conflict)]


@pytest.mark.parametrize(
    ("dynamic", "refused"), [("fd00:240::20/64", True), ("fd00:9::1/64", False), ("10.9.9.9/8", False)]
)
def test_an_address_that_runs_out_counts_where_next_hops_are(dynamic: str, refused: bool) -> None:
    plan = plan_of(
        {key: value[1] for key, value in DUAL.items()},
        *(worker(index, f"fd00:240::{20 + index}", persist="networkd") for index in range(3)),
    )
    found = a_host(replace(NETWORKD, leased=True), plan)
    more = replace(link("eth0", dynamic).addresses[0], dynamic=True)
    kept = [own for own in found.links["eth0"].addresses if own.ip != more.ip]
    links = dict(found.links) | {"eth0": replace(found.links["eth0"], addresses=(*kept, more))}
    planned = Persist(plan).plan_host(plan.nodes["worker-0"], replace(found, links=links))
    assert (planned.conflicts != ()) == refused


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_manager_that_was_told_nothing_is_named_in_all_reports_alike(manager: Manager) -> None:
    plan = cluster("unit")
    node = plan.nodes["worker-0"]
    found = a_host(ManagedLink(manager))
    (removes,) = removing(plan, node, found)
    unit, message = removes.unit, removes.message
    assert message.startswith(f"{manager} sets up eth0, which the pod routes use: they go with its addresses, ")
    assert f"; write persist: {MANAGERS[manager].setting} in the inventory, and " in message
    assert work_of(plan).plan_host(node, found).notes == (message,)
    (finding,) = find_drift(work_of(plan), node, found)
    assert (finding.code, finding.subject, finding.message) == (
        "manager-removes-routes",
        unit,
        message,
    )
    assert not finding.is_drift


def test_a_setting_that_needs_the_unit_is_not_advised_without_it() -> None:
    plan = plan_of(IPV4, *(worker(index, routes_service=False) for index in range(3)))
    messages = {
        manager: [one.message for one in removing(plan, plan.nodes["worker-0"], a_host(ManagedLink(manager)))]
        for manager in MANAGERS
    }
    assert {manager for manager, (message,) in messages.items() if "and routes_service: true in" in message} == {
        "NetworkManager",
        "ifupdown",
    }


def test_a_manager_of_another_device_is_not_named() -> None:
    plan = cluster("unit")
    found = replace(a_host(None), managers={"cnio0": NETWORKD})
    assert list(removing(plan, plan.nodes["worker-0"], found)) == []


def test_routes_that_the_manager_lets_go_are_put_back_and_were_never_missing() -> None:
    plan = cluster("unit")
    node = plan.nodes["worker-0"]
    found = a_host(READ, ours=RIGHT)
    planned = work_of(plan).plan_host(node, found)
    assert [(change.layer, change.action, change.subject, change.drift) for change in planned.changes] == [
        ("persist", "remove", DROP_IN, "manager-lacks-routes"),
        ("routes", "add", "10.200.1.0/24", ""),
        ("routes", "add", "10.200.2.0/24", ""),
    ]
    codes = {one.code for one in find_drift(work_of(plan), node, found)}
    assert codes == {"manager-lacks-routes", "manager-removes-routes"}


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (a_host(READ, ours=RIGHT, other=RIGHT), [(DROP_IN, "eth0"), (OTHER, "")]),
        (a_host(NETWORKD, ours=RIGHT), [(DROP_IN, "eth0")]),
        # removed by hand, and systemd-networkd still has it
        (a_host(READ), [(DROP_IN, "eth0")]),
        # systemd-networkd does not run
        (a_host(None, ours=RIGHT), [(DROP_IN, "")]),
        (a_host(NETWORKD, ours=replace(RIGHT, content="[Route]\n")), []),
        (a_host(replace(NETWORKD, drop_ins=("/etc/systemd/network/eth0.network.d/10.conf",))), []),
    ],
)
def test_removal(found: HostState, steps: list[tuple[str, str]]) -> None:
    changes = plan_persist_removal(found).changes
    assert [step for change in changes for step in change.steps] == [
        NetworkdFile(path, "", device) for path, device in steps
    ]
    plan = cluster()
    whole = Deprovisioning(plan).plan_host(plan.nodes["worker-0"], found).changes
    layers = [change.layer for change in whole]
    assert [change for change in whole if change.layer == "persist"] == list(changes)
    # What systemd-networkd no longer keeps is gone from the kernel before, so that nothing brings it back.
    assert layers == sorted(layers, key=["routes", "persist", "routes_service", "forwarding"].index)


def test_routes_of_each_device_go_to_its_own_manager() -> None:
    plan = plan_of(DUAL, *(worker(i, internal_ips=f"fd00:240::{20 + i}", persist="networkd") for i in range(3)))
    found = healthy(plan, "worker-0")
    v4, v6 = found.links["eth0"].addresses
    links = {
        **found.links,
        "eth0": replace(found.links["eth0"], addresses=(v4,)),
        "eth1": replace(found.links["eth0"], name="eth1", addresses=(v6,)),
    }
    managers = {name: ManagedLink("systemd-networkd", f"/etc/systemd/network/{name}.network") for name in links}
    planned = Persist(plan).plan_host(plan.nodes["worker-0"], replace(found, links=links, managers=managers))
    (first, second) = planned.changes
    assert (first.subject, first.after.count("[Route]"), "fd00" in first.after) == (
        "/etc/systemd/network/eth0.network.d/90-kubernetes-pod-routes.conf",
        2,
        False,
    )
    assert second.subject == "/etc/systemd/network/eth1.network.d/90-kubernetes-pod-routes.conf"
    assert "Gateway=fd00:240::21\nGatewayOnLink=no\nProtocol=201\nMetric=1024\n" in second.after
