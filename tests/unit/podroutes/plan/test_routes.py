"""What a host has and what it should have in, the exact changes out. The numbers are those of the measured facts."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from podroutes.addresses import parse_address, parse_network
from podroutes.host.changes import Change, RouteCommand
from podroutes.host.routes import DHCP, KERNEL, PROTOCOL, NextHop, Route
from podroutes.host.state import Link
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.plan.desired_routes import desired_routes
from podroutes.plan.routes import plan_routes_removal
from podroutes.plan.unresolved_routes import unresolved_lookups
from tests.unit.podroutes.builders import (
    IPV4,
    dual_stack_cluster,
    host,
    ipv4_cluster,
    ipv6_cluster,
    link,
    plan_of,
    route,
    state,
    worker,
)
from tests.unit.podroutes.healthy import planned_routes
from tests.unit.podroutes.plan.kernel_table import NEXT_HOP_OBJECTS, KernelTable

ETH0 = link("eth0", "10.240.0.20/24")
CONNECTED = "10.240.0.0/24 dev eth0 proto 2"
OWN_PODS = "10.200.0.0/24 dev cnio0 proto 2"
ONE_NETWORK = "pod routes need all machines on one network"
TO_1 = "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201"
TO_2 = "10.200.2.0/24 via 10.240.0.22 dev eth0 proto 201"
SEVERAL = Route(
    parse_network("10.200.1.0/24"),
    None,
    None,
    4,
    0,
    kind="multipath",
    next_hops=tuple(NextHop(parse_address(f"10.240.0.{n}"), "eth0") for n in (21, 22)),
)


def summary(changes: Sequence[Change]) -> list[str]:
    return [f"{change.action} {change.subject}: {change.reason}" for change in changes]


def commands(changes: Sequence[Change]) -> list[tuple[str, str]]:
    steps = [step for change in changes for step in change.steps]
    assert all(isinstance(step, RouteCommand) for step in steps)
    return [(step.do, step.undo) for step in steps if isinstance(step, RouteCommand)]


def changes_on_worker_0(*routes: str | Route) -> list[tuple[str, str]]:
    """What worker-0 needs, when TO_2 is there already and only the first desired route matters."""
    plan = ipv4_cluster()
    host_state = state(ETH0, routes=[CONNECTED, OWN_PODS, *routes, TO_2])
    host_plan = planned_routes(plan, plan.nodes["worker-0"], host_state)
    assert host_plan.conflicts == ()
    return list(zip(summary(host_plan.changes), [do for do, _ in commands(host_plan.changes)], strict=True))


def test_a_fresh_worker_gets_all_routes_but_its_own() -> None:
    plan = ipv4_cluster()
    host_plan = planned_routes(plan, plan.nodes["worker-0"], state(ETH0, routes=[CONNECTED]))
    assert summary(host_plan.changes) == ["add 10.200.1.0/24: missing", "add 10.200.2.0/24: missing"]
    assert commands(host_plan.changes) == [
        (
            "route replace 10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
            "route del 10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
        ),
        (
            "route replace 10.200.2.0/24 via 10.240.0.22 dev eth0 proto 201",
            "route del 10.200.2.0/24 via 10.240.0.22 dev eth0 proto 201",
        ),
    ]
    assert [(change.before, change.after) for change in host_plan.changes] == [("", TO_1), ("", TO_2)]
    assert (host_plan.notes, host_plan.conflicts, host_plan.unresolved) == ((), (), ())


def test_a_controller_gets_all_routes() -> None:
    plan = ipv4_cluster()
    host_plan = planned_routes(plan, plan.nodes["controller-0"], state(link("ens3", "10.240.0.10/24")))
    assert [change.after for change in host_plan.changes] == [
        "10.200.0.0/24 via 10.240.0.20 dev ens3 proto 201",
        "10.200.1.0/24 via 10.240.0.21 dev ens3 proto 201",
        "10.200.2.0/24 via 10.240.0.22 dev ens3 proto 201",
    ]


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([TO_1], []),
        # 1: a worker's own pod CIDR is its bridge's
        (
            [TO_1, "10.200.0.0/24 via 10.240.0.20 dev eth0 proto 201"],
            [("remove 10.200.0.0/24: a worker reaches its own pods through its bridge, never through a next hop",
              "route del 10.200.0.0/24 via 10.240.0.20 dev eth0 proto 201")],
        ),
        (
            [TO_1, "10.200.0.0/24 via 10.240.0.20 dev eth0 proto 3"],
            [("remove 10.200.0.0/24: a worker reaches its own pods through its bridge, never through a next hop",
              "route del 10.200.0.0/24 via 10.240.0.20 dev eth0 proto boot")],
        ),
        (
            [TO_1, "10.200.0.0/24 via 10.240.0.20 dev eth0 proto 4 metric 7"],
            [("remove 10.200.0.0/24: a worker reaches its own pods through its bridge, never through a next hop",
              "route del 10.200.0.0/24 via 10.240.0.20 dev eth0 proto static metric 7")],
        ),
        (
            [TO_1, "10.200.0.0/24 via 10.240.0.20 dev eth0 proto 16"],
            [("remove 10.200.0.0/24: a worker reaches its own pods through its bridge, never through a next hop",
              "route del 10.200.0.0/24 via 10.240.0.20 dev eth0 proto dhcp")],
        ),
        (
            [TO_1, replace(SEVERAL, destination=parse_network("10.200.0.0/24"))],
            [("remove 10.200.0.0/24: a worker reaches its own pods through its bridge, never through a next hop",
              ("route del 10.200.0.0/24 proto static nexthop via inet 10.240.0.21 dev eth0 weight 1 "
              "nexthop via inet 10.240.0.22 dev eth0 weight 1"))],
        ),
        # 15: with a metric, DHCP's is harmless; a router's own blackhole is too
        ([TO_1, "10.200.0.0/24 via 10.240.0.20 dev eth0 proto 16 metric 100"], []),
        ([TO_1, "10.200.0.0/24 via 10.240.0.20 dev eth0 proto 16 metric 1024"], []),
        ([TO_1, "blackhole 10.200.0.0/24 proto 12"], []),
        # 3: what differs is replaced, in one step
        (
            ["10.200.1.0/24 via 10.240.0.99 dev eth0 proto 201"],
            [("replace 10.200.1.0/24: wrong next hop", f"route replace {TO_1}")],
        ),
        (
            ["10.200.1.0/24 via 10.240.0.21 dev eth9 proto 201"],
            [("replace 10.200.1.0/24: wrong device", f"route replace {TO_1}")],
        ),
        (
            ["10.200.1.0/24 dev eth0 proto 3"],
            [("replace 10.200.1.0/24: wrong next hop", f"route replace {TO_1}")],
        ),
        (
            ["10.200.1.0/24 via 10.240.0.21 dev eth0 proto 3"],
            [("replace 10.200.1.0/24: taken over from the boot script", f"route replace {TO_1}")],
        ),
        (
            ["10.200.1.0/24 via 10.240.0.21 dev eth0 proto 4"],
            [("replace 10.200.1.0/24: taken over from protocol 4", f"route replace {TO_1}")],
        ),
        ([SEVERAL], [("replace 10.200.1.0/24: several next hops", f"route replace {TO_1}")]),
        (
            ["blackhole 10.200.1.0/24 proto 3"],
            [("replace 10.200.1.0/24: a route of type blackhole", f"route replace {TO_1}")],
        ),
        (
            ["unreachable 10.200.1.0/24 proto 201"],
            [("replace 10.200.1.0/24: a route of type unreachable", f"route replace {TO_1}")],
        ),
        (
            [replace(route(TO_1), onlink=True)],
            [("replace 10.200.1.0/24: has attributes that are not ours: onlink", f"route replace {TO_1}")],
        ),
        (
            [replace(route(TO_1), source=parse_address("10.240.0.20"))],
            [("replace 10.200.1.0/24: has attributes that are not ours: src 10.240.0.20", f"route replace {TO_1}")],
        ),
        # 4: duplicates by metric
        (
            [TO_1, f"{TO_1} metric 5"],
            [("remove 10.200.1.0/24: duplicate", f"route del {TO_1} metric 5")],
        ),
        (
            [f"{TO_1} metric 5"],
            [("add 10.200.1.0/24: missing", f"route replace {TO_1}"),
             ("remove 10.200.1.0/24: duplicate", f"route del {TO_1} metric 5")],
        ),
        (
            [TO_1, "10.200.1.0/24 via 10.240.0.99 dev eth0 proto 4 metric 5"],
            [("remove 10.200.1.0/24: wrong next hop or device beside the right route",
              "route del 10.200.1.0/24 via 10.240.0.99 dev eth0 proto static metric 5")],
        ),
        (
            [TO_1, "blackhole 10.200.1.0/24 proto 4 metric 5"],
            [("remove 10.200.1.0/24: wrong next hop or device beside the right route",
              "route del blackhole 10.200.1.0/24 proto static metric 5")],
        ),
        # another's that agrees may stay
        ([TO_1, "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 4 metric 5"], []),
        # 4: duplicates by append
        (
            [TO_1, "10.200.1.0/24 via 10.240.0.99 dev eth0 proto 4"],
            [("remove 10.200.1.0/24: wrong next hop or device beside the right route",
              "route del 10.200.1.0/24 via 10.240.0.99 dev eth0 proto static")],
        ),
        (
            ["10.200.1.0/24 via 10.240.0.99 dev eth0 proto 4", TO_1],
            [("remove 10.200.1.0/24: wrong next hop or device beside the right route",
              "route del 10.200.1.0/24 via 10.240.0.99 dev eth0 proto static")],
        ),
        (
            ["10.200.1.0/24 via 10.240.0.98 dev eth0 proto 3", "10.200.1.0/24 via 10.240.0.99 dev eth0 proto 3"],
            [("replace 10.200.1.0/24: wrong next hop", f"route replace {TO_1}"),
             ("remove 10.200.1.0/24: wrong next hop or device beside the right route",
              "route del 10.200.1.0/24 via 10.240.0.99 dev eth0 proto boot")],
        ),
        (
            [TO_1, "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 3"],
            [("remove 10.200.1.0/24: duplicate", "route del 10.200.1.0/24 via 10.240.0.21 dev eth0 proto boot")],
        ),
        (
            [TO_1, "10.200.1.0/24 dev eth0 proto 3"],
            [("remove 10.200.1.0/24: wrong next hop or device beside the right route",
              "route del 10.200.1.0/24 dev eth0 proto boot scope link")],
        ),
        # 15: DHCP that agrees is agreement
        (["10.200.1.0/24 via 10.240.0.21 dev eth0 proto 16"], []),
        (
            ["10.200.1.0/24 via 10.240.0.21 dev eth0 proto 16 metric 100"],
            [("add 10.200.1.0/24: missing", f"route replace {TO_1}")],
        ),
        ([TO_1, "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 16 metric 100"], []),
        ([TO_1, "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 16 metric 1024"], []),
        ([TO_1, "10.200.1.0/24 via 10.240.0.99 dev eth0 proto 16 metric 100"], []),
        (
            ["10.200.1.0/24 via 10.240.0.99 dev eth0 proto 16"],
            [("replace 10.200.1.0/24: wrong next hop", f"route replace {TO_1}")],
        ),
        # stale ones of ours go, wherever they lead; others' stay
        (
            [TO_1, "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201"],
            [("remove 10.200.9.0/24: no worker has this pod CIDR",
              "route del 10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201")],
        ),
        (
            [TO_1, "10.200.1.0/25 via 10.240.0.29 dev eth0 proto 201 metric 3"],
            [("remove 10.200.1.0/25: no worker has this pod CIDR",
              "route del 10.200.1.0/25 via 10.240.0.29 dev eth0 proto 201 metric 3")],
        ),
        ([TO_1, "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 4"], []),
        ([TO_1, "10.99.0.0/24 via 10.240.0.29 dev eth0 proto 201"], []),
        ([TO_1, "10.0.0.0/8 via 10.240.0.29 dev eth0 proto 201"], []),
        ([TO_1, "0.0.0.0/0 via 10.240.0.1 dev eth0 proto 16 metric 100"], []),
        # routes for one type of service are no duplicates
        ([TO_1, "10.200.1.0/24 tos 0x10 via 10.240.0.99 dev eth0 proto 4"], []),
        # 5: no carrier is no drift
        ([replace(route(TO_1), linkdown=True)], []),
        # 8: what once was written with leading zeros
        (
            [TO_1, "10.200.8.0/24 via 10.240.0.30 dev eth0 proto 3"],
            [],
        ),
    ],
)  # fmt: skip
def test_what_worker_0_needs(routes: list[str | Route], expected: list[tuple[str, str]]) -> None:
    assert changes_on_worker_0(*routes) == expected


def test_kernel_routes_are_never_touched() -> None:
    """2: `replace` would delete the bridge's connected route."""
    plan = ipv4_cluster()
    for node in plan.nodes.values():
        host_state = state(
            link("eth0", f"{node.address}/24"), routes=[f"{cidr} dev cnio0 proto 2" for cidr in node.pod_cidrs]
        )
        for do, undo in commands(planned_routes(plan, node, host_state).changes):
            assert "proto kernel" not in do + undo
            assert not any(str(cidr) in do + undo for cidr in node.pod_cidrs)


