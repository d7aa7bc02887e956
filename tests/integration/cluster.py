"""A lab as the tests see it: hosts, an operator who runs runbooks there, and what both can tell afterwards."""

import itertools
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lab import Lab, enter
from lab.layout import Host
from lab.matrix import Matrix, measure
from lab.paths import STATE
from podroutes.report.json_report import schema
from tests.integration import snapshot
from tests.integration.inventories import Inventory
from tests.integration.snapshot import Snapshot

ROOT = Path(__file__).resolve().parents[2]
OURS = "201"
SCRIPT = "/usr/local/sbin/basic-kubernetes-routes.sh"
UNIT = "/etc/systemd/system/routes.service"
DATA = "/etc/kubernetes-routes/routes"
SYSCTL = "/etc/sysctl.d/90-kubernetes-pod-routes.conf"
HOST_LOCK = "/run/pod-routes.lock"
# What an SSH server writes; since OpenSSH 9.8 a program of its own serves each connection.
SSHD_JOURNAL = ("--identifier=sshd", "--identifier=sshd-session")

Change = tuple[str, str, str]
_PREFIX = "podroutes-test"
_ANSI = re.compile(r"\x1b")


@dataclass(frozen=True)
class Run:
    """A runbook's run that has ended.

    Attributes:
        exit_code: Of the process.
        stdout: Standard output.
        stderr: Standard error.
        seconds: How long it took.
        report: The JSON report; empty where there is none.
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    report: dict[str, Any]

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """The report's entry of each host, by name."""
        return {host["host"]: host for host in self.report["hosts"]}

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each host, by name."""
        return {name: host["outcome"] for name, host in self.hosts.items()}

    @property
    def text(self) -> str:
        """All that a person saw."""
        return self.stdout + self.stderr

    def hosts_that_are(self, outcome: str) -> set[str]:
        """Names of the hosts with this outcome."""
        return {name for name, found in self.outcomes.items() if found == outcome}

    def changes(self, host: str) -> list[Change]:
        """Layer, action and subject of each change of a host."""
        return [(change["layer"], change["action"], change["subject"]) for change in self.hosts[host]["changes"]]

    def reason(self, host: str) -> str:
        """Why a host has failed: always one line that a person can read."""
        reason: str = self.hosts[host]["reason"]
        assert reason != "", f"{host} {self.outcomes[host]} without a reason"
        assert "\n" not in reason
        assert "Traceback" not in reason
        assert "internal error" not in reason
        return reason


class Cluster:
    """A running lab.

    Args:
        lab: The lab, up.
        folder: Where inventories and reports are written.
    """

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self._fresh: dict[str, Snapshot] = {}
        self._provisioned: dict[str, Snapshot] = {}
        self._numbers = itertools.count()

    # Who is there

    @property
    def hosts(self) -> list[str]:
        """Names of all hosts, controllers first."""
        return [host.name for host in self.lab.hosts]

    @property
    def workers(self) -> list[Host]:
        """All workers."""
        return [host for host in self.lab.hosts if host.role == "worker"]

    def inventory(self) -> Inventory:
        """A new inventory that fits the lab."""
        return Inventory.of(self.lab.layout)

    # What the operator does

    def write(self, inventory: Inventory) -> Path:
        """Write an inventory's files; returns the path of its `config.yaml`."""
        return inventory.write(self.folder / f"inventory-{next(self._numbers)}")

    def command(self, runbook: str, *options: str, inventory: Inventory | Path | None = None) -> list[str]:
        """The command line of a runbook.

        Args:
            runbook: `provision`, say.
            *options: Its options.
            inventory: The one to use, or the path of a configuration; the lab's own by default.
        """
        chosen = self.inventory() if inventory is None else inventory
        config = self.write(chosen) if isinstance(chosen, Inventory) else chosen
        return ["python", f"runbooks/{runbook}.py", "--config", str(config), *options]

    def run(self, runbook: str, *options: str, inventory: Inventory | Path | None = None) -> Run:
        """Run a runbook to its end, without a terminal; see `finish` for what is checked of every run."""
        with self.start(runbook, *options, inventory=inventory) as running:
            return running.finish()

    def provision(self, *options: str, inventory: Inventory | Path | None = None) -> Run:
        """Run provision.py."""
        return self.run("provision", "--yes", *options, inventory=inventory)

    def deprovision(self, *options: str, inventory: Inventory | Path | None = None) -> Run:
        """Run deprovision.py."""
        return self.run("deprovision", "--yes", *options, inventory=inventory)

    @contextmanager
    def start(self, runbook: str, *options: str, inventory: Inventory | Path | None = None) -> Iterator["Running"]:
        """Start a runbook; it is killed at the end, unless it has ended by then."""
        own_report = self.folder / f"report-{next(self._numbers)}.json"
        extra = [] if {"--json", "--help"} & set(options) else ["--json", str(own_report)]
        running = Running(self.lab, self.command(runbook, *options, *extra, inventory=inventory), own_report)
        try:
            yield running
        finally:
            running.kill()

    # What the hosts say

    def on(self, host: str, *argv: str, stdin: str | None = None, check: bool = True) -> str:
        """Run a command as root on a host, not over SSH, and return what it prints."""
        done = self.lab.exec(host, argv, stdin=stdin)
        assert not check or done.returncode == 0, f"{host}: {' '.join(argv)}: {done.stderr}"
        return done.stdout

    def shell(self, host: str, script: str) -> str:
        """Run a shell script as root on a host, not over SSH, and return what it prints."""
        return self.on(host, "sh", "-euc", script)

    def everywhere(self, do: Callable[[str], Any], hosts: Iterable[str] | None = None) -> dict[str, Any]:
        """Call a function for many hosts at once."""
        names = list(self.hosts if hosts is None else hosts)
        with ThreadPoolExecutor(len(names)) as pool:
            return dict(zip(names, pool.map(do, names), strict=True))

    def routes(self, host: str, *selection: str) -> list[str]:
        """`ip route show` of a host, a line each, without blanks at the ends."""
        version = ["-6"] if any(":" in word for word in selection) else []
        shown = self.on(host, "ip", *version, "route", "show", *selection)
        return [line.strip() for line in shown.splitlines()]

    def desired_routes(self, host: str, workers: Iterable[str] | None = None) -> list[str]:
        """The pod routes that the guide gives a host, as `ip route` prints them."""
        names = [worker.name for worker in self.workers] if workers is None else list(workers)
        return [
            f"{worker.pod_cidr} via {worker.address.ip} dev eth0"
            for worker in self.workers
            if worker.name in names and worker.name != host
        ]

    def our_routes(self, host: str) -> list[str]:
        """The routes of ours that a host has, in any table."""
        return self.routes(host, "table", "all", "proto", OURS)

    def pings(self) -> list[Matrix]:
        """Ping every pod from every other pod and from every controller, all at once."""
        return measure(self.lab.layout, self.lab.paths, most=len(self.hosts))

    def assert_pods_are_reached(self, *, all_of_them: bool = True) -> None:
        """Every pod reaches every other one and every controller every pod, or none does."""
        for matrix in self.pings():
            assert matrix.asked > 0
            assert matrix.answered == (matrix.asked if all_of_them else 0), matrix

    def connections(self) -> dict[str, int]:
        """How many TCP connections each host has accepted since it was booted, as its kernel counts them."""

        def count(host: str) -> int:
            names, values = (
                line.split() for line in self.on(host, "cat", "/proc/net/snmp").splitlines() if line.startswith("Tcp:")
            )
            return int(values[names.index("PassiveOpens")])

        return self.everywhere(count)

    def log_every_session(self) -> None:
        """Have sshd write down every session, also one that does not use sudo, so that `commands` can count them."""
        self.everywhere(
            lambda host: self.shell(host, "echo LogLevel VERBOSE >>/etc/ssh/sshd_config; systemctl restart ssh.service")
        )

    def commands(self) -> dict[str, tuple[int, int]]:
        """How many commands each host has run over SSH since then, and how many by sudo."""

        def count(host: str, words: str, *identifiers: str) -> int:
            return self.on(host, "journalctl", "--output=cat", *identifiers).count(words)

        return self.everywhere(
            lambda host: (
                count(host, "Starting session: command", *SSHD_JOURNAL),
                count(host, "COMMAND=", "--identifier=sudo"),
            )
        )

    # States to start from

    def take_snapshots(self, hosts: Iterable[str] | None = None, *, own_layer: bool = False) -> dict[str, Snapshot]:
        """A snapshot of every host, or of some; see `snapshot.take`."""
        return snapshot.take(self.lab, self.hosts if hosts is None else hosts, own_layer=own_layer)

    def assert_unchanged(self, before: dict[str, Snapshot], *, reboots: bool = False) -> None:
        """None of these hosts differs from what it was."""
        own_layer = any(one.own_layer for one in before.values())
        after = self.take_snapshots(before, own_layer=own_layer)
        differences = {host: snapshot.difference(before[host], after[host], reboots=reboots) for host in before}
        assert [line for lines in differences.values() for line in lines] == [], differences

    def leave_traces(self, host: str) -> None:
        """Make beforehand what every run leaves on a host for good, so that all else can be compared.

        That is the lock of runs, whose file has to outlive them, and network-online.target, which our unit asks for at
        boot as other units do. The lab in turn makes a folder that no real host has.
        """
        self.shell(
            host, f"umask 077; >>{HOST_LOCK}; systemctl start network-online.target; rmdir /etc/kubernetes-routes"
        )

    def make_fresh(self) -> None:
        """Give every host that is not so already a pristine file system and a new boot."""
        dirty = self._other_than(self._fresh)
        if dirty:
            self.lab.reboot(dirty, fresh=True)
        self._fresh = self._fresh or self.take_snapshots(own_layer=True)

    def make_provisioned(self) -> None:
        """Bring every host to where provisioning from a pristine state has brought it."""
        dirty = self._other_than(self._provisioned)
        if dirty:
            self.lab.reboot(dirty, fresh=True)
            run = self.provision(*(word for host in dirty for word in ("--limit", host)))
            assert run.exit_code == 0, run.text
        self._provisioned = self._provisioned or self.take_snapshots(own_layer=True)

    def _other_than(self, wanted: dict[str, Snapshot]) -> list[str]:
        """Hosts that do not run, or are not in the expected state; all of them where nothing is known yet."""
        if not wanted:
            return self.hosts
        running = [one.host.name for one in self.lab.status() if one.state == "running"]
        now = snapshot.take(self.lab, running, own_layer=True)
        as_wanted = {name for name in running if not snapshot.difference(wanted[name], now[name], reboots=True)}
        return [name for name in self.hosts if name not in as_wanted]


