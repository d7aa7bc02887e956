"""The lab's LXD: a real daemon with real containers, their faults, and that nothing of them stays."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import Lab, LabError
from lab.cgroup import mount_point, pids
from lab.enter import operator_environment
from lab.lxd.demo import measure
from lab.lxd.lxd import Lxd
from lab.lxd.processes import holder_pid
from lab.network import namespaces
from lab.paths import STATE
from lab.proc import start_time

# A run that was killed leaves labs which the next one removes, see `new_lab`.
NAME = f"podroutes-test{os.getpid()}-lxdlab"
OTHER = f"{NAME}2"
WORKERS = ("worker-0", "worker-1", "worker-2")
ADDRESSES = {
    "controller-0": "10.0.2.10",
    "controller-1": "10.0.2.11",
    "controller-2": "10.0.2.12",
    "worker-0": "10.0.2.20",
    "worker-1": "10.0.2.21",
    "worker-2": "10.0.2.22",
}

# Where nothing is cached yet, the first test waits for Debian's packages.
pytestmark = pytest.mark.timeout(900)


def _traces(name: str) -> dict[str, Any]:
    """What of a lab can be seen on the computer, and what a stray LXD would change there."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return {
        "namespaces": namespaces(Lab(name).paths),
        "mounts": [line for line in _read("/proc/self/mounts").splitlines() if re.search(rf"/{name}[ /.]", line)],
        # Other labs may have theirs.
        "groups": [
            folder
            for folder, _, _ in os.walk("/sys/fs/cgroup")
            if re.search(rf"podroutes-lab\.{name}(/|$)", folder)
            or re.search(r"/lxc", folder.split("podroutes-lab.")[0])
        ],
        "processes": [
            pid
            for pid in _all_pids()
            if start_time(pid) is not None and f"podroutes-lab.{name}/" in _read(f"/proc/{pid}/cgroup")
        ],
        "links": sorted(line.split(": ")[1] for line in links.splitlines()),
        "tables": subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout,
        "files": [str(path) for path in (STATE / name, STATE / f"{name}.lock") if path.exists()],
        "daemon's files": sorted(
            str(path)
            for folder in ("/var/lib/lxd", "/var/log/lxd", "/var/cache/lxd", "/run/lxd", "/run/lxc", "/var/lib/lxc")
            for path in Path(folder).rglob("*")
        ),
        "ids": [_read("/etc/subuid"), _read("/etc/subgid")],
        "forwarding": _read("/proc/sys/net/ipv4/ip_forward"),
    }


def _assert_gone(name: str) -> None:
    # A killed process leaves its control group a moment before it is gone.
    _wait(lambda: _traces(name)["processes"] == [])
    after = _traces(name)
    for key in ("namespaces", "mounts", "groups", "processes", "files"):
        assert after[key] == [], key


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    return _traces(NAME)


@pytest.fixture(scope="module")
def lxd(before: dict[str, Any]) -> Iterator[Lxd]:
    made = Lxd(Lab(NAME))
    try:
        made.up()
        yield made
    finally:
        made.lab.down()


@pytest.fixture
def whole(lxd: Lxd) -> Lxd:
    """All running, whatever the last test did to it."""
    lxd.repair()
    return lxd


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", "--name", NAME, *words], capture_output=True, text=True, check=False
    )


def _ping(lxd: Lxd, name: str, address: str) -> bool:
    return lxd.exec(name, ["ping", "-n", "-q", "-c", "1", "-W", "1", address]).returncode == 0


def _addresses(lxd: Lxd, name: str) -> dict[str, str]:
    """The IPv4 addresses that a container has, by interface."""
    listed = json.loads(lxd.exec(name, ["ip", "-4", "-j", "address", "show", "scope", "global"]).stdout or "[]")
    return {link["ifname"]: address["local"] for link in listed for address in link.get("addr_info", [])[:1]}


def _processes(lxd: Lxd) -> dict[str, int | None]:
    return {one.node.name: one.pid for one in lxd.status()}


