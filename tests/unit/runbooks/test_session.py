"""Inventories as files in, the exact problem lines out; and which hosts a limit chooses."""

from pathlib import Path
from typing import Any

import pytest
from nornir.core.plugins.runners import RunnersPluginRegister
from ruamel.yaml import YAML

from podroutes.errors import InventoryError, UsageError
from runbooks._session import Session, open_session

CASES = sorted((Path(__file__).parent / "inventories").glob("*.yaml"))
CONFIG = """\
inventory:
  plugin: SimpleInventory
  options: {host_file: hosts.yaml, group_file: groups.yaml, defaults_file: defaults.yaml}
runner: {plugin: interruptible_threads}
logging: {enabled: false}
"""


def write_inventory(folder: Path, case: dict[str, Any], config: str = CONFIG) -> Path:
    for name in ("hosts", "groups", "defaults"):
        if name in case:
            (folder / f"{name}.yaml").write_text(case[name], encoding="utf-8")
    path = folder / "config.yaml"
    path.write_text(config, encoding="utf-8")
    return path


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return content


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a person is in; files below it are shown relative to it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_an_inventory_is_right_or_every_problem_is_listed(path: Path, here: Path) -> None:
    case = load(path)
    config = write_inventory(here, case)
    if not case["problems"]:
        assert open_session(config, [], dry_run=True).hosts != ()
        return
    with pytest.raises(InventoryError) as raised:
        open_session(config, [], dry_run=True)
    assert [str(problem) for problem in raised.value.problems] == case["problems"]


@pytest.fixture
def valid(here: Path) -> Path:
    return write_inventory(here, load(Path(__file__).parent / "inventories" / "valid.yaml"))