@pytest.mark.parametrize(
    ("links", "routes", "conflicts"),
    [
        # 5
        ([link("eth0", "10.240.0.20/24", up=False)], [], ["eth0 is down: set it up, then run this again"]),
        ([link("eth0", "10.240.0.20/24", carrier=False)], [], []),
        (
            [link("lo", "127.0.0.1/8", "::1/128"), link("eth0", "10.0.1.37/24", "fe80::1/64"), link("eth1")],
            [],
            ["no interface has the internal IP 10.240.0.20; it has 10.0.1.37 on eth0"],
        ),
        ([], [], ["no interface has the internal IP 10.240.0.20; it has no IPv4 address"]),
        # 6
        (
            [link("eth0", "10.240.0.20/32")],
            [],
            [
                f"next hop 10.240.0.21 (worker-1) is not on eth0's link (10.240.0.20/32): {ONE_NETWORK}",
                f"next hop 10.240.0.22 (worker-2) is not on eth0's link (10.240.0.20/32): {ONE_NETWORK}",
            ],
        ),
        # 7: two machines in one
        (
            [link("eth0", "10.240.0.20/24", "10.240.0.21/24")],
            [],
            [
                (
                    "10.240.0.21, the internal IP of worker-1, is this host's own: is it worker-1? "
                    "check both hosts in the inventory"
                )
            ],
        ),
        (
            [ETH0, link("eth1", "10.240.0.22/24")],
            [],
            [
                (
                    "10.240.0.22, the internal IP of worker-2, is this host's own: is it worker-2? "
                    "check both hosts in the inventory"
                )
            ],
        ),
        # 2
        (
            [ETH0],
            ["10.200.1.0/24 dev cnio0 proto 2"],
            [
                (
                    "10.200.1.0/24, the pod CIDR of worker-1, is connected here on cnio0: "
                    "this host's own bridge has another worker's pod CIDR"
                )
            ],
        ),
    ],
)
def test_what_is_not_ours_to_change_is_a_conflict(links: list[Link], routes: list[str], conflicts: list[str]) -> None:
    plan = ipv4_cluster()
    host_plan = planned_routes(plan, plan.nodes["worker-0"], state(*links, routes=routes))
    assert list(host_plan.conflicts) == conflicts
    assert (host_plan.changes == ()) == (conflicts != [])


