"""What the inventory says about the SSH connection to one host."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from nornir.core.configuration import DEFAULT_SSH_CONFIG

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.settings import SshSettings, parse_settings
from podroutes.secret import Secret

_PLATFORMS: Final = (None, "linux", "linux_ssh", "linux_exec")
DEFAULT_CONFIG_FILE: Final = "~/.ssh/config"


class SshParameters(Struct, frozen=True):
    """Everything that the inventory says of how a host is reached and logged in to.

    Attributes:
        host: Name or address, or a name that ssh_config knows.
        username: The user to log in as; ssh_config's, else the local one, where None.
        password: Tried after the keys; none where None.
        port: TCP port; ssh_config's, else 22, where None.
        config_file: The ssh_config that is named, which stands alone as with `ssh -F`; None for what `ssh` reads.
        settings: All other settings.
    """

    host: str
    username: str | None
    password: Secret | None
    port: int | None
    config_file: Path | None
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
    """Validate what Nornir hands to a connection plugin; `config_file` is for where the extras (`SshExtras`) name none.

    Raises:
        UsageError: The inventory's values cannot be used, or name a file that is not there.
    """
    if not hostname:
        message = "a host has no hostname: write its name or address under 'hostname' in the inventory"
        raise UsageError(message)
    if platform not in _PLATFORMS:
        message = (
            f"{hostname}: platform {platform!r} cannot be reached by linux_exec: write linux_exec, linux or nothing"
        )
        raise UsageError(message)
    rest = dict(extras or {})
    config_file = rest.pop("ssh_config_file", None) or config_file
    # Nornir names the usual one where nobody names any.
    usual = (None, DEFAULT_SSH_CONFIG, DEFAULT_CONFIG_FILE)
    named = None if config_file in usual else Path(str(config_file)).expanduser()
    if named is not None and not named.is_file():
        message = f"{hostname}: there is no ssh_config {named}"
        raise UsageError(message)
    secret = Secret(password) if password else None
    return SshParameters(hostname, username or None, secret, port, named, parse_settings(rest))
