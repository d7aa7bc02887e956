import errno
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from podroutes.errors import UnreachableError
from podroutes.plugins.connections.ssh.config import resolve_target
from podroutes.plugins.connections.ssh.connect import connect, pause_seconds
from podroutes.plugins.connections.ssh.settings import parse_settings


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Waits between attempts, noted and not waited for."""
    noted: list[float] = []

    def note(attempt: int) -> float:
        noted.append(pause_seconds(attempt))
        return 0.0

    monkeypatch.setattr("podroutes.plugins.connections.ssh.connect.pause_seconds", note)
    monkeypatch.setenv("HOME", str(tmp_path))
    return noted


def attempt(port: int, config: str = "", tmp_path: Path | None = None, **extras: object) -> str:
    settings = parse_settings(extras)
    file = None
    if tmp_path is not None:
        file = tmp_path / "config"
        file.write_text(config)
    target = resolve_target(
        host="127.0.0.1", port=port, username="kim", settings=settings, config_file=str(file) if file else None
    )
    with pytest.raises(UnreachableError) as caught:
        connect(target, settings, None)
    assert type(caught.value) is UnreachableError
    assert caught.value.__cause__ is not None
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Server:
    """Accepts connections and treats each as it is told."""

    def __init__(self, treat: Callable[[socket.socket], object]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.kept: list[socket.socket] = []
        self.treat = treat
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.kept.append(sock)
            self.treat(sock)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for sock in self.kept:
            sock.close()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    running = Server(request.param)
    yield running
    running.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def test_a_refused_port(pauses: list[float]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        said = attempt(port, connect_attempts=3)
    assert said == f"127.0.0.1:{port}: connection refused; nothing listens on this port (3 attempts)"
    assert len(pauses) == 2
    assert 0.2 <= pauses[0] <= 1.0
    assert 0.4 <= pauses[1] <= 2.0


@pytest.mark.parametrize("server", [lambda sock: None], indirect=True)
def test_a_frozen_host(server: Server) -> None:
    said = attempt(server.port, banner_timeout=0.2, connect_attempts=1)
    assert said == f"127.0.0.1:{server.port}: the connection is open, but no SSH server answered within 0.2 s"


@pytest.mark.parametrize("server", [lambda sock: sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")], indirect=True)
def test_a_host_that_freezes_after_its_first_line(server: Server) -> None:
    threads = threading.active_count()
    said = attempt(server.port, banner_timeout=0.2)
    assert said == f"127.0.0.1:{server.port}: the SSH server stopped answering while keys were exchanged (0.2 s)"
    assert threading.active_count() == threads
    assert server.accepted == 1


def greet_and_leave(sock: socket.socket) -> None:
    sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    sock.recv(10_000)
    sock.close()


@pytest.mark.parametrize("server", [greet_and_leave], indirect=True)
def test_a_host_that_hangs_up_later_leaves_no_thread_behind(server: Server) -> None:
    threads = set(threading.enumerate())
    assert "during the login" in attempt(server.port, banner_timeout=30)
    for thread in set(threading.enumerate()) - threads:
        thread.join(1)
        assert not thread.is_alive()
    assert server.accepted == 1


@pytest.mark.parametrize("server", [lambda sock: sock.close()], indirect=True)
def test_a_host_that_hangs_up_is_tried_again(server: Server) -> None:
    assert "before it said anything (2 attempts)" in attempt(server.port)
    assert server.accepted == 2


@pytest.mark.parametrize("server", [reset], indirect=True)
def test_a_host_that_resets_is_tried_again(server: Server) -> None:
    assert "(2 attempts)" in attempt(server.port)
    assert server.accepted == 2


@pytest.mark.parametrize("server", [lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 120)], indirect=True)
def test_another_service_on_the_port(server: Server) -> None:
    assert "no SSH connection could be agreed on" in attempt(server.port, banner_timeout=1)


@pytest.mark.parametrize(
    ("error", "said", "attempts"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the name 127.0.0.1 cannot be resolved", 1),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "(2 attempts)", 2),
        (TimeoutError("timed out"), "127.0.0.1:22: no answer within 3.0 s (2 attempts)", 2),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "127.0.0.1:22: no route to host", 1),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "127.0.0.1:22: no route to host", 1),
        (OSError(errno.EMFILE, "Too many open files"), "127.0.0.1:22: Too many open files", 1),
    ],
)
def test_what_the_network_may_say(monkeypatch: pytest.MonkeyPatch, error: OSError, said: str, attempts: int) -> None:
    calls: list[float] = []

    def refuse(address: tuple[str, int], timeout: float) -> socket.socket:
        calls.append(timeout)
        raise error

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert said in attempt(22, conn_timeout=3)
    assert calls == [3.0] * attempts


@pytest.mark.parametrize(
    ("command", "said", "attempts"),
    [
        ("sh -c 'echo me@bastion: Permission denied >&2; exit 255'", "me@bastion: Permission denied", 1),
        ("sh -c 'echo Connection refused >&2; exit 255'", "Connection refused (2 attempts)", 2),
        ("/nonexistent/proxy", "not found", 1),
        ("true", "before it said anything (2 attempts)", 2),
    ],
)
def test_a_proxy_that_fails(tmp_path: Path, pauses: list[float], command: str, said: str, attempts: int) -> None:
    message = attempt(22, f"ProxyCommand {command}\n", tmp_path)
    assert said in message
    assert len(pauses) == attempts - 1
