"""Pings between pod gateways: which are sent, what the script prints, what it shows."""

import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from podroutes.addresses import parse_address
from podroutes.drift.findings import Cause, Direction, DirectionState
from podroutes.drift.ping import (
    Answer,
    Gateway,
    Ping,
    gateways,
    parse_pings,
    ping_findings,
    ping_script,
    plan_pings,
    with_pings,
)
from podroutes.errors import FactsError
from podroutes.inventory.network_plan import NetworkPlan
from tests.unit.podroutes.builders import dual_stack_cluster, ipv4_cluster
from tests.unit.podroutes.healthy import everyone, healthy

CLUSTER = ipv4_cluster()
W0, W1, W2 = "worker-0", "worker-1", "worker-2"


def address_pairs(plan: NetworkPlan, name: str, without: str = "") -> list[tuple[str, str, str, int]]:
    states = everyone(plan)
    states.pop(without, None)
    return [
        (ping.target, str(ping.source_address), str(ping.target_address), ping.payload)
        for ping in plan_pings(plan, plan.nodes[name], states)
    ]


def test_gateways_are_a_workers_own_addresses_in_its_pod_cidrs() -> None:
    plan = dual_stack_cluster()
    assert gateways(plan.nodes[W1], healthy(plan, W1)) == {
        4: Gateway(parse_address("10.200.1.1"), 1500),
        6: Gateway(parse_address("fd00:200:0:1::1"), 1500),
    }
    assert gateways(plan.nodes["controller-0"], healthy(plan, "controller-0")) == {}


def test_every_worker_pings_every_other_one() -> None:
    assert address_pairs(CLUSTER, W0) == [
        (W1, "10.200.0.1", "10.200.1.1", 1472),
        (W2, "10.200.0.1", "10.200.2.1", 1472),
    ]
    assert address_pairs(dual_stack_cluster(), W2, without=W1) == [
        (W0, "10.200.2.1", "10.200.0.1", 1472),
        (W0, "fd00:200:0:2::1", "fd00:200::1", 1452),
    ]


def test_nothing_is_sent_where_nothing_is_known_or_no_bridge_is_up() -> None:
    assert address_pairs(CLUSTER, W0, without=W0) == []
    assert address_pairs(CLUSTER, "controller-0") == []
    bare = healthy(CLUSTER, W1)
    bare = replace(bare, links={"eth0": bare.links["eth0"]})
    states = everyone(CLUSTER, worker_1=bare)
    assert [ping.target for ping in plan_pings(CLUSTER, CLUSTER.nodes[W0], states)] == [W2]
    assert plan_pings(CLUSTER, CLUSTER.nodes[W1], states) == ()


def test_the_payload_fills_the_sources_mtu() -> None:
    state = healthy(CLUSTER, W0)
    links = dict(state.links) | {"cnio0": replace(state.links["cnio0"], mtu=1450)}
    pings = plan_pings(CLUSTER, CLUSTER.nodes[W0], everyone(CLUSTER, worker_0=replace(state, links=links)))
    assert {ping.payload for ping in pings} == {1422}


# The script is run for real, with a ping whose answers are known.
PING = """#!/bin/sh
[ "$1" = -V ] && { echo "%s"; exit 0; }
echo "$*" >>"$0.log"
case "$*" in *10.0.0.9) exit 2 ;; *-s*10.0.0.8) exit 1 ;; esac
"""


