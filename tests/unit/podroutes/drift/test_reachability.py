"""Which pods reach which: the reason for every direction that is not open, and no direction that is."""

import pytest
from msgspec.structs import replace

from podroutes.addresses import parse_address
from podroutes.drift.reachability import directions
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan
from tests.unit.podroutes.builders import dual_stack_cluster, ipv4_cluster, ipv6_cluster, lookup
from tests.unit.podroutes.healthy import everyone, healthy, plus_routes, with_routes, with_sysctls

CLUSTER = ipv4_cluster()
C0, W0, W1, W2 = "controller-0", "worker-0", "worker-1", "worker-2"
OFF = {"net.ipv4.ip_forward": "0"}


def looking_up(found: HostState, *texts: str) -> HostState:
    """The host with other answers of `ip route get`; `10.200.1.1` alone is an address that no route leads to."""
    lookups = dict(found.lookups)
    for text in texts:
        if " " in text:
            lookups |= [lookup(text)]
        else:
            del lookups[parse_address(text)]
    return replace(found, lookups=lookups)


def cut(plan: NetworkPlan, states: dict[str, HostState]) -> dict[tuple[str, str], tuple[str, str, str]]:
    """State, cause and reason of each direction that is not open."""
    return {
        (one.source, one.target): (one.state, one.cause, one.reason)
        for one in directions(plan, states)
        if one.state != "ok"
    }


@pytest.mark.parametrize("plan", [CLUSTER, dual_stack_cluster(), ipv6_cluster()], ids=["IPv4", "dual", "IPv6"])
def test_everything_is_open_between_healthy_hosts(plan: NetworkPlan) -> None:
    found = directions(plan, everyone(plan))
    assert [(one.source, one.target) for one in found] == [
        (source, target) for source in (C0, W0, W1, W2) for target in (W0, W1, W2) if source != target
    ]
    assert {(one.state, one.cause, one.reason, one.ping) for one in found} == {("ok", "", "", "")}


HEALTHY = {name: healthy(CLUSTER, name) for name in CLUSTER.nodes}
NO_ROUTE = looking_up(HEALTHY[W0], "10.200.1.1")
NO_CARRIER = replace(
    HEALTHY[W1], links={name: replace(one, carrier=name != "eth0") for name, one in HEALTHY[W1].links.items()}
)
CASES = {
    "no route": (
        {W0: NO_ROUTE},
        {(W0, W1): ("cut", "no route", "worker-0 has no route to 10.200.1.0/24")},
    ),
    "to a machine that is not of the cluster": (
        {C0: looking_up(HEALTHY[C0], "10.200.1.1 via 10.240.0.1 dev eth0")},
        {(C0, W1): ("cut", "no route", "controller-0 sends 10.200.1.0/24 via 10.240.0.1, not via 10.240.0.21")},
    ),
    "to a bridge of its own": (
        {C0: looking_up(HEALTHY[C0], "10.200.1.1 dev br0")},
        {(C0, W1): ("cut", "no route", "controller-0 sends 10.200.1.0/24 to br0, not via 10.240.0.21")},
    ),
    "on another device": (
        {C0: looking_up(HEALTHY[C0], "10.200.1.1 via 10.240.0.21 dev eth1")},
        {(C0, W1): ("cut", "no route", "controller-0 sends 10.200.1.0/24 on eth1, not on eth0")},
    ),
    "a detour through a worker that forwards": (
        {W0: looking_up(HEALTHY[W0], "10.200.1.1 via 10.240.0.22 dev eth0")},
        {},
    ),
    "a detour through a controller that forwards": (
        {W0: looking_up(HEALTHY[W0], "10.200.1.1 via 10.240.0.10 dev eth0")},
        {},
    ),
    "a detour through a machine that does not forward": (
        {W0: looking_up(HEALTHY[W0], "10.200.1.1 via 10.240.0.10 dev eth0"), C0: with_sysctls(HEALTHY[C0], OFF)},
        {
            (W0, W1): (
                "cut",
                "forwarding off",
                "worker-0 sends 10.200.1.0/24 through controller-0, where IP forwarding is off",
            )
        },
    ),
    "a detour into a loop": (
        {
            W0: looking_up(HEALTHY[W0], "10.200.1.1 via 10.240.0.22 dev eth0"),
            W2: looking_up(HEALTHY[W2], "10.200.1.1 via 10.240.0.20 dev eth0"),
        },
        {
            (W0, W1): ("cut", "no route", "routing loop: worker-2 sends 10.200.1.0/24 back to worker-0"),
            (W2, W1): ("cut", "no route", "routing loop: worker-0 sends 10.200.1.0/24 back to worker-2"),
        },
    ),
    "a controller that does not forward is in nobody's way": ({C0: with_sysctls(HEALTHY[C0], OFF)}, {}),
    "a worker that does not forward": (
        {W1: with_sysctls(HEALTHY[W1], OFF)},
        {
            (C0, W1): ("cut", "forwarding off", "IP forwarding is off on worker-1"),
            (W0, W1): ("cut", "forwarding off", "IP forwarding is off on worker-1"),
            (W2, W1): ("cut", "forwarding off", "IP forwarding is off on worker-1"),
            (W1, W0): ("cut", "forwarding off", "IP forwarding is off on worker-1"),
            (W1, W2): ("cut", "forwarding off", "IP forwarding is off on worker-1"),
        },
    ),
    "own pods sent away": (
        {W1: with_routes(HEALTHY[W1], "10.200.1.0/24 via 10.240.0.21 dev eth0", *HEALTHY[W1].routes[4])},
        {
            (source, W1): ("cut", "own pods hijacked", "worker-1 has a route to its own pods through a next hop")
            for source in (C0, W0, W2)
        },
    ),
    "a hijack behind the connected route takes nothing": (
        {W1: plus_routes(HEALTHY[W1], "10.200.1.0/24 via 10.240.0.21 dev eth0")},
        {},
    ),
    "a hijack with a higher metric takes nothing": (
        {W1: with_routes(HEALTHY[W1], "10.200.1.0/24 via 10.240.0.20 dev eth0 metric 50", *HEALTHY[W1].routes[4])},
        {},
    ),
    "the target has lost its address": (
        {W1: replace(HEALTHY[W1], links={"cnio0": HEALTHY[W1].links["cnio0"]})},
        {(source, W1): ("cut", "no route", "worker-1 does not have 10.240.0.21") for source in (C0, W0, W2)},
    ),
    "no carrier": (
        {W1: NO_CARRIER},
        {
            (C0, W1): ("cut", "no carrier", "eth0 on worker-1 has no carrier"),
            (W0, W1): ("cut", "no carrier", "eth0 on worker-1 has no carrier"),
            (W2, W1): ("cut", "no carrier", "eth0 on worker-1 has no carrier"),
            (W1, W0): ("cut", "no carrier", "eth0 on worker-1 has no carrier"),
            (W1, W2): ("cut", "no carrier", "eth0 on worker-1 has no carrier"),
        },
    ),
}


