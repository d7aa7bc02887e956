"""Who we are: the keys to offer, and the offering of them."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path

import paramiko
from msgspec import Struct
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import PublicBlob, UnknownKeyType

from podroutes.errors import AuthenticationError
from podroutes.plugins.connections.ssh.config import SshTarget
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.plugins.connections.ssh.transport import SigningError, SshTransport
from podroutes.plugins.connections.ssh.wrapping import one_line
from podroutes.secret import Secret

DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_LOADING = threading.Lock()


class KeyFileError(Exception):
    """A private key file cannot be used; the message says why in one line."""


class Offer(Struct, frozen=True):
    """A key to offer.

    Attributes:
        label: What a person calls it.
        key: The key, in memory or in the agent.
    """

    label: str
    key: paramiko.PKey


def load_key(path: Path, passphrase: str | None) -> paramiko.PKey:
    """Load a private key; once for all hosts.

    Args:
        path: Of the file.
        passphrase: To decrypt it with, where it is encrypted.

    Returns:
        The key.

    Raises:
        KeyFileError: It is missing, unreadable, encrypted or no key.
    """
    try:
        stamp = path.stat().st_mtime_ns
        # Decrypting is meant to be slow: the first thread does it, all others wait for it.
        with _LOADING:
            return _load(path, stamp, passphrase)
    except FileNotFoundError as error:
        message = f"key file {path} does not exist"
        raise KeyFileError(message) from error
    except OSError as error:
        message = f"key file {path} cannot be read: {error.strerror}"
        raise KeyFileError(message) from error
    except (TypeError, paramiko.PasswordRequiredException) as error:
        message = f"key file {path} needs a passphrase: load it into the agent with ssh-add"
        raise KeyFileError(message) from error
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        reason = (
            "the passphrase does not fit" if passphrase is not None else "it holds no private key of a supported type"
        )
        message = f"key file {path} cannot be used: {reason}"
        raise KeyFileError(message) from error


@lru_cache(maxsize=64)
def _load(path: Path, _stamp: int, passphrase: str | None) -> paramiko.PKey:
    # Paramiko's annotation says str, but the library beneath takes bytes alone.
    password: str | None = passphrase.encode() if passphrase is not None else None  # type: ignore[assignment]
    return paramiko.PKey.from_path(path, password)


def public_blob(path: Path) -> bytes | None:
    """The public half of a key, from the file beside it; None where there is none."""
    try:
        return PublicBlob.from_file(f"{path}.pub").key_blob
    except (OSError, ValueError):
        return None


class _Agent(AgentSSH):
    """The user's agent, as far as it answers in time; paramiko's own waits for ever."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        with ExitStack() as failed:
            sock = failed.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.settimeout(timeout)
            sock.connect(path)
            self._connect(sock)  # type: ignore[attr-defined]
            failed.pop_all()

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]


@contextmanager
def agent_keys(timeout: float) -> Iterator[tuple[list[AgentKey], str]]:
    """The keys of the user's SSH agent, usable inside the context.

    Args:
        timeout: Seconds for each of the agent's answers.

    Yields:
        The keys, and what is wrong with the agent, if anything.
    """
    path = os.environ.get("SSH_AUTH_SOCK", "")
    if not path:
        yield [], ""
        return
    try:
        agent = _Agent(path, timeout)
    except (OSError, paramiko.SSHException) as error:
        yield [], f"the SSH agent does not answer ({one_line(str(error))})"
        return
    try:
        yield list(agent.get_keys()), ""
    finally:
        agent.close()


