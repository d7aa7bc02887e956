"""The lab itself, on real machines: what the other integration tests stand on."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab, LabError
from lab.cgroup import mount_point
from lab.matrix import measure
from lab.network import namespaces
from lab.paths import STATE, LabPaths
from lab.proc import start_time

# A run that was killed leaves labs which the next one removes, see `new_lab`.
NAME = f"podroutes-test{os.getpid()}-lab"
OTHER = f"{NAME}-two"
DIARY_UNIT = """
[Unit]
Description=Writes down when it starts and stops
[Service]
Type=oneshot
RemainAfterExit=true
ExecStart=/bin/sh -c 'echo start >>/var/lib/log'
ExecStop=/bin/sh -c 'echo stop >>/var/lib/log'
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = Lab(NAME)
    made.down()
    made.up(controllers=1, workers=2)
    yield made
    made.down()


@contextlib.contextmanager
def _tmpfs(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _command(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", "--name", NAME, *words], input=stdin, capture_output=True, text=True, check=False
    )


def _ssh(lab: Lab, host: str, *command: str, timeout: int = 3) -> subprocess.CompletedProcess[str]:
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={timeout}"]
    return lab.operator(["ssh", *options, host, *command])


def _traces(name: str) -> list[str]:
    """What of a lab can be seen on the computer."""
    paths = LabPaths(name)
    group = mount_point() / paths.cgroup
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if f"/{name}" in line.split()[1]]
    processes = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and start_time(int(entry.name)) is not None:
            try:
                arguments = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"--machine={name}." in arguments:
                processes.append(arguments)
    files = [str(path) for path in (paths.root, STATE / f"{name}.lock", group) if path.exists()]
    leftovers = [str(path) for path in Path("/run/systemd").rglob(f"*{name}.*")]
    return namespaces(paths) + mounts + processes + files + leftovers


def _supervisors(name: str) -> list[int]:
    return [int(path.read_text()) for path in (LabPaths(name).root / "hosts").glob("*/supervisor")]