def run_script(tmp_path: Path, pings: list[Ping], version: str = "ping from iputils 20221126") -> tuple[int, str, str]:
    program = tmp_path / "ping"
    program.write_text(PING % version)
    program.chmod(0o755)
    done = subprocess.run(
        ["sh", "-s"],
        input=ping_script("nonce", pings),
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_script_says_what_was_answered(tmp_path: Path) -> None:
    pings = [
        Ping(f"to-{number}", parse_address("10.0.0.1"), parse_address(f"10.0.0.{number}"), 1472) for number in (7, 8, 9)
    ] + [Ping("many", parse_address("10.0.0.1"), parse_address("10.0.1.1"), 1472) for _ in range(60)]
    status, stdout, stderr = run_script(tmp_path, pings)
    assert (status, stderr) == (0, "")
    answers = parse_pings("a login shell's greeting\n" + stdout, "nonce", pings)
    assert answers[:3] == (
        Answer("to-7", small=True, full=True),
        Answer("to-8", small=True, full=False),
        Answer("to-9", small=False, full=False),
    )
    assert len(answers) == 63
    sent = (tmp_path / "ping.log").read_text().splitlines()
    assert sorted(line for line in sent if line.endswith("10.0.0.7")) == [
        "-n -q -c 2 -i 0.2 -W 1 -I 10.0.0.1 10.0.0.7",
        "-n -q -c 2 -i 0.2 -W 1 -M do -s 1472 -I 10.0.0.1 10.0.0.7",
    ]


def test_a_host_without_a_ping_that_can_be_used_shows_nothing(tmp_path: Path) -> None:
    pings = [Ping(W1, parse_address("10.0.0.1"), parse_address("10.0.0.7"), 1472)]
    status, stdout, stderr = run_script(tmp_path, pings, "BusyBox v1.36")
    assert (status, stdout, stderr) == (1, "", "the ping of iputils is not installed\n")


def test_an_answer_that_is_not_whole_is_an_error() -> None:
    pings = [Ping(W1, parse_address("10.0.0.1"), parse_address("10.0.0.7"), 1472)]
    whole = "@nonce 0-small yes\n@nonce 0-full no\n@nonce end -\n"
    assert parse_pings(whole, "nonce", pings) == (Answer(W1, small=True, full=False),)
    for text in ("", whole.replace("@nonce end -\n", ""), whole.replace("0-full", "1-full"), whole.replace("@", "x@")):
        with pytest.raises(FactsError, match="not whole"):
            parse_pings(text, "nonce", pings)


def direction(source: str, target: str, state: DirectionState = "ok", cause: Cause = "") -> Direction:
    return Direction(source=source, target=target, state=state, cause=cause)


BOTH = Answer(W1, small=True, full=True)
SMALL = Answer(W1, small=True, full=False)
NONE = Answer(W1, small=False, full=False)


@pytest.mark.parametrize(
    ("there", "back", "answers", "expected"),
    [
        ("ok", "ok", [BOTH], ("ok", "", "answered")),
        ("ok", "ok", [SMALL], ("cut", "too large", "small packets only")),
        ("ok", "ok", [NONE], ("cut", "dropped on the way", "no answer")),
        # One for each family: the worse counts.
        ("ok", "ok", [BOTH, NONE], ("cut", "dropped on the way", "no answer")),
        ("ok", "ok", [SMALL, BOTH], ("cut", "too large", "small packets only")),
        # What the tables say stays: a detour, or a host's own address, answers nevertheless.
        ("cut", "ok", [BOTH], ("cut", "no route", "answered")),
        ("cut", "ok", [NONE], ("cut", "no route", "no answer")),
        # No answer comes back; what went there may well have arrived.
        ("ok", "cut", [NONE], ("ok", "", "no answer")),
        ("ok", "unknown", [NONE], ("ok", "", "no answer")),
        ("ok", "ok", [], ("ok", "", "")),
    ],
)
def test_what_pings_add_to_the_tables(
    there: DirectionState, back: DirectionState, answers: list[Answer], expected: tuple[str, str, str]
) -> None:
    by_tables = [direction(W0, W1, there, "no route" if there == "cut" else ""), direction(W1, W0, back)]
    checked, other = with_pings(by_tables, {W0: [*answers, Answer(W2, small=False, full=False)]})
    assert (checked.state, checked.cause, checked.ping) == expected
    assert (checked.reason != "") == (checked.state == "cut" and there == "ok")
    assert other == by_tables[1]


def test_what_only_a_ping_shows_is_a_finding_of_the_host_that_sent_it() -> None:
    checked = with_pings(
        [
            direction(W0, W1),
            direction(W1, W0),
            direction(W0, W2, "cut", "no route"),
            direction(W2, W1),
            direction(W1, W2),
        ],
        {W0: [NONE, Answer(W2, small=False, full=False)], W2: [SMALL], W1: [Answer(W0, small=True, full=True)]},
    )
    found = ping_findings(checked)
    assert {name: [(one.code, one.subject) for one in findings] for name, findings in found.items()} == {
        W0: [("packets-dropped", "worker-0 → worker-1")],
        W2: [("packets-too-large", "worker-2 → worker-1")],
    }
    assert "although both ends route and forward" in found[W0][0].message
    assert "compare the MTUs" in found[W2][0].message
