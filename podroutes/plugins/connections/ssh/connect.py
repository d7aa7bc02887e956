"""From a target to an authenticated connection, with every failure named in one line. Runs in the event loop."""

import asyncio
import secrets
import socket
from contextlib import suppress
from typing import Final

import asyncssh

from podroutes.errors import PodRoutesError, UnreachableError
from podroutes.plugins.connections.ssh.failures import MayPassError
from podroutes.plugins.connections.ssh.identities import Offers
from podroutes.plugins.connections.ssh.login import Login
from podroutes.plugins.connections.ssh.proxy import Proxy
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.plugins.connections.ssh.target import SshTarget
from podroutes.plugins.connections.ssh.tcp import open_tcp
from podroutes.secret import Secret

LOGGER: Final = "asyncssh"
_PAUSE_SECONDS: Final = (0.2, 1.0)
_CLOSE_SECONDS: Final = 0.5


class Connection:
    """An open connection and what has to be closed with it.

    Args:
        target: The host.
        ssh: Authenticated.
        proxy: The command it goes through; None for a direct connection.
        jump: The jump host it goes through; None for none.
    """

    def __init__(
        self, target: SshTarget, ssh: asyncssh.SSHClientConnection, proxy: Proxy | None, jump: "Shared | None"
    ) -> None:
        self.target = target
        self.ssh = ssh
        self._proxy = proxy
        self._jump = jump

    async def close(self) -> None:
        """Close all of it; waits for no host."""
        # Not close(): that waits until the host has taken what is still to be sent.
        self.ssh.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.ssh.wait_closed()
        if self._proxy is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._proxy.close)
        if self._jump is not None:
            await self._jump.release()


class Shared:
    """A jump host's connection, which all hosts behind it use; opened with the first, closed with the last.

    Args:
        target: The jump host.
        settings: Its settings.
    """

    _open: Final[dict[SshTarget, "Shared"]] = {}

    def __init__(self, target: SshTarget, settings: SshSettings) -> None:
        self._target = target
        self._users = 0
        self.connection = asyncio.create_task(connect(target, settings, None))

    @classmethod
    async def acquire(cls, target: SshTarget, settings: SshSettings) -> tuple["Shared", asyncssh.SSHClientConnection]:
        """Use the connection to a jump host; open it where nobody does.

        Raises:
            UnreachableError: There is none to be had.
        """
        shared = cls._open.get(target)
        if shared is None or shared._is_dead():
            shared = cls._open[target] = cls(target, settings)
        shared._users += 1
        try:
            return shared, (await asyncio.shield(shared.connection)).ssh
        except BaseException:
            await shared.release()
            raise

    def _is_dead(self) -> bool:
        task = self.connection
        return task.done() and (task.cancelled() or task.exception() is not None or task.result().ssh.is_closed())

    async def release(self) -> None:
        """Use it no more."""
        self._users -= 1
        if self._users > 0:
            return
        if Shared._open.get(self._target) is self:
            del Shared._open[self._target]
        self.connection.cancel()
        with suppress(asyncio.CancelledError, PodRoutesError):
            await (await self.connection).close()


async def connect(target: SshTarget, settings: SshSettings, password: Secret | None) -> Connection:
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
            return await _connect_once(target, settings, password)
        except MayPassError as error:
            if attempt >= settings.connect_attempts:
                tries = f" ({attempt} attempts)" if attempt > 1 else ""
                message = f"{error}{tries}"
                raise UnreachableError(message) from error
        # At random, so that hosts turned away together do not come back together.
        await asyncio.sleep(secrets.SystemRandom().uniform(*_PAUSE_SECONDS) * attempt)
        attempt += 1


async def _connect_once(target: SshTarget, settings: SshSettings, password: Secret | None) -> Connection:
    offers = Offers(target, settings)
    jump: Shared | None = None
    proxy: Proxy | None = None
    sock: socket.socket | None = None
    tunnel: asyncssh.SSHClientConnection | None = None
    try:
        await offers.prepare()
        if target.jump is not None:
            jump, tunnel = await _through(target, target.jump, settings)
        elif target.proxy_command is not None:
            proxy = _start_proxy(target, target.proxy_command)
            sock = proxy.sock
        else:
            sock = await open_tcp(target)
        ssh = await Login(target, settings, offers, password, proxy).run(sock, tunnel)
        return Connection(target, ssh, proxy, jump)
    except BaseException:
        if sock is not None:
            sock.close()
        if proxy is not None:
            await asyncio.get_running_loop().run_in_executor(None, proxy.close)
        if jump is not None:
            await jump.release()
        raise
    finally:
        offers.close()


async def _through(
    target: SshTarget, jump: SshTarget, settings: SshSettings
) -> tuple[Shared, asyncssh.SSHClientConnection]:
    try:
        # Those that resolve_target() took over for it.
        return await Shared.acquire(
            jump,
            SshSettings(
                banner_timeout=settings.banner_timeout,
                auth_timeout=settings.auth_timeout,
                connect_attempts=settings.connect_attempts,
            ),
        )
    except UnreachableError as error:
        message = f"{target.title}: the jump host failed: {error}"
        raise type(error)(message) from error


def _start_proxy(target: SshTarget, command: str) -> Proxy:
    try:
        return Proxy(command)
    except OSError as error:
        message = f"{target.title}: the ProxyCommand cannot be started: {error.strerror}"
        raise UnreachableError(message) from error
