"""`basic-kubernetes-routes.sh` against real kernel routes, in a network namespace of its own."""

import contextlib
import fcntl
import ipaddress
import itertools
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace: needs root")

SCRIPT = Path(__file__).parents[2] / "tasks" / "templates" / "basic-kubernetes-routes.sh"
CLUSTER = ("cluster 10.200.0.0/16", "cluster fd00:200::/48")
R1 = "10.200.1.0/24 via 10.240.0.21 dev eth0"
R2 = "10.200.2.0/24 via 10.240.0.22 dev eth0"
R3 = "10.200.3.0/24 via 10.240.0.23 dev eth0"
S1 = "fd00:200:0:1::/64 via fd00:240::21 dev eth0"
S2 = "fd00:200:0:2::/64 via fd00:240::22 dev eth0"
LINKS = """\
link set lo up
link add eth0 type veth peer name p0
link set p0 up
link set eth0 up
address add 10.240.0.20/20 dev eth0
address add fd00:240::20/64 dev eth0 nodad
nexthop add id 7 via 10.240.0.27 dev eth0
nexthop add id 8 via fd00:240::27 dev eth0
"""

_numbers = itertools.count()


def run(*argv: str, stdin: str | None = None) -> str:
    done = subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


class Host:
    """A network namespace with an eth0, and a folder with the files of the script."""

    def __init__(self, folder: Path) -> None:
        self.name = f"routes-script-{os.getpid()}-{next(_numbers)}"
        self.folder = folder
        self.file = folder / "routes"
        self.state = folder / "run" / "applied"
        # What an administrator or a distribution has changed; see `script`.
        self.mounts: dict[Path, str] = {}

    def ip(self, words: str) -> str:
        return run("ip", "-n", self.name, *words.split())

    def routes(self) -> list[str]:
        """Both main tables, word for word and in the kernel's order; lifetimes left out."""
        lines: list[str] = []
        for family in ("-4", "-6"):
            lines += run("ip", "-n", self.name, "-N", "-o", family, "route", "show", "table", "main").splitlines()
        return [re.sub(r" expires \d+sec", " expires", line).strip() for line in lines if not line.startswith("fe80::")]

    def ours(self) -> list[str]:
        """`DESTINATION via ADDRESS dev INTERFACE` of the routes with our protocol."""
        found = []
        for family in ("-4", "-6"):
            shown = run("ip", "-n", self.name, "-j", family, "route", "show", "table", "main", "proto", "201")
            found += [f"{route['dst']} via {route['gateway']} dev {route['dev']}" for route in json.loads(shown)]
        return found

    def used(self, address: str) -> str:
        """The next hop that the kernel really uses."""
        got: list[dict[str, Any]] = json.loads(self.ip(f"-j route get {address}"))
        return str(got[0].get("gateway"))

    def want(self, *routes: str, cluster: Sequence[str] = CLUSTER) -> None:
        lines = ["# Managed by pod-routes", *cluster, *(f"route {route}" for route in routes)]
        self.file.write_text("".join(f"{line}\n" for line in lines))

    def start(self, action: str) -> subprocess.Popen[str]:
        mounts = "".join(f"mount --bind {self.folder}/{name} {path}\n" for path, name in self.mounts.items())
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, "sh", "-ec", f'{mounts}exec "$@"', "sh", str(SCRIPT), action],
            env={"KUBERNETES_ROUTES_FILE": str(self.file), "KUBERNETES_ROUTES_STATE": str(self.state)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def script(self, action: str) -> tuple[int, str, str]:
        process = self.start(action)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def add(self) -> str:
        """`add`, which must succeed; afterwards `check` must agree."""
        status, out, err = self.script("add")
        assert (status, err) == (0, "")
        assert self.script("check")[::2] == (0, "")
        return out

    @contextlib.contextmanager
    def monitored(self) -> Iterator[list[str]]:
        """What the kernel says about changes of routes, complete when the block has ended."""
        events: list[str] = []
        path = self.folder / "events"
        with path.open("w") as file:
            process = subprocess.Popen(
                ["ip", "-n", self.name, "monitor", "route"], stdout=file, stderr=subprocess.DEVNULL
            )
        try:
            # It listens once it shows a route that was made for that; it has shown all once it shows the next one.
            self._wait_for(path, "198.51.100.")
            yield events
            self._wait_for(path, "203.0.113.")
        finally:
            process.kill()
            process.wait()
        events += [line.strip() for line in path.read_text().splitlines() if "table 77" not in line]

    def _wait_for(self, path: Path, prefix: str) -> None:
        for number in range(1, 250):
            self.ip(f"route add {prefix}{number} dev eth0 table 77")
            time.sleep(0.02)
            if prefix in path.read_text():
                break
        else:
            pytest.fail("ip monitor shows nothing")
        self.ip("route flush table 77")


def make_host(folder: Path) -> Host:
    host = Host(folder)
    run("ip", "netns", "add", host.name)
    run("ip", "-n", host.name, "-batch", "-", stdin=LINKS)
    return host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = make_host(tmp_path)
    try:
        yield made
    finally:
        run("ip", "netns", "delete", made.name)


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """For property tests, which clean up between examples."""
    made = make_host(tmp_path_factory.mktemp("host"))
    try:
        yield made
    finally:
        run("ip", "netns", "delete", made.name)


# --- add: what is listed is there, once, and a second run writes nothing ---


def test_add_makes_the_listed_routes(host: Host) -> None:
    host.want(R1, R2, S1)
    before = host.routes()
    assert host.add().splitlines() == [f"added: {R1}", f"added: {R2}", f"added: {S1}", "3 routes as wanted, 3 changes"]
    assert sorted(set(host.routes()) - set(before)) == [
        f"{R1} proto 201",
        f"{R2} proto 201",
        f"{S1} proto 201 metric 1024 pref medium",
    ]


def test_a_second_add_writes_nothing(host: Host) -> None:
    host.want(R1, R2, S1, S2)
    host.add()
    state = host.state.stat()
    with host.monitored() as events:
        assert host.script("add") == (0, "4 routes as wanted, 0 changes\n", "")
    assert events == []
    assert host.state.stat() == state


def test_a_lost_carrier_is_no_difference(host: Host) -> None:
    host.want(R1, S1)
    host.add()
    host.ip("link set p0 down")
    assert "linkdown" in " ".join(host.routes())
    assert host.script("add")[1] == "2 routes as wanted, 0 changes\n"


def test_routes_that_went_with_the_link_come_back(host: Host) -> None:
    host.want(R1)
    host.add()
    host.ip("link set eth0 down")
    host.ip("link set eth0 up")
    assert host.ours() == []
    assert host.script("check")[:2] == (1, f"missing: {R1}\n")
    host.add()
    assert host.ours() == [R1]


def test_another_spelling_of_an_ipv6_network_is_the_same_network(host: Host) -> None:
    host.want("FD00:0200:0:1:0:0:0:0/64 via fd00:240:0::0:21 dev eth0")
    host.add()
    assert host.script("add")[1] == "1 routes as wanted, 0 changes\n"


def test_a_cluster_of_one_worker_has_no_routes(host: Host) -> None:
    host.want()
    assert host.add() == "0 routes as wanted, 0 changes\n"


def test_a_changed_next_hop_is_replaced_without_a_gap(host: Host) -> None:
    host.want(R1, S1)
    host.add()
    host.want(R1.replace(".21", ".31"), S1.replace("::21", "::31"))
    with host.monitored() as events:
        host.add()
    assert not [event for event in events if event.startswith("Deleted")]
    assert (host.used("10.200.1.9"), host.used("fd00:200:0:1::9")) == ("10.240.0.31", "fd00:240::31")
    assert len(host.ours()) == 2


# --- add: what is ours and no longer listed goes ---

STALE = [
    "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201",
    "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201 metric 70",
    "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201 onlink",
    "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201 mtu lock 1400 rto_min 300ms features ecn src 10.240.0.20",
    "10.200.9.0/24 proto 201 nexthop via 10.240.0.28 dev eth0 weight 3 nexthop via 10.240.0.29 dev eth0 onlink",
    "10.200.9.0/24 tos 0x10 via 10.240.0.29 dev eth0 proto 201",
    "10.200.9.0/24 via inet6 fd00:240::29 dev eth0 proto 201",
    "10.200.9.0/24 nhid 7 proto 201",
    "10.200.9.0/24 dev eth0 scope link proto 201",
    "10.200.9.9 via 10.240.0.29 dev eth0 proto 201",
    "10.200.0.0/16 via 10.240.0.29 dev eth0 proto 201",
    "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 metric 50",
    *(f"{kind} 10.200.9.0/24 proto 201" for kind in ("blackhole", "unreachable", "prohibit", "throw")),
    "fd00:200:0:9::/64 via fd00:240::29 dev eth0 proto 201",
    "fd00:200:0:9::/64 via fd00:240::29 dev eth0 proto 201 metric 70 pref high",
    "fd00:200:0:9::/64 via fd00:240::29 dev eth0 proto 201 expires 600",
    "fd00:200:0:9::/64 proto 201 nexthop via fd00:240::28 dev eth0 nexthop via fd00:240::29 dev eth0 weight 2",
    "fd00:200:0:9::/64 from fd00:240::/64 via fd00:240::29 dev eth0 proto 201",
    "fd00:200:0:9::/64 nhid 8 proto 201",
    "fd00:200:0:1::/64 via fd00:240::21 dev eth0 proto 201 metric 50",
    "unreachable fd00:200:0:9::/64 proto 201",
    "fd00:200::9 via fd00:240::29 dev eth0 proto 201",
]


def route_command(route: str, verb: str = "append") -> str:
    is_ipv6 = ":" in route and "inet6" not in route
    return f"{'-6 ' if is_ipv6 else ''}route {verb} {route}"


@pytest.mark.parametrize("route", STALE)
def test_a_stale_route_goes_and_comes_back_if_the_rest_fails(host: Host, route: str) -> None:
    host.want(R1, S1)
    host.add()
    clean = host.routes()
    host.ip(route_command(route))
    with_stale = host.routes()
    assert with_stale != clean
    status, out, _ = host.script("check")
    assert status == 1
    assert re.fullmatch(r"(stale|wrong): .*\n", out)

    replace_ip(host, 'case "$*" in *-batch*) "$IP" "$@"; exit 1; esac; exec "$IP" "$@"')
    assert host.script("add")[0] == 1
    assert host.routes() == with_stale

    host.mounts.clear()
    host.add()
    assert host.routes() == clean


def replace_ip(host: Host, text: str) -> None:
    """Put a shell script in the place of ip, for what the real one cannot be made to do; `$IP` is the real one."""
    ip = shutil.which("ip", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert ip is not None
    shutil.copy(ip, host.folder / "real-ip")
    (host.folder / "false-ip").write_text(f"#!/bin/sh\nIP={host.folder}/real-ip\n{text}\n")
    (host.folder / "false-ip").chmod(0o755)
    host.mounts[Path(ip).resolve()] = "false-ip"


def test_a_removed_worker_leaves_no_route_behind_even_outside_the_cluster_range(host: Host) -> None:
    host.want("10.100.1.0/24 via 10.240.0.21 dev eth0", cluster=["cluster 10.100.0.0/16"])
    host.add()
    host.ip("route add 10.100.2.0/24 via 10.240.0.22 dev eth0 proto 201")
    host.want(R1)  # the cluster has another range now
    host.add()
    assert host.ours() == ["10.100.2.0/24 via 10.240.0.22 dev eth0", R1]  # the first was never applied, nor is in range


def test_what_was_applied_and_is_another_now_is_not_ours_outside_the_cluster_range(host: Host) -> None:
    host.want("10.100.1.0/24 via 10.240.0.21 dev eth0", cluster=["cluster 10.100.0.0/16"])
    host.add()
    host.ip("route replace 10.100.1.0/24 via 10.240.0.99 dev eth0 proto 201")
    host.want(R1)
    host.add()
    assert host.ours() == ["10.100.1.0/24 via 10.240.0.99 dev eth0", R1]


# --- add: routes of others ---


@pytest.mark.parametrize(
    "route",
    [
        "10.200.9.0/24 via 10.240.0.29 dev eth0",
        "10.200.9.0/24 via 10.240.0.29 dev eth0 proto static",
        "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 20",
        "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 200",
        "10.200.0.0/16 via 10.240.0.29 dev eth0 proto bird",
        "10.201.0.0/24 via 10.240.0.29 dev eth0 proto 201",
        "10.0.0.0/8 via 10.240.0.29 dev eth0 proto 201",
        "10.200.1.0/24 via 10.240.0.99 dev eth0 proto static metric 50",
        "10.200.1.0/24 via 10.240.0.21 dev eth0 proto dhcp metric 100",
        "10.200.1.0/24 via 10.240.0.99 dev eth0 proto dhcp metric 1024",
        "10.200.1.0/24 via 10.240.0.99 dev eth0 proto 201 table 99",
        "10.200.1.0/24 tos 0x10 via 10.240.0.99 dev eth0 proto static",
        "blackhole 10.200.1.0/24 proto static metric 4278198272",
        "default via 10.240.0.1 dev eth0 proto dhcp metric 100",
        "fd00:200:0:9::/64 via fd00:240::29 dev eth0 proto static",
        "fd00:200:0:1::/64 via fd00:240::99 dev eth0 proto ra metric 2048",
        "fd00:200:0:1::/64 via fd00:240::21 dev eth0 proto ra metric 100",
        "default via fd00:240::1 dev eth0 proto ra metric 100 expires 1800",
    ],
)
def test_a_route_of_others_survives_add_and_del(host: Host, route: str) -> None:
    host.ip(route_command(route))
    before = (host.routes(), host.ip("route show table all proto 201"))
    host.want(R1, S1)
    host.add()
    assert set(before[0]) < set(host.routes())
    host.script("del")
    assert (host.routes(), host.ip("route show table all proto 201")) == before


@pytest.mark.parametrize(
    "route",
    [
        "10.200.1.0/24 via 10.240.0.21 dev eth0",
        "10.200.1.0/24 via 10.240.0.21 dev eth0 proto static",
        "10.200.1.0/24 via 10.240.0.210 dev eth0",
        "10.200.1.0/24 via 10.240.0.99 dev eth0 proto dhcp",
        "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 mtu 1400",
        "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 onlink",
        "10.200.1.0/24 via 10.240.0.21 dev p0 proto 201 onlink",
        "10.200.1.0/24 proto 201 nexthop via 10.240.0.21 dev eth0 nexthop via 10.240.0.22 dev eth0",
        "10.200.1.0/24 nhid 7 proto 201",
        "10.200.1.0/24 dev eth0 scope link",
        "blackhole 10.200.1.0/24 proto static",
        "fd00:200:0:1::/64 via fd00:240::21 dev eth0 proto static",
        "fd00:200:0:1::/64 via fd00:240::99 dev eth0 proto 201",
        "fd00:200:0:1::/64 via fd00:240::21 dev eth0 proto 201 expires 600",
        "fd00:200:0:1::/64 proto 201 nexthop via fd00:240::21 dev eth0 nexthop via fd00:240::22 dev eth0",
        "fd00:200:0:1::/64 nhid 8 proto 201",
        "fd00:200:0:1::/64 dev eth0",
        "unreachable fd00:200:0:1::/64 metric 1024",
    ],
)
def test_a_wrong_route_to_a_listed_destination_is_replaced(host: Host, route: str) -> None:
    host.want(R1, S1)
    host.add()
    clean = host.routes()
    host.ip(route_command(route, "replace"))
    wrong = host.routes()
    assert wrong != clean
    assert host.script("check")[1].startswith("wrong: ")

    replace_ip(host, 'case "$*" in *-batch*) "$IP" "$@"; exit 1; esac; exec "$IP" "$@"')
    assert host.script("add")[0] == 1
    assert host.routes() == wrong

    host.mounts.clear()
    with host.monitored() as events:
        host.add()
    assert host.routes() == clean
    assert not [event for event in events if event.startswith("Deleted")]


def test_a_route_from_a_dhcp_server_that_agrees_is_left_alone(host: Host) -> None:
    host.ip(f"route add {R1} proto dhcp")
    host.ip(f"-6 route add {S1} proto dhcp")
    host.want(R1, S1)
    before = host.routes()
    with host.monitored() as events:
        assert host.add() == "2 routes as wanted, 0 changes\n"
        host.script("del")
    assert events == []
    assert host.routes() == before


VIAS = {"right": "via 10.240.0.21 dev eth0", "other": "via 10.240.0.99 dev eth0", "third": "via 10.240.0.98 dev eth0"}


@pytest.mark.parametrize(
    ("routes", "left"),
    [
        (["right 201", "other static"], "right 201"),
        (["other static", "right 201"], "right 201"),
        (["other static", "right 201", "third boot", "other 201"], "right 201"),
        (["other static", "third boot"], "right 201"),
        (["other static", "third boot", "right static"], "right 201"),
        (["other 201", "third 201"], "right 201"),
        (["right dhcp", "right 201"], "right 16"),
        (["other 201", "right 201", "right dhcp", "third dhcp"], "right 16"),
        (["right static", "right boot", "right 200"], "right 201"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, list) else value,
)
def test_duplicates_are_reduced_to_one(host: Host, routes: list[str], left: str) -> None:
    for route in routes:
        via, proto = route.split()
        host.ip(f"route append 10.200.1.0/24 {VIAS[via]} proto {proto}")
    before = host.routes()
    host.want(R1)
    assert host.script("check")[0] == 1
    host.want(R1, "fd00:200:0:7::/64 via fd00:99::1 dev eth0")  # refused, after all IPv4 changes were made
    assert host.script("add")[0] == 1
    assert host.routes() == before

    host.want(R1)
    host.add()
    via, proto = left.split()
    assert [line for line in host.routes() if "10.200" in line] == [f"10.200.1.0/24 {VIAS[via]} proto {proto}"]


# --- add: what it refuses ---


@pytest.mark.parametrize("own", ["10.240.0.20", "fd00:240::20", "10.200.0.1", "fd00:240:0:0::20"])
def test_refuses_a_next_hop_that_is_this_host(host: Host, own: str) -> None:
    """The kernel takes it while the pod bridge is down, and the node's own pods are lost when it comes up."""
    if own == "10.200.0.1":
        host.ip("address add 10.200.0.1/32 dev p0")
    destination = "fd00:200::/64" if ":" in own else "10.200.0.0/24"
    host.want(R1, f"{destination} via {own} dev eth0")
    with host.monitored() as events:
        status, out, err = host.script("add")
    assert (status, out, events) == (1, "", [])
    assert f"refused: {destination} via {own} dev eth0: the next hop is an address of this host itself" in err
    assert not host.state.exists()
    assert host.script("check")[:2] == (
        1,
        f"conflict: {destination} via {own} dev eth0: the next hop is an address of this host itself\nmissing: {R1}\n",
    )


@pytest.mark.parametrize(
    ("address", "route"),
    [
        ("10.200.1.1/24", R1),
        ("fd00:200:0:1::1/64", S1),
    ],
)
def test_refuses_the_network_of_its_own_pods(host: Host, address: str, route: str) -> None:
    host.ip("link add cnio0 type bridge")
    host.ip(f"address add {address} dev cnio0 nodad" if ":" in address else f"address add {address} dev cnio0")
    host.ip("link set cnio0 up")
    before = host.routes()
    host.want(R2, R1, S1, "fd00:200:0:3::/64 via fd00:240::20 dev eth0")
    with host.monitored() as events:
        status, _, err = host.script("add")
    assert (status, events, host.routes()) == (1, [], before)
    assert f"refused: {route}: this host is on that network itself: " in err
    assert "refused: fd00:200:0:3::/64 via" in err  # every reason at once


def test_refuses_to_make_an_ipv6_route_that_another_wins_over(host: Host) -> None:
    host.ip("-6 route add fd00:200:0:1::/64 via fd00:240::99 dev eth0 proto static metric 100")
    host.want(S1)
    before = host.routes()
    assert host.script("add")[2].startswith(
        f"basic-kubernetes-routes.sh: refused: {S1}: another route would win over it: fd00:200:0:1::/64 "
    )
    assert host.routes() == before


# --- add: all or nothing ---


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ("10.200.7.0/24 via 10.99.0.1 dev eth0", "Nexthop has invalid gateway"),
        ("10.200.7.0/24 via 10.240.0.27 dev eth7", 'Cannot find device "eth7"'),
        ("fd00:200:0:7::/64 via fd00:99::1 dev eth0", "No route to host"),
        ("fd00:200:0:7::/64 via fd00:240::27 dev eth7", 'Cannot find device "eth7"'),
    ],
)
@pytest.mark.parametrize("applied_before", [False, True])
def test_one_refused_change_takes_all_others_back(host: Host, route: str, words: str, applied_before: bool) -> None:
    if applied_before:
        host.want(R1.replace(".21", ".99"), R2, S1.replace("::21", "::99"))
        host.add()
    for other in ["10.200.3.0/24 via 10.240.0.99 dev eth0", "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201"]:
        host.ip(f"route add {other}")
    before = host.routes()
    state = host.state.read_text() if applied_before else None
    host.want(R1, R3, S1, S2, route, "10.200.11.0/24 via 10.240.0.31 dev eth0")
    status, out, err = host.script("add")
    assert (status, out) == (1, "")
    assert words in err
    assert f"route replace {route} proto 201" in err
    assert "taken back" in err
    assert host.routes() == before
    assert (host.state.read_text() if host.state.exists() else None) == state
    assert [path.name for path in host.state.parent.iterdir() if path.name.endswith(".new")] == []


@pytest.mark.parametrize("made", [0, 1, 2, 3])
def test_takes_all_back_when_ip_dies_without_a_word(host: Host, made: int) -> None:
    host.want(R1.replace(".21", ".99"))
    host.add()
    host.ip("route append 10.200.2.0/24 via 10.240.0.98 dev eth0")
    host.ip("route append 10.200.2.0/24 via 10.240.0.99 dev eth0")
    before = host.routes()
    replace_ip(host, f'case "$*" in *-batch*) head -n {made} | "$IP" "$@"; kill -KILL $$; esac\nexec "$IP" "$@"')
    host.want(R1, R2)
    assert host.script("add")[0] == 1
    assert host.routes() == before


def test_says_so_when_it_cannot_take_all_back(host: Host) -> None:
    host.want(R1)
    replace_ip(
        host,
        'case "$*" in *-batch*) "$IP" "$@"; exit 1;; *" route del "*) exit 2; esac\nexec "$IP" "$@"',
    )
    status, _, err = host.script("add")
    assert status == 1
    assert "could not take all back" in err


@pytest.mark.parametrize("words", ["-4 route show", "-6 route show", "address show"])
def test_a_listing_that_fails_is_no_empty_listing(host: Host, words: str) -> None:
    host.want(R1, S1)
    host.add()
    before = host.routes()
    replace_ip(host, f'case "$*" in *"{words}"*) echo broken >&2; exit 2; esac\nexec "$IP" "$@"')
    for action in ("add", "check", "del"):
        status, out, err = host.script(action)
        assert (status, out) == (1, "")
        assert err.startswith("broken\nbasic-kubernetes-routes.sh: cannot read the")
    assert host.routes() == before


def test_a_run_that_was_killed_is_made_good_by_the_next(host: Host) -> None:
    host.want("10.100.1.0/24 via 10.240.0.21 dev eth0", cluster=["cluster 10.100.0.0/16"])
    host.add()
    host.want(R1, R2)
    replace_ip(host, 'case "$*" in *-batch*) head -n 1 | "$IP" "$@"; kill -KILL 0; esac\nexec "$IP" "$@"')
    assert host.script("add")[0] == -signal.SIGKILL
    assert host.ours() == ["10.100.1.0/24 via 10.240.0.21 dev eth0", R1]
    host.mounts.clear()
    host.add()
    assert host.ours() == [R1, R2]


# --- del ---


def test_del_removes_what_was_applied_not_what_is_listed_now(host: Host) -> None:
    before = host.routes()
    host.want(R1, S1)
    host.add()
    host.file.write_text("nonsense\n")
    status, out, err = host.script("del")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == "2 routes were applied, 2 removed"
    assert host.routes() == before
    assert not host.state.exists()


def test_del_without_a_state_takes_what_is_listed(host: Host) -> None:
    before = host.routes()
    host.want(R1, R2, S1)
    for route in (R1, S1):
        host.ip(f"{'-6 ' if ':' in route else ''}route add {route} proto 201")
    assert host.script("del") == (
        0,
        f"removed: {R1} proto 201\nremoved: {S1} proto 201 metric 1024 pref medium\n3 routes were applied, 2 removed\n",
        "",
    )
    assert host.routes() == before
    assert host.script("del")[0] == 0


def test_del_without_a_state_and_without_a_list_says_so(host: Host) -> None:
    assert host.script("del")[::2] == (78, f"basic-kubernetes-routes.sh: {host.file}: is not there\n")


@pytest.mark.parametrize(
    "change",
    [
        "route replace 10.200.1.0/24 via 10.240.0.99 dev eth0 proto 201",
        "route replace 10.200.1.0/24 via 10.240.0.21 dev eth0 proto static",
        "route replace 10.200.1.0/24 via 10.240.0.21 dev eth0 proto dhcp",
        "route replace blackhole 10.200.1.0/24 proto 201",
        "route replace 10.200.1.0/24 proto 201 nexthop via 10.240.0.21 dev eth0 nexthop via 10.240.0.22 dev eth0",
        "route del 10.200.1.0/24",
    ],
)
def test_del_leaves_what_is_not_as_it_was_applied(host: Host, change: str) -> None:
    host.want(R1, R2)
    host.add()
    host.ip(change)
    wanted = [route for route in host.routes() if not route.startswith("10.200.2.0/24")]
    assert host.script("del")[1].splitlines()[-1] == "2 routes were applied, 1 removed"
    assert host.routes() == wanted


def test_del_of_one_leaves_a_route_of_others_to_the_same_destination(host: Host) -> None:
    host.want(R1)
    host.add()
    host.ip("route append 10.200.1.0/24 via 10.240.0.21 dev eth0 proto static")
    host.ip("route add 10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 metric 50")
    host.script("del")
    assert [route for route in host.routes() if "10.200" in route] == [
        "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 4",
        "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 metric 50",
    ]


# --- check ---


def test_check_says_each_difference_and_writes_nothing(host: Host) -> None:
    host.want(R1, R2, R3, S1)
    host.ip(f"route add {R1} proto 201")
    host.ip("route append 10.200.1.0/24 via 10.240.0.99 dev eth0")
    host.ip("route add 10.200.2.0/24 via 10.240.0.99 dev eth0 proto static")
    host.ip("route add 10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201")
    with host.monitored() as events:
        status, out, err = host.script("check")
    assert (status, err, events) == (1, "", [])
    assert out.splitlines() == [
        "duplicate: 10.200.1.0/24 via 10.240.0.99 dev eth0 proto 3",
        f"wrong: 10.200.2.0/24 via 10.240.0.99 dev eth0 proto 4, wanted {R2} proto 201",
        f"missing: {R3}",
        f"missing: {S1}",
        "stale: 10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201",
    ]
    assert not host.state.parent.exists()
    host.add()
    assert host.script("check") == (0, "4 routes as wanted\n", "")


def test_works_where_the_protocol_has_a_name(host: Host) -> None:
    (host.folder / "rt_protos").write_text("201 kernel\n2 pods\n16 boot\n3 dhcp\n")
    protos = next(
        path for path in (Path("/etc/iproute2/rt_protos"), Path("/usr/share/iproute2/rt_protos")) if path.exists()
    )
    host.mounts[protos] = "rt_protos"
    host.ip("route add 10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201")
    host.want(R1, S1)
    host.add()
    assert host.ours() == [R1, S1]
    assert host.script("add")[1] == "2 routes as wanted, 0 changes\n"
    host.script("del")
    assert host.ours() == []


# --- the routes file ---

GOOD = "cluster 10.200.0.0/16\ncluster fd00:200::/48\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rout 10.200.1.0/24 via 10.240.0.21 dev eth0", 'unknown word "rout"'),
        ("10.200.1.0/24 via 10.240.0.21 dev eth0", 'unknown word "10.200.1.0/24"'),
        ("route", "must be"),
        ("route 10.200.1.0/24", "must be"),
        ("route 10.200.1.0/24 via 10.240.0.21", "must be"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev", "must be"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev eth0 onlink", "must be"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev eth0 metric 0", "must be"),
        ("route 10.200.1.0/24 dev eth0 via 10.240.0.21", "must be"),
        ("route 10.200.010.0/24 via 10.240.0.21 dev eth0", "not a network prefix"),
        ("route 10.200.1.1/24 via 10.240.0.21 dev eth0", "not a network prefix"),
        ("route 10.200.1.0 via 10.240.0.21 dev eth0", "not a network prefix"),
        ("route 10.200.1.0/33 via 10.240.0.21 dev eth0", "not a network prefix"),
        ("route 10.200.1.0/024 via 10.240.0.21 dev eth0", "not a network prefix"),
        ("route 10.200.1.0/255.255.255.0 via 10.240.0.21 dev eth0", "not a network prefix"),
        ("route 10.200.256.0/24 via 10.240.0.21 dev eth0", "not a network prefix"),
        ("route 10.200.1/24 via 10.240.0.21 dev eth0", "not a network prefix"),
        ("route default via 10.240.0.21 dev eth0", "not a network prefix"),
        ("route fd00:200:0:1::1/64 via fd00:240::21 dev eth0", "not a network prefix"),
        ("route fd00:200::0:1::/64 via fd00:240::21 dev eth0", "not a network prefix"),
        ("route fd00:200:0:1::/129 via fd00:240::21 dev eth0", "not a network prefix"),
        ("route 10.200.1.0/24 via 10.240.0.256 dev eth0", "not the address of a next hop"),
        ("route 10.200.1.0/24 via 10.240.0.2X dev eth0", "not the address of a next hop"),
        ("route 10.200.1.0/24 via 10.240.0.021 dev eth0", "not the address of a next hop"),
        ("route 10.200.1.0/24 via 127.0.0.1 dev lo", "not the address of a next hop"),
        ("route 10.200.1.0/24 via 0.0.0.0 dev eth0", "not the address of a next hop"),
        ("route 10.200.1.0/24 via 224.0.0.1 dev eth0", "not the address of a next hop"),
        ("route fd00:200:0:1::/64 via ::1 dev lo", "not the address of a next hop"),
        ("route fd00:200:0:1::/64 via ff02::1 dev eth0", "not the address of a next hop"),
        ("route fd00:200:0:1::/64 via fe80::1%eth0 dev eth0", "not the address of a next hop"),
        ("route 10.200.1.0/24 via fd00:240::21 dev eth0", "two families"),
        ("route fd00:200:0:1::/64 via 10.240.0.21 dev eth0", "two families"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev -eth0", "not the name of an interface"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev eth0;reboot", "not the name of an interface"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev $(reboot)", "not the name of an interface"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev ../eth0", "not the name of an interface"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev eth0@if5", "not the name of an interface"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev eth0123456789abc", "not the name of an interface"),
        ("route 10.201.1.0/24 via 10.240.0.21 dev eth0", 'in no "cluster" range'),
        ("route 10.0.0.0/8 via 10.240.0.21 dev eth0", 'in no "cluster" range'),
        ("route 0.0.0.0/0 via 10.240.0.21 dev eth0", 'in no "cluster" range'),
        ("route ::/0 via fd00:240::21 dev eth0", 'in no "cluster" range'),
        ("route fd00:201::/64 via fd00:240::21 dev eth0", 'in no "cluster" range'),
        ("route 10.200.2.0/24 via 10.240.0.21 dev eth0", "10.200.2.0/24 is in line 3 already"),
        ("cluster", "must be"),
        ("cluster 10.0.0.0/8 10.1.0.0/16", "must be"),
        ("cluster 10.200.0.1/16", "not a network prefix"),
        ("cluster 10.200.0.0/16", "in line 1 already"),
        ("cluster pods", "not a network prefix"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev eth0\r", "odd character"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev eth\x1b[0m", "odd character"),
        ("route 10.200.1.0/24 via 10.240.0.21 dev ethé", "odd character"),
        ("route\v10.200.1.0/24 via 10.240.0.21 dev eth0", "odd character"),
    ],
)
def test_a_bad_line_stops_all(shared_host: Host, line: str, words: str) -> None:
    host = shared_host
    before = host.routes()
    host.file.write_text(f"{GOOD}route {R2}\n# a comment\n{line}\n")
    status, out, err = host.script("add")
    assert (status, out) == (78, "")
    assert err.startswith(f"basic-kubernetes-routes.sh: {host.file}:5: ")
    assert words in err
    assert err.count("\n") == 1
    assert "\x1b" not in err
    assert host.routes() == before


