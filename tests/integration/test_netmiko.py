"""Hosts that are reached over nornir-netmiko's connection, by our scripts and by its own tasks."""

import os
import time
from pathlib import Path

import pytest
from nornir.core import Nornir
from nornir.core.inventory import ConnectionOptions, Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.task import Result, Task
from nornir_netmiko.tasks import netmiko_send_command

from podroutes.errors import AuthenticationError, RemoteCommandError, RemoteTimeoutError, UnreachableError
from podroutes.plugins.runners.interruptible_threads import InterruptibleThreads
from podroutes.script_runner import ScriptResult
from tasks.remote import run_script
from tests.integration import ssh_site
from tests.integration.ssh_server import ssh_keygen
from tests.integration.ssh_site import Site

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starts sshd, which needs root")

# As pytest finds them.
folder, key, own, clean = ssh_site.folder, ssh_site.key, ssh_site.own, ssh_site.clean
# As inventory/groups.yaml has them.
OPTIONS = {"ssh_strict": True, "system_host_keys": True, "use_keys": True}


def nornir_of(site: Site, user: str = "admin", *, timeout: float = 20, **extras: object) -> Nornir:
    """One host; `~/.ssh/known_hosts` knows its key, and the client's own key is its user's."""
    ConnectionPluginRegister.deregister_all()  # another test's
    ConnectionPluginRegister.auto_register()
    home = Path(os.environ["HOME"])
    (home / ".ssh").mkdir(exist_ok=True)
    (home / ".ssh/known_hosts").write_text(site.server.known_hosts_line())
    options = {"netmiko": ConnectionOptions(platform="linux", extras=OPTIONS | {"key_file": str(site.key)} | extras)}
    host = Host("h", hostname="127.0.0.1", port=site.server.port, username=user, connection_options=options)
    host.data["connection"] = "netmiko"
    config = site.config()
    config.user_defined["command_timeout"] = timeout
    inventory = Inventory(Hosts({"h": host}), Groups(), Defaults())
    return Nornir(inventory, config=config, runner=InterruptibleThreads(1))


def scripted(nornir: Nornir, *scripts: str, public: bool = False) -> object:
    """What the last of some scripts leaves behind, or what went wrong."""

    def task(task: Task) -> Result:
        results = [run_script(task, script, public=public) for script in scripts]
        return Result(task.host, result=results[-1])

    result = nornir.run(task)["h"][0]
    return result.exception or result.result


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("user", ["root", "admin"])
def test_a_script_has_its_status_and_both_outputs(own: Site, user: str, public: bool) -> None:
    noise = "yes 0123456789abcde | head -c 2000000"
    script = f"id -u; echo wrong >&2; {noise}; {noise} >&2; cat; exit 3"
    result = scripted(nornir_of(own, user), "true", script, public=public)
    assert isinstance(result, ScriptResult)
    assert (result.status, len(result.stdout), len(result.stderr)) == (3, 2_000_002, 2_000_006)
    assert result.stdout.startswith("0\n")
    assert own.server.connections() == 1


def test_a_long_script_is_sent_whole(own: Site) -> None:
    script = "".join(f"# {number:060}\n" for number in range(8000)) + "echo end"
    assert scripted(nornir_of(own), script) == ScriptResult(0, "end\n", "")


def test_the_time_is_limited(own: Site) -> None:
    began = time.monotonic()
    error = scripted(nornir_of(own, timeout=0.5), "sleep 20")
    assert isinstance(error, RemoteTimeoutError)
    assert str(error) == "h: the command did not end within 0.5 s"
    assert time.monotonic() - began < 15


def test_a_script_that_is_killed_has_not_succeeded(own: Site) -> None:
    error = scripted(nornir_of(own, "root"), "kill -9 $$")
    assert isinstance(error, RemoteCommandError)
    assert "ended by a signal" in str(error)


def test_a_host_with_one_session_is_told(own: Site) -> None:
    own.server.stop()
    own.server.config = "MaxSessions 1\n"
    own.server.start()
    error = scripted(nornir_of(own), "true")
    assert isinstance(error, RemoteCommandError)
    assert str(error).startswith("h: the host takes no second channel beside Netmiko's shell")


def test_what_netmiko_cannot_connect_to_is_one_line_and_unreachable(own: Site, tmp_path: Path) -> None:
    refused = scripted(nornir_of(own, key_file=str(ssh_keygen(tmp_path / "wrong"))), "true")
    assert type(refused) is AuthenticationError
    nornir = nornir_of(own)
    Path(os.environ["HOME"], ".ssh/known_hosts").write_text("")
    unknown = scripted(nornir, "true")
    own.server.stop()
    down = scripted(nornir_of(own), "true")
    for error in (refused, unknown, down):
        assert isinstance(error, UnreachableError)
        assert str(error).startswith("h: ")
        assert "\n" not in str(error)


def test_nornir_netmikos_own_task_runs_with_its_stock_driver(own: Site) -> None:
    result = nornir_of(own).run(netmiko_send_command, command_string="id -un; echo said >&2")
    assert (result["h"][0].failed, result["h"][0].result.strip()) == (False, "admin\nsaid")
