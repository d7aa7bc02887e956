"""What has to be right before anything is connected to, and what a start imports."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nornir.core import Nornir
from nornir.core.configuration import Config, SSHConfig
from nornir.core.inventory import ConnectionOptions, Defaults, Group, Groups, Host, Hosts, Inventory

from podroutes.errors import UsageError
from podroutes.plugins.runners.interruptible_threads import InterruptibleThreads
from runbooks._connecting import check_connections, resolve_paths


def options(**extras: object) -> dict[str, ConnectionOptions]:
    return {"linux_exec": ConnectionOptions(extras=extras)}


def nornir_of(tmp_path: Path, *hosts: Host, config: str = "User kim\n") -> Nornir:
    (tmp_path / "ssh_config").write_text(config)
    inventory = Inventory(Hosts({host.name: host for host in hosts}), Groups(), Defaults())
    ssh = SSHConfig(config_file=str(tmp_path / "ssh_config"))
    return Nornir(inventory, config=Config(ssh=ssh), runner=InterruptibleThreads(1))


def host(number: int, **arguments: Any) -> Host:  # noqa: ANN401  # Nornir's own
    return Host(f"h{number}", hostname=f"10.240.0.{number}", **arguments)


def test_paths_are_relative_to_the_file_that_they_stand_in() -> None:
    inventory = Inventory(
        Hosts({"h": Host("h", connection_options=options(key_file="k", conn_timeout=3))}),
        Groups({"g": Group("g", connection_options=options(alt_key_file="../known", key_file=None))}),
        Defaults(
            connection_options={
                "linux_exec": ConnectionOptions(extras={"ssh_config_file": "/etc/x", "sudo_password_file": "~/p"}),
                "netmiko": ConnectionOptions(extras={"key_file": "k"}),
                "lxd": ConnectionOptions(extras={"key_file": "k"}),
                "openstack": ConnectionOptions(),
            }
        ),
    )
    resolve_paths(inventory, hosts=Path("/a"), groups=Path("/b"), defaults=Path("/c"))
    assert inventory.hosts["h"].connection_options["linux_exec"].extras == {"key_file": "/a/k", "conn_timeout": 3}
    assert inventory.groups["g"].connection_options["linux_exec"].extras == {
        "alt_key_file": "/b/../known",
        "key_file": None,
    }
    ours = inventory.defaults.connection_options
    assert ours["linux_exec"].extras == {
        "ssh_config_file": "/etc/x",
        "sudo_password_file": str(Path("~/p").expanduser()),
    }
    assert ours["netmiko"].extras == {"key_file": "/c/k"}
    assert ours["lxd"].extras == {"key_file": "k"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"connection_options": options(key_file="/nonexistent/key")}, "key_file: there is no file /nonexistent/key"),
        ({"connection_options": options(ssh_config_file="/nonexistent/c")}, "there is no ssh_config /nonexistent/c"),
        ({"platform": "cisco_ios"}, "platform 'cisco_ios' cannot be reached by linux_exec"),
        ({"connection_options": options(sudo_password_command="exit 3")}, "sudo_password_command failed"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_touched(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    nornir = nornir_of(tmp_path, host(1), host(2, **wrong))
    with pytest.raises(UsageError) as caught:
        check_connections(nornir, ["h1", "h2"])
    assert said in str(caught.value)
    # Nobody connects to it, or not over SSH.
    check_connections(nornir, ["h1"])
    nornir.inventory.hosts["h2"].data["connection"] = "lxd"
    check_connections(nornir, ["h1", "h2"])


def test_an_ssh_config_that_ssh_refuses_is_said_with_its_line(tmp_path: Path) -> None:
    nornir = nornir_of(tmp_path, host(1), config="User kim\nMatch nonsense x\n User me\n")
    with pytest.raises(UsageError, match=rf"10\.240\.0\.1: {tmp_path}/ssh_config line 2: Bad Match condition"):
        check_connections(nornir, ["h1"])


def test_root_needs_no_password(tmp_path: Path) -> None:
    nornir = nornir_of(tmp_path, host(1, username="root", connection_options=options(sudo_password_command="exit 3")))
    check_connections(nornir, ["h1"])


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("runbooks._session", ("asyncssh", "paramiko", "rich", "netmiko", "openstack")),
        ("runbooks._check, podroutes.plugins.connections.linux_exec", ("paramiko", "netmiko", "openstack", "jinja2")),
        ("runbooks._change, podroutes.plugins.connections.linux_exec", ("paramiko", "netmiko", "openstack")),
        ("runbooks.drift_check", ("asyncssh", "paramiko", "nornir", "tempfile")),
    ],
)
def test_nothing_is_imported_before_it_is_needed(modules: str, absent: tuple[str, ...]) -> None:
    program = f"import sys, {modules}; print([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
