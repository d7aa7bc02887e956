"""A drift check from its options to its exit code, over simulated hosts; what real ones can't be made to do on time."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, Task
from nornir.plugins.runners import SerialRunner

from podroutes.errors import PrivilegeError, UnreachableError, UsageError
from podroutes.host.change_script import apply_script
from podroutes.host.changes import Change
from podroutes.host.state import HostState
from podroutes.plugins.runners.interruptible_threads import InterruptibleResult
from podroutes.script_runner import ScriptResult
from runbooks._check import check_hosts
from runbooks._cli import Options
from runbooks._reports import Reports
from runbooks._session import Session
from tests.unit.podroutes.builders import ipv4_cluster, route
from tests.unit.podroutes.healthy import FILES, healthy, minus_routes, plus_routes, with_sysctls
from tests.unit.podroutes.plan.simulated_host import REDIRECTS, SimulatedHost
from tests.unit.tasks.fake_hosts import FakeHost, nornir_with

PLAN = ipv4_cluster()
NAMES = list(PLAN.nodes)
W0, W1 = "worker-0", "worker-1"
BROKEN = UnreachableError("the connection broke")


class PingingHost(FakeHost):
    """A simulated host that pings, too.

    Attributes:
        ping: Its answer to the script of pings, given how many pings it has; or an error.
    """

    ping: Callable[[str, int], ScriptResult] | Exception

    def run_script(self, script: str, *, timeout: float, public: bool = False) -> ScriptResult:
        if "ping -V" not in script:
            return super().run_script(script, timeout=timeout, public=public)
        self.scripts.append(script)
        if isinstance(self.ping, Exception):
            raise self.ping
        found = re.search(r"echo '@(\w+) end -'", script)
        assert found is not None
        return self.ping(found[1], script.count("-small"))


def answering(word: str) -> Callable[[str, int], ScriptResult]:
    def answer(nonce: str, count: int) -> ScriptResult:
        lines = [f"@{nonce} {number}-{size} {word}" for number in range(count) for size in ("small", "full")]
        return ScriptResult(0, "\n".join([*lines, f"@{nonce} end -", ""]), "")

    return answer


class Hosts:
    """All hosts of the cluster, healthy unless told otherwise, and the checks of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.fakes: dict[str, PingingHost] = {}
        self.folder = folder
        self.runner: Any = SerialRunner()
        for name in NAMES:
            self.set(name, healthy(PLAN, name))
        monkeypatch.setattr("tasks.provision.load_service_files", lambda: FILES)
        monkeypatch.setattr("tasks.apply.apply_script", self._keep_changes)
        self.unreachable: dict[str, Exception] = {}

    def set(self, name: str, state: HostState) -> None:
        sysctls = {REDIRECTS: "0"} | dict(state.sysctls)
        self.fakes[name] = PingingHost(SimulatedHost(replace(state, sysctls=sysctls)), PLAN)
        self.fakes[name].ping = answering("yes")

    def _session(self) -> Session:
        nornir = nornir_with({**self.fakes, **self.unreachable}, dry_run=True).with_runner(self.runner)
        return Session(nornir, PLAN, tuple(NAMES), ())

    def _keep_changes(self, nonce: str, changes: tuple[Change, ...], facts: str) -> str:
        for fake in self.fakes.values():
            fake.pending = changes
        return apply_script(nonce, changes, facts)

    def check(self, *, fix: bool = False, ping: bool = False, **reports: Any) -> tuple[int, dict[str, Any]]:  # noqa: ANN401
        path = self.folder / "report.json"
        options = Options(config=self.folder / "config.yaml", json=str(path))
        code = check_hosts(self._session(), options, Reports(**reports), fix=fix, ping=ping)
        return code, json.loads(path.read_text())

    def kinds(self, name: str) -> list[str]:
        """What the host was asked to do, in order."""
        words = (("ping -V", "ping"), ("flock --nonblock", "apply"), ("", "read"))
        return [next(kind for word, kind in words if word in script) for script in self.fakes[name].scripts]


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hosts:
    return Hosts(monkeypatch, tmp_path)


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {host["host"]: host["outcome"] for host in report["hosts"] if host["outcome"] != "ok"}


def host_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(dict(host) for host in report["hosts"] if host["host"] == name)


def codes(report: dict[str, Any], name: str) -> list[tuple[str, str]]:
    return [(finding["code"], finding["subject"]) for finding in host_of(report, name)["findings"]]


MISSING = minus_routes(healthy(PLAN, W0), "10.200.1.0/24")