class TestHosts:
    def test_ssh_as_ubuntu_with_a_checked_host_key_and_sudo(self, lab: Lab) -> None:
        for host in lab.hosts:
            done = _ssh(lab, host.name, "whoami; sudo -n whoami; hostname")
            assert done.stdout.split() == ["ubuntu", "root", host.name], done.stderr

    def test_a_host_key_that_is_not_known_is_refused(self, lab: Lab) -> None:
        done = lab.operator(["ssh", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=/dev/null", "worker-0", "true"])
        assert done.returncode == 255
        assert "Host key verification failed" in done.stderr

    def test_root_may_not_log_in(self, lab: Lab) -> None:
        assert "Permission denied" in lab.operator(["ssh", "-o", "BatchMode=yes", "root@worker-0", "true"]).stderr

    def test_each_is_a_machine_of_its_own(self, lab: Lab) -> None:
        for command in (["cat", "/etc/machine-id"], ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"], ["hostname"]):
            said = [lab.exec(host.name, command).stdout for host in lab.hosts]
            assert len(set(said)) == len(lab.hosts)
        lab.exec("worker-0", ["touch", "/etc/only-here"])
        assert lab.exec("worker-1", ["test", "-e", "/etc/only-here"]).returncode == 1
        assert not Path("/etc/only-here").exists()

    def test_all_is_well_and_nothing_of_the_computer_runs_there(self, lab: Lab) -> None:
        assert lab.exec("worker-0", ["systemctl", "is-system-running"]).stdout == "running\n"
        units = lab.exec(
            "worker-0", ["systemctl", "list-units", "--plain", "--no-legend", "--type=service,timer"]
        ).stdout
        assert {line.split()[0] for line in units.splitlines()} == {
            "dbus.service",
            "ssh.service",
            "systemd-journald.service",
            "systemd-sysctl.service",
        }

    def test_the_computers_homes_are_not_seen(self, lab: Lab) -> None:
        assert lab.exec("worker-0", ["ls", "-A", "/root", "/home"]).stdout.split() == ["/home:", "ubuntu", "/root:"]
        seen = set(lab.exec("worker-0", ["ls", "-A", "/"]).stdout.split())
        standard = "bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var"
        assert seen <= set(standard.split())

    def test_a_fresh_host_forwards_nothing_and_has_no_default_route(self, lab: Lab) -> None:
        lab.reboot(["worker-1"], fresh=True)
        keys = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]
        assert lab.exec("worker-1", ["sysctl", "-n", *keys]).stdout.split() == ["0", "0"]
        routes = lab.exec("worker-1", ["ip", "route"]).stdout.splitlines()
        assert [line.split()[0] for line in routes] == ["10.200.1.0/24", "10.240.0.0/24"]
        assert lab.operator(["ip", "route", "show", "default"]).stdout == ""

    def test_every_host_knows_every_name(self, lab: Lab) -> None:
        for host in lab.hosts:
            assert lab.exec("worker-0", ["getent", "hosts", host.name]).stdout.split()[0] == str(host.address.ip)

    def test_pods_are_reached_once_there_are_routes_and_forwarding(self, lab: Lab) -> None:
        def answered() -> tuple[int, int]:
            (matrix,) = measure(lab.layout, lab.paths)
            return matrix.answered, matrix.asked

        assert answered()[0] == 0
        others = {"controller-0": (0, 1), "worker-0": (1,), "worker-1": (0,)}
        for host, pods in others.items():
            lab.exec(host, ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
            for pod in pods:
                route = ["ip", "route", "add", f"10.200.{pod}.0/24", "via", f"10.240.0.{20 + pod}", "proto", "201"]
                assert lab.exec(host, route).returncode == 0
        assert answered() == (4, 4)
        lab.reboot()
        assert answered()[0] == 0


class TestUp:
    def test_again_does_nothing(self, lab: Lab) -> None:
        before = [one.pid for one in lab.status()]
        done = _command("up")
        assert (done.returncode, done.stdout) == (0, f"lab: all 3 hosts of the lab {NAME} are up: nothing to do\n")
        assert [one.pid for one in lab.status()] == before

    def test_repairs_what_was_killed_and_leaves_the_rest(self, lab: Lab) -> None:
        before = {one.host.name: one.pid for one in lab.status()}
        pid = before["worker-0"]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        # The kernel takes a moment to end a host, whose first process is listed meanwhile.
        while not lab.up():
            pass
        run = ["ip", "netns", "delete", lab.paths.host("worker-1").pod_netns]
        subprocess.run(run, check=True)
        assert lab.up()
        after = {one.host.name: one.pid for one in lab.status()}
        assert after["controller-0"] == before["controller-0"]
        assert after["worker-0"] != before["worker-0"]
        assert _ssh(lab, "worker-0", "true").returncode == 0
        assert lab.paths.host("worker-1").pod_netns in namespaces(lab.paths)

    def test_other_shape_is_refused(self, lab: Lab) -> None:
        with pytest.raises(LabError, match="another ipv6: take it down first"):
            lab.up(ipv6=True)

    def test_asking_for_a_lab_that_is_not_there_leaves_nothing(self, lab: Lab) -> None:
        other = Lab(OTHER)
        for ask in (other.repair, other.reboot, lambda: other.break_("worker-0", "frozen"), other.status):
            with pytest.raises(LabError, match="there is no lab"):
                ask()
        assert not other.down()
        assert _traces(OTHER) == []


class TestExec:
    @pytest.mark.parametrize("host", [[], ["worker-0"]])
    def test_status_and_streams_are_the_commands(self, lab: Lab, host: list[str]) -> None:
        done = _command("exec", *host, "--", "sh", "-c", "cat; echo oops >&2; exit 7", stdin="hello\n")
        assert (done.returncode, done.stdout, done.stderr) == (7, "hello\n", "oops\n")

    @pytest.mark.parametrize("host", [[], ["worker-0"]])
    def test_no_such_command(self, lab: Lab, host: list[str]) -> None:
        assert _command("exec", *host, "--", "no-such-command").returncode == 127

    def test_unknown_host_lists_those_there_are(self, lab: Lab) -> None:
        done = _command("exec", "worker-9", "--", "true")
        assert (done.returncode, done.stdout) == (64, "")
        assert done.stderr.strip().endswith("it has controller-0, worker-0 to worker-1")

    def test_root_on_the_host_has_a_clean_environment(self, lab: Lab) -> None:
        done = _command("exec", "worker-0", "--", "sh", "-c", "whoami; pwd; echo $HOME; env")
        assert done.stdout.splitlines()[:3] == ["root", "/root", "/root"]
        assert "PYTEST_CURRENT_TEST" not in done.stdout

    def test_operator_keeps_folder_and_environment(self, lab: Lab, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "lab", "--name", NAME, "exec", "--", "sh", "-c", "pwd; echo $MINE; command -v ruff"],
            cwd=tmp_path,
            env=os.environ | {"MINE": "yes", "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )
        root = Path(__file__).parents[2]
        assert done.stdout.split() == [str(tmp_path), "yes", str(root / ".venv/bin/ruff")]

    def test_the_computers_own_keys_and_names_stay(self, lab: Lab) -> None:
        hosts = Path("/etc/hosts").read_bytes()
        folder = Path("~/.ssh").expanduser()
        before = sorted(path.name for path in folder.iterdir())
        assert "worker-0" in lab.operator(["cat", "/etc/hosts"]).stdout
        assert "id_ed25519" in lab.operator(["ls", str(folder)]).stdout
        assert Path("/etc/hosts").read_bytes() == hosts
        assert sorted(path.name for path in folder.iterdir()) == before

    def test_a_computer_without_etc_hosts(self, lab: Lab, tmp_path: Path) -> None:
        hide = (
            'mkdir "$1/upper" "$1/work" && mknod "$1/upper/hosts" c 0 0'
            ' && mount -t overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" etc /etc && [ ! -e /etc/hosts ]'
            ' && shift && exec "$@"'
        )
        look = (
            "getent hosts worker-0 && ssh worker-0 hostname && [ -e /etc/passwd ] && stat --format=%a /etc /etc/hosts"
        )
        argv = [sys.executable, "-m", "lab", "--name", NAME, "exec", "--", "sh", "-c", look]
        # Overlayfs needs a file system that can hold its marks, as /tmp may not be.
        with _tmpfs(tmp_path):
            done = subprocess.run(
                ["unshare", "--mount", "--propagation", "slave", "sh", "-c", hide, "sh", str(tmp_path), *argv],
                capture_output=True,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == ["10.240.0.20", "worker-0", "worker-0", "755", "644"]

    def test_costs_little(self, lab: Lab) -> None:
        """Most of the time goes by loading modules: what `exec` does not need, it does not load."""
        done = subprocess.run(
            [sys.executable, "-m", "lab", "--name", NAME, "exec", "worker-0", "--", "true"],
            env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert {"lab.cli", "lab.enter"} <= loaded
        assert not loaded & {"lab.machines", "lab.layout", "lab.network", "subprocess", "asyncio"}

    def test_shell_is_at_the_operators_place(self, lab: Lab) -> None:
        typed = [
            "ssh -n worker-0 hostname",
            "ip -brief address show lab0",
            "python -m lab down",
            "python -m lab status",
        ]
        done = _command("shell", stdin="\n".join([*typed, "exit 3"]) + "\n")
        assert done.returncode == 3
        assert "worker-0" in done.stdout.split()
        assert "10.240.0.1/24" in done.stdout
        assert f"[lab {NAME}]" in done.stderr
        assert "leave it first" in done.stderr


class TestReboot:
    def test_files_stay_units_start_and_network_is_made_anew(self, lab: Lab) -> None:
        script = "cat >/etc/systemd/system/diary.service && systemctl enable --now diary.service"
        assert lab.exec("worker-0", ["sh", "-c", script], stdin=DIARY_UNIT).returncode == 0
        lab.exec("worker-0", ["sh", "-c", "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/90-test.conf"])
        lab.exec("worker-0", ["ip", "route", "add", "10.200.1.0/24", "via", "10.240.0.21"])
        key = lab.exec("worker-0", ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout
        lab.reboot(["worker-0"])
        assert lab.exec("worker-0", ["cat", "/var/lib/log"]).stdout.split() == ["start", "stop", "start"]
        assert lab.exec("worker-0", ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "1\n"
        assert "10.200.1.0/24" not in lab.exec("worker-0", ["ip", "route"]).stdout
        lab.reboot(["worker-0"], fresh=True)
        assert lab.exec("worker-0", ["test", "-e", "/etc/systemd/system/diary.service"]).returncode == 1
        assert lab.exec("worker-0", ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "0\n"
        assert lab.exec("worker-0", ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout == key
        assert _ssh(lab, "worker-0", "true").returncode == 0


class TestFaults:
    def test_frozen_connects_and_says_nothing(self, lab: Lab) -> None:
        lab.break_("worker-0", "frozen")
        assert _command("status").returncode == 1
        assert {one.host.name: one.state for one in lab.status()}["worker-0"] == "frozen"
        assert "timed out during banner exchange" in _ssh(lab, "worker-0", "true", timeout=1).stderr
        assert lab.repair(["worker-0"]) == ["worker-0: thawed"]
        assert _ssh(lab, "worker-0", "true").returncode == 0

    @pytest.mark.parametrize(
        ("fault", "message", "repaired"),
        [
            ("sshd-stopped", "Connection refused", "started the SSH server"),
            ("sudo-refused", "password is required", "ubuntu may use sudo again"),
            ("host-key-changed", "Host key verification failed", "gave the SSH server its host key back"),
            ("cable-pulled", "Connection timed out", "plugged the cable in"),
            ("host-down", "Connection timed out", "booted"),
        ],
    )
    def test_is_made_and_repaired(self, lab: Lab, fault: str, message: str, repaired: str) -> None:
        lab.break_("worker-1", fault)
        done = _ssh(lab, "worker-1", "sudo -n true", timeout=1)
        assert done.returncode != 0
        assert message in done.stderr
        assert lab.repair() == [f"worker-1: {repaired}"]
        assert _ssh(lab, "worker-1", "sudo -n true").returncode == 0
        assert _command("repair", "--all").stdout == "nothing to repair\n"

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (["drop-route"], []),
            (["wrong-next-hop"], ["10.200.1.0/24 via 10.240.0.10 dev eth0"]),
            (["wrong-next-hop", "10.200.1.0/24", "10.240.0.99"], ["10.200.1.0/24 via 10.240.0.99 dev eth0"]),
            (["link-bounced"], []),
            (
                ["duplicate-route"],
                [
                    "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
                    "10.200.1.0/24 via 10.240.0.10 dev eth0 metric 50",
                ],
            ),
            (
                ["stale-route"],
                [
                    "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
                    "10.200.240.0/24 via 10.240.0.254 dev eth0 proto 201",
                ],
            ),
            (
                ["foreign-route"],
                [
                    "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
                    "10.200.250.0/24 via 10.240.0.1 dev eth0 proto static",
                ],
            ),
            (
                ["own-cidr-route"],
                [
                    "10.200.0.0/24 via 10.240.0.20 dev eth0",
                    "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
                ],
            ),
        ],
    )
    def test_routes(self, lab: Lab, fault: list[str], expected: list[str]) -> None:
        flush = "ip route flush root 10.200.0.0/16 dev eth0"
        add = "ip route add 10.200.1.0/24 via 10.240.0.21 proto 201"
        assert lab.exec("worker-0", ["sh", "-c", f"{flush}; {add}"]).returncode == 0
        line = lab.break_("worker-0", *fault)
        assert line.startswith("worker-0: ")
        routes = lab.exec("worker-0", ["ip", "route", "show", "root", "10.200.0.0/16"]).stdout
        assert [line.strip() for line in routes.splitlines() if "kernel" not in line] == expected
        lab.exec("worker-0", ["sh", "-c", flush])

    def test_forwarding_off(self, lab: Lab) -> None:
        lab.exec("worker-0", ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        lab.break_("worker-0", "forwarding-off")
        assert lab.exec("worker-0", ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "0\n"

    def test_what_is_not_there_cannot_be_broken(self, lab: Lab) -> None:
        for fault in ("drop-route", "unit-edited", "unit-disabled"):
            with pytest.raises(LabError, match="provision it first"):
                lab.break_("controller-0", fault)


class TestComputer:
    def test_two_labs_side_by_side_and_no_trace_of_one_that_was_killed(self, lab: Lab) -> None:
        other = Lab(OTHER)
        try:
            other.up(controllers=0, workers=1, ipv6=True)
            assert _ssh(other, "worker-0", "hostname").stdout == "worker-0\n"
            assert _ssh(other, "fd00:240::20", "hostname").stdout == "worker-0\n"
            assert lab.exec("worker-0", ["cat", "/etc/machine-id"]) != other.exec(
                "worker-0", ["cat", "/etc/machine-id"]
            )
            assert other.operator(["ping", "-c1", "-W1", "10.240.0.21"]).returncode != 0
            assert len(_traces(OTHER)) >= 6
            for pid in _supervisors(OTHER):
                os.kill(pid, signal.SIGKILL)
        finally:
            other.down()
        assert _traces(OTHER) == []
        assert not other.down()
        assert all(one.state == "running" for one in lab.status())

    @pytest.mark.parametrize("seconds", [0.15, 0.4, 0.8])
    def test_interrupted_up_goes_on_or_goes_away(self, lab: Lab, seconds: float) -> None:
        command = [sys.executable, "-m", "lab", "--name", OTHER, "up", "--controllers", "1", "--workers", "1"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as up:
            time.sleep(seconds)
            up.kill()
        other = Lab(OTHER)
        try:
            if seconds > 0.5:
                other.up(controllers=1, workers=1)
                assert _ssh(other, "worker-0", "hostname").stdout == "worker-0\n"
        finally:
            other.down()
        assert _traces(OTHER) == []

    def test_a_larger_number_adds_hosts_that_all_know(self, lab: Lab) -> None:
        other = Lab(OTHER)
        try:
            other.up(controllers=0, workers=1, pods=False)
            before = other.status()[0].pid
            other.up(workers=2)
            assert other.status()[0].pid == before
            for host in ("worker-0", "worker-1"):
                assert other.exec(host, ["getent", "hosts", "worker-1"]).stdout.split() == ["10.240.0.21", "worker-1"]
                assert _ssh(other, host, "hostname").stdout == f"{host}\n"
            assert "cnio0" not in other.exec("worker-0", ["ip", "link"]).stdout
            said: list[str] = []
            Lab(OTHER, say=said.append).up(workers=1)
            assert said[0].startswith(f"the lab {OTHER} has 2 workers already and keeps them")
        finally:
            other.down()

    def test_where_mounts_are_not_allowed_nothing_is_made(self, lab: Lab) -> None:
        command = ["setpriv", "--bounding-set=-sys_admin", sys.executable, "-m", "lab", "--name", OTHER, "up"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (64, "")
        assert done.stderr.startswith("lab: this computer does not allow namespaces")
        assert done.stderr.count("\n") == 1
        assert _traces(OTHER) == []

    def test_without_root_nothing_is_made(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(LabError, match="needs root"):
            Lab(OTHER).up()
        assert _traces(OTHER) == []

    @pytest.mark.skipif("LAB_LARGE" not in os.environ, reason="takes half a minute and 1 GB: set LAB_LARGE=1")
    def test_a_hundred_workers(self) -> None:
        other = Lab(OTHER)
        try:
            other.up(controllers=0, workers=100)
            assert {one.state for one in other.status()} == {"running"}
            assert _ssh(other, "worker-99", "hostname").stdout == "worker-99\n"
        finally:
            other.down()
        assert _traces(OTHER) == []
