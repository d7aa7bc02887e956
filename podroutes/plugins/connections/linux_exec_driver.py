"""A Netmiko driver for Linux hosts without an interactive shell."""

import logging
import math
import threading
from typing import Any

from netmiko.linux.linux_ssh import LinuxSSH
from netmiko.ssh_dispatcher import CLASS_MAPPER, platforms

from podroutes.errors import RemoteCommandError, RemoteTimeoutError, UnreachableError
from podroutes.plugins.connections.ssh import channel, wrapping
from podroutes.plugins.connections.ssh.ahead import open_connection
from podroutes.plugins.connections.ssh.connect import Connection
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.connections.ssh.settings import parse_settings
from podroutes.transport import ScriptResult

DEVICE_TYPE = "linux_exec"
logger = logging.getLogger(__name__)
_registering = threading.Lock()


class LinuxExecSSH(LinuxSSH):
    """A host that scripts run on; satisfies `podroutes.transport.ScriptRunner`.

    Args:
        host: The inventory's host name or address.
        username: The inventory's user; ssh_config's, else the local one, where None.
        password: Tried after the keys; none where None.
        port: The inventory's port; ssh_config's, else 22, where None.
        device_type: Netmiko's name of this driver.
        ssh_config_file: Path of the ssh_config.
        **extras: See `podroutes.plugins.connections.ssh.settings.SshSettings`.

    Raises:
        UsageError: A setting or the ssh_config is wrong.
        UnreachableError: No connection could be made.
    """

    def __init__(  # noqa: PLR0917  # Netmiko's signature
        self,
        host: str = "",
        username: str | None = None,
        password: str | None = None,
        port: int | None = None,
        device_type: str = DEVICE_TYPE,
        ssh_config_file: str | None = None,
        **extras: Any,  # noqa: ANN401  # whatever the inventory holds; parsed at once
    ) -> None:
        self._settings = parse_settings(extras)
        parameters = SshParameters(host, username, password, port, ssh_config_file, self._settings)
        opened = open_connection(parameters)
        self._connection: Connection | None = opened.connection
        super().__init__(
            host=host,
            username=opened.target.username,
            password=password,
            port=opened.target.port,
            device_type=device_type,
            conn_timeout=opened.target.connect_timeout,
            banner_timeout=self._settings.banner_timeout,
            auth_timeout=self._settings.auth_timeout,
            ssh_strict=self._settings.ssh_strict,
            system_host_keys=self._settings.system_host_keys,
            allow_agent=self._settings.allow_agent,
            # There is no shell to start, and no session to prepare: no prompt, no paging, no terminal width.
            auto_connect=False,
        )

    def run_script(self, script: str, *, timeout: float) -> ScriptResult:
        """Run a POSIX shell script as root.

        Args:
            script: The text of the script; nothing of it runs before all of it has arrived.
            timeout: Seconds until the whole of it must have ended.

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
        sudo = self._settings.sudo and connection.username != "root"
        marker = wrapping.new_marker()
        command = wrapping.WITH_SUDO if sudo else wrapping.AS_ROOT
        result = self._execute(connection, command, wrapping.wrap(script, marker), timeout)
        output = wrapping.unwrap(result.stdout, result.stderr, marker)
        if not output.started:
            raise wrapping.explain_not_started(self.host, connection.username, result.status, output, sudo=sudo)
        return ScriptResult(result.status, output.stdout, output.stderr)

    def _execute(self, connection: Connection, command: str, stdin: bytes, timeout: float) -> channel.ExecResult:
        try:
            return channel.execute(connection.transport, command, stdin, timeout)
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

    def disconnect(self) -> None:
        """Close the connection; never raises, never waits for the host."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.close()
        except Exception:  # closing is the last thing done with a host, and no reason to fail it
            logger.debug("closing the connection to %s failed", self.host, exc_info=True)
        # Leaves Netmiko's own books (its log filter) in order; there is no channel to say goodbye on.
        self.remote_conn_pre = None
        super().disconnect()

    def cleanup(self, command: str = "exit") -> None:
        """There is no shell to leave."""

    def paramiko_cleanup(self) -> None:
        """Nothing is left to close."""

    def write_channel(self, out_data: str) -> None:
        """There is no shell to write to.

        Raises:
            NotImplementedError: Always.
        """
        message = "linux_exec has no interactive shell: use run_script()"
        raise NotImplementedError(message)

    def read_channel(self) -> str:
        """There is no shell to read from.

        Raises:
            NotImplementedError: Always.
        """
        message = "linux_exec has no interactive shell: use run_script()"
        raise NotImplementedError(message)


def register() -> None:
    """Make the driver known to Netmiko; more than once does no harm."""
    with _registering:
        if DEVICE_TYPE not in CLASS_MAPPER:
            CLASS_MAPPER[DEVICE_TYPE] = LinuxExecSSH
            platforms.append(DEVICE_TYPE)