@pytest.mark.parametrize("action", ["add", "check", "del"])
def test_all_bad_lines_are_said_at_once(host: Host, action: str) -> None:
    host.file.write_text(f"{GOOD}\nrout 1\nroute {R1}\nroute 10.200.1.0/24\n\tcluster x\n")
    with host.monitored() as events:
        status, _, err = host.script(action)
    assert status == 78
    assert re.findall(r":(\d+): ", err) == ["4", "6", "7"]
    assert events == []
    assert not host.state.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not there"),
        (b"", "is empty"),
        (b"# nothing but a comment\n", 'has no "cluster" line'),
        (f"route {R1}\n".encode(), 'is in no "cluster" range'),
        (f"{GOOD}route {R1}\nroute 10.200.2.0/24 via 10.240.0.22 dev eth".encode(), "it was cut off"),
        (f"{GOOD}route {R1}\0\n".encode(), "holds a control character"),
        (f"{GOOD}\1\nroute {R1}\n".encode(), "holds a control character"),
    ],
)
def test_a_file_that_is_not_whole_stops_all(host: Host, content: bytes | None, words: str) -> None:
    host.ip("route add 10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201")
    if content is not None:
        host.file.write_bytes(content)
    for action in ("add", "check", "del"):
        status, out, err = host.script(action)
        assert (status, out) == (78, "")
        assert str(host.file) in err
        assert words in err
    assert host.ours() == ["10.200.9.0/24 via 10.240.0.29 dev eth0"]