def test_a_worker_in_another_subnet_keeps_no_route_from_the_others() -> None:
    network = {"cluster_cidr": "10.200.0.0/16", "node_network": "10.240.0.0/16"}
    plan = plan_of(network, worker(0), worker(1), worker(2, "10.240.1.22"))
    stale = "10.200.2.0/24 via 10.240.0.22 dev eth0 proto 201"
    host_plan = planned_routes(plan, plan.nodes["worker-0"], state(ETH0, routes=[CONNECTED, stale]))
    assert summary(host_plan.changes) == [
        "add 10.200.1.0/24: missing",
        "remove 10.200.2.0/24: its worker's internal IP is not on the link",
    ]
    reason = f"next hop 10.240.1.22 (worker-2) is not on eth0's link (10.240.0.0/24): {ONE_NETWORK}"
    assert (host_plan.conflicts, host_plan.unresolved) == ((), (reason,))
    # The route of somebody who knows a way there is left alone.
    other = "10.200.2.0/24 via 10.240.0.1 dev eth0 proto 4"
    assert planned_routes(plan, plan.nodes["worker-0"], state(ETH0, routes=[CONNECTED, TO_1, other])).changes == ()
    # Of worker-2 no next hop is on the link: its device, or its address, is in doubt.
    alone = planned_routes(plan, plan.nodes["worker-2"], state(link("eth0", "10.240.1.22/24")))
    assert (alone.changes, len(alone.conflicts)) == ((), 2)


