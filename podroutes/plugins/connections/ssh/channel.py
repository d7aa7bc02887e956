"""One command in an exec channel: input in, both outputs and the exit status out. Runs in the event loop."""

import asyncio
from contextlib import suppress
from typing import Final, NamedTuple

import asyncssh

from podroutes.errors import RemoteCommandError, RemoteTimeoutError, UnreachableError
from podroutes.plugins.connections.wrapping import Request
from podroutes.secret import Secret

MAX_OUTPUT_BYTES: Final = 64 << 20
_SETTLE_SECONDS: Final = 0.2
_BROKEN: Final = "the connection broke while a command ran"


class ExecResult(NamedTuple):
    """How a command ended: exit status, 0 to 255, and both outputs."""

    status: int
    stdout: bytearray
    stderr: bytearray


class _Session(asyncssh.SSHClientSession[bytes]):
    def __init__(self, request: Request, password: Secret | None) -> None:
        self.stdout, self.stderr = bytearray(), bytearray()
        self.too_much = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._password = password
        self._prompt, self._ready = request.prompt.encode(), f"{request.ready}\n".encode()
        self._waiting = bool(request.ready)

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def session_started(self) -> None:
        if not self._waiting:
            self._send_input()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        output = self.stdout if datatype is None else self.stderr
        output += data
        if len(self.stdout) + len(self.stderr) > MAX_OUTPUT_BYTES and not self.too_much:
            self.too_much = True
            self._channel.abort()
        if self._waiting and self._ready in self.stdout:
            self._waiting = False
            self._send_input()
        elif self._waiting and self._prompt in self.stderr:
            self._answer()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _send_input(self) -> None:
        self._send(self._request.stdin)
        self._channel.write_eof()

    def _answer(self) -> None:
        """Give sudo the password once; a second question means that it was wrong."""
        del self.stderr[: self.stderr.index(self._prompt) + len(self._prompt)]
        password, self._password = self._password, None
        if password is None:
            self._waiting = False
            self._channel.write_eof()
        else:
            self._send(f"{password.reveal()}\n".encode())

    def _send(self, data: bytes) -> None:
        # A command that ends without reading its input closes the channel; its status and stderr say more than that.
        with suppress(BrokenPipeError):
            self._channel.write(data)


async def execute(
    connection: asyncssh.SSHClientConnection, request: Request, password: Secret | None, timeout: float, host: str
) -> ExecResult:
    """Run a command.

    Args:
        connection: Authenticated.
        request: The command and its input.
        password: For sudo, where it asks.
        timeout: Seconds until it must have ended; the clock does not start anew when output trickles in.
        host: Its name, for messages.

    Raises:
        RemoteTimeoutError: It did not end in time.
        UnreachableError: The connection ended first.
        RemoteCommandError: The host refused the command, or there was no exit status, or more than 64 MiB of output.
    """
    channel: asyncssh.SSHClientChannel[bytes] | None = None
    try:
        async with asyncio.timeout(timeout):
            try:
                channel, session = await _start(connection, request, password)
            except (asyncssh.ChannelOpenError, OSError):
                # A connection that dies refuses channels before it says that it is dead; and a server that allows one
                # session at a time may not have counted down the one before.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SETTLE_SECONDS):
                        await connection.wait_closed()
                channel, session = await _start(connection, request, password)
            await session.ended
    except TimeoutError as error:
        # Nobody will ever use a channel that opens after all.
        (connection if channel is None else channel).abort()
        message = f"{host}: the command did not end within {timeout:.1f} s"
        raise RemoteTimeoutError(message) from error
    except (asyncssh.ChannelOpenError, OSError) as error:
        if connection.is_closed():
            raise UnreachableError(f"{host}: {_BROKEN}") from error
        message = f"{host}: user {connection.get_extra_info('username')} is not allowed to run commands over SSH"
        raise RemoteCommandError(message) from error
    status = channel.get_exit_status()
    if session.too_much:
        message = f"{host}: the command printed more than {MAX_OUTPUT_BYTES >> 20} MiB"
        raise RemoteCommandError(message)
    if status is not None and status >= 0:
        return ExecResult(status, session.stdout, session.stderr)
    if connection.is_closed():
        raise UnreachableError(f"{host}: {_BROKEN}")
    message = f"{host}: the command was ended by a signal; it has no exit status"
    raise RemoteCommandError(message)


async def _start(
    connection: asyncssh.SSHClientConnection, request: Request, password: Secret | None
) -> tuple[asyncssh.SSHClientChannel[bytes], _Session]:
    session = _Session(request, password)
    channel, _ = await connection.create_session(
        lambda: session, request.command, encoding=None, env=None, send_env=None, request_pty=False
    )
    return channel, session
