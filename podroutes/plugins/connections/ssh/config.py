"""What the inventory and `ssh_config` together say about how to reach a host.

Understood: Host, Match (host, originalhost, user, localuser, exec, all, canonical, final), Include outside of blocks;
HostName, Port, User, IdentityFile, IdentitiesOnly, UserKnownHostsFile, GlobalKnownHostsFile, HostKeyAlias, ProxyJump,
ProxyCommand, ConnectTimeout.
Not understood: Include inside a Host or Match block (left out), Match on other words, /etc/ssh/ssh_config, and
StrictHostKeyChecking, which is always on for the host itself (`ssh_strict: false` in the inventory turns it off).
"""

import glob
import os
import re
import shlex
from functools import lru_cache
from pathlib import Path

from msgspec import Struct
from paramiko.config import SSHConfig, SSHConfigDict
from paramiko.ssh_exception import SSHException

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.settings import SshSettings

SSH_PORT = 22
DEFAULT_CONNECT_TIMEOUT = 10.0
MAX_INCLUDE_DEPTH = 16
# A name that nobody has.
_ANY_HOST = "any-host.invalid"
USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
GLOBAL_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"

# These reach a shell inside ProxyCommand, so nothing that a shell could understand may be in them.
_HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9._:%-]{1,255}")
_USERNAME = re.compile(r"(?!-)[A-Za-z0-9._@+-]{1,64}\$?")
_INCLUDE = re.compile(r"\s*include(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
_BLOCK = re.compile(r"\s*(?:host|match)(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)


class SshTarget(Struct, frozen=True):
    """Where to connect, as whom, and what to trust.

    Attributes:
        alias: The name as the inventory has it.
        hostname: The name or address to connect to.
        port: The TCP port.
        username: The user to log in as; empty for the one who runs this.
        identity_files: Private keys to offer, in order; empty where none is configured.
        identities_only: Offer no other keys.
        known_hosts_files: Files of known host keys, in order.
        host_key_name: The name under which the host's key is known.
        host_key_port: The port that belongs to that name; HostKeyAlias has none, that is 22.
        proxy_command: A shell command whose standard input and output is the connection; None to connect directly.
        connect_timeout: Seconds for the TCP connection.
    """

    alias: str
    hostname: str
    port: int
    username: str
    identity_files: tuple[Path, ...]
    identities_only: bool
    known_hosts_files: tuple[Path, ...]
    host_key_name: str
    host_key_port: int
    proxy_command: str | None
    connect_timeout: float


def resolve_target(
    *, host: str, port: int | None, username: str | None, settings: SshSettings, config_file: str | None
) -> SshTarget:
    """Combine the inventory with `ssh_config`; what the inventory says wins.

    Args:
        host: The inventory's host name or address, which `Host` lines match.
        port: The inventory's port, if it has one.
        username: The inventory's user, if it has one.
        settings: The connection's settings.
        config_file: Path of the ssh_config; a file that is not there is an empty one.

    Returns:
        All that is needed to connect.

    Raises:
        UsageError: ssh_config cannot be read, or a value in it or in the inventory cannot be used.
    """
    path = Path(config_file).expanduser() if config_file else None
    _check(host, _HOSTNAME, "host name")
    if username is not None:
        _check(username, _USERNAME, "user name")
    text = _read(path) if path is not None else ""
    where = str(path) if path is not None else "ssh_config"
    try:
        options = _options(text, username, port, host)
        hostname = _check(options.get("hostname", host), _HOSTNAME, "HostName")
        user = options.get("user", "")
        port = int(options.get("port", SSH_PORT))
        return SshTarget(
            alias=host,
            hostname=hostname,
            port=port,
            username=_check(user, _USERNAME, "User") if user else "",
            identity_files=_identity_files(options, settings),
            identities_only=options.get("identitiesonly", "no").lower() == "yes",
            known_hosts_files=_known_hosts_files(options, settings, hostname),
            host_key_name=options.get("hostkeyalias", hostname),
            host_key_port=SSH_PORT if "hostkeyalias" in options else port,
            proxy_command=_proxy_command(options, path if text else None, hostname, settings),
            connect_timeout=_connect_timeout(options, settings),
        )
    except (SSHException, ValueError) as error:
        message = f"{where}: for host {host}: {error}"
        raise UsageError(message) from error


def _check(value: str, pattern: re.Pattern[str], what: str) -> str:
    if pattern.fullmatch(value) is None:
        message = f"{value!r} cannot be used as a {what}"
        raise UsageError(message)
    return value


def _read(path: Path, depth: int = 0) -> str:
    """Text of the file, with included files in the place of Include lines that stand outside of blocks."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise UsageError(message) from error
    if "include" not in text.lower():
        return text
    result = []
    in_block = False
    for line in text.splitlines():
        block = _BLOCK.match(line)
        if block is not None:
            in_block = block[1].strip().lower() not in {"*", "all"}
        include = _INCLUDE.match(line)
        if include is None:
            result.append(line)
        elif not in_block and depth < MAX_INCLUDE_DEPTH:
            for pattern in shlex.split(include[1]):
                # glob.glob and not Path.glob: the pattern may be absolute.
                for name in sorted(glob.glob(str(Path("~/.ssh").expanduser() / Path(pattern).expanduser()))):  # noqa: PTH207
                    result += [_read(Path(name), depth + 1), "Host *"]
    return "\n".join(result)


def _options(text: str, username: str | None, port: int | None, host: str) -> SSHConfigDict:
    """What holds for one host; not to be changed, as it may be the same for all."""
    if _is_same_for_all(text):
        return _common_options(text, username, port, os.environ.get("HOME"))
    return _parse(text, username, port).lookup(host)


@lru_cache(maxsize=64)
def _is_same_for_all(text: str) -> bool:
    """Whether nothing in the file asks which host it is: no block for some, no `%h`, no canonical names."""
    blocks = [block[1].strip().lower() for line in text.splitlines() if (block := _BLOCK.match(line)) is not None]
    return set(blocks) <= {"*", "all"} and "%" not in text and "canonical" not in text.lower()


@lru_cache(maxsize=64)
def _common_options(text: str, username: str | None, port: int | None, _home: str | None) -> SSHConfigDict:
    options = _parse(text, username, port).lookup(_ANY_HOST)
    if options["hostname"] == _ANY_HOST:
        del options["hostname"]
    return options


@lru_cache(maxsize=64)
def _parse(text: str, username: str | None, port: int | None) -> SSHConfig:
    """Parse once for all hosts; the first value of a key wins, so the inventory's go before the file's."""
    first = []
    if username is not None:
        first.append(f"User {username}")
    if port is not None:
        first.append(f"Port {port}")
    return SSHConfig.from_text("\n".join([*first, "Host *", text]))


@lru_cache(maxsize=8)
def _home(_variable: str | None) -> str:
    return str(Path.home())


@lru_cache(maxsize=256)
def _expand(name: str, _home: str) -> Path:
    return Path(name).expanduser()


def _identity_files(options: SSHConfigDict, settings: SshSettings) -> tuple[Path, ...]:
    home = _home(os.environ.get("HOME"))
    if settings.key_file is not None:
        return (_expand(settings.key_file, home),)
    if not settings.use_keys:
        return ()
    names: object = options.get("identityfile", [])
    return (
        tuple([_expand(str(name), home) for name in names if str(name).lower() != "none"])
        if isinstance(names, list)
        else ()
    )


def _known_hosts_files(options: SSHConfigDict, settings: SshSettings, hostname: str) -> tuple[Path, ...]:
    names = []
    if settings.system_host_keys:
        for key, default in (("userknownhostsfile", USER_KNOWN_HOSTS), ("globalknownhostsfile", GLOBAL_KNOWN_HOSTS)):
            names += [name for name in _words(options.get(key, default)) if name.lower() != "none"]
    if settings.alt_host_keys and settings.alt_key_file:
        names.append(settings.alt_key_file)
    home = _home(os.environ.get("HOME"))
    return tuple([_expand(name.replace("%d", home).replace("%h", hostname), home) for name in names])


@lru_cache(maxsize=64)
def _words(text: str) -> tuple[str, ...]:
    return tuple(shlex.split(text))


def _connect_timeout(options: SSHConfigDict, settings: SshSettings) -> float:
    if settings.conn_timeout is not None:
        return settings.conn_timeout
    configured = options.get("connecttimeout", "none")
    return DEFAULT_CONNECT_TIMEOUT if configured.lower() == "none" else float(configured)


def _proxy_command(options: SSHConfigDict, config: Path | None, hostname: str, settings: SshSettings) -> str | None:
    """The first of ProxyJump and ProxyCommand counts, as for `ssh`."""
    for key, value in options.items():
        if key == "proxycommand":
            # Paramiko keeps `none` as None, whatever its annotation says.
            command: str | None = value
            return command.replace("%%", "%") if command is not None else None
        if key == "proxyjump":
            if value.lower() == "none":
                return None
            timeout = max(1, round(_connect_timeout(options, settings)))
            command = jump_command(value.split(","), config=config, timeout=timeout)
            port = options.get("port", str(SSH_PORT))
            return command.replace("%%", "\0").replace("%h", hostname).replace("%p", port).replace("\0", "%")
    return None


def jump_command(hops: list[str], *, config: Path | None, timeout: int) -> str:
    """Build the `ssh` command that reaches `%h:%p` through jump hosts.

    Each jump host's key is verified, and nothing is ever asked on the terminal.

    Args:
        hops: `[user@]host[:port]` or `ssh://[user@]host[:port]`, the nearest first.
        config: The ssh_config that the jump hosts are looked up in; None for the system's choice.
        timeout: Seconds for each TCP connection.

    Returns:
        A shell command with `%h` and `%p` for the host beyond the last jump host, and `%%` for `%`.

    Raises:
        UsageError: A jump host cannot be understood.
    """
    command = ""
    for hop in hops:
        match = re.fullmatch(r"(?:ssh://)?(?:([^@]+)@)?(\[[^]]+\]|[^:/]+)(?::(\d+))?/?", hop.strip())
        if match is None:
            message = f"{hop!r} cannot be used as a jump host: write [user@]host[:port]"
            raise UsageError(message)
        user, host, port = match.groups()
        words = ["ssh", *(["-F", str(config)] if config is not None else [])]
        words += ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", f"ConnectTimeout={timeout}"]
        if command:
            words += ["-o", f"ProxyCommand={command}"]
        words += ["-l", _check(user, _USERNAME, "jump host's user")] if user else []
        words += ["-p", port] if port else []
        host = _check(host.strip("[]"), _HOSTNAME, "jump host")
        # Every level of ssh replaces %% by % once, so what is meant for an outer level is doubled here.
        quoted = shlex.join(word.replace("%", "%%") for word in words)
        command = f"{quoted} -W '[%h]:%p' {host}"
    return command
