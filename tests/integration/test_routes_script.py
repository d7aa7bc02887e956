"""`basic-kubernetes-routes.sh` against real kernel routes, in a network namespace of its own."""

import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from podroutes.addresses import Family
from podroutes.host.change_script import apply_script
from podroutes.host.changes import Change, RouteCommand
from podroutes.plan.routes_service import render_data
from tasks.service_files import load_service_files
from tests.route_cases import CASES, NEXT_HOP_OBJECTS, NODE, PLAN, RouteCase, lines_of, ours_of, state_of
from tests.unit.podroutes.healthy import planned_routes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace: needs root")

NAME = "basic-kubernetes-routes.sh"
LINKS = """\
link delete cnio0
link delete eth0
link delete eth1
link set lo up
link add eth1 type veth peer name p1
link set p1 up
link set eth1 up
address add 10.241.0.20/24 dev eth1
link add eth0 type veth peer name p0
link set p0 up
link set eth0 up
address add 10.240.0.20/20 dev eth0
address add fd00:240::20/64 dev eth0 nodad
"""
RANGES = "cluster 10.200.0.0/16\ncluster fd00:200::/48\n"
R1 = "10.200.1.0/24 via 10.240.0.21 dev eth0"
R2 = "10.200.2.0/24 via 10.240.0.22 dev eth0"
S1 = "fd00:200:0:1::/64 via fd00:240::21 dev eth0"
OURS = [f"{R1} proto 201", f"{S1} proto 201 metric 1024 pref medium"]
STALE = "10.200.9.0/24 via 10.240.0.29 dev eth0 proto 201"


class Host:
    """A network namespace with an eth0, and a folder with the files of the script."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.path = folder / NAME
        self.path.write_text(load_service_files().script)
        self.path.chmod(0o755)
        self.file = folder / "routes"
        self.state = folder / "run" / "applied"
        self.mounts: dict[Path, Path] = {}

    def reset(self) -> None:
        ip = ["ip", "-n", self.name, "-force", "-batch", "-"]
        lines = f"nexthop flush\nroute flush root 10.0.0.0/8\n{LINKS}{NEXT_HOP_OBJECTS}"
        # What has no device does not go with one.
        flush = "nexthop flush\nroute flush root fd00:200::/48\n"
        subprocess.run([*ip[:3], "-6", *ip[3:]], input=flush, text=True, capture_output=True, check=False)
        subprocess.run(ip, input=lines, text=True, capture_output=True, check=False)
        subprocess.run([*ip[:3], "-6", "nexthop", "replace", "id", "31", "blackhole"], check=True)
        shutil.rmtree(self.state.parent, ignore_errors=True)
        self.mounts.clear()

    def ip(self, words: str) -> str:
        command = ["ip", "-n", self.name, *words.split()]
        return subprocess.run(command, text=True, capture_output=True, check=True).stdout

    def append(self, *routes: str) -> None:
        for route in routes:
            self.ip(f"route append {route}")

    def routes(self) -> list[str]:
        """Both main tables, as the kernel orders them, without the host's own networks."""
        lines = [line for family in "46" for line in self.ip(f"-N -o -{family} route show table main").splitlines()]
        return [
            line.strip()
            for line in lines
            if not re.match(r"10\.240\.0\.0/20 |10\.241\.0\.0/24 |fe80::|fd00:240::/64 ", line)
        ]

    def lines(self, family: Family) -> list[str]:
        """One main table, as the facts script reads it."""
        return self.ip(f"-N -o -{family} route show table main").splitlines()

    def want(self, *routes: str, ranges: str = RANGES) -> None:
        self.file.write_text(ranges + "".join(f"route {route}\n" for route in routes))

    def start(self, action: str, *, restore_signals: bool = True) -> subprocess.Popen[str]:
        mounts = "".join(f"mount --bind {file} {path}\n" for path, file in self.mounts.items())
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, "sh", "-ec", f'{mounts}exec "$@"', "sh", str(self.path), action],
            env={"KUBERNETES_ROUTES_FILE": str(self.file), "KUBERNETES_ROUTES_STATE": str(self.state)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            restore_signals=restore_signals,
        )

    def script(self, action: str, *, restore_signals: bool = True) -> tuple[int, str, str]:
        process = self.start(action, restore_signals=restore_signals)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def add(self) -> str:
        """`add`, which must succeed; afterwards `check` must agree."""
        status, out, err = self.script("add")
        assert (status, err) == (0, "")
        assert self.script("check") == (0, f"the kernel has the routes of {self.file}\n", "")
        return out

    @contextlib.contextmanager
    def events(self) -> Iterator[list[str]]:
        """What the kernel says about changes of routes, complete when the block has ended."""
        events: list[str] = []
        command = ["ip", "-n", self.name, "monitor", "route"]
        monitor = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert monitor.stdout is not None
        with monitor.stdout, contextlib.ExitStack() as stack:
            stack.callback(monitor.wait)
            stack.callback(monitor.kill)
            # What changes in another table shows when it listens, and when it has shown all.
            for number in range(1, 250):
                self.ip(f"route add 198.51.100.{number} dev lo table 77")
                if select.select([monitor.stdout], [], [], 0.02)[0]:
                    break
            yield events
            self.ip("route flush table 77")
            for line in monitor.stdout:
                if line.startswith(f"Deleted 198.51.100.{number} "):
                    break
                if "table " not in line and "fe80::" not in line:
                    events.append(line)

    def replace_ip(self, cases: str) -> None:
        """Put a shell script in the place of ip, for what the real one can't be made to do; `$IP` is the real one."""
        ip = Path(shutil.which("ip", path="/usr/sbin:/usr/bin:/sbin:/bin") or "").resolve()
        shutil.copy(ip, self.folder / "real-ip")
        self.mounts[ip] = self.folder / "false-ip"
        self.mounts[ip].write_text(f'#!/bin/sh\nIP={self.folder}/real-ip\ncase "$*" in {cases} esac\nexec "$IP" "$@"\n')
        self.mounts[ip].chmod(0o755)


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(f"routes-script-{os.getpid()}", tmp_path_factory.mktemp("host"))
    subprocess.run(["ip", "netns", "add", host.name], check=True)
    try:
        yield host
    finally:
        subprocess.run(["ip", "netns", "delete", host.name], check=True)


