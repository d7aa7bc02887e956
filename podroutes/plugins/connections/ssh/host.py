"""A host that scripts run on over SSH."""

import logging
import math
import time

from podroutes.errors import PrivilegeError, RemoteCommandError, UnreachableError
from podroutes.plugins.connections import wrapping
from podroutes.plugins.connections.ssh import loop
from podroutes.plugins.connections.ssh.channel import execute
from podroutes.plugins.connections.ssh.connect import Connection, connect
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.connections.ssh.sudo_password import sudo_password
from podroutes.plugins.connections.ssh.target import resolve_target
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
        library = logging.getLogger("asyncssh")
        if library.level == logging.NOTSET:
            # It logs each command and each failure, which are ours to tell.
            library.setLevel(logging.CRITICAL)
        self.host = parameters.host
        self.target = resolve_target(parameters)
        self._sudo = parameters.settings.sudo and self.target.username != "root"
        self._password = sudo_password(parameters.settings) if self._sudo else None
        self._connection: Connection | None = loop.run(connect(self.target))
        # Others have limits of their own, down to 1 KB.
        self._takes_long_commands = "OpenSSH" in self._connection.ssh.get_extra_info("server_version", "")

    def run_script(self, script: str, *, timeout: float, public: bool = False) -> ScriptResult:
        """Run a POSIX shell script as root, as `podroutes.script_runner.ScriptRunner.run_script`.

        Nothing of it runs before all of it has arrived; the host ends it about a second after its time.

        Raises:
            ValueError: The timeout is not a positive number.
            RemoteCommandError: It ended without an exit status, or the host let no command run.
        """
        if not (math.isfinite(timeout) and timeout > 0):
            message = f"timeout must be a positive number of seconds, not {timeout}"
            raise ValueError(message)
        connection = self._connection
        if connection is None or connection.ssh.is_closed():
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
        given = self._password is not None
        request = wrapping.request(script, marker, sudo=self._sudo, password=given, public=public, seconds=timeout)
        result = loop.run(execute(connection.ssh, request, self._password, timeout, self.host))
        output = wrapping.unwrap(result.stdout, result.stderr, marker)
        if output.started:
            return ScriptResult(result.status, output.stdout, output.stderr)
        error = wrapping.explain_not_started(
            self.host, self.target.username, result.status, output, sudo=self._sudo, password=given
        )
        raise error if isinstance(error, PrivilegeError) else _NotStartedError(str(error))

    def is_alive(self) -> bool:
        """Whether the connection is open."""
        return self._connection is not None and not self._connection.ssh.is_closed()

    def close(self) -> None:
        """Close the connection; never raises, never waits for the host."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                loop.run(connection.close())
        except Exception:  # closing is the last thing done with a host, and no reason to fail it
            logger.debug("closing the connection to %s failed", self.host, exc_info=True)
