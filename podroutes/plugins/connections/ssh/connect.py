"""From a target to an authenticated connection, with every failure named in one line. Runs in the event loop."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from typing import Final

import asyncssh

from podroutes.errors import PodRoutesError, UnreachableError
from podroutes.plugins.connections.ssh.identities import Offers
from podroutes.plugins.connections.ssh.login import Login
from podroutes.plugins.connections.ssh.parameters import SshParameters
from podroutes.plugins.connections.ssh.proxy import Proxy
from podroutes.plugins.connections.ssh.target import SshTarget
from podroutes.plugins.connections.ssh.tcp import MayPassError, open_tcp

_PAUSE_SECONDS: Final = (0.2, 1.0)
_CLOSE_SECONDS: Final = 0.5


class Connection:
    """An open connection.

    Args:
        ssh: Authenticated.
        way: What has to be closed after it.
    """

    def __init__(self, ssh: asyncssh.SSHClientConnection, way: AsyncExitStack) -> None:
        self.ssh = ssh
        self._way = way

    async def close(self) -> None:
        """Close all of it; waits for no host."""
        # Not close(): that waits until the host has taken what is still to be sent.
        self.ssh.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.ssh.wait_closed()
        await self._way.aclose()


async def connect(target: SshTarget) -> Connection:
    """Connect and log in.

    Args:
        target: The host.

    Raises:
        UnreachableError: The network or the host.
        HostKeyError: The host's key; never tried twice.
        AuthenticationError: User or key; never tried twice.
    """
    attempt = 1
    while True:
        try:
            return await _connect_once(target)
        except MayPassError as error:
            if attempt >= target.parameters.settings.connect_attempts:
                tries = f" ({attempt} attempts)" if attempt > 1 else ""
                message = f"{error}{tries}"
                raise UnreachableError(message) from error
        # At random, so that hosts turned away together do not come back together.
        await asyncio.sleep(secrets.SystemRandom().uniform(*_PAUSE_SECONDS) * attempt)
        attempt += 1


async def _connect_once(target: SshTarget) -> Connection:
    with closing(Offers(target)) as offers:
        await offers.prepare()
        async with AsyncExitStack() as way:
            sock = tunnel = proxy = None
            if target.jump is not None:
                tunnel = await way.enter_async_context(_jump_host(target, target.jump))
            elif target.proxy_command is not None:
                proxy = await way.enter_async_context(_proxy(target, target.proxy_command))
                sock = proxy.sock
            else:
                sock = await open_tcp(target)
            try:
                ssh = await Login(target, offers, proxy).run(sock, tunnel)
            except BaseException:
                if sock is not None:
                    sock.close()
                raise
            return Connection(ssh, way.pop_all())


@asynccontextmanager
async def _proxy(target: SshTarget, command: str) -> AsyncIterator[Proxy]:
    try:
        proxy = Proxy(command)
    except OSError as error:
        message = f"{target.title}: the ProxyCommand cannot be started: {error.strerror}"
        raise UnreachableError(message) from error
    try:
        yield proxy
    finally:
        await asyncio.get_running_loop().run_in_executor(None, proxy.close)


class _JumpHost:
    """A jump host's connection, which all hosts behind it use; opened with the first, closed with the last."""

    open: Final[dict[tuple[SshParameters, ...], "_JumpHost"]] = {}

    def __init__(self, target: SshTarget) -> None:
        self.users = 0
        self.connecting = asyncio.create_task(connect(target))

    def is_dead(self) -> bool:
        task = self.connecting
        return task.done() and (task.cancelled() or task.exception() is not None or task.result().ssh.is_closed())


@asynccontextmanager
async def _jump_host(target: SshTarget, jump: SshTarget) -> AsyncIterator[asyncssh.SSHClientConnection]:
    shared = _JumpHost.open.get(jump.way)
    if shared is None or shared.is_dead():
        shared = _JumpHost.open[jump.way] = _JumpHost(jump)
    shared.users += 1
    try:
        try:
            connection = await asyncio.shield(shared.connecting)
        except UnreachableError as error:
            message = f"{target.title}: the jump host failed: {error}"
            raise type(error)(message) from error
        yield connection.ssh
    finally:
        shared.users -= 1
        if shared.users == 0:
            if _JumpHost.open.get(jump.way) is shared:
                del _JumpHost.open[jump.way]
            shared.connecting.cancel()
            with suppress(asyncio.CancelledError, PodRoutesError):
                await (await shared.connecting).close()