class TestWhatIsThere:
    def test_seven_containers_run_as_the_guide_lists_them(self, whole: Lxd) -> None:
        listed = json.loads(whole.lxc(["list", "--format", "json"]).stdout)
        assert {one["name"]: one["status"] for one in listed} == dict.fromkeys([*ADDRESSES, "haproxy"], "Running")
        for one in listed:
            found = {
                interface: address["address"]
                for interface, settings in one["state"]["network"].items()
                for address in settings["addresses"]
                if address["family"] == "inet" and address["scope"] == "global"
            }
            assert found.pop("eth0").startswith("10.0.1.")
            expected = {"eth1": ADDRESSES[one["name"]]} if one["name"] in ADDRESSES else {}
            if one["name"] in WORKERS:
                expected["cnio0"] = f"10.200.{one['name'][-1]}.1"
            assert found == expected
            own = _addresses(whole, one["name"])
            assert own == expected | {"eth0": own["eth0"]}

    def test_a_stopped_containers_address_can_be_told_from_its_devices(self, whole: Lxd) -> None:
        listed = json.loads(whole.lxc(["list", "--format", "json"]).stdout)
        fixed = {one["name"]: one["expanded_devices"].get("eth1", {}).get("ipv4.address") for one in listed}
        assert fixed == ADDRESSES | {"haproxy": None}

    def test_all_is_well_and_nothing_forwards_and_the_only_default_route_is_over_eth0(self, whole: Lxd) -> None:
        for name in [*ADDRESSES, "haproxy"]:
            assert whole.exec(name, ["systemctl", "is-system-running"]).stdout == "running\n"
            assert whole.exec(name, ["hostname"]).stdout == f"{name}\n"
            assert whole.exec(name, ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "0\n"
            defaults = whole.exec(name, ["ip", "route", "show", "default"]).stdout.splitlines()
            assert [line.split()[:5] for line in defaults] == [["default", "via", "10.0.1.1", "dev", "eth0"]]

    def test_containers_are_unprivileged(self, whole: Lxd) -> None:
        for one in whole.status():
            assert one.pid is not None
            assert Path(f"/proc/{one.pid}").stat().st_uid > 0
        assert whole.exec("worker-0", ["id", "-u"]).stdout == "0\n"

    def test_nodes_reach_each_other_and_pods_their_own_worker_alone(self, whole: Lxd) -> None:
        assert all(_ping(whole, "worker-0", address) for address in ADDRESSES.values())
        for number, name in enumerate(WORKERS):
            assert [_ping(whole, name, f"10.200.{pod}.2") for pod in range(3)] == [pod == number for pod in range(3)]
        (matrix,) = measure(whole)
        assert (matrix.answered, matrix.asked) == (0, 15)

    def test_the_product_could_make_pods_reach_each_other(self, whole: Lxd) -> None:
        for name in ("worker-0", "worker-1"):
            other = 1 - int(name[-1])
            whole.exec(name, ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
            route = ["ip", "route", "add", f"10.200.{other}.0/24", "via", f"10.0.2.2{other}", "dev", "eth1"]
            assert whole.exec(name, route).returncode == 0
        (matrix,) = measure(whole)
        assert matrix.answered == 2
        whole.reboot(["worker-0", "worker-1"])
        (matrix,) = measure(whole)
        assert matrix.answered == 0

    def test_the_daemon_is_nowhere_but_in_the_operators_place(self, whole: Lxd, before: dict[str, Any]) -> None:
        now = _traces(NAME)
        for key in ("links", "tables", "daemon's files", "ids", "forwarding"):
            assert now[key] == before[key]
        inside = str(mount_point() / whole.lab.paths.cgroup)
        new = set(now["groups"]) - set(before["groups"])
        assert {group.startswith(inside) for group in new} == {True}
        assert "lxdbr0" in whole.lab.operator(["ip", "-brief", "link"]).stdout
        assert len(os.fsencode(whole.socket)) < 107

    def test_the_guides_client_works_as_it_stands_whatever_the_caller_has_set(self, whole: Lxd) -> None:
        mine = {"LXD_REMOTE": "mine", "LXD_CONF": "/nowhere", "INCUS_DIR": "/nowhere"}
        kept = operator_environment(whole.lab.paths, mine | {"EDITOR": "ed"})
        settings = {name: value for name, value in kept.items() if name.startswith(("LXD_", "INCUS_", "EDITOR"))}
        assert settings == {
            "LXD_DIR": str(whole.paths.folder),
            "LXD_CONF": str(whole.paths.client),
            "EDITOR": "ed",
        }
        done = whole.lab.operator(["sh", "-c", "for i in 0 1 2; do lxc exec worker-${i} -- hostname; done"])
        assert (done.stdout.split(), done.stderr) == (list(WORKERS), "")


class TestUp:
    def test_again_does_nothing(self, whole: Lxd) -> None:
        processes, daemon = _processes(whole), whole.daemon_pid
        done = _command("up")
        assert (done.returncode, done.stdout) == (0, "lab: LXD and its 7 containers are up: nothing to do\n")
        assert (_processes(whole), whole.daemon_pid) == (processes, daemon)

    def test_repairs_what_was_killed_and_leaves_the_rest(self, whole: Lxd) -> None:
        processes = _processes(whole)
        killed = processes.pop("worker-1")
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        _wait(lambda: whole.lxc(["list", "worker-1", "-f", "csv", "-c", "s"]).stdout == "STOPPED\n")
        assert whole.up()
        now = _processes(whole)
        assert now.pop("worker-1") not in (None, killed)
        assert now == processes

    def test_a_host_with_a_containers_name_is_refused(self, whole: Lxd) -> None:
        with pytest.raises(LabError, match="worker-0 is a container"):
            whole.lab.up(workers=1)

    def test_other_shapes_are_refused(self, whole: Lxd) -> None:
        done = _command("up", "--lxd", "--ipv6")
        assert (done.returncode, done.stderr) == (64, "lab: containers have no --ipv6\n")

    def test_without_the_packages_it_says_what_to_run(self) -> None:
        hidden = 'mount --bind /dev/null /usr/bin/lxd && exec "$@"'
        command = [sys.executable, "-m", "lab", "--name", OTHER, "up", "--lxd"]
        unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", hidden, "sh", *command]
        done = subprocess.run(unshare, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (64, "lab: lxd not found: run scripts/setup.sh lxd\n")
        assert not (STATE / OTHER).exists()


class TestContainers:
    def test_a_restart_keeps_files_and_nothing_else(self, whole: Lxd) -> None:
        whole.exec(
            "worker-0", ["sh", "-c", "echo kept >/etc/kept; echo net.ipv4.ip_forward=1 >/etc/sysctl.d/90-x.conf"]
        )
        whole.exec("worker-0", ["ip", "route", "add", "10.200.1.0/24", "via", "10.0.2.21"])
        pid = _processes(whole)["worker-0"]
        whole.reboot(["worker-0"])
        assert _processes(whole)["worker-0"] not in (None, pid)
        assert whole.exec("worker-0", ["cat", "/etc/kept"]).stdout == "kept\n"
        assert whole.exec("worker-0", ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "1\n"
        assert "10.200.1.0/24" not in whole.exec("worker-0", ["ip", "route"]).stdout
        assert _command("reboot", "worker-0", "--fresh").returncode == 0
        assert whole.exec("worker-0", ["test", "-e", "/etc/kept"]).returncode == 1
        assert whole.exec("worker-0", ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "0\n"
        assert _addresses(whole, "worker-0")["eth1"] == "10.0.2.20"

    def test_a_stopped_one_is_said_and_started_again(self, whole: Lxd) -> None:
        whole.stop("worker-2")
        assert whole.lxc(["list", "worker-2", "-f", "csv", "-c", "s"]).stdout == "STOPPED\n"
        done = _command("status")
        assert done.returncode == 1
        assert ["worker-2", "10.0.2.22", "stopped", "10.200.2.2", "-"] in [
            line.split() for line in done.stdout.splitlines()
        ]
        with pytest.raises(LabError, match="worker-2 is not running"):
            whole.exec("worker-2", ["true"])
        whole.start("worker-2")
        assert _command("status").returncode == 0

    def test_exec_hands_on_input_output_and_status(self, whole: Lxd) -> None:
        done = whole.exec("worker-0", ["sh", "-c", "cat; pwd; echo oops >&2; exit 7"], stdin="hello\n")
        assert (done.returncode, done.stdout, done.stderr) == (7, "hello\n/root\n", "oops\n")
        done = _command("exec", "worker-1", "--", "sh", "-c", "hostname; env; exit 3")
        assert done.returncode == 3
        assert done.stdout.startswith("worker-1\n")
        assert "LXD_DIR" not in done.stdout
        done = _command("exec", "worker-9", "--", "true")
        assert (done.returncode, done.stderr) == (
            64,
            f"lab: there is no container 'worker-9': {', '.join([*ADDRESSES, 'haproxy'])}\n",
        )


class TestFaults:
    @pytest.mark.parametrize(
        ("name", "fault", "repaired"),
        [
            ("worker-1", "frozen", "worker-1: thawed"),
            ("worker-1", "host-down", "worker-1: started"),
            ("lxd", "daemon-stopped", "lxd: started the daemon"),
            ("lxd", "daemon-frozen", "lxd: thawed the daemon"),
        ],
    )
    def test_is_made_and_repaired(self, whole: Lxd, name: str, fault: str, repaired: str) -> None:
        assert _command("break", name, fault).stdout.startswith(f"{name}: ")
        # lxc hands a milder signal on to where it hangs.
        quick = ["timeout", "--signal=KILL", "1", "lxc", "exec", "worker-1", "--", "true"]
        assert whole.lab.operator(quick).returncode != 0
        assert _command("repair", "--all").stdout == f"{repaired}\n"
        assert whole.lab.operator(["lxc", "exec", "worker-1", "--", "true"]).returncode == 0
        assert _command("repair", "--all").stdout == "nothing to repair\n"

    def test_routes_are_dropped_and_added_on_eth1(self, whole: Lxd) -> None:
        whole.exec("worker-0", ["ip", "route", "add", "10.200.1.0/24", "via", "10.0.2.21", "proto", "201"])
        assert whole.break_("worker-0", "drop-route") == "worker-0: removed the route 10.200.1.0/24 via 10.0.2.21"
        whole.break_("worker-0", "own-cidr-route")
        routes = whole.exec("worker-0", ["ip", "route", "show", "root", "10.200.0.0/16"]).stdout.splitlines()
        assert routes[0].split()[:5] == ["10.200.0.0/24", "via", "10.0.2.20", "dev", "eth1"]
        whole.reboot(["worker-0"])

    def test_those_of_other_hosts_are_refused(self, whole: Lxd) -> None:
        with pytest.raises(LabError, match="there is no fault 'sshd-stopped'"):
            whole.break_("worker-0", "sshd-stopped")
        with pytest.raises(LabError, match="haproxy is not on the node network"):
            whole.break_("haproxy", "drop-route")


class TestDaemon:
    @pytest.mark.parametrize("kill", [False, True])
    def test_containers_go_on_while_it_is_restarted(self, whole: Lxd, kill: bool) -> None:
        processes, daemon = _processes(whole), whole.daemon_pid
        assert whole.stop_daemon(kill=kill)
        assert whole.status() != []
        assert whole.lxc(["list"]).returncode != 0
        assert _processes(whole) == processes
        assert _ping(whole, "worker-0", "10.0.2.21")
        whole.start_daemon()
        assert whole.daemon_pid not in (None, daemon)
        assert _processes(whole) == processes
        assert whole.lxc(["exec", "worker-0", "--", "hostname"]).stdout == "worker-0\n"
        whole.reboot(["worker-0"])
        assert _addresses(whole, "worker-0")["eth1"] == "10.0.2.20"


class TestSideBySide:
    def test_with_other_hosts_in_one_network_and_whatever_dies_comes_back_or_goes(self, whole: Lxd) -> None:
        other = Lxd(Lab(OTHER))
        try:
            other.lab.up(controllers=0, workers=1, node_network="10.0.2.0/24")
            with pytest.raises(LabError, match="worker-0 is a host of the lab"):
                other.up(controllers=0, workers=1)
            other.up(controllers=0, workers=1, haproxy=False, first_worker=1)
            assert other.lab.exec("worker-0", ["ping", "-qc1", "-W1", "10.0.2.21"]).returncode == 0
            assert _ping(other, "worker-1", "10.0.2.20")
            assert _ping(other, "worker-1", "10.200.1.2")
            assert not _ping(other, "worker-1", "10.0.2.22")
            assert all(one.state == "running" for one in whole.status())
            # All of it dies at once.
            holder = holder_pid(other.paths)
            assert holder is not None
            other.exec("worker-1", ["touch", "/etc/kept"])
            os.kill(holder, signal.SIGKILL)
            _wait(lambda: not pids(other.paths.cgroup))
            assert other.up()
            assert other.exec("worker-1", ["test", "-e", "/etc/kept"]).returncode == 0
            assert other.lab.exec("worker-0", ["ping", "-qc1", "-W1", "10.0.2.21"]).returncode == 0
            # Without LXD the lab stays as it was.
            assert other.down()
            assert not other.exists
            assert other.lab.status()[0].state == "running"
            assert other.lab.operator(["ping", "-qc1", "-W1", "10.0.2.20"]).returncode == 0
            assert other.lab.operator(["nft", "list", "tables"]).stdout == ""
        finally:
            other.lab.down()
        _assert_gone(OTHER)

    @pytest.mark.parametrize("seconds", [0.3, 0.8, 1.6])
    def test_interrupted_up_goes_on_or_goes_away(self, whole: Lxd, seconds: float) -> None:
        words = ["up", "--lxd", "--controllers", "0", "--workers", "1"]
        with subprocess.Popen(
            [sys.executable, "-m", "lab", "--name", OTHER, *words], stdout=subprocess.DEVNULL, start_new_session=True
        ) as up:
            time.sleep(seconds)
            up.kill()
        other = Lxd(Lab(OTHER))
        try:
            if seconds > 0.5:
                other.up(controllers=0, workers=1)
                assert {one.node.name: one.state for one in other.status()}["worker-0"] == "running"
        finally:
            other.lab.down()
        _assert_gone(OTHER)


class TestDown:
    def test_a_lab_with_a_killed_daemon_leaves_no_trace(self, whole: Lxd, before: dict[str, Any]) -> None:
        running = {pid: start_time(pid) for pid in pids(whole.paths.cgroup)}
        assert len(running) > 30
        whole.stop_daemon(kill=True)
        assert _command("down").returncode == 0
        _wait(lambda: all(start_time(pid) != started for pid, started in running.items() if started is not None))
        assert _traces(NAME) == before
        assert _command("status").returncode == 1


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
