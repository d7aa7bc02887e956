import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.lxd.api import Api

Answer = Callable[..., Path]


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answer]:
    """What answers each request with what it is given: a real daemon fails at no fixed time."""
    servers: list[tuple[socket.socket, threading.Thread]] = []

    def start(*answers: object) -> Path:
        path = tmp_path / "unix.socket"
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as request:
                    # All of it: head and body come one after the other, and a client that is cut off has failed.
                    head = list(iter(request.readline, b"\r\n"))
                    lengths = [line.split(b":")[1] for line in head if line.lower().startswith(b"content-length:")]
                    request.read(int(lengths[0]) if lengths else 0)
                    text = json.dumps(answer)
                    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())

        thread = threading.Thread(target=serve)
        thread.start()
        servers.append((server, thread))
        return path

    yield start
    for server, thread in servers:
        thread.join(5)
        server.close()


def test_what_is_answered_at_once(answering: Answer) -> None:
    api = Api(answering({"type": "sync", "metadata": ["/1.0/instances/worker-0"]}))
    assert api.call("GET", "/1.0/instances") == ["/1.0/instances/worker-0"]


def test_an_operation_that_fails_later(answering: Answer) -> None:
    operation = {"type": "async", "operation": "/1.0/operations/1"}
    failed = {"type": "sync", "metadata": {"status_code": 400, "err": "no space left"}}
    api = Api(answering(operation, failed))
    with pytest.raises(LabError, match=r"LXD failed at PUT /1\.0/x: no space left"):
        api.call("PUT", "/1.0/x", {})


def test_a_refusal(answering: Answer) -> None:
    api = Api(answering({"type": "error", "error": "not found"}))
    with pytest.raises(LabError, match=r"LXD refuses GET /1\.0/x: not found"):
        api.call("GET", "/1.0/x")


def test_nobody_there(tmp_path: Path) -> None:
    api = Api(tmp_path / "unix.socket")
    assert not api.is_ready()
    with pytest.raises(LabError, match="LXD does not answer"):
        api.call("GET", "/1.0")