@pytest.mark.parametrize(
    ("route_there", "accepted"),
    [
        ("10.240.0.0/24 dev eth0 proto 4", True),
        ("10.240.0.0/16 dev eth0 proto 16", True),
        ("10.240.0.0/24 dev eth1 proto 4", False),
        ("10.240.0.1/32 dev eth0 proto 16", False),
        ("10.240.0.0/24 via 10.240.0.1 dev eth0 proto 16", False),
        ("blackhole 10.240.0.0/24 proto 4", False),
    ],
)
def test_a_host_address_with_a_route_to_the_node_network(route_there: str, accepted: bool) -> None:
    plan = ipv4_cluster()
    host_plan = planned_routes(
        plan, plan.nodes["worker-0"], state(link("eth0", "10.240.0.20/32"), routes=[route_there])
    )
    assert len(host_plan.changes) == (2 if accepted else 0)
    there = "10.240.0.20/32, 10.240.0.1/32" if "/32" in route_there else "10.240.0.20/32"
    assert list(host_plan.conflicts) == (
        []
        if accepted
        else [
            f"next hop 10.240.0.{n} (worker-{n - 20}) is not on eth0's link ({there}): {ONE_NETWORK}" for n in (21, 22)
        ]
    )


def test_an_ipv6_host_address_with_a_route_to_the_node_network() -> None:
    plan = ipv6_cluster()
    for routes, count in (([], 0), (["fd00:240::/64 dev eth0 proto 9"], 2)):
        host_state = state(link("eth0", "fd00:240::20/128"), routes=routes)
        assert len(planned_routes(plan, plan.nodes["worker-0"], host_state).changes) == count