def test_healthy_hosts_are_read_once_and_that_is_all(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = hosts.check()
    assert (code, outcomes(report)) == (0, {})
    assert {one["state"] for one in report["directions"]} == {"ok"}
    assert [hosts.kinds(name) for name in NAMES] == [["read"]] * 4
    assert "checked 4 of 4\n" in capsys.readouterr().out


def test_fixing_makes_what_was_found_and_judges_anew(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    hosts.set(W0, MISSING)
    code, report = hosts.check()
    assert (code, outcomes(report)) == (2, {W0: "drift"})
    assert [one["target"] for one in report["directions"] if one["state"] == "cut"] == [W1]

    code, report = hosts.check(fix=True, ping=True)
    assert (code, outcomes(report)) == (0, {W0: "changed"})
    assert codes(report, W0) == [("route-missing", "10.200.1.0/24"), ("unit-without-routes", "routes.service")]
    assert [change["subject"] for change in host_of(report, W0)["changes"]] == ["10.200.1.0/24"]
    assert {one["state"] for one in report["directions"]} == {"ok"}
    assert {one["ping"] for one in report["directions"]} == {"", "answered"}
    assert hosts.kinds(W0) == ["read", "read", "ping", "read", "apply", "ping"]
    assert hosts.kinds(W1) == ["read", "read", "ping", "ping"]
    assert "pings answered: 6 of 6\n" in capsys.readouterr().out


def test_what_a_change_leaves_wrong_is_a_failure(hosts: Hosts) -> None:
    linkdown = replace(route("10.200.2.0/24 via 10.240.0.22 dev eth0 proto 201"), linkdown=True)
    hosts.set(W0, plus_routes(minus_routes(healthy(PLAN, W0), "10.200.1.0/24", "10.200.2.0/24"), linkdown))
    code, report = hosts.check(fix=True)
    assert (code, outcomes(report)) == (1, {W0: "failed"})
    reason = host_of(report, W0)["reason"]
    assert reason == "eth0 has no carrier: 10.200.2.0/24 via 10.240.0.22 dev eth0 proto 201"
    assert [change["subject"] for change in host_of(report, W0)["changes"]] == ["10.200.1.0/24"]
    assert ("route-linkdown", "10.200.2.0/24") in codes(report, W0)


def test_what_is_not_ours_to_fix_is_a_failure_and_nothing_is_tried(hosts: Hosts) -> None:
    hosts.set(W0, plus_routes(healthy(PLAN, W0), "10.200.1.128/25 via 10.240.0.1 dev eth0 proto 4"))
    code, report = hosts.check(fix=True)
    assert (code, outcomes(report)) == (1, {W0: "failed"})
    assert host_of(report, W0)["reason"].startswith("can't be fixed from here: part of 10.200.1.0/24 (worker-1's pods)")
    assert hosts.kinds(W0) == ["read"]


def test_a_change_that_fails_is_told_and_the_findings_stay(hosts: Hosts) -> None:
    hosts.set(W0, MISSING)
    hosts.fakes[W0].status, hosts.fakes[W0].said = 1, "> add 10.200.1.0/24\nRTNETLINK answers: No"
    code, report = hosts.check(fix=True)
    assert (code, outcomes(report)) == (1, {W0: "failed"})
    assert host_of(report, W0)["reason"] == "a change failed: add 10.200.1.0/24: RTNETLINK answers: No"
    assert codes(report, W0)[0] == ("route-missing", "10.200.1.0/24")


def test_a_host_that_has_drifted_on_is_left_alone(hosts: Hosts) -> None:
    hosts.set(W0, MISSING)
    fake = hosts.fakes[W0]

    def drift_on(_: str, result: ScriptResult) -> ScriptResult:
        fake.host.sysctls["net.ipv4.ip_forward"] = "0"
        return result

    fake.answer = drift_on
    code, report = hosts.check(fix=True)
    assert (code, outcomes(report)) == (1, {W0: "failed"})
    assert "it has changed since the changes were shown" in host_of(report, W0)["reason"]
    assert hosts.kinds(W0) == ["read", "read"]


def test_a_host_that_has_healed_by_itself_is_ok(hosts: Hosts) -> None:
    hosts.set(W0, MISSING)
    fake = hosts.fakes[W0]

    def heal(_: str, result: ScriptResult) -> ScriptResult:
        fake.host = SimulatedHost(replace(healthy(PLAN, W0), sysctls=fake.host.sysctls))
        return result

    fake.answer = heal
    code, report = hosts.check(fix=True)
    assert (code, outcomes(report)) == (0, {})
    assert hosts.kinds(W0) == ["read", "read"]


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (UnreachableError("no answer"), "unreachable", "host-unreachable"),
        (PrivilegeError("sudo was refused"), "failed", "result-unknown"),
        (ZeroDivisionError("nobody foresaw this"), "failed", "result-unknown"),
    ],
)
def test_a_host_that_can_not_be_read_is_not_clean(hosts: Hosts, error: Exception, outcome: str, code: str) -> None:
    hosts.unreachable[W1] = error
    hosts.set(W0, MISSING)
    exit_code, report = hosts.check(fix=True)
    assert exit_code == 1
    assert outcomes(report) == {W0: "changed", W1: outcome}
    assert codes(report, W1) == [(code, "host")]
    assert {one["state"] for one in report["directions"] if W1 in (one["source"], one["target"])} == {"unknown"}


