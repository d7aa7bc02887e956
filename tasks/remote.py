"""Running a script on the host that a task is for, whatever reaches it."""

from typing import Final, cast

from nornir.core.inventory import Host
from nornir.core.task import Task

from podroutes.script_runner import ScriptResult, ScriptRunner

SSH_CONNECTION: Final = "linux_exec"
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
        HostError: The host can't be reached, refuses, or does not answer in time.
    """
    connection = cast("ScriptRunner", task.host.get_connection(connection_name(task.host), task.nornir.config))
    timeout = task.nornir.config.user_defined.get("command_timeout", DEFAULT_COMMAND_TIMEOUT)
    return connection.run_script(script, timeout=float(timeout), public=public)