@pytest.mark.parametrize(("changed", "expected"), CASES.values(), ids=CASES)
def test_cut(changed: dict[str, HostState], expected: dict[tuple[str, str], tuple[str, str, str]]) -> None:
    assert cut(CLUSTER, HEALTHY | changed) == expected


def test_hosts_that_could_not_be_read_are_not_known() -> None:
    states = everyone(CLUSTER)
    del states[W1]
    found = cut(CLUSTER, states)
    pairs = ((C0, W1), (W0, W1), (W2, W1), (W1, W0), (W1, W2))
    assert found == dict.fromkeys(pairs, ("unknown", "", "worker-1 could not be read"))
    del states[W0]
    assert cut(CLUSTER, states)[(W0, W1)] == ("unknown", "", "worker-0 and worker-1 could not be read")


def test_a_detour_through_a_host_that_was_not_read_is_not_known() -> None:
    states = everyone(CLUSTER, worker_0=looking_up(HEALTHY[W0], "10.200.1.1 via 10.240.0.22 dev eth0"))
    del states[W2]
    found = cut(CLUSTER, states)
    assert found[(W0, W1)] == ("unknown", "", "worker-0 sends 10.200.1.0/24 through worker-2, which was not read")


def test_a_family_that_is_cut_comes_before_one_that_is_not_known() -> None:
    plan = dual_stack_cluster()
    broken = looking_up(healthy(plan, W0), "10.200.1.1 via 10.240.0.22 dev eth0", "fd00:200:0:1::1")
    states = everyone(plan, worker_0=broken)
    del states[W2]
    assert cut(plan, states)[(W0, W1)] == ("cut", "no route", "worker-0 has no route to fd00:200:0:1::/64")


def test_forwarding_is_judged_by_family() -> None:
    plan = dual_stack_cluster()
    states = everyone(plan, worker_1=with_sysctls(healthy(plan, W1), {"net.ipv6.conf.all.forwarding": "0"}))
    assert set(cut(plan, states)) == {(C0, W1), (W0, W1), (W2, W1), (W1, W0), (W1, W2)}
