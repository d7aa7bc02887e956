"""Running a script on the host that a task is for, whatever reaches it."""

from typing import Final, cast

from nornir.core.configuration import Config
from nornir.core.inventory import Host
from nornir.core.task import Task

from podroutes.errors import AuthenticationError, UnreachableError, UsageError
from podroutes.script_runner import ScriptResult, ScriptRunner

SSH_CONNECTION: Final = "linux_exec"
NETMIKO_CONNECTION: Final = "netmiko"
DEFAULT_COMMAND_TIMEOUT: Final = 60.0


def connection_name(host: Host) -> str:
    """The connection plugin that reaches a host: its `connection` in the inventory, SSH where it names none."""
    name: str = host.get("connection", SSH_CONNECTION)
    return name


def run_script(task: Task, script: str, *, public: bool = False) -> ScriptResult:
    """Run a script as root on the task's host, over the one connection that the host has.

    The time limit is `command_timeout`, in seconds, of `user_defined` in Nornir's configuration.

    Args:
        task: Nornir's.
        script: The text of a POSIX shell script.
        public: Whether the host's process list may show it, which can save a round trip: not if it holds a secret.

    Raises:
        UsageError: What the connection plugin gives runs no scripts.
        HostError: The host can't be reached, refuses, or does not answer in time.
    """
    timeout = task.nornir.config.user_defined.get("command_timeout", DEFAULT_COMMAND_TIMEOUT)
    return _runner(task.host, task.nornir.config).run_script(script, timeout=float(timeout), public=public)


def _runner(host: Host, config: Config) -> ScriptRunner:
    name = connection_name(host)
    if name != NETMIKO_CONNECTION:
        connection = host.get_connection(name, config)
        if not hasattr(connection, "run_script"):
            message = f"{host.name}: connection plugin {name} runs no scripts: its connection has no run_script"
            raise UsageError(message)
        return cast("ScriptRunner", connection)
    # Netmiko has a driver for every vendor, a tenth of a second to import.
    from netmiko.exceptions import NetmikoAuthenticationException, NetmikoBaseException  # noqa: PLC0415
    from paramiko import SSHException  # noqa: PLC0415

    from podroutes.plugins.connections.netmiko_scripts import NetmikoHost  # noqa: PLC0415

    try:
        return NetmikoHost(host.name, host.get_connection(name, config))
    except ValueError as error:
        message = f"{host.name}: connection_options.netmiko: {' '.join(str(error).split())}"
        raise UsageError(message) from error
    except (NetmikoBaseException, SSHException, OSError) as error:
        kind = AuthenticationError if isinstance(error, NetmikoAuthenticationException) else UnreachableError
        message = f"{host.name}: {' '.join(str(error).split())}"
        raise kind(message) from error