@pytest.mark.parametrize(
    ("ping", "outcome", "code", "reason"),
    [
        (BROKEN, "unreachable", "host-unreachable", "the connection broke"),
        (
            lambda nonce, count: ScriptResult(1, "", "the ping of iputils is not installed\n"),
            "failed",
            "result-unknown",
            "pinging failed with exit status 1: the ping of iputils is not installed",
        ),
        (
            lambda nonce, count: ScriptResult(0, f"@{nonce} end -\n", ""),
            "failed",
            "result-unknown",
            "the host's answer about its pings is not whole: 1 of 5 lines",
        ),
    ],
    ids=["broken", "no ping", "cut off"],
)
def test_a_host_that_can_not_ping_proves_nothing(
    hosts: Hosts,
    ping: Callable[[str, int], ScriptResult] | Exception,
    outcome: str,
    code: str,
    reason: str,  # parameters of the cases
) -> None:
    hosts.fakes[W0].ping = ping
    exit_code, report = hosts.check(ping=True)
    assert (exit_code, outcomes(report)) == (1, {W0: outcome})
    found = host_of(report, W0)
    assert (found["reason"], codes(report, W0)) == (reason, [(code, "ping")])
    pings = {(one["source"], one["target"]): one["ping"] for one in report["directions"]}
    assert pings[W0, W1] == ""
    assert pings[W1, W0] == "answered"


def test_what_only_pings_show_is_drift_that_no_provisioning_fixes(hosts: Hosts) -> None:
    hosts.fakes[W0].ping = answering("no")
    code, report = hosts.check(ping=True)
    assert (code, outcomes(report)) == (2, {W0: "drift"})
    assert codes(report, W0) == [("packets-dropped", "worker-0 → worker-1"), ("packets-dropped", "worker-0 → worker-2")]
    assert host_of(report, W0)["reason"] == "2 findings"
    assert host_of(report, W0)["commands"] == 2

    code, report = hosts.check(ping=True, fix=True)
    assert (code, outcomes(report)) == (1, {W0: "failed"})
    # Also where something else of the same host is fixed.
    hosts.set(W0, with_sysctls(healthy(PLAN, W0), {"net.ipv4.ip_forward": "0"}))
    hosts.fakes[W0].ping = answering("no")
    code, report = hosts.check(ping=True, fix=True)
    assert (code, outcomes(report)) == (1, {W0: "failed"})
    assert host_of(report, W0)["reason"].startswith("still: worker-0 → worker-1: packets are dropped on the way")


class InterruptedRunner(SerialRunner):
    """A runner that Ctrl-C stops before the last host."""

    def run(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        result = InterruptibleResult(task.name)
        result.update(super().run(task, hosts[:-1]))
        result.interrupted = True
        return result


def test_after_an_interruption_nothing_is_pinged_or_changed(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    hosts.set(W0, MISSING)
    hosts.runner = InterruptedRunner()
    code, report = hosts.check(ping=True, fix=True)
    assert code == 1
    assert report["interrupted"] is True
    assert outcomes(report) == {W0: "drift", NAMES[-1]: "skipped"}
    assert [hosts.kinds(name) for name in NAMES] == [["read"], ["read"], ["read"], []]
    assert "checked 3 of 4; 1 unknown\n" in capsys.readouterr().out


def test_a_history_that_can_not_be_used_hides_nothing(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    hosts.set(W0, MISSING)
    history = hosts.folder / "history.sqlite3"
    history.write_text("no database")
    with pytest.raises(UsageError, match="history"):
        hosts.check(history=history, html=str(hosts.folder / "page.html"))
    assert "route-missing" in capsys.readouterr().out
    assert outcomes(json.loads((hosts.folder / "report.json").read_text())) == {W0: "drift"}
    assert "route-missing" in (hosts.folder / "page.html").read_text()


def test_a_history_tells_since_when(hosts: Hosts) -> None:
    hosts.set(W0, MISSING)
    history = hosts.folder / "history.sqlite3"
    _, first = hosts.check(history=history)
    _, second = hosts.check(history=history, fix=True)
    _, third = hosts.check(history=history)
    assert [(one["state"], one["since"]) for one in host_of(second, W0)["findings"]] == [
        ("persisting", first["started"])
    ] * 2
    assert second["healed"] == []
    assert [(one["host"], one["code"]) for one in third["healed"]] == [
        (W0, "route-missing"),
        (W0, "unit-without-routes"),
    ]


def test_monitoring_gets_a_line_and_its_own_codes(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    assert hosts.check(nagios=True)[0] == 0
    assert capsys.readouterr().out.startswith("POD ROUTES OK - checked 4 of 4; no drift | ")
    hosts.set(W0, MISSING)
    assert hosts.check(nagios=True)[0] == 2
    assert capsys.readouterr().out.startswith("POD ROUTES CRITICAL - ")
    # What was fixed cuts nothing off any more.
    assert hosts.check(nagios=True, fix=True)[0] == 0
    assert capsys.readouterr().out.startswith("POD ROUTES OK - checked 4 of 4; no drift; 1 host repaired | ")
