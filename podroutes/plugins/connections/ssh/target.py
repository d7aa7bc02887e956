"""What the inventory and ssh_config together say about how to reach a host."""

import os
import re
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import asyncssh
from msgspec import Struct

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.plugins.connections.ssh.ssh_config import answer_of_ssh, config_files, difference

SSH_PORT: Final = 22
DEFAULT_CONNECT_TIMEOUT: Final = 10.0
_MAX_JUMPS: Final = 16
_UNSET: Final = ""
_resolving: Final = threading.RLock()
_USER_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN_HOSTS: Final = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
# These reach a shell inside ProxyCommand, so nothing that a shell could understand may be in them.
_HOSTNAME: Final = re.compile(r"(?!-)[A-Za-z0-9._:%-]{1,255}")
_USERNAME: Final = re.compile(r"(?!-)[A-Za-z0-9._@+-]{1,64}\$?")
_JUMP: Final = re.compile(r"(?:ssh://)?(?:([^@]+)@)?(\[[^]]+\]|[^:/]+)(?::(\d+))?/?")
_ALSO_FOR_JUMPS: Final = ("conn_timeout", "banner_timeout", "auth_timeout", "allow_agent")
# Nothing that a terminal or a forwarding would need, no X.509, and no keys yet: they come one by one, when asked for.
_NO: Final[dict[str, Any]] = {
    "agent_forwarding": None,
    "agent_path": None,
    "canonicalize_hostname": False,
    "client_keys": None,
    "known_hosts": None,
    "pkcs11_provider": None,
    "proxy_command": None,
    "tunnel": None,
    "x11_forwarding": False,
    "x509_trusted_certs": None,
    "x509_trusted_cert_paths": [],
}


class SshTarget(Struct, frozen=True, eq=False):
    """Where to connect, as whom, and what to trust. The same jump host is the same object.

    Attributes:
        alias: The name as the inventory or ProxyJump has it.
        hostname: The name or address to connect to.
        port: The TCP port.
        username: The user to log in as.
        identity_files: Key files to offer, in order; empty where none is configured.
        certificate_files: Certificates of users' keys, beside those that stand beside the keys.
        identities_only: Offer no other keys.
        agent: The SSH agent's socket; None for none.
        known_hosts_files: Files of known host keys, in order.
        host_key_alias: The name under which the host's key is known, whatever the port; None for its own.
        proxy_command: A shell command whose standard input and output is the connection; None to connect directly.
        jump: The host to connect through; None to connect directly.
        connect_timeout: Seconds for the TCP connection.
        options: asyncssh's, with algorithms and whatever else ssh_config says.
    """

    alias: str
    hostname: str
    port: int
    username: str
    identity_files: tuple[Path, ...]
    certificate_files: tuple[Path, ...]
    identities_only: bool
    agent: str | None
    known_hosts_files: tuple[Path, ...]
    host_key_alias: str | None
    proxy_command: str | None
    jump: "SshTarget | None"
    connect_timeout: float
    options: asyncssh.SSHClientConnectionOptions

    @property
    def title(self) -> str:
        """The host for messages: as it is called, and where that is."""
        where = f"[{self.hostname}]:{self.port}" if ":" in self.hostname else f"{self.hostname}:{self.port}"
        if ":" in self.hostname and self.port == SSH_PORT:
            where = self.hostname
        return where if self.alias == self.hostname else f"{self.alias} ({where})"


def resolve_target(parameters: SshParameters) -> SshTarget:
    """Combine the inventory with `ssh_config`; what the inventory says wins.

    Args:
        parameters: The inventory's.

    Returns:
        All that is needed to connect.

    Raises:
        UsageError: ssh_config cannot be read, or a value in it or in the inventory cannot be used.
    """
    return _resolved_once(parameters, None, 0)


def _resolved_once(parameters: SshParameters, jump: SshTarget | None, depth: int) -> SshTarget:
    """The same target for the same question, as long as the files and the environment are the same."""
    files = config_files(parameters.config_file)
    stamps = tuple((file, file.stat().st_mtime_ns) for file in files)
    with _resolving:  # or hosts that ask at once would have a jump host each
        return _cached(parameters, jump, depth, stamps, tuple(map(os.environ.get, ("HOME", "SSH_AUTH_SOCK"))))


@lru_cache(maxsize=512)
def _cached(
    parameters: SshParameters,
    jump: SshTarget | None,
    depth: int,
    _stamps: tuple[tuple[Path, int], ...],
    _environment: tuple[str | None, ...],
) -> SshTarget:
    return _resolve(parameters, jump, depth)


