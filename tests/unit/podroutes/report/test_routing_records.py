"""What a host has beside what it should have, as `show_routes.py` shows it."""

import pytest

from podroutes.outcomes import HostOutcome, Outcome
from podroutes.report.routing_records import build_routing_table, host_routes
from tests.unit.podroutes.builders import ipv4_cluster, ipv6_cluster, link, state

ETH0 = link("eth0", "10.240.0.20/24", "fd00:240::20/64")
TO_1 = "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201"
TO_2 = "10.200.2.0/24 via 10.240.0.22 dev eth0 proto 201"
OWN_PODS = "10.200.0.0/24 dev cnio0 proto 2"
SHOWN_2 = "10.200.2.0/24 10.240.0.22 eth0 201 0 up to date"


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        (
            [OWN_PODS, TO_1, TO_2],
            ["10.200.0.0/24 - cnio0 2 0 own pods", "10.200.1.0/24 10.240.0.21 eth0 201 0 up to date", SHOWN_2],
        ),
        ([TO_2], [SHOWN_2, "10.200.1.0/24 10.240.0.21 eth0 - - missing"]),
        (
            ["10.200.1.0/24 via 10.240.0.99 dev eth0 proto 201", TO_2],
            ["10.200.1.0/24 10.240.0.99 eth0 201 0 wrong", SHOWN_2],
        ),
        (
            [TO_1, f"{TO_1} metric 5", TO_2],
            ["10.200.1.0/24 10.240.0.21 eth0 201 0 up to date", "10.200.1.0/24 10.240.0.21 eth0 201 5 wrong", SHOWN_2],
        ),
        # from DHCP, the same in our place is agreement; behind it, it is not what is expected
        (
            ["10.200.1.0/24 via 10.240.0.21 dev eth0 proto 16", TO_2],
            ["10.200.1.0/24 10.240.0.21 eth0 16 0 up to date", SHOWN_2],
        ),
        (
            ["10.200.1.0/24 via 10.240.0.21 dev eth0 proto 16 metric 100", TO_2],
            [
                "10.200.1.0/24 10.240.0.21 eth0 16 100 not ours",
                SHOWN_2,
                "10.200.1.0/24 10.240.0.21 eth0 - - missing",
            ],
        ),
        (
            [TO_1, TO_2, "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201"],
            [
                "10.200.1.0/24 10.240.0.21 eth0 201 0 up to date",
                SHOWN_2,
                "10.200.9.0/24 10.240.0.29 eth0 201 0 stale",
            ],
        ),
        (
            [TO_1, TO_2, "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 4"],
            [
                "10.200.1.0/24 10.240.0.21 eth0 201 0 up to date",
                SHOWN_2,
                "10.200.9.0/24 10.240.0.29 eth0 4 0 not ours",
            ],
        ),
        (
            [TO_1, TO_2, "10.200.0.0/24 via 10.240.0.20 dev eth0 proto 3", "10.99.0.0/24 via 10.240.0.29 dev eth0"],
            [
                "10.200.1.0/24 10.240.0.21 eth0 201 0 up to date",
                SHOWN_2,
                "10.200.0.0/24 10.240.0.20 eth0 3 0 wrong",
            ],
        ),
    ],
)
def test_the_routes_of_worker_0(routes: list[str], expected: list[str]) -> None:
    plan = ipv4_cluster()
    found = host_routes(plan, plan.nodes["worker-0"], state(ETH0, routes=routes))
    assert [
        " ".join(
            str(part) if part not in ("", None) else "-"
            for part in (one.destination, one.next_hop, one.device, one.protocol, one.metric, one.status)
        )
        for one in found
    ] == expected


def test_ipv6_has_its_own_place() -> None:
    plan = ipv6_cluster()
    routes = [
        "fd00:200:0:1::/64 via fd00:240::21 dev eth0 proto 16",
        "fd00:200:0:2::/64 via fd00:240::22 dev eth0 proto 201",
    ]
    found = host_routes(plan, plan.nodes["worker-0"], state(ETH0, routes=routes))
    assert [one.status for one in found] == ["up to date", "up to date"]


def test_a_host_that_could_not_be_read_is_shown_with_its_reason() -> None:
    plan = ipv4_cluster()
    outcomes = (
        HostOutcome(host="worker-0", outcome=Outcome.OK),
        HostOutcome(host="worker-1", outcome=Outcome.UNREACHABLE, reason="no answer"),
    )
    table = build_routing_table(plan, outcomes, {"worker-0": state(ETH0, routes=[TO_1, TO_2])}, {})
    assert [(worker.worker, worker.internal_ip, worker.pod_cidr) for worker in table.workers] == [
        ("worker-0", "10.240.0.20", "10.200.0.0/24"),
        ("worker-1", "10.240.0.21", "10.200.1.0/24"),
        ("worker-2", "10.240.0.22", "10.200.2.0/24"),
    ]
    assert [(host.host, str(host.outcome), host.reason, len(host.routes)) for host in table.hosts] == [
        ("worker-0", "ok", "", 2),
        ("worker-1", "unreachable", "no answer", 0),
    ]
