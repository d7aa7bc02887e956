"""Logging in over a connection that there is, with every failure named in one line. Runs in the event loop."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Final

import asyncssh

from podroutes.errors import AuthenticationError, HostKeyError, UnreachableError
from podroutes.plugins.connections.ssh.failures import MayPassError
from podroutes.plugins.connections.ssh.identities import Offer, Offers
from podroutes.plugins.connections.ssh.known_hosts import algorithms, load_known_hosts
from podroutes.plugins.connections.ssh.proxy import Proxy, may_pass
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.plugins.connections.ssh.target import SshTarget
from podroutes.plugins.connections.wrapping import one_line
from podroutes.secret import Secret

_CLOSE_SECONDS: Final = 0.5
# Before asyncssh's own first: a packet takes a third of the time.
_CIPHERS: Final = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"


class _Client(asyncssh.SSHClient):
    """Answers what asyncssh asks while it logs in, and notes how far it came."""

    def __init__(self, offers: list[Offer], password: Secret | None) -> None:
        self.connection: asyncssh.SSHClientConnection | None = None
        self.shown: asyncssh.SSHKey | None = None
        self.shown_authority: asyncssh.SSHKey | None = None
        self.logging_in = False
        self.tried: list[str] = []
        self._offers: Iterator[Offer] = iter(offers)
        self._password = password

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.connection = conn

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown_authority = key
        return False

    def begin_auth(self, username: str) -> None:
        self.logging_in = True

    def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        offer = next(self._offers, None)
        if offer is None:
            return None
        self.tried.append(offer.label)
        return offer.pair

    def password_auth_requested(self) -> str | None:
        password, self._password = self._password, None
        if password is None:
            return None
        self.tried.append("password")
        return password.reveal()

    @property
    def answered(self) -> bool:
        """Whether an SSH server has named itself."""
        return self.connection is not None and bool(self.connection.get_extra_info("server_version"))


class Login:
    """One attempt to log in over a connection that there is.

    Args:
        target: The host.
        settings: Its settings.
        offers: The keys to offer, prepared.
        password: Tried after them; None for none.
        proxy: The command that the connection goes through; None for none.
    """

    def __init__(
        self, target: SshTarget, settings: SshSettings, offers: Offers, password: Secret | None, proxy: Proxy | None
    ) -> None:
        self._target = target
        self._settings = settings
        self._known = load_known_hosts(target.known_hosts_files)
        self._offers = offers
        self._client = _Client(offers.keys, password)
        self._proxy = proxy

    async def run(
        self, sock: socket.socket | None, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        """Log in.

        Args:
            sock: The connection; None where there is a tunnel.
            tunnel: A jump host's; None where there is none.

        Raises:
            MayPassError: The server did not answer, or closed the connection before it said anything.
            HostKeyError: The host's key is not trusted.
            AuthenticationError: It refused all there was to offer.
            UnreachableError: Anything else.
        """
        title, settings = self._target.title, self._settings
        # Behind a proxy the time for the TCP connection is part of the wait for the first line.
        waited = settings.banner_timeout + (
            0 if sock is not None and self._proxy is None else self._target.connect_timeout
        )
        login = asyncio.create_task(self._open(sock, tunnel))
        try:
            await asyncio.wait({login}, timeout=waited)
            if not login.done() and not self._client.answered:
                message = f"{title}: the connection is open, but no SSH server answered within {waited:.1f} s"
                raise MayPassError(message)
            await asyncio.wait({login}, timeout=settings.auth_timeout)
            if not login.done():
                raise UnreachableError(f"{title}: {self._stuck()} within {settings.auth_timeout:.1f} s")
            return login.result()
        except asyncssh.HostKeyNotVerifiable as error:
            raise self._untrusted(error) from error
        except asyncssh.PermissionDenied as error:
            raise self._refused("") from error
        except asyncssh.ChannelOpenError as error:
            via = "" if self._target.jump is None else f" {self._target.jump.alias}"
            message = f"{title}: the jump host{via} cannot reach it: {one_line(error.reason)}"
            raise MayPassError(message) from error
        except (asyncssh.ConnectionLost, OSError) as error:
            raise await self._broken(error) from error
        except asyncssh.DisconnectError as error:
            reason = one_line(error.reason)
            if self._client.logging_in:
                raise self._refused(reason) from error
            message = f"{title}: no SSH connection could be agreed on: {reason}"
            raise UnreachableError(message) from error
        finally:
            login.cancel()
            if not login.done():
                await asyncio.wait({login}, timeout=_CLOSE_SECONDS)

    async def _open(
        self, sock: socket.socket | None, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        target, settings = self._target, self._settings
        trusted = self._known.of(target)
        config = target.options.config.get
        extra: dict[str, object] = {}
        if not config("HostKeyAlgorithms"):
            extra["server_host_key_algs"] = algorithms(trusted)
        if not config("Ciphers"):
            extra["encryption_algs"] = _CIPHERS
        if settings.keepalive > 0:
            extra["keepalive_interval"] = settings.keepalive
        if settings.ssh_strict:
            extra["known_hosts"] = (trusted.keys, trusted.authorities, trusted.revoked)
        return await asyncssh.connect(
            target.hostname,
            target.port,
            sock=sock,
            tunnel=tunnel or (),
            config=None,
            options=target.options,
            client_factory=lambda: self._client,
            connect_timeout=None,
            login_timeout=0,
            gss_auth=bool(config("GSSAPIAuthentication")),
            gss_kex=bool(config("GSSAPIKeyExchange")),
            **extra,
        )

    def _stuck(self) -> str:
        if not self._client.logging_in:
            return "the SSH server stopped answering while keys were exchanged"
        return f"the SSH server or the agent did not finish the login of user {self._target.username}"

    def _untrusted(self, error: asyncssh.HostKeyNotVerifiable) -> HostKeyError:
        """Why a host's key is not taken."""
        shown, authority = self._client.shown, self._client.shown_authority
        if shown is not None or authority is not None:
            key = authority if authority is not None else shown
            assert key is not None  # noqa: S101  # one of the two is not
            said = self._known.explain(self._target, key, is_authority=authority is not None)
            return HostKeyError(f"{self._target.alias}: {said}")
        revoked = self._known.revocation(self._target)
        if revoked is not None:
            said = f"host key of {self._target.title} is revoked ({revoked}): do not trust this host"
        else:
            said = f"host certificate of {self._target.title} is not valid: {one_line(error.reason)}"
        return HostKeyError(f"{self._target.alias}: {said}")

    def _refused(self, reason: str) -> AuthenticationError:
        user, tried = self._target.username, self._client.tried
        if reason:
            what = f"closed the connection ({reason}) before it let user {user} in"
        elif tried:
            what = f"refused user {user}"
        else:
            what = f"has nothing to let user {user} in with"
        keys = (
            f"tried: {', '.join(tried)}"
            if tried
            else "no key in the agent, in ssh_config or in ~/.ssh could be offered"
        )
        return AuthenticationError("; ".join([f"{self._target.alias}: the host {what}", keys, *self._offers.problems]))

    async def _broken(self, error: Exception) -> UnreachableError:
        """Before the server's first line a busy server may have turned us away; after it, trying again is not safe."""
        title, early = self._target.title, not self._client.answered
        proxy = self._proxy if early else None
        complaint = "" if proxy is None else await asyncio.get_running_loop().run_in_executor(None, proxy.failure)
        if complaint:
            message = f"{title}: the ProxyCommand failed: {complaint}"
            return MayPassError(message) if may_pass(complaint) else UnreachableError(message)
        if self._client.logging_in and self._client.tried:
            return self._refused("no reason given")
        stage = "before it said anything" if early else "during the login"
        how = "was reset" if isinstance(error, ConnectionResetError) else "was closed by the host"
        message = f"{title}: the connection {how} {stage}"
        return MayPassError(message) if early else UnreachableError(message)
