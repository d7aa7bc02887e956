"""Nornir's connection to Linux hosts over SSH that starts no shell: each command with its exit status."""

from typing import Any

from nornir.core.configuration import Config

from podroutes.plugins.connections.ssh.host import SshHost
from podroutes.plugins.connections.ssh.parameters import parse_parameters

CONNECTION_NAME = "linux_exec"


class LinuxExec:
    """Connection plugin `linux_exec`; `connection` satisfies `podroutes.script_runner.ScriptRunner`.

    Inventory:
        hostname, port, username, password: As for every connection; `ssh_config` fills in what is not given.
        platform: `linux_exec`, `linux` or nothing.
        connection_options.linux_exec.extras: See `podroutes.plugins.connections.ssh.settings.SshSettings`.
    """

    connection: SshHost

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
        parameters = parse_parameters(
            hostname=hostname,
            username=username,
            password=password,
            port=port,
            platform=platform,
            extras=extras,
            config_file=None if configuration is None else configuration.ssh.config_file,
        )
        self.connection = SshHost(parameters)

    def close(self) -> None:
        """Close the connection; never raises, never waits for the host."""
        self.connection.close()