@pytest.mark.parametrize(
    ("limit", "hosts", "unmanaged"),
    [
        ([], ["controller-0", "worker-0", "worker-10"], ["worker-1"]),
        (["worker-0"], ["worker-0"], []),
        (["workers"], ["worker-0", "worker-10"], ["worker-1"]),
        (["worker-1*"], ["worker-10"], ["worker-1"]),
        (["worker-?"], ["worker-0"], ["worker-1"]),
        (["worker-10", "controllers"], ["controller-0", "worker-10"], []),
        (["*"], ["controller-0", "worker-0", "worker-10"], ["worker-1"]),
    ],
)
def test_a_limit_chooses_hosts_in_the_inventorys_order(
    valid: Path, limit: list[str], hosts: list[str], unmanaged: list[str]
) -> None:
    session: Session = open_session(valid, limit, dry_run=True)
    assert (list(session.hosts), list(session.unmanaged)) == (hosts, unmanaged)
    assert sorted(session.nornir.inventory.hosts) == sorted(hosts)
    # the plan is the whole cluster's, whatever was chosen
    assert list(session.plan.nodes) == ["controller-0", "worker-0", "worker-1", "worker-10"]


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (["worker-2"], ("--limit worker-2 matches no host and no group; hosts: controller-0, worker-0, worker-1, "
         "worker-10; groups: controllers, workers")),
        (["worker-0", "WORKERS"], "--limit WORKERS matches no host and no group"),
        (["worker-1"], "none of the chosen hosts is managed (manage_routes: false): worker-1"),
    ],
)  # fmt: skip
def test_a_limit_that_leaves_nothing_is_an_error(valid: Path, limit: list[str], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_session(valid, limit, dry_run=True)
    assert str(raised.value).startswith(message)


@pytest.fixture
def existing(here: Path) -> Path:
    return write_inventory(here, load(Path(__file__).parent / "inventories" / "existing-project.yaml"))


@pytest.mark.parametrize(
    ("limit", "hosts"),
    [
        ([], ["controller-0", "worker-0", "worker-1"]),
        (["site-b"], ["controller-0", "worker-0", "worker-1"]),
        (["gpu"], ["worker-0"]),
        (["linux", "*"], ["controller-0", "worker-0", "worker-1"]),
    ],
)
def test_hosts_of_other_groups_are_left_alone(existing: Path, limit: list[str], hosts: list[str]) -> None:
    session = open_session(existing, limit, dry_run=True)
    assert (list(session.hosts), list(session.unmanaged)) == (hosts, [])
    assert list(session.plan.nodes) == ["controller-0", "worker-0", "worker-1"]
    assert list(session.nornir.inventory.hosts) == hosts


def test_a_projects_own_data_is_there_for_its_own_tasks(existing: Path) -> None:
    host = open_session(existing, ["worker-0"], dry_run=True).nornir.inventory.hosts["worker-0"]
    assert (host["site"], host["role"], host["driver"], host["ntp"]) == ("b", "compute", "nvidia", "10.0.0.2")
    assert (host["interfaces"], host["owner"]) == ([{"name": "eth0", "mtu": 9000}], {"team": "platform"})
    assert host.get_connection_parameters("pyez").port == 830


@pytest.mark.parametrize(
    ("limit", "names"),
    [
        (["switch-0"], "switch-0: not part of the cluster: switch-0"),
        (["worker-0", "ios"], "ios: not part of the cluster: switch-0, switch-1"),
        (["switch-*"], "switch-*: not part of the cluster: switch-0, switch-1"),
    ],
)
def test_a_limit_outside_the_cluster_is_wrong_usage(existing: Path, limit: list[str], names: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_session(existing, limit, dry_run=True)
    assert str(raised.value) == f"--limit {names}; its hosts are in the groups controllers, workers and openstack"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("inventory: {plugin: SimpleInventory}\nrunners: {}\n", "config.yaml: unknown keys: runners; Nornir's are "),
        ("- a\n", "config.yaml: unknown keys: no mapping; Nornir's are "),
        ("inventory: {\n", "config.yaml: line 2: did not find expected node content"),
        (CONFIG + "user_defined: {command_timeout: 0}\n", "config.yaml: user_defined.command_timeout: "),
        (CONFIG + "user_defined: {comand_timeout: 9}\n", "config.yaml: user_defined.comand_timeout: "),
        (CONFIG.replace("interruptible_threads", "nothing"), "config.yaml: "),
        (CONFIG.replace("plugin: SimpleInventory", "plugin: nothing"), "config.yaml: "),
    ],
)
def test_a_wrong_configuration_is_an_error_of_usage(here: Path, config: str, message: str) -> None:
    path = write_inventory(here, load(Path(__file__).parent / "inventories" / "valid.yaml"), config)
    with pytest.raises(UsageError) as raised:
        open_session(path, [], dry_run=True)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_a_configuration_that_is_not_there() -> None:
    with pytest.raises(
        UsageError, match=r"^nowhere\.yaml: No such file or directory; --config names Nornir's configuration$"
    ):
        open_session(Path("nowhere.yaml"), [], dry_run=True)


def test_an_inventory_file_that_is_not_there(here: Path) -> None:
    (here / "config.yaml").write_text(CONFIG)
    with pytest.raises(InventoryError) as raised:
        open_session(here / "config.yaml", [], dry_run=True)
    assert [str(problem) for problem in raised.value.problems] == ["hosts.yaml: there is no such file"]


def test_the_inventory_that_comes_with_it_is_right() -> None:
    RunnersPluginRegister.auto_register()
    root = Path(__file__).resolve().parents[3]
    session = open_session(root / "config.yaml", [], dry_run=True)
    assert [str(route.destination) for route in session.plan.pod_routes] == [f"10.200.{n}.0/24" for n in range(3)]
    assert len(session.hosts) == 6


def test_the_ssh_config_that_the_configuration_names_is_beside_it_and_has_to_be_there(valid: Path) -> None:
    valid.write_text(f"{valid.read_text()}\nssh:\n  config_file: cluster.ssh\n")
    with pytest.raises(UsageError, match=rf"ssh\.config_file: there is no file {valid.parent}/cluster\.ssh"):
        open_session(valid, [], dry_run=True)
    (valid.parent / "cluster.ssh").write_text("")
    session = open_session(valid, [], dry_run=True)
    assert session.nornir.config.ssh.config_file == str(valid.parent / "cluster.ssh")
