"""Nornir's connection to instances of LXD or Incus, through the daemon: no SSH, no address, no user."""

import math
import secrets
from typing import TYPE_CHECKING, Any, Final

from nornir.core.configuration import Config

from podroutes.errors import HostError, RemoteCommandError, UnreachableError, UsageError
from podroutes.plugins.connections.wrapping import last_line, new_marker, unwrap, wrap
from podroutes.script_runner import ScriptResult

if TYPE_CHECKING:
    from podroutes.plugins.lxd.client import ApiError, LxdClient

# The file is gone before the script starts, however that ends; `timeout` ends what nobody waits for any more. The exit
# status goes another way, since LXD takes 126 and 127 for a command that could not be started.
_LAUNCH: Final = """
exec <"$0" && rm -f -- "$0" || exit
export LC_ALL=C
if command -v timeout >/dev/null; then timeout "$1" /bin/sh -s; else /bin/sh -s; fi
printf '%s %s' "$2" "$?" >&2
"""
_ADVICE: Final = {"Stopped": "start", "Frozen": "unfreeze"}


class Lxd:
    """Connection plugin `lxd`; `connection` is a `LxdInstance`.

    Inventory:
        hostname: The instance's name.
        connection_options.lxd.extras: See `podroutes.plugins.lxd.settings.LxdSettings`.
    """

    connection: "LxdInstance"

    def open(  # noqa: PLR0917  # Nornir's signature
        self,
        hostname: str | None,
        username: str | None,
        password: str | None,
        port: int | None,
        platform: str | None,
        extras: dict[str, Any] | None = None,
        configuration: Config | None = None,
    ) -> None:
        """Find the instance and see that it runs.

        Raises:
            UsageError: The settings or lxc's own configuration can't be used.
            UnreachableError: The daemon does not answer, or there is no such instance, or it does not run.
        """
        # Nornir loads every plugin that is installed; only a run with such hosts is to pay for the libraries.
        from podroutes.plugins.lxd.client import LxdClient  # noqa: PLC0415
        from podroutes.plugins.lxd.remotes import find_remote  # noqa: PLC0415
        from podroutes.plugins.lxd.settings import LxdSettings, parse_options  # noqa: PLC0415

        if not hostname:
            message = "a host has no hostname: write the instance's name under 'hostname' in the inventory"
            raise UsageError(message)
        settings = parse_options(LxdSettings, extras or {}, f"{hostname}: connection_options.lxd.extras")
        client = LxdClient(find_remote(settings), settings.conn_timeout)
        try:
            self.connection = LxdInstance(hostname, client)
            self.connection.check()
        except BaseException:
            client.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class LxdInstance:
    """An instance that scripts run in; satisfies `podroutes.script_runner.ScriptRunner`.

    Args:
        name: The instance's name.
        client: To its daemon.
    """

    def __init__(self, name: str, client: "LxdClient") -> None:
        self.name = name
        self._client = client

    def check(self) -> None:
        """See that the instance is there and runs.

        Raises:
            UnreachableError: It does not, or the daemon does not answer.
        """
        from podroutes.plugins.lxd.client import RUNNING, ApiError  # noqa: PLC0415  # see above

        remote = self._client.remote
        try:
            status = self._client.status(self.name)
        except ApiError as error:
            raise UnreachableError(f"{self.name}: {remote.label}: {error}") from error
        except HostError as error:
            raise type(error)(f"{self.name}: {error}") from error
        if status != RUNNING:
            advice = _ADVICE.get(status)
            where = "" if remote.name == "local" else f"{remote.name}:"
            hint = f"; `{remote.program} {advice} {where}{self.name}` starts it" if advice else ""
            raise UnreachableError(f"{self.name}: the instance is {status.lower() or 'in no known state'}{hint}")

    def run_script(self, script: str, *, timeout: float, public: bool = False) -> ScriptResult:
        """Run a POSIX shell script as root, as `podroutes.script_runner.ScriptRunner` says.

        Raises:
            ValueError: The timeout is not a positive number.
            UnreachableError: The instance or the daemon went away; whether the script ended is not known.
            RemoteTimeoutError: It did not end in time.
            RemoteCommandError: It could not be started, or ended without an exit status.
        """
        from podroutes.plugins.lxd.client import ApiError  # noqa: PLC0415  # see above

        if not (math.isfinite(timeout) and timeout > 0):
            message = f"timeout must be a positive number of seconds, not {timeout}"
            raise ValueError(message)
        marker, end = new_marker(), new_marker()
        path = f"/run/pod-routes-{secrets.token_hex(8)}.sh"
        argv = ["/bin/sh", "-c", _LAUNCH, path, str(math.ceil(timeout) + 1), end]
        try:
            self._client.push_file(self.name, path, wrap(script, marker), mode=0o600)
            result = self._client.execute(self.name, argv, timeout=timeout)
        except ApiError as error:
            raise self._explain(error) from error
        except HostError as error:
            raise type(error)(f"{self.name}: {error}") from error
        stderr, ended, status = result.stderr.rpartition(f"{end} ".encode())
        output = unwrap(result.stdout, stderr if ended else result.stderr, marker)
        if not output.started:
            said = last_line(output.stderr) or last_line(output.stdout) or "it said nothing"
            message = f"{self.name}: /bin/sh did not start (exit status {result.status}): {said}"
            raise RemoteCommandError(message)
        if not status.isdigit():
            message = f"{self.name}: the command was ended before it had an exit status"
            raise RemoteCommandError(message)
        return ScriptResult(int(status), output.stdout, output.stderr)

    def close(self) -> None:
        """Close the connection; never raises."""
        self._client.close()

    def _explain(self, error: "ApiError") -> HostError:
        """What a refusal means: the same status stands for many things, the instance's state does not."""
        try:
            self.check()
        except UnreachableError as unreachable:
            return unreachable
        return RemoteCommandError(f"{self.name}: {error}")