def test_thousands_of_foreign_routes_are_one_note() -> None:
    plan = ipv4_cluster()
    routes = [f"10.200.{n >> 8}.{n & 255}/32 via 10.240.0.29 dev eth0 proto 4" for n in range(256 * 3, 256 * 10)]
    host_plan = planned_routes(plan, plan.nodes["worker-0"], state(ETH0, routes=[CONNECTED, TO_1, TO_2, *routes]))
    assert host_plan.notes == (
        (
            "left alone, not ours: 1792 routes of the cluster's range: "
            "10.200.3.0/32 via 10.240.0.29 dev eth0 proto static; 10.200.3.1/32 via 10.240.0.29 dev eth0 proto static; "
            "10.200.3.2/32 via 10.240.0.29 dev eth0 proto static and 1789 more"
        ),
    )


@pytest.mark.parametrize(
    ("interface", "links", "device"),
    [
        (None, [link("eth0", "10.0.1.37/24"), link("eth1", "10.240.0.30/24")], "eth1"),
        ("eth2", [link("eth1", "10.240.0.30/24"), link("eth2", "10.240.0.31/24")], "eth2"),
        (None, [link("eth0", "10.0.1.37/24")],
         "no interface has an address in the node network 10.240.0.0/24; it has 10.0.1.37 on eth0"),
        (None, [link("eth1", "10.240.0.30/24"), link("eth2", "10.240.0.31/24")],
         "several interfaces have an address in 10.240.0.0/24 (eth1, eth2): write data.interface in the inventory"),
        ("eth9", [link("eth1", "10.240.0.30/24")],
         "there is no interface eth9, which the inventory names (data.interface)"),
        ("eth1", [link("eth1", "10.240.0.30/24", up=False)], "eth1 is down: set it up, then run this again"),
    ],
)  # fmt: skip
def test_the_device_of_a_host_whose_internal_ip_is_not_known(
    interface: str | None, links: list[Link], device: str
) -> None:
    entry = host("controller-9", "controller-9", ["controllers"], interface=interface)
    plan = plan_of(IPV4, entry, worker(0))
    desired = desired_routes(plan, plan.nodes["controller-9"], state(*links))
    routes, problems = desired.routes, desired.problems
    assert [*(route.dev for route in routes), *problems] == [device]


