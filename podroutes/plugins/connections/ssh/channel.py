"""One command in an exec channel: input in, both outputs and the exit status out, in bounded time."""

import threading
import time
from contextlib import suppress

import paramiko
from msgspec import Struct
from paramiko.common import cMSG_CHANNEL_REQUEST

from podroutes.plugins.connections.ssh.transport import SshTransport

READ_BYTES = 1 << 16
# Any new connection's send buffer takes this much, whether the other side does or not.
_SENT_AT_ONCE = 1 << 14
MAX_OUTPUT_BYTES = 64 << 20
CLOSE_SECONDS = 0.5
SETTLE_SECONDS = 0.2


class ExecTimeoutError(Exception):
    """The command did not end in time."""


class ExecBrokenError(Exception):
    """The connection ended before the command did."""


class ExecRefusedError(Exception):
    """The host does not let this user run commands."""


class ExecKilledError(Exception):
    """The command ended without an exit status, by a signal."""


class ExecTooMuchOutputError(Exception):
    """The command printed more than anybody wants to keep in memory."""


class ExecResult(Struct, frozen=True):
    """How a command ended.

    Attributes:
        status: Exit status, 0 to 255.
        stdout: Standard output.
        stderr: Standard error.
    """

    status: int
    stdout: bytearray
    stderr: bytearray


class _Wakeup(threading.Event):
    """Set by either of two buffers. Each would clear it when itself is empty, but only the reader knows of both."""

    def clear(self) -> None:
        pass

    def rearm(self) -> None:
        super().clear()


def execute(transport: SshTransport, command: str, stdin: bytearray, timeout: float) -> ExecResult:
    """Run a command.

    The request and the input follow one another without waiting for an answer: two round trips in all.

    Args:
        transport: An authenticated connection.
        command: For the user's login shell.
        stdin: The whole of its standard input; emptied when it is sent, as hosts are waited for long, and in numbers.
        timeout: Seconds until it must have ended; the clock does not start anew when output trickles in.

    Returns:
        Exit status and outputs.

    Raises:
        ExecTimeoutError: It did not end in time.
        ExecBrokenError: The connection ended first.
        ExecRefusedError: The host refused the channel or the command.
        ExecKilledError: There was no exit status.
        ExecTooMuchOutputError: It printed more than 64 MiB.
    """
    deadline = time.monotonic() + timeout
    channel = _open(transport, timeout)
    wakeup = _Wakeup()
    channel.in_buffer.set_event(wakeup)
    channel.in_stderr_buffer.set_event(wakeup)
    stdout, stderr = bytearray(), bytearray()
    try:
        if len(command) + len(stdin) <= _SENT_AT_ONCE:
            # The host says how much it takes when it has begun.
            channel.settimeout(max(0.001, deadline - time.monotonic()))
            _feed(transport, channel, command, stdin)
        else:
            # In a thread of its own: the host may want its output read first, and a dead network takes nothing at all.
            threading.Thread(
                target=_feed, args=(transport, channel, command, stdin), name="podroutes-stdin", daemon=True
            ).start()
        while True:
            wakeup.rearm()
            # Asked before reading: what arrived before the end is still read after it.
            closed = channel.closed
            _drain(channel, stdout, stderr)
            if closed:
                break
            if len(stdout) + len(stderr) > MAX_OUTPUT_BYTES:
                raise ExecTooMuchOutputError
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise ExecTimeoutError
            wakeup.wait(remaining)
    except BaseException:
        _abandon(transport, channel)
        raise
    if channel.exit_status >= 0 and channel.eof_received:
        return ExecResult(channel.exit_status, stdout, stderr)
    # A dying connection closes its channels before it says that it is dead; its thread ends a moment later.
    transport.join(SETTLE_SECONDS)
    if channel.exit_status >= 0 and transport.is_active():
        return ExecResult(channel.exit_status, stdout, stderr)
    if not transport.is_active():
        raise ExecBrokenError
    raise ExecKilledError if channel.event_ready else ExecRefusedError


def _open(transport: SshTransport, timeout: float) -> paramiko.Channel:
    began = time.monotonic()
    try:
        opened: paramiko.Channel = transport.open_session(timeout=timeout)
    except paramiko.ChannelException as error:
        raise ExecRefusedError from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        if transport.is_active() and time.monotonic() - began >= timeout:
            # Nobody will ever use the channel if it opens after all.
            transport.close()
            raise ExecTimeoutError from error
        raise ExecBrokenError from error
    return opened


def _feed(transport: SshTransport, channel: paramiko.Channel, command: str, data: bytearray) -> None:
    # Paramiko's own exec_command() waits for the answer, and without a limit.
    request = paramiko.Message()
    request.add_byte(cMSG_CHANNEL_REQUEST)
    request.add_int(channel.remote_chanid)
    request.add_string("exec")
    request.add_boolean(True)
    request.add_string(command)
    # A command that ends without reading its input closes the channel; its status and stderr say more than an error.
    with suppress(paramiko.SSHException, OSError, EOFError):
        transport._send_user_message(request)
        at = 0
        while at < len(data):
            sent = channel.send(bytes(data[at : at + READ_BYTES]))
            if sent == 0:
                return
            at += sent
        channel.shutdown_write()
    data.clear()


def _drain(channel: paramiko.Channel, stdout: bytearray, stderr: bytearray) -> None:
    while channel.recv_ready():
        stdout += channel.recv(READ_BYTES)
    while channel.recv_stderr_ready():
        stderr += channel.recv_stderr(READ_BYTES)


def _abandon(transport: SshTransport, channel: paramiko.Channel) -> None:
    """Close the channel if the host takes that, and the connection if it does not."""

    def close() -> None:
        with suppress(paramiko.SSHException, OSError, EOFError):
            channel.close()

    closer = threading.Thread(target=close, name="podroutes-close", daemon=True)
    closer.start()
    closer.join(CLOSE_SECONDS)
    if closer.is_alive():
        transport.close()