@pytest.fixture
def host(namespace: Host) -> Host:
    namespace.reset()
    return namespace


# Routes of others: elsewhere, or the same way with another metric.
STAY = """\
10.200.9.0/24 via 10.240.0.29 dev eth0
10.201.0.0/24 via 10.240.0.29 dev eth0 proto 201
10.200.1.0/24 via 10.240.0.99 dev eth0 proto 16 metric 100
fd00:200:0:9::/64 via fd00:240::29 dev eth0 proto 4 metric 1024 pref medium
fd00:200:0:1::/64 via fd00:240::21 dev eth0 proto 9 metric 2048 pref medium
fd00:200:0:1::/64 via fd00:240::21 dev eth0 proto 16 metric 100 pref medium
""".splitlines()
# In the place of R1 and S1 but not these; too many; or ours and not listed. A line is a case.
GO = """\
10.200.1.0/24 via 10.240.0.21 dev eth0 + fd00:200:0:1::/64 via fd00:240::21 dev eth0 proto static
10.200.1.0/24 via 10.240.0.210 proto dhcp + 10.200.1.0/24 via 10.240.0.99 + fd00:200:0:1::/64 via fd00:240::99 proto 201
10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 mtu 1400 + unreachable fd00:200:0:1::/64 metric 1024
10.200.1.0/24 proto 201 nexthop via 10.240.0.21 dev eth0 nexthop via 10.240.0.22 dev eth0
blackhole 10.200.1.0/24 proto static + blackhole 10.200.9.0/24 proto 201 + 10.200.9.9 via 10.240.0.29 proto 201
10.200.1.0/24 via 10.240.0.98 + 10.200.1.0/24 via 10.240.0.21 proto 201 + 10.200.1.0/24 via 10.240.0.99 proto 201
10.200.1.0/24 via 10.240.0.21 proto 201 metric 50 + fd00:200:0:1::/64 via fd00:240::21 proto 201 metric 50
fd00:200:0:9::/64 proto 201 nexthop via fd00:240::28 nexthop via fd00:240::29 weight 2
fd00:200:0:1::/64 via fd00:240::21 proto 201 + fd00:200:0:1::/64 dev eth0 proto 201
fd00:200:0:9::/64 via fd00:240::29 proto 201 + fd00:200:0:9::/64 dev eth0 proto 201
""".splitlines()


