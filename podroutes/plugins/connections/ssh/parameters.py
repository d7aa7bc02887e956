"""What the inventory says about the SSH connection to one host."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.settings import SshSettings, parse_settings
from podroutes.secret import Secret

PLATFORMS = (None, "linux", "linux_ssh", "linux_exec")
CONFIG_FILE = "ssh_config_file"


class SshParameters(Struct, frozen=True):
    """Everything that decides how a host is reached and logged in to; the same parameters, the same connection.

    Attributes:
        host: Name or address, or a name that ssh_config knows.
        username: The user to log in as; ssh_config's, else the local one, where None.
        password: Tried after the keys; none where None.
        port: TCP port; ssh_config's, else 22, where None.
        config_file: Path of the ssh_config.
        settings: All other settings.
    """

    host: str
    username: str | None
    password: Secret | None
    port: int | None
    config_file: str | None
    settings: SshSettings


def parse_parameters(
    *,
    hostname: str | None,
    username: str | None,
    password: str | None,
    port: int | None,
    platform: str | None,
    extras: Mapping[str, Any] | None,
    config_file: str | None,
) -> SshParameters:
    """Validate what Nornir hands to a connection plugin.

    Args:
        hostname: Name or address, or a name that ssh_config knows.
        username: The user to log in as.
        password: Only if keys are not enough.
        port: TCP port.
        platform: One of `PLATFORMS`.
        extras: See `SshSettings`; besides, `ssh_config_file`.
        config_file: Path of the ssh_config, unless the extras name one.

    Raises:
        UsageError: The inventory's values cannot be used.
    """
    if not hostname:
        message = "a host has no hostname: write its name or address under 'hostname' in the inventory"
        raise UsageError(message)
    if platform not in PLATFORMS:
        message = (
            f"{hostname}: platform {platform!r} cannot be reached by linux_exec: write linux_exec, linux or nothing"
        )
        raise UsageError(message)
    rest = dict(extras or {})
    config_file = rest.pop(CONFIG_FILE, config_file)
    secret = Secret(password) if password else None
    return SshParameters(hostname, username or None, secret, port, config_file, parse_settings(rest))
