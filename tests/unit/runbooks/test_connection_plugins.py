import subprocess
import sys
from pathlib import Path

import pytest
from nornir.core.plugins.connections import ConnectionPluginRegister

from podroutes.errors import InventoryError
from podroutes.plugins.connections.openstack import OpenStackExtras
from podroutes.plugins.connections.ssh.settings import SshExtras
from podroutes.plugins.lxd.settings import LxdSettings
from runbooks._connection_plugins import InstalledPlugins
from runbooks._session import open_session
from tasks.outcome import outcome_of
from tasks.show import read_any

PACKAGE = """
from msgspec import Struct

class Extras(Struct, forbid_unknown_fields=True):
    room: int = 0

class Courier:
    def open(self, hostname, username, password, port, platform, extras=None, configuration=None):
        self.connection = CONNECTION

    def close(self):
        pass

class Runner:
    def run_script(self, script, *, timeout, public=False):
        raise RuntimeError("the courier got the script")

CONNECTION = Runner()
"""
ENTRY_POINTS = """
[nornir.plugins.connections]
courier = courier:Courier
[podroutes.connection_extras]
courier = courier:Extras
"""
HOSTS = """
worker-0:
  hostname: 10.240.0.20
  groups: [workers]
  connection_options: {{courier: {{extras: {extras}}}}}
  data: {{pod_index: 0, connection: courier}}
"""
DEFAULTS = "data: {cluster_cidr: 10.200.0.0/16, node_network: 10.240.0.0/24}\n"
CONFIG = "runner: {plugin: serial}\nlogging: {enabled: false}\n"


@pytest.fixture
def courier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of somebody else's with a connection plugin."""
    information = tmp_path / "courier-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: courier\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "courier.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(ConnectionPluginRegister, "available", dict(ConnectionPluginRegister.available))
    monkeypatch.delitem(sys.modules, "courier", raising=False)
    return tmp_path


def config(folder: Path, extras: str) -> Path:
    files = {"hosts": HOSTS.format(extras=extras), "groups": "workers: {}\n", "defaults": DEFAULTS, "config": CONFIG}
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / "config.yaml"


def test_our_own_plugins_and_nornir_netmikos_are_there() -> None:
    assert {"linux_exec", "lxd", "openstack", "netmiko"} <= set(InstalledPlugins().names())


def test_the_extras_of_our_own_are_typed() -> None:
    kinds = {name: InstalledPlugins().extras(name) for name in ("linux_exec", "lxd", "openstack", "netmiko")}
    assert kinds == {"linux_exec": SshExtras, "lxd": LxdSettings, "openstack": OpenStackExtras, "netmiko": None}


def test_another_packages_plugin_reaches_hosts(courier: Path) -> None:
    session = open_session(config(courier, "{room: 7}"), [], dry_run=True)
    result = session.nornir.run(read_any, plan=session.plan)["worker-0"]
    assert "the courier got the script" in outcome_of("worker-0", result).reason


def test_and_says_what_may_stand_below_its_extras(courier: Path) -> None:
    with pytest.raises(InventoryError) as raised:
        open_session(config(courier, "{room: cellar}"), [], dry_run=True)
    assert [(problem.key, problem.message) for problem in raised.value.problems] == [
        ("connection_options.courier.extras.room", "must be a whole number, without quotes")
    ]


def test_a_connection_that_no_plugin_makes_is_named(courier: Path) -> None:
    path = config(courier, "{}")
    hosts = courier / "hosts.yaml"
    hosts.write_text(hosts.read_text().replace("connection: courier", "connection: currier"))
    with pytest.raises(InventoryError) as raised:
        open_session(path, [], dry_run=True)
    assert [(problem.key, problem.message) for problem in raised.value.problems] == [
        ("data.connection", "there is no such connection plugin; did you mean courier?")
    ]


def test_a_plugin_that_is_only_registered_is_known() -> None:
    ConnectionPluginRegister.register("registered", object)  # type: ignore[arg-type]  # never opened
    try:
        assert "registered" in InstalledPlugins().names()
        assert InstalledPlugins().extras("registered") is None
    finally:
        ConnectionPluginRegister.deregister("registered")


def test_a_connection_that_runs_no_scripts_is_named(courier: Path) -> None:
    (courier / "courier.py").write_text(PACKAGE.replace("CONNECTION = Runner()", "CONNECTION = object()"))
    session = open_session(config(courier, "{}"), [], dry_run=True)
    result = session.nornir.run(read_any, plan=session.plan)["worker-0"]
    assert outcome_of("worker-0", result).reason == (
        "worker-0: connection plugin courier runs no scripts: its connection has no run_script"
    )


def test_what_no_inventory_names_is_not_imported() -> None:
    program = "import sys; from runbooks._connection_plugins import InstalledPlugins as I; I().names(); I().extras('x')"
    program += (
        "; print([name for name in ('asyncssh', 'paramiko', 'openstack', 'httpx', 'netmiko') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
