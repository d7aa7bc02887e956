"""A Netmiko driver over the same SSH, so that nornir-netmiko's own tasks reach these hosts as this software's do.

This software's tasks use `linux_exec` directly: Netmiko imports a driver for every vendor, a tenth of a second.
"""

import threading
from typing import Any

import podroutes.plugins.connections.ssh  # noqa: F401  # before Netmiko imports paramiko

# isort: split
from netmiko.linux.linux_ssh import LinuxSSH
from netmiko.ssh_dispatcher import CLASS_MAPPER, platforms

from podroutes.plugins.connections.ssh.host import SshHost
from podroutes.plugins.connections.ssh.parameters import parse_parameters
from podroutes.script_runner import ScriptResult

DEVICE_TYPE = "linux_exec"
_registering = threading.Lock()


class LinuxExecSSH(LinuxSSH):
    """A host without an interactive shell: each command runs in a channel of its own, as root.

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
        parameters = parse_parameters(
            hostname=host,
            username=username,
            password=password,
            port=port,
            platform=device_type,
            extras=extras,
            config_file=ssh_config_file,
        )
        self._host = SshHost(parameters)
        super().__init__(
            host=host,
            username=self._host.target.username,
            password=password,
            port=self._host.target.port,
            device_type=device_type,
            # There is no shell to start, and no session to prepare: no prompt, no paging, no terminal width.
            auto_connect=False,
        )

    def send_command(self, command_string: str, read_timeout: float = 10.0) -> str:  # type: ignore[override]
        """Run a command line of the shell, as root.

        Args:
            command_string: The command line.
            read_timeout: Seconds until it must have ended.

        Returns:
            What it printed on standard output, and then what on standard error, whatever its exit status.

        Raises:
            HostError: As `run_script`.
        """
        result = self.run_script(command_string, timeout=read_timeout)
        return (result.stdout + result.stderr).rstrip("\n")

    def run_script(self, script: str, *, timeout: float) -> ScriptResult:
        """Run a POSIX shell script as root; as `podroutes.plugins.connections.ssh.host.SshHost.run_script`."""
        return self._host.run_script(script, timeout=timeout)

    def is_alive(self) -> bool:
        """Whether the connection is open."""
        return self._host.is_alive()

    def disconnect(self) -> None:
        """Close the connection; never raises, never waits for the host."""
        self._host.close()
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
        message = "linux_exec has no interactive shell: use send_command() or run_script()"
        raise NotImplementedError(message)

    def read_channel(self) -> str:
        """There is no shell to read from.

        Raises:
            NotImplementedError: Always.
        """
        message = "linux_exec has no interactive shell: use send_command() or run_script()"
        raise NotImplementedError(message)


def register() -> None:
    """Make the driver known to Netmiko; more than once does no harm."""
    with _registering:
        if DEVICE_TYPE not in CLASS_MAPPER:
            CLASS_MAPPER[DEVICE_TYPE] = LinuxExecSSH
            platforms.append(DEVICE_TYPE)
