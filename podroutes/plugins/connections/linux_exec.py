"""Nornir's connection to Linux hosts over SSH: nornir-netmiko's plugin with a driver that starts no shell."""

from typing import Any

import podroutes.plugins.connections.ssh  # noqa: F401  # before paramiko is imported

# isort: split
from nornir.core.configuration import Config
from nornir_netmiko.connections.netmiko import Netmiko

from podroutes.plugins.connections.linux_exec_driver import DEVICE_TYPE, register
from podroutes.plugins.connections.ssh.parameters import parse_parameters

CONNECTION_NAME = "linux_exec"


class LinuxExec(Netmiko):  # type: ignore[misc]  # nornir-netmiko has no annotations
    """Connection plugin `linux_exec`; `connection` satisfies `podroutes.transport.ScriptRunner`.

    Inventory:
        hostname, port, username, password: As for every connection; `ssh_config` fills in what is not given.
        platform: `linux_exec`, `linux` or nothing.
        connection_options.linux_exec.extras: See `podroutes.plugins.connections.ssh.settings.SshSettings`.
    """

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
        """Connect.

        Args:
            hostname: Name or address, or a name that ssh_config knows.
            username: The user to log in as.
            password: Only if keys are not enough.
            port: TCP port.
            platform: See above.
            extras: See above.
            configuration: Names the ssh_config.

        Raises:
            UsageError: The inventory's values cannot be used.
            UnreachableError: No connection could be made.
        """
        # Before Netmiko sees them: it would take another driver, host or user from here.
        parse_parameters(
            hostname=hostname,
            username=username,
            password=password,
            port=port,
            platform=platform,
            extras=extras,
            config_file=None,
        )
        register()
        super().open(
            hostname=hostname,
            username=username or None,
            password=password or None,
            port=port,
            platform=DEVICE_TYPE,
            extras=extras,
            configuration=configuration,
        )

    def close(self) -> None:
        """Close the connection; never raises, never waits for the host."""
        super().close()
