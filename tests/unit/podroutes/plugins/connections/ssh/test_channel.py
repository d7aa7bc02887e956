"""What a real connection cannot be made to do at the moment when it matters."""

import threading
import time
from typing import cast

import paramiko
import pytest

from podroutes.plugins.connections.ssh.channel import ExecBrokenError, ExecTimeoutError, execute
from podroutes.plugins.connections.ssh.transport import SshTransport


class Transport:
    """A transport of which only the end matters."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self.channel = channel
        self.active = True
        self.closed = False
        self.stuck = threading.Event()

    def open_session(self, timeout: float) -> paramiko.Channel:
        self.channel.transport = cast("SshTransport", self)
        return self.channel

    def _unlink_channel(self, number: int) -> None:
        pass

    def is_active(self) -> bool:
        return self.active

    def close(self) -> None:
        self.closed = True
        self.stuck.set()


class Dying(Transport):
    """Closes its channels a moment before it says that it is dead, as paramiko's does."""

    def _send_user_message(self, message: paramiko.Message) -> None:
        self.channel._unlink()  # type: ignore[attr-defined]

    def join(self, timeout: float) -> None:
        self.active = False


class Clogged(Transport):
    """Takes nothing any more, not even the message that closes a channel."""

    def _send_user_message(self, message: paramiko.Message) -> None:
        self.stuck.wait(10)


def test_a_connection_that_is_just_dying_is_no_signal() -> None:
    transport = Dying(paramiko.Channel(0))
    with pytest.raises(ExecBrokenError):
        execute(cast("SshTransport", transport), "true", bytearray(), 5)


class Reluctant(Transport):
    """Takes messages, but never says how much input it will take."""

    def _send_user_message(self, message: paramiko.Message) -> None:
        pass


@pytest.mark.parametrize("size", [4, 20_000])
def test_a_host_that_takes_no_input_is_given_up_in_time(size: int) -> None:
    channel = paramiko.Channel(0)
    channel.active = True
    began = time.monotonic()
    with pytest.raises(ExecTimeoutError):
        execute(cast("SshTransport", Reluctant(channel)), "sh", bytearray(b"x" * size), 0.1)
    assert time.monotonic() - began < 2


def test_a_connection_that_takes_nothing_is_closed() -> None:
    channel = paramiko.Channel(0)
    channel.active = True
    transport = Clogged(channel)
    began = time.monotonic()
    with pytest.raises(ExecTimeoutError):
        execute(cast("SshTransport", transport), "sh", bytearray(b" " * 20_000 + b"true"), 0.1)
    assert transport.closed
    assert time.monotonic() - began < 2