def test_two_families_have_two_devices_and_ipv6_its_own_metric() -> None:
    plan = dual_stack_cluster()
    links = [link("eth0", "10.240.0.20/24"), link("eth1", "fd00:240::20/64")]
    routes = [
        "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
        "fd00:200:0:1::/64 via fd00:240::21 dev eth1 proto 201",
        "fd00:200:0:2::/64 via fd00:240::22 dev eth1 proto 201 metric 512",
        "fd00:200::/64 dev cnio0 proto 2 metric 256",
        "::/0 via fe80::1 dev eth1 proto 9",
    ]
    host_plan = planned_routes(plan, plan.nodes["worker-0"], state(*links, routes=routes))
    assert summary(host_plan.changes) == [
        "add 10.200.2.0/24: missing",
        "add fd00:200:0:2::/64: missing",
        "remove fd00:200:0:2::/64: duplicate",
    ]
    assert commands(host_plan.changes)[1:] == [
        (
            "route replace fd00:200:0:2::/64 via fd00:240::22 dev eth1 proto 201 metric 1024",
            "route del fd00:200:0:2::/64 via fd00:240::22 dev eth1 proto 201 metric 1024",
        ),
        (
            "route del fd00:200:0:2::/64 via fd00:240::22 dev eth1 proto 201 metric 512",
            "route append fd00:200:0:2::/64 via fd00:240::22 dev eth1 proto 201 metric 512",
        ),
    ]


def test_ipv6_replaces_what_the_kernel_would_replace() -> None:
    """`replace` exchanges the route with a next hop, although the one on the link comes first."""
    plan = ipv6_cluster()
    routes = [
        "fd00:200:0:1::/64 dev eth0 proto 3",
        "fd00:200:0:1::/64 via fd00:240::99 dev eth0 proto 3",
        "fd00:200:0:2::/64 via fd00:240::22 dev eth0 proto 201",
    ]
    host_plan = planned_routes(plan, plan.nodes["worker-0"], state(link("eth0", "fd00:240::20/64"), routes=routes))
    assert summary(host_plan.changes) == [
        "replace fd00:200:0:1::/64: wrong next hop",
        "remove fd00:200:0:1::/64: wrong next hop or device beside the right route",
    ]
    assert [change.before for change in host_plan.changes] == [
        "fd00:200:0:1::/64 via fd00:240::99 dev eth0 proto boot metric 1024",
        "fd00:200:0:1::/64 dev eth0 proto boot metric 1024",
    ]


@pytest.mark.parametrize(
    ("routes", "notes"),
    [
        ([], []),
        (
            ["10.200.9.0/24 via 10.240.0.29 dev eth0 proto 4"],
            ["left alone, not ours: 10.200.9.0/24 via 10.240.0.29 dev eth0 proto static"],
        ),
        (["10.99.0.0/24 via 10.240.0.29 dev eth0 proto 4", OWN_PODS], []),
        # what is replaced or removed is not left alone
        (["10.200.1.0/24 via 10.240.0.99 dev eth0 proto 4"], []),
        (["10.200.0.0/24 via 10.240.0.20 dev eth0 proto 3"], []),
        (["10.200.1.0/24 via 10.240.0.21 dev eth0 proto 16 metric 100"], []),
        (
            ["10.200.1.0/24 via 10.240.0.99 dev eth0 proto 16 metric 100"],
            [("DHCP hands out another next hop; ours wins by its metric: "
             "10.200.1.0/24 via 10.240.0.99 dev eth0 proto dhcp metric 100")],
        ),
        (["10.200.0.0/24 via 10.240.0.20 dev eth0 proto 16 metric 100"], []),
    ],
)  # fmt: skip
def test_notes(routes: list[str], notes: list[str]) -> None:
    plan = ipv4_cluster()
    host_state = state(ETH0, routes=routes)
    assert list(planned_routes(plan, plan.nodes["worker-0"], host_state).notes) == notes


@pytest.mark.parametrize(
    ("lookups", "unresolved"),
    [
        (["10.200.1.1 via 10.240.0.21 dev eth0", "10.200.2.1 via 10.240.0.22 dev eth0"], []),
        (
            ["10.200.1.1 via 10.240.0.99 dev eth0", "10.200.2.1 dev cnio0"],
            [
                (
                    "the kernel sends packets for 10.200.1.1 (worker-1's pods) via 10.240.0.99 dev eth0: "
                    f"a policy rule or another table is in front of {TO_1}"
                ),
                (
                    "the kernel sends packets for 10.200.2.1 (worker-2's pods) dev cnio0: "
                    f"a policy rule or another table is in front of {TO_2}"
                ),
            ],
        ),
        (
            ["10.200.1.1 via 10.240.0.21 dev eth0"],
            ["the kernel has no route to 10.200.2.1 (worker-2's pods)"],
        ),
    ],
)
def test_what_the_kernel_really_does(lookups: list[str], unresolved: list[str]) -> None:
    """4, and other tables: the main table may be right and still not be what counts."""
    plan = ipv4_cluster()
    node, host_state = plan.nodes["worker-0"], state(ETH0, lookups=lookups)
    found = unresolved_lookups(plan, node, host_state, desired_routes(plan, node, host_state))
    assert [one.message for one in found] == unresolved