@pytest.mark.parametrize(("before", "stay"), [([], []), (STAY, STAY), *((line.split(" + "), []) for line in GO)])
def test_add_leaves_what_is_listed_and_what_is_of_others(host: Host, before: list[str], stay: list[str]) -> None:
    names = next(path for etc in ("/etc", "/usr/share") if (path := Path(etc, "iproute2/rt_protos")).exists())
    host.mounts[names] = host.folder / "rt_protos"
    host.mounts[names].write_text("201 kernel\n2 pods\n4 dhcp\n")  # names mean nothing
    host.append(*before)
    there = host.routes()
    host.want(R1, S1, "fd00:200:0:7::/64 via fd00:99::1 dev eth0")  # the kernel refuses it when all else is done
    status, out, err = host.script("add")
    assert (status, out, sorted(host.routes())) == (1, "", sorted(there))
    assert "taken back" in err

    host.want(R1, S1)
    assert host.script("check")[0] == 1
    assert all(line.startswith("was ") for line in host.add().splitlines())
    assert sorted(host.routes()) == sorted([*stay, *OURS])
    with host.events() as events:
        written = (host.state.stat().st_ino, host.state.stat().st_mtime_ns)
        assert host.script("add") == (0, "nothing to change\n", "")
        assert (host.state.stat().st_ino, host.state.stat().st_mtime_ns) == written
    assert events == []
    assert host.script("del")[0] == 0
    assert host.routes() == [line for line in there if line in stay]


def apply(host: Host, changes: Sequence[Change]) -> list[str]:
    """Make changes as provisioning does; what was said, and the exit status at the end."""
    script = apply_script("apply0", changes, "exit 0\n").replace("/run/pod-routes.lock", str(host.folder / "lock"))
    command = ["ip", "netns", "exec", host.name, "sh"]
    out = subprocess.run(command, input=script, text=True, capture_output=True, check=True).stdout
    return [line for line in out.splitlines() if line and not line.startswith("@apply0 ")]


@pytest.mark.parametrize("case", [case for case in CASES if not case.shown_only and not case.down], ids=str)
def test_planner_and_script_make_the_same_of_a_table_and_take_it_back_whole(host: Host, case: RouteCase) -> None:
    routes = [route for routes in state_of(lines_of(case)).routes.values() for route in routes]
    present = [f"{route.selector}{' expires 999' if route.expires else ''}" for route in routes]
    host.append(*present)
    before = [untimed(line) for line in host.routes()]
    state = state_of({4: host.lines(4), 6: host.lines(6)})
    plan = planned_routes(PLAN, NODE, state)
    assert sorted(f"{change.action} {change.subject}" for change in plan.changes) == sorted(case.changes)

    # What fails at its very end leaves nothing behind and takes nothing along.
    impossible = RouteCommand("route replace 10.200.77.0/24 via 10.99.0.1 dev eth0", "route del 10.200.77.0/24")
    failing = replace(plan.changes[0], steps=(impossible,)) if plan.changes else None
    if failing is not None:
        said = apply(host, [*plan.changes, failing])
        assert said[1:] == ["Error: Nexthop has invalid gateway.", "none of the route changes was kept", "1"]
        assert [untimed(line) for line in host.routes()] == before
    host.file.write_text(render_data(PLAN, ours_of(), NODE.pod_cidrs))
    with host.file.open("a") as file:
        file.write("route 10.200.77.0/24 via 10.99.0.1 dev eth0\n")
    status, _, err = host.script("add")
    assert (status, err.splitlines()[-1]) == (1, f"{NAME}: nothing was changed: what was done is taken back")
    assert sorted(untimed(line) for line in host.routes()) == sorted(before)

    # Both make the same of it.
    assert apply(host, plan.changes)[-1] == "0"
    after = host.routes()
    host.reset()
    host.append(*present)
    host.file.write_text(render_data(PLAN, ours_of(), NODE.pod_cidrs))
    assert host.script("add")[0] == 0
    assert sorted(host.routes()) == sorted(after)
    assert host.script("check")[0] == (1 if case.part else 0)
    assert planned_routes(PLAN, NODE, state_of({4: host.lines(4), 6: host.lines(6)})).changes == ()