class Running:
    """A runbook's run that goes on.

    Args:
        lab: Where its operator sits.
        argv: Its command line.
        report: Where it writes its report.
    """

    def __init__(self, lab: Lab, argv: Sequence[str], report: Path) -> None:
        self._report = report
        self._started = time.monotonic()
        # All of nsenter, unshare and sh give way to the command itself, so the process is the runbook.
        self.process = subprocess.Popen(
            enter.operator_argv(lab.paths, argv),
            env=enter.operator_environment(lab.paths) | {"PYTHONUNBUFFERED": "1"},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._stderr = ""

    def wait_for(self, text: str) -> None:
        """Read standard error until a line of it holds a text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._stderr += line
            if text in line:
                return
        raise AssertionError(f"{text!r} never came; all that came: {self._stderr}")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def finish(self) -> Run:
        """Wait for its end, and check what has to hold for every run.

        Its report fits the schema, its counts sum to the hosts; no escape sequences in a pipe; no traceback.
        """
        stdout, stderr = self.process.communicate(timeout=200)
        stderr = self._stderr + stderr
        report = json.loads(self._report.read_text()) if self._report.exists() else {}
        run = Run(self.process.returncode, stdout, stderr, time.monotonic() - self._started, report)
        assert _ANSI.search(run.text) is None, f"escape sequences in a pipe: {run.text!r}"
        if "-v" not in self.process.args:  # type: ignore[operator]  # a list, which Popen.args need not be
            assert "Traceback" not in run.text, run.text
        if report:
            check_report(report)
        return run

    def kill(self) -> None:
        """End it, if it has not ended, and let go of its pipes."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def check_report(report: dict[str, Any]) -> None:
    """A JSON report fits its schema, and names no host twice."""
    errors = jsonschema.Draft202012Validator(schema()).iter_errors(report)
    assert [f"{error.json_path}: {error.validator}" for error in errors] == []
    names = [host["host"] for host in report["hosts"]]
    assert len(names) == len(set(names))


def assert_own_pod_cidrs_are_local(cluster: Cluster) -> None:
    """No worker has a route to its own pod CIDR but the one that its kernel made for the pod bridge."""
    running = {one.host.name for one in cluster.lab.status() if one.state == "running"}

    def check(worker: str) -> None:
        for cidr in cluster.lab.layout.host(worker).pod_cidrs:
            routes = cluster.routes(worker, "table", "all", "to", "exact", str(cidr))
            assert routes, f"{worker} has no route to its own {cidr}"
            assert all("dev cnio0 proto kernel" in route for route in routes), f"{worker}: {routes}"

    cluster.everywhere(check, [worker.name for worker in cluster.workers if worker.name in running])


@contextmanager
def new_lab(suffix: str = "", **size: Any) -> Iterator[Lab]:  # noqa: ANN401  # the types are those of Layout
    """A lab of this test run's own, taken down at the end; also labs of earlier runs that were killed.

    Args:
        suffix: Of its name, where a run has several.
        **size: Fields of `Layout`.
    """
    if os.geteuid() != 0:
        pytest.skip("the lab needs root")
    for folder in STATE.glob(f"{_PREFIX}*/"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not _runs(int(pid)):
            Lab(folder.name).down()
    lab = Lab(f"{_PREFIX}{os.getpid()}{suffix}")
    try:
        lab.up(**size)
        yield lab
    finally:
        lab.down()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