def test_a_folder_is_no_file(host: Host) -> None:
    host.file.mkdir()
    assert host.script("add")[::2] == (
        78,
        f"basic-kubernetes-routes.sh: {host.file}: is not a file that can be read\n",
    )


def test_a_state_that_is_not_whole_stops_all(host: Host) -> None:
    host.want(R1)
    host.add()
    host.state.write_text(f"route {R1}\ncluster 10.0.0.0/8\n")
    for action in ("add", "check", "del"):
        status, _, err = host.script(action)
        assert (status, err) == (78, f'basic-kubernetes-routes.sh: {host.state}:2: unknown word "cluster"\n')


def test_comments_and_blanks_are_read_over(host: Host) -> None:
    host.file.write_text(f"  # é\n\n{GOOD}\troute  {R1.replace(' ', '   ')}  # worker-1\n   \n")
    host.add()
    assert host.ours() == [R1]


def test_the_state_is_readable_by_all_and_writable_by_root(host: Host) -> None:
    host.want(R1)
    host.add()
    assert host.state.stat().st_mode & 0o777 == 0o644
    assert host.state.read_text().splitlines()[1:] == [f"route {R1}"]
    assert "Managed by pod-routes" in host.state.read_text()


# --- several at once, many routes ---


def test_a_run_waits_for_the_one_before_and_then_reads_what_is_listed(host: Host) -> None:
    host.want(R1)
    host.add()
    with (host.state.parent / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        host.want(R2)
        waiting = host.start("add")
        checking = host.start("check")
        time.sleep(0.5)
        assert (waiting.poll(), checking.poll(), host.ours()) == (None, None, [R1])
        host.want(R3)
    assert waiting.communicate(timeout=30)[1] == ""
    checking.communicate(timeout=30)
    assert (waiting.returncode, host.ours()) == (0, [R3])


def test_many_at_once(host: Host) -> None:
    host.want(R1, R2, S1)
    runs = [host.start("add") for _ in range(6)]
    results = [process.communicate(timeout=60) for process in runs]
    assert [process.returncode for process in runs] == [0] * 6, results
    assert sorted(out.splitlines()[-1] for out, _ in results) == [
        *["3 routes as wanted, 0 changes"] * 5,
        "3 routes as wanted, 3 changes",
    ]
    assert host.ours() == [R1, R2, S1]


@pytest.mark.parametrize("count", [100, 300])
def test_many_routes(host: Host, count: int) -> None:
    routes = []
    for n in range(count // 2):
        routes.append(f"10.200.{n}.0/24 via 10.240.1.{n} dev eth0")
        routes.append(f"fd00:200:0:{n + 1:x}::/64 via fd00:240::1:{n:x} dev eth0")
    before = host.routes()
    host.want(*routes)
    host.add()
    assert sorted(host.ours()) == sorted(routes)

    # Processor time, as the clock also counts what else this machine does. It is some 60 ms for 100 routes.
    times = []
    for _ in range(3):
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert host.script("add")[1] == f"{count} routes as wanted, 0 changes\n"
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
    assert min(times) < 0.2

    host.script("del")
    assert host.routes() == before


# --- any kernel at all ---

DESTINATIONS = ["10.200.1.0/24", "10.200.2.0/24", "10.200.9.0/24", "10.100.1.0/24"]
mess = st.lists(
    st.tuples(
        st.sampled_from(DESTINATIONS),
        st.sampled_from(["10.240.0.21", "10.240.0.22", "10.240.0.99"]),
        st.sampled_from([201, 4, 3, 16]),
        st.sampled_from([0, 0, 0, 50, 100]),
    ),
    unique=True,
    max_size=9,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(mess)
def test_whatever_is_there_add_leaves_what_is_wanted_and_all_else(
    shared_host: Host, routes: list[tuple[str, str, int, int]]
) -> None:
    host = shared_host
    wanted = {"10.200.1.0/24": "10.240.0.21", "10.200.2.0/24": "10.240.0.22"}
    host.state.unlink(missing_ok=True)
    for destination in DESTINATIONS:
        run("ip", "-n", host.name, "route", "flush", "exact", destination)
    for destination, via, proto, metric in routes:
        host.ip(f"route append {destination} via {via} dev eth0 proto {proto} metric {metric}")
    before = host.routes()

    host.want(R1, R2, "fd00:200:0:7::/64 via fd00:99::1 dev eth0")
    assert host.script("add")[0] == 1
    assert host.routes() == before

    host.want(R1, R2)
    host.add()
    shown = json.loads(host.ip("-N -j route show table main"))
    after = {
        (route["dst"], route["gateway"], int(route.get("protocol", 3)), route.get("metric", 0))
        for route in shown
        if route["dst"] in DESTINATIONS
    }
    kept = {
        (destination, via, proto, metric)
        for destination, via, proto, metric in routes
        if not (proto == 201 and ipaddress.IPv4Network(destination).subnet_of(ipaddress.IPv4Network("10.200.0.0/16")))
        and not (destination in wanted and metric == 0 and (proto != 16 or via != wanted[destination]))
    }
    made = {(destination, via, 201, 0) for destination, via in wanted.items() if (destination, via, 16, 0) not in kept}
    assert after == kept | made
    assert len(shown) == len(after) + 1  # and eth0's own network
