"""Whole hosts: whatever they have, they become right, stay so, and get back what they had."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from podroutes.addresses import FAMILIES
from podroutes.host.managed_files import BEFORE_PATH, DATA_PATH, SCRIPT_PATH, SYSCTL_PATH, UNIT_NAME, UNIT_PATH
from podroutes.host.network_managers import BY_SETTING, HOOK_PATHS, ManagedLink
from podroutes.host.parse_facts import parse_facts
from podroutes.host.routes import PROTOCOL
from podroutes.host.state import FileState, HostState, UnitState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.hooks import HOOKS
from podroutes.plan.routes_service import ServiceFiles
from tasks.provision import Deprovisioning, provisioning
from tests.unit.podroutes.builders import DUAL, IPV4, dual_stack_cluster, ipv4_cluster, link, plan_of, state, worker
from tests.unit.podroutes.plan.kernel_table import KernelTable
from tests.unit.podroutes.plan.simulated_host import LOADED, REDIRECTS, SimulatedHost
from tests.unit.podroutes.plan.test_routes import tables
from tests.unit.podroutes.rendering import render_facts

FILES = ServiceFiles(script="#!/bin/bash\n# Managed by pod-routes\n", unit="# Managed by pod-routes\n[Unit]\n")
ETH0 = link("eth0", "10.240.0.20/24", "fd00:240::20/64")
SYSCTLS = {"net.ipv4.ip_forward": "0", REDIRECTS: "1", "net.ipv6.conf.all.forwarding": "0"}


def test_the_order_forwarding_routes_service() -> None:
    plan = ipv4_cluster()
    host_plan = provisioning(plan, FILES).plan_host(plan.nodes["worker-0"], state(ETH0, sysctls=SYSCTLS))
    assert [(change.layer, change.action, change.subject) for change in host_plan.changes] == [
        ("forwarding", "write", BEFORE_PATH),
        ("forwarding", "set", "net.ipv4.ip_forward"),
        ("forwarding", "write", SYSCTL_PATH),
        ("routes", "add", "10.200.1.0/24"),
        ("routes", "add", "10.200.2.0/24"),
        ("routes_service", "write", DATA_PATH),
        ("routes_service", "write", SCRIPT_PATH),
        ("routes_service", "write", UNIT_PATH),
        ("routes_service", "enable", UNIT_NAME),
        ("routes_service", "start", UNIT_NAME),
    ]


def test_the_ways_that_the_kernel_takes_are_verified_too() -> None:
    plan = ipv4_cluster()
    work = provisioning(plan, FILES)
    host = SimulatedHost(state(ETH0, sysctls=SYSCTLS))
    host.apply(work.plan_host(plan.nodes["worker-0"], host.state).changes)
    lookups = state(lookups=["10.200.1.1 via 10.240.0.21 dev eth0", "10.200.2.1 via 10.240.0.99 dev eth0"]).lookups
    node, found = plan.nodes["worker-0"], replace(host.state, lookups=lookups)
    assert work.plan_host(node, found).changes == ()
    assert [text.partition(" via ")[0] for text in work.unresolved(node, found)] == [
        "the kernel sends packets for 10.200.2.1 (worker-2's pods)"
    ]


files_in_our_places = st.fixed_dictionaries(
    {},
    optional={
        SCRIPT_PATH: st.sampled_from(
            [
                FileState(FILES.script, 0o755, 0, 0),
                FileState(FILES.script + "edited", 0o755, 0, 0),
                FileState(FILES.script, 0o700, 5, 0),
                FileState("#!/bin/sh\nseed", 0o755, 0, 0),
            ]
        ),
        UNIT_PATH: st.sampled_from(
            [
                FileState(FILES.unit, 0o644, 0, 0),
                FileState("[Unit]\nseed", 0o600, 3, 4),
                FileState("", 0o777, 0, 0, regular=False),
            ]
        ),
        DATA_PATH: st.just(FileState("# Managed by pod-routes\n", 0o644, 0, 0)),
        SYSCTL_PATH: st.sampled_from(
            [FileState("# Managed by pod-routes\n", 0o644, 0, 0), FileState("net.ipv4.ip_forward = 0\n", 0o644, 0, 0)]
        ),
        **{
            HOOK_PATHS[manager]: st.sampled_from(
                [FileState(HOOKS[manager], 0o755, 0, 0), FileState("#!/bin/sh\n", 0o700, 3, 4)]
            )
            for manager in HOOK_PATHS
        },
    },
)


@st.composite
def host_states(draw: st.DrawFn) -> HostState:
    files = draw(files_in_our_places)
    unit_file = files.get(UNIT_PATH)
    unit = UnitState("not-found", "inactive", "")
    if unit_file is not None and unit_file.regular:
        active, enabled = (
            draw(st.sampled_from(["active", "inactive", "failed"])),
            draw(st.sampled_from(["enabled", "disabled"])),
        )
        unit = UnitState("loaded", active, enabled, properties=LOADED)
    elif unit_file is not None:
        unit = UnitState("masked", "inactive", "masked")
    sysctls = {key: draw(st.sampled_from(["0", "1"])) for key in SYSCTLS}
    table = KernelTable([*draw(tables(4)), *draw(tables(6))])
    return state(ETH0, routes=table.routes, sysctls=sysctls, files=files, unit=unit)


def clusters(**data: object) -> list[NetworkPlan]:
    ips = [f"fd00:240::2{n}" for n in range(3)]
    return [
        plan_of(DUAL, *(worker(n, internal_ips=ip, **data) for n, ip in enumerate(ips))),  # type: ignore[arg-type]
        plan_of(IPV4, *(worker(n, **data) for n in range(3))),  # type: ignore[arg-type]
    ]


def managed(host_state: HostState, node: Node) -> HostState:
    """The host with the network manager that its inventory names."""
    manager = BY_SETTING.get(node.persist)
    return replace(host_state, managers={} if manager is None else {"eth0": ManagedLink(manager)})


HOOKED = [plan for setting in ("networkmanager", "ifupdown") for plan in clusters(persist=setting)]


@given(host_states(), st.sampled_from([*clusters(), *clusters(routes_service=False), *HOOKED]))
def test_any_host_becomes_right_and_a_second_run_changes_nothing(host_state: HostState, plan: NetworkPlan) -> None:
    work = provisioning(plan, FILES)
    node = plan.nodes["worker-0"]
    host_state = managed(host_state, node)
    host = SimulatedHost(host_state)
    host_plan = work.plan_host(node, host_state)
    assert host_plan.conflicts == ()
    host.apply(host_plan.changes)
    assert [str(change) for change in work.plan_host(node, host.state).changes] == []
    assert host.sysctls["net.ipv4.ip_forward"] == "1"


@given(host_states(), st.sampled_from([dual_stack_cluster(), *HOOKED]))
def test_what_was_there_before_comes_back(host_state: HostState, plan: NetworkPlan) -> None:
    """On a host that never had anything of ours; what provisioning replaces in the kernel's table is the exception."""
    foreign = {
        family: tuple(route for route in host_state.routes[family] if route.protocol != PROTOCOL) for family in FAMILIES
    }
    files = {path: file for path, file in host_state.files.items() if not file.ours and path != SYSCTL_PATH}
    unit = host_state.unit if UNIT_PATH in files else UnitState("not-found", "inactive", "")
    host_state = replace(host_state, routes=foreign, files=files, unit=unit)
    node = plan.nodes["worker-0"]
    host_state = managed(host_state, node)
    host = SimulatedHost(host_state)
    host.apply(provisioning(plan, FILES).plan_host(node, host_state).changes)
    work = Deprovisioning(plan)
    host.apply(work.plan_host(node, host.state).changes)
    assert host.files == files
    if host_state.sysctls["net.ipv4.ip_forward"] == "0":
        assert host.sysctls == host_state.sysctls
    else:
        assert {key: host.sysctls[key] for key in host.sysctls if key != REDIRECTS} == {
            key: value for key, value in host_state.sysctls.items() if key != REDIRECTS
        }
    assert not any(route.protocol == PROTOCOL and plan.owns(route.destination) for route in host.table.routes)
    assert [str(change) for change in work.plan_host(node, host.state).changes] == []