def offers(target: SshTarget, settings: SshSettings, agent: list[AgentKey], problems: list[str]) -> Iterator[Offer]:
    """Decide which keys to offer, in order: configured ones, the agent's, and with none configured the usual files.

    Args:
        target: The host.
        settings: Its settings.
        agent: The agent's keys.
        problems: Gets a line for each key file that cannot be used.

    Yields:
        Each key once.

    Raises:
        AuthenticationError: The inventory's own `key_file` cannot be used.
    """
    passphrase = settings.passphrase.reveal() if settings.passphrase is not None else None
    by_blob = {key.asbytes(): key for key in agent}
    offered: set[bytes] = set()

    def fresh(label: str, key: paramiko.PKey) -> Iterator[Offer]:
        if key.asbytes() not in offered:
            offered.add(key.asbytes())
            yield Offer(label, key)

    def from_file(path: Path) -> Iterator[Offer]:
        in_agent = by_blob.get(public_blob(path) or b"")
        if in_agent is not None:
            yield from fresh(f"agent key {path}", in_agent)
            return
        try:
            yield from fresh(str(path), load_key(path, passphrase))
        except KeyFileError as error:
            if settings.key_file is not None:
                raise AuthenticationError(f"{target.alias}: {error}") from error
            problems.append(str(error))

    for path in target.identity_files:
        yield from from_file(path)
    if not target.identities_only:
        for key in agent:
            yield from fresh(f"agent key {key.comment or key.get_name()}", key)
    if settings.use_keys and not target.identity_files:
        for path in (Path.home() / ".ssh" / name for name in DEFAULT_KEYS):
            if path.exists():
                yield from from_file(path)


def authenticate(
    transport: SshTransport, target: SshTarget, settings: SshSettings, user: str, password: Secret | None
) -> None:
    """Log in: keys first, then the password if there is one.

    Args:
        transport: After the host's key was verified.
        target: The host.
        settings: Its settings.
        user: The user to log in as.
        password: From the inventory; None for none.

    Raises:
        AuthenticationError: Everything was refused, or there is nothing to offer.
        HandshakeTimeoutError: The host did not answer in time.
        OSError: The connection broke.
        EOFError: The host closed it.
    """
    tried: list[str] = []
    problems: list[str] = []
    transport.auth_timeout = settings.auth_timeout
    keys_allowed = True
    with agent_keys(settings.auth_timeout) if settings.allow_agent else _no_agent() as (agent, problem):
        if problem:
            problems.append(problem)
        for offer in offers(target, settings, agent, problems):
            try:
                more = transport.auth_publickey(user, offer.key)
            except paramiko.BadAuthenticationType:
                keys_allowed = False
                break
            except paramiko.AuthenticationException as error:
                tried.append(offer.label)
                _still_open(transport, target, user, tried, error)
                continue
            except SigningError as error:
                problems.append(f"{offer.label} cannot sign ({one_line(str(error))})")
                continue
            if not more:
                return
            tried.append(f"{offer.label} (accepted, but the host wants {' or '.join(more)} too)")
            break
    if password is not None:
        try:
            if not transport.auth_password(user, password.reveal()):
                return
        except paramiko.BadAuthenticationType:
            problems.append("the host takes no passwords")
        except paramiko.AuthenticationException as error:
            tried.append("password")
            _still_open(transport, target, user, tried, error)
    if not keys_allowed:
        problems.append("the host takes no keys")
    what = f"refused user {user}" if tried else f"has nothing to let user {user} in with"
    raise AuthenticationError(_refusal(target, what, tried, problems))


@contextmanager
def _no_agent() -> Iterator[tuple[list[AgentKey], str]]:
    yield [], ""


def _still_open(transport: SshTransport, target: SshTarget, user: str, tried: list[str], cause: Exception) -> None:
    """Servers hang up after a few keys; then nothing more can be tried."""
    if not transport.is_active():
        reason = (
            f"closed the connection ({transport.disconnect_reason or 'no reason given'}) before it let user {user} in"
        )
        raise AuthenticationError(_refusal(target, reason, tried, [])) from cause


def _refusal(target: SshTarget, what: str, tried: list[str], problems: list[str]) -> str:
    parts = [f"{target.alias}: the host {what}"]
    parts.append(
        f"tried: {', '.join(tried)}" if tried else "no key in the agent, in ssh_config or in ~/.ssh could be offered"
    )
    return "; ".join([*parts, *problems])