def test_what_could_not_be_put_back_is_named_by_both(host: Host) -> None:
    """The next hop object goes while the routes are changed."""
    host.append("10.200.1.0/24 nhid 12 proto zebra mtu lock 700")
    [before] = host.routes()
    commands = planned_routes(PLAN, NODE, state_of({4: host.lines(4), 6: []})).changes
    gone = RouteCommand("nexthop del id 12", "route show")
    failing = replace(
        commands[0], steps=(gone, RouteCommand("route replace 10.200.77.0/24 via 10.99.0.1", "route show"))
    )
    said = apply(host, [*commands, failing])
    assert f"could not be put back: {before.replace(' dev', ' dev')} " in said
    assert "none of the route changes was kept" not in said

    host.reset()
    host.append("10.200.1.0/24 nhid 12 proto zebra mtu lock 700")
    host.want(R1, "10.200.77.0/24 via 10.99.0.1 dev eth0")
    host.replace_ip('-batch*) "$IP" "$@"; status=$?; "$IP" nexthop flush 2>/dev/null; exit $status ;;')
    status, _, err = host.script("add")
    assert status == 1
    assert "what was done could NOT all be taken back" in err
    assert "not as before: undo route replace 10.200.1.0/24 proto 11 nhid 12 mtu lock 700" in err


def untimed(line: str) -> str:
    return re.sub(r"expires [0-9]+sec", "expires", line)


def test_a_changed_next_hop_is_replaced_without_a_gap(host: Host) -> None:
    host.want(R1, S1)
    host.add()
    host.want(R1.replace(".21", ".31"), S1.replace("::21", "::31"))
    with host.events() as events:
        assert host.add().startswith(f"was wrong: {R1} proto 201, expected ")
    assert [event.split()[0] for event in events] == ["10.200.1.0/24", "fd00:200:0:1::/64"]  # none is "Deleted"
    for address, hop in (("10.200.1.9", "10.240.0.31"), ("fd00:200:0:1::9", "fd00:240::31")):
        assert json.loads(host.ip(f"-j route get {address}"))[0]["gateway"] == hop


def test_the_same_route_from_dhcp_and_a_lost_carrier_are_no_difference(host: Host) -> None:
    host.append(f"{R1} proto dhcp src 10.240.0.20", f"{S1} proto dhcp")
    host.want(R1, R2, S1)
    assert host.add() == f"was missing: {R2} proto 201\n"
    host.ip("link set p0 down")
    with host.events() as events:
        status, out, _ = host.script("add")
    assert (status, out.splitlines()[0], events) == (0, "nothing to change", [])
    assert [line.partition(":")[0] for line in out.splitlines()[1:]] == ["eth0 has no carrier"] * 3
    assert host.script("check")[0] == 1
    assert host.script("del") == (0, f"removed: {R2} proto 201\n", "")


def test_what_was_applied_in_another_range_goes_and_nothing_else_there(host: Host) -> None:
    host.want("10.100.1.0/24 via 10.240.0.21 dev eth0", ranges="cluster 10.100.0.0/16\n")
    host.add()
    host.append("10.100.2.0/24 via 10.240.0.22 dev eth0 proto 201")
    host.want()  # as in a cluster of one worker
    host.add()
    assert host.routes() == ["10.100.2.0/24 via 10.240.0.22 dev eth0 proto 201"]