def _resolve(parameters: SshParameters, jump: SshTarget | None, depth: int) -> SshTarget:
    host, settings = parameters.host, parameters.settings
    _check(host, _HOSTNAME, "host name")
    if parameters.username is not None:
        _check(parameters.username, _USERNAME, "user name")
    options = _options(parameters)
    hostname = _check(options.host, _HOSTNAME, "HostName")
    username = _check(options.username, _USERNAME, "User")
    config = options.config.get
    jumps = _text(config("ProxyJump"))
    if jump is None and jumps is not None:
        jump = _jumps(jumps, parameters, depth)
    timeout = settings.conn_timeout or cast("int | None", config("ConnectTimeout")) or DEFAULT_CONNECT_TIMEOUT
    identities = [settings.key_file] if settings.key_file else _texts(config("IdentityFile"))
    return SshTarget(
        alias=host,
        hostname=hostname,
        port=options.port,
        username=username,
        identity_files=_paths(identities if settings.use_keys or settings.key_file else ()),
        certificate_files=_paths(_texts(config("CertificateFile"))),
        identities_only=bool(config("IdentitiesOnly")),
        agent=_agent(config("IdentityAgent", "SSH_AUTH_SOCK")) if settings.allow_agent else None,
        known_hosts_files=_paths(_known_hosts(options, settings)),
        host_key_alias=_text(config("HostKeyAlias")),
        proxy_command=_text(config("ProxyCommand")) if jump is None else None,
        jump=jump,
        connect_timeout=float(timeout),
        options=options,
    )


def _options(parameters: SshParameters) -> asyncssh.SSHClientConnectionOptions:
    host, named = parameters.host, parameters.config_file
    files = config_files(named)
    if difference(files) is None:
        # What asyncssh does not understand `ssh` may, or says why nobody does.
        with suppress(asyncssh.ConfigParseError):
            options = _read(files, parameters)
            if _UNSET in {options.config.get(key, _UNSET) for key in ("ProxyCommand", "ProxyJump")}:
                return options
            # The first of the two counts, and only `ssh` says which that is.
    with answer_of_ssh(host, parameters.port, parameters.username, named) as answer:
        try:
            return _read(answer, parameters)
        except ValueError as error:
            message = f"{named or 'ssh_config'}: for host {host}: {error}"
            raise UsageError(message) from error


def _read(files: list[Path], parameters: SshParameters) -> asyncssh.SSHClientConnectionOptions:
    given: dict[str, Any] = {}
    if parameters.port is not None:
        given["port"] = parameters.port
    if parameters.username is not None:
        given["username"] = parameters.username
    return asyncssh.SSHClientConnectionOptions(
        config=[str(file) for file in files] or None, host=parameters.host, **given, **_NO
    )


def _jumps(value: str, parameters: SshParameters, depth: int) -> SshTarget | None:
    """The last of a chain of jump hosts, each reached through the one before it."""
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
        # What the inventory says of the host's keys and sudo is not about its bastion.
        settings = SshSettings(
            **{name: getattr(parameters.settings, name) for name in _ALSO_FOR_JUMPS},
        )
        name, number = host.strip("[]"), int(port) if port else None
        hop_parameters = SshParameters(name, user, None, number, parameters.config_file, settings)
        jump = _resolved_once(hop_parameters, jump, depth + 1)
    return jump


def _known_hosts(options: asyncssh.SSHClientConnectionOptions, settings: SshSettings) -> list[str]:
    names: list[str] = []
    if settings.system_host_keys:
        for key, default in (
            ("UserKnownHostsFile", _USER_KNOWN_HOSTS),
            ("GlobalKnownHostsFile", _GLOBAL_KNOWN_HOSTS),
        ):
            names += _texts(options.config.get(key, list(default)))
    if settings.alt_host_keys and settings.alt_key_file:
        names.append(settings.alt_key_file)
    return names


def _agent(value: object) -> str | None:
    """The agent's socket: a path, the name of a variable that holds one, or `SSH_AUTH_SOCK`, which is one."""
    name = _text(value)
    if name is None:
        return None
    if name == "SSH_AUTH_SOCK" or name.startswith("$"):
        name = os.environ.get(name.removeprefix("$"), "")
    return str(Path(name).expanduser()) if name else None


def _check(value: str, pattern: re.Pattern[str], what: str) -> str:
    if pattern.fullmatch(value) is None:
        message = f"{value!r} cannot be used as a {what}"
        raise UsageError(message)
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.lower() != "none" else None


def _texts(value: object) -> list[str]:
    return [str(one) for one in value if str(one).lower() != "none"] if isinstance(value, list | tuple) else []


def _paths(names: Iterable[str]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in names)
