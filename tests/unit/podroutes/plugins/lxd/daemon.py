"""The outermost edge of LXD: an HTTP server that answers what a test tells it to, or breaks off."""

import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

OPERATION = "/1.0/operations/6c5b8a4e-0c4b-4e6b-8f0e-1f2d3c4b5a69"
LOGS = "/1.0/instances/worker-0/logs"
OUTPUT = {"1": f"{LOGS}/exec_a.stdout", "2": f"{LOGS}/exec_a.stderr"}


@dataclass(frozen=True)
class Request:
    """What came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes back; without a status the connection is broken off."""

    status: int | None
    body: bytes = b""


def metadata(content: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps({"type": "sync", "status_code": status, "metadata": content}).encode())


def refused(status: int, reason: str) -> Answer:
    return Answer(status, json.dumps({"type": "error", "error": reason, "error_code": status}).encode())


def ended(status: object = 0, output: object = OUTPUT, *, status_code: int = 200, err: str = "") -> Answer:
    """An operation that ended."""
    return metadata({"status_code": status_code, "err": err, "metadata": {"return": status, "output": output}})


BROKEN_OFF = Answer(None)
STARTED = Answer(202, json.dumps({"type": "async", "operation": f"{OPERATION}?project=default"}).encode())


@dataclass
class Daemon:
    """Answers by method and path; a list is used up but for its last."""

    answers: dict[str, list[Answer] | Callable[[Request], Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        found = self.answers.get(f"{request.method} {request.path}")
        if found is None:
            return refused(404, "not found")
        if callable(found):
            return found(request)
        return found.pop(0) if len(found) > 1 else found[0]

    def seen(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


def command(stdout: bytes, stderr: bytes = b"", *, end: Answer | None = None) -> dict[str, list[Answer] | Any]:
    """The answers for a command that worker-0 runs."""
    return {
        "GET /1.0/instances/worker-0": [metadata({"status": "Running"})],
        "POST /1.0/instances/worker-0/files": [metadata({})],
        "POST /1.0/instances/worker-0/exec": [STARTED],
        f"GET {OPERATION}/wait": [end or ended()],
        f"GET {OUTPUT['1']}": [Answer(200, stdout)],
        f"GET {OUTPUT['2']}": [Answer(200, stderr)],
        f"DELETE {OUTPUT['1']}": [metadata({})],
        f"DELETE {OUTPUT['2']}": [metadata({})],
    }


@contextmanager
def serving(daemon: Daemon, socket: Path) -> Iterator[Daemon]:
    """Serve on a unix socket."""
    with _running(daemon, lambda handler: socketserver.ThreadingUnixStreamServer(str(socket), handler)):
        yield daemon


@contextmanager
def serving_tls(daemon: Daemon, context: ssl.SSLContext) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1."""
    ports: list[int] = []

    def make(handler: type[BaseHTTPRequestHandler]) -> socketserver.BaseServer:
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.server_bind()
        server.server_activate()
        ports.append(server.socket.getsockname()[1])
        return server

    with _running(daemon, make):
        yield ports[0]


@contextmanager
def _running(
    daemon: Daemon, make: Callable[[type[BaseHTTPRequestHandler]], socketserver.BaseServer]
) -> Iterator[socketserver.BaseServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, parts.path, parse_qs(parts.query), dict(self.headers), body)
            answer = daemon.answer(request)
            if answer.status is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815  # names that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = make(Handler)
    server.daemon_threads = True  # type: ignore[attr-defined]
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
