"""Running a script on the host that a task is for, whatever reaches it."""

from typing import Final, cast

from nornir.core.task import Task

from podroutes.transport import ScriptResult, ScriptRunner

DEFAULT_CONNECTION: Final = "linux_exec"
DEFAULT_COMMAND_TIMEOUT: Final = 60.0


def run_script(task: Task, script: str) -> ScriptResult:
    """Run a script as root on the task's host, over the one connection that the host has.

    The connection plugin is the host's `connection` in the inventory, SSH where it names none; the time limit is
    `command_timeout`, in seconds, of `user_defined` in Nornir's configuration.

    Raises:
        HostError: The host can't be reached, refuses, or does not answer in time.
    """
    name = task.host.get("connection", DEFAULT_CONNECTION)
    connection = cast("ScriptRunner", task.host.get_connection(name, task.nornir.config))
    timeout = task.nornir.config.user_defined.get("command_timeout", DEFAULT_COMMAND_TIMEOUT)
    return connection.run_script(script, timeout=float(timeout))
