"""Which hosts are connected to before a task asks, and what a start imports."""

import subprocess
import sys
from typing import Any

import pytest
from nornir.core import Nornir
from nornir.core.configuration import Config, SSHConfig
from nornir.core.inventory import ConnectionOptions, Defaults, Groups, Host, Hosts, Inventory

from podroutes.plugins.connections.ssh import ahead
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.runners.interruptible_threads import InterruptibleThreads
from runbooks._connecting import begun_connections


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    noted: list[str] = []

    def begin(parameters: SshParameters) -> None:
        noted.append(f"{parameters.host} {parameters.config_file} {parameters.settings.key_file}")

    monkeypatch.setattr(ahead, "begin", begin)
    monkeypatch.setattr(ahead, "abandon", lambda: noted.append("abandoned"))
    return noted


def nornir_of(*hosts: Host, workers: int = 50) -> Nornir:
    inventory = Inventory(Hosts({host.name: host for host in hosts}), Groups(), Defaults())
    return Nornir(inventory, config=Config(ssh=SSHConfig(config_file="/c")), runner=InterruptibleThreads(workers))


def host(number: int, **arguments: Any) -> Host:  # noqa: ANN401  # Nornir's own
    return Host(f"h{number}", hostname=f"10.240.0.{number}", **arguments)


def test_the_hosts_that_the_runner_takes_first(events: list[str]) -> None:
    options = {"linux_exec": ConnectionOptions(extras={"key_file": "/k"})}
    nornir = nornir_of(host(1, connection_options=options), host(2), host(3), workers=2)
    with begun_connections(nornir, ["h1", "h2", "h3"]):
        assert events == ["10.240.0.1 /c /k", "10.240.0.2 /c None"]
    assert events[2:] == ["abandoned"]


def test_no_cloud_no_instance_of_lxd_and_nothing_that_is_wrong(events: list[str]) -> None:
    nornir = nornir_of(
        host(1),
        host(2, data={"connection": "lxd"}),
        host(3, platform="cisco_ios"),
        host(4, connection_options={"linux_exec": ConnectionOptions(extras={"nonsense": 1})}),
        Host("cloud"),
        host(5),
    )
    with begun_connections(nornir, ["h1", "h2", "h3", "h4", "h5"]):
        assert events == ["10.240.0.1 /c None", "10.240.0.5 /c None"]


def test_a_run_that_fails_leaves_no_connection(events: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), begun_connections(nornir_of(host(1)), ["h1"]):
        raise KeyboardInterrupt
    assert events[-1] == "abandoned"


def test_without_hosts_over_ssh_there_is_nothing_to_do(events: list[str]) -> None:
    with begun_connections(nornir_of(host(1, data={"connection": "lxd"})), ["h1"]):
        pass
    assert events == []


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("runbooks._session", ("paramiko", "rich", "netmiko", "openstack")),
        ("runbooks._check, podroutes.plugins.connections.linux_exec", ("rich", "netmiko", "openstack", "jinja2")),
        ("runbooks._change, podroutes.plugins.connections.linux_exec", ("rich", "netmiko", "openstack")),
        ("runbooks.drift_check", ("paramiko", "nornir", "tempfile")),
    ],
)
def test_nothing_is_imported_before_it_is_needed(modules: str, absent: tuple[str, ...]) -> None:
    program = f"import sys, {modules}; print([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