@pytest.mark.parametrize(
    ("bridge", "route", "words"),
    [
        ("", "10.200.0.0/24 via 10.240.0.20", "the next hop is this host itself"),
        ("10.200.3.1/24", "10.200.3.0/24 via 10.240.0.23", "on that network itself"),
        ("fd00:200:0:3::1/64", "fd00:200:0:3::/64 via fd00:240::23", "on that network itself"),
        ("", "10.9.1.0/24 via 10.240.0.21", "in no cluster range"),
        ("", "10.9.2.0/24 via 10.240.0.21", "still missing"),  # in no range either, which shows when it is there
        ("", "10.200.3.0/24 via 10.99.0.1", "Nexthop has invalid gateway"),
        ("", "10.200.3.0/24 via 10.240.0.23 dev eth7", 'Cannot find device "eth7"'),
        ("", "fd00:200:0:3:0::/64 via fd00:240::23", "still missing"),  # not as the kernel writes it
        ("", "fd00::200::/64 via fd00:240::23", "expected rather than"),
    ],
)
def test_one_route_that_is_refused_changes_nothing(host: Host, bridge: str, route: str, words: str) -> None:
    host.want(R2)
    host.add()
    state = host.state.read_text()
    if bridge:
        host.ip("link add cnio0 type bridge")
        host.ip(f"address add {bridge} dev cnio0 {'nodad' if ':' in bridge else ''}")
        host.ip("link set cnio0 up")
    host.append("10.200.1.0/24 via 10.240.0.99 dev eth0", "10.9.1.0/24 via 10.240.0.99 dev eth0")
    before = host.routes()
    host.want(R1, S1, route if "dev" in route else f"{route} dev eth0", "10.200.11.0/24 via 10.240.0.31 dev eth0")
    status, out, err = host.script("add")
    assert (status, out) == (1, "")
    assert words in err
    assert route.split(maxsplit=1)[0] in err
    assert all(line.startswith(f"{NAME}: ") for line in err.splitlines())
    assert "nothing was changed" in err.splitlines()[-1]
    assert (sorted(host.routes()), host.state.read_text()) == (sorted(before), state)
    assert host.script("check")[0] == 1


@pytest.mark.parametrize("bad", [0, 1])
@pytest.mark.parametrize("pipe", [signal.SIG_IGN, signal.SIG_DFL])
def test_the_route_that_ip_refuses_is_named_wherever_it_stands(host: Host, bad: int, pipe: signal.Handlers) -> None:
    """As at a boot at which an address comes late: systemd ignores SIGPIPE, a shell does not."""
    routes = [R1, R2.replace("eth0", "nope0"), *(f"10.200.{n}.0/24 via 10.240.0.21 dev nope0" for n in range(3, 250))]
    host.want(*routes[1 - bad :])
    before = signal.signal(signal.SIGPIPE, pipe)
    try:
        status, out, err = host.script("add", restore_signals=False)
    finally:
        signal.signal(signal.SIGPIPE, before)
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        f'{NAME}: Cannot find device "nope0"',
        f"{NAME}: Command failed -:{bad + 1}",
        f"{NAME}: it was: ip route replace 10.200.2.0/24 via 10.240.0.22 dev nope0 proto 201",
        f"{NAME}: nothing was changed: what was done is taken back",
    ]
    assert host.routes() == []


@pytest.mark.parametrize("words", ["-4 route show table main", "-6 route show table main root", "address show"])
def test_a_listing_that_fails_is_no_empty_listing(host: Host, words: str) -> None:
    host.want(R1, S1)
    host.add()
    host.replace_ip(f'*"{words}"*) echo broken >&2; exit 2 ;;')
    for action in ("add", "check", "del"):
        status, out, err = host.script(action)
        assert (status, out) == (1, "")
        assert err.startswith(f"broken\n{NAME}: this failed: ip {words}")
    assert (host.routes(), host.state.exists()) == (OURS, True)