def test_removal_takes_ours_inside_the_range_and_nothing_else() -> None:
    routes = [
        CONNECTED,
        OWN_PODS,
        TO_1,
        f"{TO_1} metric 5",
        "10.200.1.0/24 tos 0x10 via 10.240.0.21 dev eth0 proto 201",
        "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201",
        "10.200.2.0/24 via 10.240.0.22 dev eth0 proto 3",
        "10.99.0.0/24 via 10.240.0.29 dev eth0 proto 201",
        "0.0.0.0/0 via 10.240.0.1 dev eth0 proto 201",
    ]
    changes = plan_routes_removal(ipv4_cluster(), state(routes=routes)).changes
    assert [do for do, _ in commands(changes)] == [
        f"route del {TO_1}",
        f"route del {TO_1} metric 5",
        "route del 10.200.1.0/24 tos 0x10 via 10.240.0.21 dev eth0 proto 201",
        "route del 10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201",
    ]
    assert {change.reason for change in changes} == {"this software put it there"}


# --- for any table: the plan leads where it should, touches nothing else, and can be taken back ---


def destinations(version: int) -> st.SearchStrategy[str]:
    if version == 4:
        return st.sampled_from(
            ["10.200.0.0/24", "10.200.1.0/24", "10.200.2.0/24", "10.200.9.0/24", "10.99.0.0/24", "0.0.0.0/0"]
        )
    return st.sampled_from(
        ["fd00:200::/64", "fd00:200:0:1::/64", "fd00:200:0:2::/64", "fd00:200:0:9::/64", "fd99::/64", "::/0"]
    )


@st.composite
def tables(draw: st.DrawFn, version: int) -> list[Route]:
    prefix = "10.240.0." if version == 4 else "fd00:240::"
    hops = st.sampled_from(["20", "21", "22", "99"]).map(lambda number: parse_address(prefix + number))
    devices = st.sampled_from(["eth0", "eth1"])
    protocols = st.sampled_from([PROTOCOL, PROTOCOL, 3, 4, DHCP])
    metrics = st.sampled_from([0, 0, 0, 5, 100] if version == 4 else [1024, 1024, 1024, 512, 2048])
    table: list[Route] = []
    for text in draw(st.lists(destinations(version), max_size=8)):
        destination = parse_network(text)
        shape = draw(st.sampled_from(["via", "via", "via", "several", "dev", "blackhole", "tos", "object"]))
        options = draw(st.sampled_from([(), (), ("mtu lock 600",), ("mtu lock 600", "advmss 500")]))
        item = Route(destination, None, None, draw(protocols), draw(metrics), options=options)
        if shape == "several":
            one, other = draw(st.lists(hops, min_size=2, max_size=2, unique=True))
            item = replace(item, kind="multipath", next_hops=(NextHop(one, "eth0", 1), NextHop(other, "eth1", 2)))
        elif shape == "dev":
            # Only other people have these.
            item = replace(item, dev=draw(devices), protocol=3, scope=253 if version == 4 else 0)
        elif shape == "blackhole":
            item = replace(item, kind="blackhole", dev=None if version == 4 else "lo")
        elif shape == "object":
            # A number of its own: `del` of another route of its protocol could mean it (route.c, ip6_route_del).
            nhid, via, dev = NEXT_HOP_OBJECTS[6 if version == 6 else 4]
            item = replace(item, via=via, dev=dev, nhid=nhid, protocol=11)
        else:
            tos = "0x10" if shape == "tos" and version == 4 else ""
            item = replace(item, via=draw(hops), dev=draw(devices), tos=tos)
        there = [one for one in table if (one.destination, one.metric, one.tos) == (destination, item.metric, item.tos)]
        with_hop = [one for one in there if one.via is not None or one.next_hops]
        if version == 6 and (item.via is not None or item.next_hops) and with_hop:
            continue  # the kernel would make one route of both
        if version == 6 and any(one.dev == item.dev and one.via == item.via for one in there):
            continue  # and refuses this
        if item not in there:
            table.append(item)
    own, bridge = ("10.200.0.0/24", 0) if version == 4 else ("fd00:200::/64", 256)
    table.append(Route(parse_network(own), None, "cnio0", KERNEL, bridge, scope=253 if version == 4 else 0))
    return table


