"""From a target to an authenticated connection, with every failure named in one line."""

import errno
import getpass
import secrets
import socket
import threading
import time

import paramiko
from msgspec import Struct

from podroutes.errors import HostKeyError, UnreachableError
from podroutes.plugins.connections.ssh.config import SshTarget
from podroutes.plugins.connections.ssh.keys import authenticate
from podroutes.plugins.connections.ssh.known_hosts import KnownHosts, host_name, load_known_hosts
from podroutes.plugins.connections.ssh.proxy import Proxy, may_pass
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.plugins.connections.ssh.transport import HandshakeTimeoutError, SshTransport
from podroutes.secret import Secret

PAUSE_SECONDS = (0.2, 1.0)
# A bastion's sshd turns connections away while ten are not logged in (MaxStartups), and many hosts may be behind one.
_ON_THE_WAY = threading.BoundedSemaphore(8)
# One that does not answer at all is not to keep the others waiting one after the other.
_ON_THE_WAY_SECONDS = 3.0
_NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


class _MayPassError(Exception):
    """A failure that another attempt may not meet."""


class Connection(Struct, frozen=True):
    """An open connection and what has to be closed with it.

    Attributes:
        transport: Authenticated.
        username: Who is logged in.
        proxy: The command it goes through; None for a direct connection.
    """

    transport: SshTransport
    username: str
    proxy: Proxy | None

    def close(self) -> None:
        """Close all of it."""
        self.transport.close()
        if self.proxy is not None:
            self.proxy.close()


def connect(target: SshTarget, settings: SshSettings, password: Secret | None) -> Connection:
    """Connect and log in.

    Args:
        target: The host.
        settings: Its settings.
        password: From the inventory; None for none.

    Returns:
        The connection.

    Raises:
        UnreachableError: The network or the host.
        HostKeyError: The host's key; never tried twice.
        AuthenticationError: User or key; never tried twice.
    """
    attempt = 1
    while True:
        try:
            return _connect_once(target, settings, password)
        except _MayPassError as error:
            if attempt >= settings.connect_attempts:
                tries = f" ({attempt} attempts)" if attempt > 1 else ""
                message = f"{error}{tries}"
                raise UnreachableError(message) from (error.__cause__ or error)
        time.sleep(pause_seconds(attempt))
        attempt += 1


def pause_seconds(attempt: int) -> float:
    """How long to wait before another attempt; at random, so that hosts turned away together do not come back together.

    Args:
        attempt: How many there have been.

    Returns:
        Seconds.
    """
    return secrets.SystemRandom().uniform(*PAUSE_SECONDS) * attempt


def _connect_once(target: SshTarget, settings: SshSettings, password: Secret | None) -> Connection:
    proxy: Proxy | None = None
    transport: SshTransport | None = None
    try:
        if target.proxy_command is None:
            sock = _tcp(target)
        else:
            with _ON_THE_WAY:
                proxy = _start_proxy(target, target.proxy_command)
                proxy.wait_for_answer(_ON_THE_WAY_SECONDS)
            sock = proxy.sock
        transport = SshTransport(sock, settings.disabled_algorithms)
        username = _log_in(transport, target, settings, password, proxy)
    except BaseException:
        if transport is not None:
            transport.close()
        if proxy is not None:
            proxy.sock.close()
            proxy.close()
        raise
    transport.be_patient(settings.keepalive)
    return Connection(transport, username, proxy)


def _tcp(target: SshTarget) -> socket.socket:
    title = _title(target)
    try:
        sock = socket.create_connection((target.hostname, target.port), target.connect_timeout)
    except socket.gaierror as error:
        message = f"{title}: the name {target.hostname} cannot be resolved ({error.strerror})"
        raise (_MayPassError if error.errno == socket.EAI_AGAIN else UnreachableError)(message) from error
    except TimeoutError as error:
        message = f"{title}: no answer within {target.connect_timeout:.1f} s"
        raise _MayPassError(message) from error
    except ConnectionRefusedError as error:
        message = f"{title}: connection refused; nothing listens on this port"
        raise _MayPassError(message) from error
    except ConnectionError as error:
        message = f"{title}: {error.strerror}"
        raise _MayPassError(message) from error
    except OSError as error:
        message = f"{title}: {'no route to host' if error.errno in _NO_ROUTE else error.strerror}"
        raise UnreachableError(message) from error
    # Request and input are small packets in a row; Nagle's algorithm would hold the second back for a round trip.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _start_proxy(target: SshTarget, command: str) -> Proxy:
    try:
        return Proxy(command)
    except OSError as error:
        message = f"{_title(target)}: the ProxyCommand cannot be started: {error.strerror}"
        raise UnreachableError(message) from error


def _log_in(
    transport: SshTransport, target: SshTarget, settings: SshSettings, password: Secret | None, proxy: Proxy | None
) -> str:
    known = load_known_hosts(target.known_hosts_files)
    options = transport.get_security_options()
    options.key_types = known.preferred_types(target.host_key_name, target.host_key_port, options.key_types)
    # Behind a proxy the time for the TCP connection is part of the wait for the first line.
    waited = settings.banner_timeout + (0 if proxy is None else target.connect_timeout)
    title = _title(target)
    try:
        transport.handshake(waited)
        if settings.ssh_strict:
            _verify(transport, target, known)
        username = target.username or getpass.getuser()
        authenticate(transport, target, settings, username, password)
    except HandshakeTimeoutError as error:
        message = _timeout_message(transport, title, waited, settings)
        raise _MayPassError(message) if not transport.remote_version else UnreachableError(message) from error
    except (EOFError, OSError) as error:
        raise _broken(transport, title, proxy, error) from error
    except paramiko.SSHException as error:
        reason = transport.disconnect_reason or str(error)
        message = f"{title}: no SSH connection could be agreed on: {reason}"
        raise UnreachableError(message) from error
    return username


def _verify(transport: SshTransport, target: SshTarget, known: KnownHosts) -> None:
    key = transport.get_remote_server_key()
    try:
        known.verify(target.host_key_name, target.host_key_port, key.get_name(), key.get_base64())
    except HostKeyError as error:
        raise HostKeyError(f"{target.alias}: {error}") from error


def _timeout_message(transport: SshTransport, title: str, waited: float, settings: SshSettings) -> str:
    if not transport.remote_version:
        return f"{title}: the connection is open, but no SSH server answered within {waited:.1f} s"
    if not transport.initial_kex_done:
        return f"{title}: the SSH server stopped answering while keys were exchanged ({waited:.1f} s)"
    return f"{title}: the SSH server did not answer the login within {settings.auth_timeout:.1f} s"


def _broken(transport: SshTransport, title: str, proxy: Proxy | None, error: Exception) -> Exception:
    """Before the server's first line a busy server may have turned us away; after it, trying again is not safe."""
    early = not transport.remote_version
    complaint = proxy.failure() if proxy is not None else ""
    if early and complaint:
        message = f"{title}: the jump host or ProxyCommand failed: {complaint}"
        return _MayPassError(message) if may_pass(complaint) else UnreachableError(message)
    stage = "before it said anything" if early else "during the login"
    how = "was reset" if isinstance(error, ConnectionResetError) else "was closed by the host"
    said = f" ({transport.disconnect_reason})" if transport.disconnect_reason else ""
    message = f"{title}: the connection {how} {stage}{said}"
    return _MayPassError(message) if early else UnreachableError(message)


def _title(target: SshTarget) -> str:
    where = host_name(target.hostname, target.port) if ":" in target.hostname else f"{target.hostname}:{target.port}"
    return where if target.alias == target.hostname else f"{target.alias} ({where})"
