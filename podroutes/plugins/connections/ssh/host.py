"""A host that scripts run on over SSH."""

import logging
import math
import time

from podroutes.errors import PrivilegeError, RemoteCommandError, RemoteTimeoutError, UnreachableError
from podroutes.plugins.connections.ssh import channel, wrapping
from podroutes.plugins.connections.ssh.ahead import open_connection
from podroutes.plugins.connections.ssh.connect import Connection
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.script_runner import ScriptResult

logger = logging.getLogger(__name__)


class _NotStartedError(RemoteCommandError):
    """The login shell did not run anything of the command."""


class SshHost:
    """A connected host; satisfies `podroutes.script_runner.ScriptRunner`.

    Args:
        parameters: How to reach it.

    Attributes:
        host: The inventory's name or address of it.
        target: What the inventory and ssh_config together say of it.

    Raises:
        UsageError: The ssh_config is wrong.
        UnreachableError: No connection could be made.
    """

    def __init__(self, parameters: SshParameters) -> None:
        opened = open_connection(parameters)
        self.host = parameters.host
        self.target = opened.target
        self._connection: Connection | None = opened.connection
        # Others have limits of their own, down to 1 KB.
        self._takes_long_commands = "OpenSSH" in opened.connection.transport.remote_version
        self._sudo = parameters.settings.sudo and opened.connection.username != "root"

    def run_script(self, script: str, *, timeout: float, public: bool = False) -> ScriptResult:
        """Run a POSIX shell script as root.

        Args:
            script: The text of the script; nothing of it runs before all of it has arrived.
            timeout: Seconds until the whole of it must have ended.
            public: Whether the host's process list may show the script, which saves a round trip.

        Returns:
            Exit status and output, also where the status is not 0.

        Raises:
            ValueError: The timeout is not a positive number.
            UnreachableError: The connection broke; whether the script ended is not known.
            PrivilegeError: The user may not become root without a password; the script did not start.
            RemoteTimeoutError: It did not end in time.
            RemoteCommandError: It ended without an exit status, or the host let no command run.
        """
        if not (math.isfinite(timeout) and timeout > 0):
            message = f"timeout must be a positive number of seconds, not {timeout}"
            raise ValueError(message)
        connection = self._connection
        if connection is None or not connection.transport.is_active():
            message = f"{self.host}: the connection is closed"
            raise UnreachableError(message)
        if public and self._takes_long_commands:
            deadline = time.monotonic() + timeout
            try:
                return self._run(connection, script, timeout, public=True)
            except _NotStartedError:
                # A login shell that is like no other; its input may do, and nothing has run.
                self._takes_long_commands = False
                timeout = max(0.001, deadline - time.monotonic())
        return self._run(connection, script, timeout, public=False)

    def _run(self, connection: Connection, script: str, timeout: float, *, public: bool) -> ScriptResult:
        marker = wrapping.new_marker()
        request = wrapping.request(script, marker, sudo=self._sudo, public=public)
        result = self._execute(connection, request, timeout)
        output = wrapping.unwrap(result.stdout, result.stderr, marker)
        if output.started:
            return ScriptResult(result.status, output.stdout, output.stderr)
        error = wrapping.explain_not_started(self.host, connection.username, result.status, output, sudo=self._sudo)
        raise error if isinstance(error, PrivilegeError) else _NotStartedError(str(error))

    def _execute(self, connection: Connection, request: wrapping.Request, timeout: float) -> channel.ExecResult:
        try:
            return channel.execute(connection.transport, request.command, request.stdin, timeout)
        except channel.ExecTimeoutError as error:
            message = f"{self.host}: the command did not end within {timeout:.1f} s"
            raise RemoteTimeoutError(message) from error
        except (channel.ExecBrokenError, OSError, EOFError) as error:
            reason = connection.transport.disconnect_reason
            message = f"{self.host}: the connection broke while a command ran{f' ({reason})' if reason else ''}"
            raise UnreachableError(message) from error
        except channel.ExecRefusedError as error:
            message = f"{self.host}: user {connection.username} is not allowed to run commands over SSH"
            raise RemoteCommandError(message) from error
        except channel.ExecKilledError as error:
            message = f"{self.host}: the command was ended by a signal; it has no exit status"
            raise RemoteCommandError(message) from error
        except channel.ExecTooMuchOutputError as error:
            message = f"{self.host}: the command printed more than {channel.MAX_OUTPUT_BYTES >> 20} MiB"
            raise RemoteCommandError(message) from error

    def is_alive(self) -> bool:
        """Whether the connection is open."""
        return self._connection is not None and self._connection.transport.is_active()

    def close(self) -> None:
        """Close the connection; never raises, never waits for the host."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.close()
        except Exception:  # closing is the last thing done with a host, and no reason to fail it
            logger.debug("closing the connection to %s failed", self.host, exc_info=True)