@pytest.mark.parametrize(
    ("batch", "status", "left"),
    [
        ('head -n 3 | "$IP" "$@"; kill -KILL $$', 1, "before"),
        ('kill -TERM 0; kill -HUP 0; kill -INT 0; exec "$IP" "$@"', 0, "listed"),
        ('grep -v "route append" | "$IP" "$@"; exit 1', 1, "neither"),
    ],
)
def test_it_is_all_or_nothing_or_loud(host: Host, batch: str, status: int, left: str) -> None:
    host.append("10.200.1.0/24 via 10.240.0.98 dev eth0", "10.200.1.0/24 via 10.240.0.99 dev eth0")
    before = host.routes()
    host.replace_ip(f"-batch*) {batch} ;;")
    host.want(R1, S1)
    got, _, err = host.script("add")
    assert (got, "NOT all be taken back" in err) == (status, left == "neither")
    assert host.state.exists() == (status == 0)
    now = host.routes()
    assert (now == before, now == OURS) == (left == "before", left == "listed")


def test_a_run_waits_for_the_one_before_and_then_reads_what_is_listed(host: Host) -> None:
    host.want(R1)
    host.add()
    with (host.state.parent / "lock").open("ab") as lock:
        assert os.fstat(lock.fileno()).st_mode & 0o077 == 0  # or else anybody could hold it
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = [host.start("add") for _ in range(3)]
        time.sleep(0.3)
        assert [process.poll() for process in waiting] == [None] * 3
        host.want(S1)
    outs = [process.communicate(timeout=120)[0] for process in waiting]
    assert sorted(out.count("was ") for out in outs) == [0, 0, 2]
    assert host.routes() == OURS[1:]


def test_del_takes_back_what_was_applied_where_it_is_as_applied(host: Host) -> None:
    host.want(R1, R2, S1)
    host.add()
    host.file.write_text("nonsense\n")
    others = ["10.200.1.0/24 via 10.240.0.99 dev eth0 proto 201", f"{R1} proto 201 metric 50", f"{R2} proto 4"]
    host.ip(f"route replace {others[0]}")
    host.append(*others[1:])
    assert host.script("del") == (0, f"removed: {R2} proto 201\nremoved: {S1} proto 201 metric 1024\n", "")
    assert host.routes() == others
    assert [path.name for path in host.state.parent.iterdir()] == ["lock"]

    host.want(R1, R2)  # counts when nothing is known of what was applied
    host.append(f"{R1} proto 201")
    assert host.script("del") == (0, f"removed: {R1} proto 201\n", "")


BAD = """\
rout 10.200.1.0/24 via 10.240.0.21 dev eth0
route 10.200.1.0/24 via 10.240.0.21 dev eth0 onlink
route 10.200.010.0/24 via 10.240.0.21 dev eth0
route 10.200/16 via 10.240.0.21 dev eth0
route 10.200.256.0/24 via 10.240.0.21 dev eth0
route 0.0.0.0/0 via 10.240.0.21 dev eth0
route 10.200.1.0/24 via fd00:240::21 dev eth0
route FD00:200:0:1::/64 via fd00:240::21 dev eth0
route fd00:200:0:01::/64 via fd00:240::21 dev eth0
route 10.200.1.0/24 via 10.240.0.21 dev -force
route 10.200.1.0/24 via 10.240.0.21 dev eth0123456789abc
route 10.200.1.0/24 via 10.240.0.21 dev eth\x1b[0m
route 10.200.2.0/24 via 10.240.0.21 dev eth0
cluster 10.200.0.0/16
"""


@pytest.mark.parametrize("action", ["add", "check", "del"])
def test_all_bad_lines_are_said_at_once_and_nothing_is_touched(host: Host, action: str) -> None:
    host.append(STALE)
    host.file.write_text(f"{RANGES}\troute  {R2.replace(' ', '  ')}  # a comment\n\n{BAD}")
    status, out, err = host.script(action)
    assert (status, out) == (78, "")
    numbers = range(5, 5 + BAD.count("\n"))
    assert [line.split(": ")[0] for line in err.splitlines()] == [f"{host.file}:{number}" for number in numbers]
    assert "\x1b" not in err
    for content in ("", f"route {R1}\n", f"{RANGES}route {R1[:-1]}"):  # without a range; cut off
        host.file.write_text(content)
        assert host.script(action)[0] == 78
    host.file.unlink()
    assert host.script(action)[::2] == (78, f"{NAME}: {host.file} is no file that can be read\n")
    assert (host.routes(), host.state.exists()) == ([STALE], False)
