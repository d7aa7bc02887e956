import threading
import time
from collections.abc import Iterator
from typing import cast

import pytest
from msgspec.structs import replace

from podroutes.errors import UnreachableError
from podroutes.plugins.connections.ssh import ahead
from podroutes.plugins.connections.ssh.config import SshTarget
from podroutes.plugins.connections.ssh.connect import Connection
from podroutes.plugins.connections.ssh.parameters import SshParameters, parse_parameters
from podroutes.secret import Secret

SECONDS = 10.0


class Open:
    """An open connection that remembers whether it was closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def is_closed(connection: Connection, within: float) -> bool:
    return cast("Open", connection).closed.wait(within)


class Network:
    """Connects when it is told to."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.made: list[Connection] = []
        self.asked: list[SshTarget] = []
        self.error: Exception | None = None

    def connect(self, target: SshTarget, _settings: object, _password: object) -> Connection:
        self.asked.append(target)
        assert self.answer.wait(SECONDS)
        if self.error is not None:
            raise self.error
        self.made.append(cast("Connection", Open()))
        return self.made[-1]

    def wait_for(self, count: int) -> None:
        """Wait until that many connections are made."""
        deadline = time.monotonic() + SECONDS
        while len(self.made) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    network = Network()
    monkeypatch.setattr(ahead, "connect", network.connect)
    yield network
    network.answer.set()
    ahead.abandon()
    # One that is late would connect to the next test's network.
    for thread in threading.enumerate():
        if thread.name.startswith("podroutes-connect-"):
            thread.join(SECONDS)


def parameters(host: str = "10.240.0.20", **extras: object) -> SshParameters:
    return parse_parameters(
        hostname=host, username="kim", password=None, port=None, platform=None, extras=extras, config_file=None
    )


def test_what_was_begun_is_what_is_got(network: Network) -> None:
    ahead.begin(parameters())
    network.answer.set()
    opened = ahead.open_connection(parameters())
    assert [opened.connection] == network.made
    assert opened.target.hostname == "10.240.0.20"
    assert len(network.asked) == 1


def test_it_is_got_once(network: Network) -> None:
    network.answer.set()
    ahead.begin(parameters())
    first, second = ahead.open_connection(parameters()), ahead.open_connection(parameters())
    assert first.connection is not second.connection
    assert len(network.asked) == 2


@pytest.mark.parametrize(
    "other",
    [
        parameters("10.240.0.21"),
        parameters(key_file="/other"),
        parameters(ssh_strict=False),
        replace(parameters(), username="sam"),
        replace(parameters(), password=Secret("secret")),
        replace(parameters(), port=2222),
        replace(parameters(), config_file="/nowhere"),
    ],
)
def test_another_host_user_or_setting_is_another_connection(network: Network, other: SshParameters) -> None:
    network.answer.set()
    ahead.begin(parameters())
    opened = ahead.open_connection(other)
    ahead.abandon()
    network.wait_for(2)
    assert len(network.asked) == 2
    left = next(one for one in network.made if one is not opened.connection)
    assert is_closed(left, SECONDS)
    assert not is_closed(opened.connection, 0)


def test_what_failed_fails_whoever_asks_for_it(network: Network) -> None:
    network.error = UnreachableError("10.240.0.20:22: connection refused; nothing listens on this port")
    network.answer.set()
    ahead.begin(parameters())
    with pytest.raises(UnreachableError, match="connection refused"):
        ahead.open_connection(parameters())


def test_what_nobody_asked_for_is_closed_without_waiting_for_it(network: Network) -> None:
    ahead.begin(parameters())
    ahead.abandon()
    assert network.made == []
    ahead.begin(parameters("10.240.0.21"))
    network.answer.set()
    ahead.open_connection(parameters("10.240.0.21"))
    network.wait_for(2)
    assert sorted(is_closed(one, 0.2) for one in network.made) == [False, True]


def test_what_failed_and_nobody_asked_for_is_forgotten(network: Network) -> None:
    network.error = UnreachableError("no route to host")
    ahead.begin(parameters())
    ahead.abandon()
    network.answer.set()
    network.error = None
    assert ahead.open_connection(parameters()).connection in network.made


def test_without_another_thread_the_task_connects_by_itself(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    network.answer.set()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        ahead.begin(parameters())
    assert [ahead.open_connection(parameters()).connection] == network.made


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(replace(parameters(), password=Secret("hunter2")))
