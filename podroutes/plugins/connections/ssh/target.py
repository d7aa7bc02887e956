"""What the inventory and ssh_config together say about how to reach a host."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import asyncssh
from msgspec import Struct

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.plugins.connections.ssh.ssh_config import read_ssh_config

SSH_PORT: Final = 22
_DEFAULT_CONNECT_TIMEOUT: Final = 10.0
_MAX_JUMPS: Final = 16
# These reach a shell inside ProxyCommand, so nothing that a shell could understand may be in them.
_HOSTNAME: Final = re.compile(r"(?!-)[A-Za-z0-9._:%-]{1,255}")
_USERNAME: Final = re.compile(r"(?!-)[A-Za-z0-9._@+-]{1,64}\$?")
_JUMP: Final = re.compile(r"(?:ssh://)?(?:([^@]+)@)?(\[[^]]+\]|[^:/]+)(?::(\d+))?/?")
# What the inventory says of the host's keys and sudo is not about its bastion.
_ALSO_FOR_JUMPS: Final = ("conn_timeout", "banner_timeout", "auth_timeout", "connect_attempts", "allow_agent")


class SshTarget(Struct, frozen=True, eq=False):
    """Where to connect, as whom, and what to trust.

    Attributes:
        parameters: What the inventory says.
        options: What ssh_config says, as far as the inventory leaves it open.
        jump: The host to connect through; None to connect directly.
    """

    parameters: SshParameters
    options: asyncssh.SSHClientConnectionOptions
    jump: "SshTarget | None"

    @property
    def alias(self) -> str:
        """The name as the inventory or ProxyJump has it."""
        return self.parameters.host

    @property
    def username(self) -> str:
        """The user to log in as."""
        return self.options.username

    @property
    def title(self) -> str:
        """The host for messages: as it is called, and where that is."""
        name, port = self.options.host, self.options.port
        where = f"{name}:{port}" if ":" not in name else name if port == SSH_PORT else f"[{name}]:{port}"
        return where if self.alias == name else f"{self.alias} ({where})"

    @property
    def connect_timeout(self) -> float:
        """Seconds for the TCP connection."""
        configured = cast("int | None", self.options.config.get("ConnectTimeout"))
        return float(self.parameters.settings.conn_timeout or configured or _DEFAULT_CONNECT_TIMEOUT)

    @property
    def proxy_command(self) -> str | None:
        """A shell command whose standard input and output is the connection; None to connect otherwise."""
        return self.text("ProxyCommand") if self.jump is None else None

    @property
    def way(self) -> tuple[SshParameters, ...]:
        """The hosts on the way and this one; what has the same may use the same connection."""
        return (*(() if self.jump is None else self.jump.way), self.parameters)

    def text(self, key: str) -> str | None:
        """What ssh_config says under a key; None for nothing, or `none`."""
        return _text(self.options.config.get(key))

    def paths(self, key: str, default: Sequence[str] = ()) -> list[Path]:
        """The files that ssh_config names under a key."""
        names = cast("Sequence[str]", self.options.config.get(key, default) or ())
        return [Path(name).expanduser() for name in names if name.lower() != "none"]


def resolve_target(parameters: SshParameters) -> SshTarget:
    """Combine the inventory with `ssh_config`; what the inventory says wins.

    Args:
        parameters: The inventory's.

    Returns:
        All that is needed to connect.

    Raises:
        UsageError: ssh_config cannot be read, or a value in it or in the inventory cannot be used.
    """
    return _resolve(parameters, None, 0)


def _resolve(parameters: SshParameters, jump: SshTarget | None, depth: int) -> SshTarget:
    host, username = parameters.host, parameters.username
    _check(host, _HOSTNAME, "host name")
    if username is not None:
        _check(username, _USERNAME, "user name")
    options = read_ssh_config(host, parameters.port, username, parameters.config_file)
    _check(options.host, _HOSTNAME, "HostName")
    _check(options.username, _USERNAME, "User")
    jumps = _text(options.config.get("ProxyJump"))
    if jump is None and jumps is not None:
        jump = _jumps(jumps, parameters, depth)
    return SshTarget(parameters, options, jump)


def _jumps(value: str, parameters: SshParameters, depth: int) -> SshTarget | None:
    """The last of a chain of jump hosts, each reached through the one before it."""
    settings = SshSettings(**{name: getattr(parameters.settings, name) for name in _ALSO_FOR_JUMPS})
    jump: SshTarget | None = None
    for hop in value.split(","):
        match = _JUMP.fullmatch(hop.strip())
        if match is not None and match[2].strip("[]") == parameters.host:
            # As `Host *` says it of the jump host as well: `ssh` goes there directly.
            return None
        if match is None or depth >= _MAX_JUMPS:
            message = f"{parameters.host}: {hop!r} cannot be used as a jump host: write [user@]host[:port]"
            raise UsageError(message)
        user, host, port = match.groups()
        number = int(port) if port else None
        hop_parameters = SshParameters(host.strip("[]"), user, None, number, parameters.config_file, settings)
        jump = _resolve(hop_parameters, jump, depth + 1)
    return jump


def _check(value: str, pattern: re.Pattern[str], what: str) -> None:
    if pattern.fullmatch(value) is None:
        message = f"{value!r} cannot be used as a {what}"
        raise UsageError(message)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.lower() != "none" else None
