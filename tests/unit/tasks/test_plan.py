"""The network plan of a plain Nornir, and hosts of it that are not ours."""

from pathlib import Path

import pytest
from nornir import InitNornir
from nornir.core import Nornir
from nornir.core.filter import F
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir_utils.plugins.functions import print_result

from podroutes.errors import InventoryError
from tasks.plan import plan_of
from tasks.routes import ensure_routes

HOSTS = """
worker-0: {hostname: 10.240.0.20, groups: [workers], data: {pod_index: 0}}
worker-1: {hostname: 10.240.0.21, groups: [workers], data: {pod_index: 1, manage_routes: false}}
switch-1: {hostname: 10.240.0.2, groups: [switches], data: {manage_routes: false}}
"""
GROUPS = "{workers: {}, switches: {}}\n"
DEFAULTS = "data: {cluster_cidr: 10.200.0.0/16, node_network: 10.240.0.0/24}\n"
OPTIONS = {"host_file": "hosts.yaml", "group_file": "groups.yaml", "defaults_file": "defaults.yaml"}


def nornir_of(folder: Path, monkeypatch: pytest.MonkeyPatch, hosts: str = HOSTS) -> Nornir:
    monkeypatch.chdir(folder)
    # Runbooks register plugins in a way of their own; here, Nornir itself does.
    monkeypatch.setattr(ConnectionPluginRegister, "available", {})
    for name, text in (("hosts", hosts), ("groups", GROUPS), ("defaults", DEFAULTS)):
        (folder / f"{name}.yaml").write_text(text)
    return InitNornir(
        inventory={"plugin": "SimpleInventory", "options": OPTIONS},
        runner={"plugin": "threaded"},
        logging={"enabled": False},
    )


def test_the_plan_is_the_whole_inventorys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(nornir_of(tmp_path, monkeypatch))
    assert [str(route.destination) for route in plan.pod_routes] == ["10.200.0.0/24", "10.200.1.0/24"]
    assert plan.managed == {"worker-0"}


def test_every_problem_is_listed_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = HOSTS.replace("pod_index: 1", "pod_index: 0").replace("hostname: 10.240.0.20, ", "")
    with pytest.raises(InventoryError) as raised:
        plan_of(nornir_of(tmp_path, monkeypatch, hosts))
    lines = [str(problem) for problem in raised.value.problems]
    assert "hosts.yaml: worker-1: data.pod_index: 0 is used by worker-0 already" in lines
    assert any(line.startswith("hosts.yaml: worker-0: hostname: is missing") for line in lines)


def test_a_host_that_is_not_managed_is_named_by_print_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nornir = nornir_of(tmp_path, monkeypatch)
    plan = plan_of(nornir)
    result = nornir.filter(~F(name="worker-0")).run(ensure_routes, plan=plan)
    print_result(result)
    printed = capsys.readouterr().out
    for name in ("worker-1", "switch-1"):
        assert f"{name} is not a machine whose routes are managed; filter it out (0 changes" in printed
    assert sorted(result.failed_hosts) == ["switch-1", "worker-1"]