def test_without_a_unit_every_route_survives_the_stopping_of_the_old_one() -> None:
    """Stopping it takes away what it had applied; a stale route, and one with another metric, have to go as well."""
    plan = plan_of(IPV4, worker(0, routes_service=False), worker(1), worker(2))
    with_unit = ipv4_cluster()
    host = SimulatedHost(state(ETH0, sysctls=SYSCTLS))
    host.apply(provisioning(with_unit, FILES).plan_host(with_unit.nodes["worker-0"], host.state).changes)
    host.table.run("route append 10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201")
    host.table.run("route append 10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 metric 5")
    work = provisioning(plan, FILES)
    host.apply(work.plan_host(plan.nodes["worker-0"], host.state).changes)
    assert [str(route) for route in host.table.routes] == [
        "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
        "10.200.2.0/24 via 10.240.0.22 dev eth0 proto 201",
    ]
    assert UNIT_PATH not in host.files
    assert work.plan_host(plan.nodes["worker-0"], host.state).changes == ()


@pytest.mark.parametrize("kept", [True, False])
def test_a_second_deprovisioning_changes_nothing(kept: bool) -> None:
    files = {UNIT_PATH: FileState("[Unit]\nseed", 0o644, 0, 0)} if kept else {}
    unit = UnitState("loaded", "active", "enabled")
    plan = ipv4_cluster()
    node = plan.nodes["worker-0"]
    host = SimulatedHost(state(ETH0, sysctls=SYSCTLS, files=files, unit=unit if kept else None))
    host.apply(provisioning(plan, FILES).plan_host(node, host.state).changes)
    host.apply(Deprovisioning(plan).plan_host(node, host.state).changes)
    assert Deprovisioning(plan).plan_host(node, host.state).changes == ()
    assert host.files == files


@settings(max_examples=20)
@given(host_states())
def test_a_whole_state_survives_the_way_from_a_host(host_state: HostState) -> None:
    read = parse_facts("noise\r\n" + render_facts(host_state, "factsX", FAMILIES), "factsX", families=FAMILIES)
    assert read == host_state
