"""Logging in over a connection that there is, with every failure named in one line. Runs in the event loop."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Final

import asyncssh

from podroutes.errors import AuthenticationError, HostKeyError, UnreachableError
from podroutes.plugins.connections.ssh.identities import Offer, Offers
from podroutes.plugins.connections.ssh.known_hosts import TrustedKeys
from podroutes.plugins.connections.ssh.proxy import Proxy, may_pass
from podroutes.plugins.connections.ssh.target import SshTarget
from podroutes.plugins.connections.ssh.tcp import MayPassError
from podroutes.plugins.connections.wrapping import one_line

_CLOSE_SECONDS: Final = 0.5
# Before asyncssh's own first: a packet takes a third of the time.
_CIPHERS: Final = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"


class Login(asyncssh.SSHClient):
    """One attempt to log in over a connection that there is; asyncssh asks it for keys, and tells how far it came.

    Args:
        target: The host.
        offers: The keys to offer, prepared.
        proxy: The command that the connection goes through; None for none.
    """

    def __init__(self, target: SshTarget, offers: Offers, proxy: Proxy | None) -> None:
        self._target = target
        self._settings = target.parameters.settings
        self._trusted = TrustedKeys(target)
        self._problems = offers.problems
        self._offers: Iterator[Offer] = iter(offers.keys)
        self._password = target.parameters.password
        self._proxy = proxy
        self._connection: asyncssh.SSHClientConnection | None = None
        self._shown: tuple[asyncssh.SSHKey, bool] | None = None
        self._logging_in = False
        self._tried: list[str] = []

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """The host has been reached."""
        self._connection = conn

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """A host's key is none of the known ones."""
        self._shown = key, False
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """A CA's key is none of the known ones."""
        self._shown = key, True
        return False

    def begin_auth(self, username: str) -> None:
        """The host is the right one."""
        self._logging_in = True

    def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        """The next key to offer."""
        offer = next(self._offers, None)
        if offer is None:
            return None
        self._tried.append(offer.label)
        return offer.pair

    def password_auth_requested(self) -> str | None:
        """The password, once."""
        password, self._password = self._password, None
        if password is None:
            return None
        self._tried.append("password")
        return password.reveal()

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
        direct = sock is not None and self._proxy is None
        waited = settings.banner_timeout + (0 if direct else self._target.connect_timeout)
        login = asyncio.create_task(self._open(sock, tunnel))
        try:
            await asyncio.wait({login}, timeout=waited)
            if not login.done() and not self._answered:
                message = f"{title}: the connection is open, but no SSH server answered within {waited:.1f} s"
                raise MayPassError(message)
            await asyncio.wait({login}, timeout=settings.auth_timeout)
            if not login.done():
                what = "the SSH server stopped answering while keys were exchanged"
                if self._logging_in:
                    what = f"the SSH server or the agent did not finish the login of user {self._target.username}"
                raise UnreachableError(f"{title}: {what} within {settings.auth_timeout:.1f} s")
            return login.result()
        except asyncssh.HostKeyNotVerifiable as error:
            raise HostKeyError(f"{self._target.alias}: {self._untrusted(error)}") from error
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
            if self._logging_in:
                raise self._refused(reason) from error
            message = f"{title}: no SSH connection could be agreed on: {reason}"
            raise UnreachableError(message) from error
        finally:
            login.cancel()
            if not login.done():
                await asyncio.wait({login}, timeout=_CLOSE_SECONDS)

    @property
    def _answered(self) -> bool:
        """Whether an SSH server has named itself."""
        return self._connection is not None and bool(self._connection.get_extra_info("server_version"))

    async def _open(
        self, sock: socket.socket | None, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        options, trusted, config = self._target.options, self._trusted, self._target.options.config.get
        extra: dict[str, object] = {}
        if not config("HostKeyAlgorithms"):
            extra["server_host_key_algs"] = trusted.algorithms()
        if not config("Ciphers"):
            extra["encryption_algs"] = _CIPHERS
        if self._settings.keepalive > 0:
            extra["keepalive_interval"] = self._settings.keepalive
        if self._settings.ssh_strict:
            extra["known_hosts"] = (trusted.keys, trusted.authorities, trusted.revoked)
        return await asyncssh.connect(
            options.host,
            options.port,
            sock=sock,
            tunnel=tunnel or (),
            config=None,
            options=options,
            client_factory=lambda: self,
            connect_timeout=None,
            login_timeout=0,
            gss_auth=bool(config("GSSAPIAuthentication")),
            gss_kex=bool(config("GSSAPIKeyExchange")),
            **extra,
        )

    def _untrusted(self, error: asyncssh.HostKeyNotVerifiable) -> str:
        if self._shown is not None:
            key, is_authority = self._shown
            return self._trusted.explain(key, is_authority=is_authority)
        revoked = self._trusted.revocation()
        if revoked is not None:
            return f"host key of {self._target.title} is revoked ({revoked}): do not trust this host"
        return f"host certificate of {self._target.title} is not valid: {one_line(error.reason)}"

    def _refused(self, reason: str) -> AuthenticationError:
        user, tried = self._target.username, self._tried
        if reason:
            what = f"closed the connection ({reason}) before it let user {user} in"
        elif tried:
            what = f"refused user {user}"
        else:
            what = f"has nothing to let user {user} in with"
        keys = f"tried: {', '.join(tried)}"
        if not tried:
            keys = "no key in the agent, in ssh_config or in ~/.ssh could be offered"
        return AuthenticationError("; ".join([f"{self._target.alias}: the host {what}", keys, *self._problems]))

    async def _broken(self, error: Exception) -> UnreachableError:
        """Before the server's first line a busy server may have turned us away; after it, trying again is not safe."""
        title, early = self._target.title, not self._answered
        if early and self._proxy is not None:
            complaint = await asyncio.get_running_loop().run_in_executor(None, self._proxy.failure)
            if complaint:
                message = f"{title}: the ProxyCommand failed: {complaint}"
                return MayPassError(message) if may_pass(complaint) else UnreachableError(message)
        if self._logging_in and self._tried:
            return self._refused("no reason given")
        stage = "before it said anything" if early else "during the login"
        how = "was reset" if isinstance(error, ConnectionResetError) else "was closed by the host"
        message = f"{title}: the connection {how} {stage}"
        return MayPassError(message) if early else UnreachableError(message)