_TO_1_IPV6 = parse_network("fd00:200:0:1::/64")
# Of one place and protocol: without a next hop, `ip -6 route del` would take the first.
ON_LINK_BESIDE_A_NEXT_HOP = [
    Route(_TO_1_IPV6, parse_address("fd00:240::20"), "eth0", 3, 512),
    Route(_TO_1_IPV6, None, "eth0", 3, 512),
]


@example((6, ON_LINK_BESIDE_A_NEXT_HOP))
@given(st.sampled_from([4, 6]).flatmap(lambda version: st.tuples(st.just(version), tables(version))))
def test_any_table_becomes_right_and_stays_so(case: tuple[int, list[Route]]) -> None:
    version, routes = case
    plan: NetworkPlan = ipv4_cluster() if version == 4 else ipv6_cluster()
    node = plan.nodes["worker-0"]
    table = KernelTable(routes)
    before = list(table.routes)
    eth0 = link("eth0", "10.240.0.20/24", "fd00:240::20/64")
    host_plan = planned_routes(plan, node, state(eth0, routes=before))
    assert host_plan.conflicts == ()
    lines = commands(host_plan.changes)

    # whatever is refused on the way, what was done until then can be taken back
    for done in range(len(lines) + 1):
        table = KernelTable([])
        table.routes = list(before)
        for do, _ in lines[:done]:
            table.run(do)
        after = list(table.routes)
        for _, undo in reversed(lines[:done]):
            table.run(undo)
        if version == 4:
            assert table.routes == before or _interleaved(before, host_plan.changes)
        assert sorted(map(str, table.routes)) == sorted(map(str, before))

    # a second run has nothing to do, and every desired pod CIDR has exactly one route that the kernel would take
    assert summary(planned_routes(plan, node, state(eth0, routes=after)).changes) == []
    desired = desired_routes(plan, node, state(eth0, routes=after)).routes
    for item in desired:
        first = next(route for route in after if route.destination == item.destination and route.tos == "")
        assert (first.via, first.dev) == (item.via, item.dev)

    # what is not ours and to no pod CIDR of the cluster, and the kernel's own, are as they were
    cidrs = {cidr for one in plan.nodes.values() for cidr in one.pod_cidrs}

    def others(routes: list[Route]) -> list[Route]:
        return [
            route
            for route in routes
            if route.protocol == KERNEL
            or (route.tos and route.protocol != PROTOCOL)
            or (route.destination not in cidrs and not (route.protocol == PROTOCOL and plan.owns(route.destination)))
        ]

    assert others(after) == others(before)
    # and a worker has no way to its own pods but its bridge, unless it is harmless
    for item in after:
        if item.destination in node.pod_cidrs and (item.via is not None or item.next_hops):
            assert item.tos or (item.protocol == DHCP and item.metric > 0)


def _interleaved(before: list[Route], changes: Sequence[Change]) -> bool:
    """Whether a removed route stood between two that stay: it can't come back there, only beside."""
    gone = {change.before for change in changes if change.action == "remove"}
    places: dict[tuple[object, ...], list[bool]] = {}
    for item in before:
        places.setdefault((item.destination, item.tos, item.metric), []).append(str(item) in gone)
    return any("".join("x" if one else "." for one in place).strip("x").count("x") for place in places.values())


@given(st.sampled_from([4, 6]).flatmap(lambda version: st.tuples(st.just(version), tables(version))))
def test_any_table_loses_ours_and_nothing_else(case: tuple[int, list[Route]]) -> None:
    version, routes = case
    plan = ipv4_cluster() if version == 4 else ipv6_cluster()
    table = KernelTable(routes)
    before = list(table.routes)
    lines = commands(plan_routes_removal(plan, state(routes=before)).changes)
    for do, _ in lines:
        table.run(do)
    assert table.routes == [
        route for route in before if not (route.protocol == PROTOCOL and plan.owns(route.destination))
    ]
    for _, undo in reversed(lines):
        table.run(undo)
    assert sorted(map(str, table.routes)) == sorted(map(str, before))
