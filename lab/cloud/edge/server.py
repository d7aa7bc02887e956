"""The proxy itself: one thread a connection, one request to the service for each that comes in."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from lab.cloud.edge.answers import answer
from lab.cloud.edge.rules import Counts, Rules

# These concern one connection; the edge has two.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_UNAVAILABLE = 503
_NO_BODY = (204, 304)


class Front(NamedTuple):
    """The edge's port for a service.

    Attributes:
        service: `identity` or `network`.
        address: Where the edge listens.
        port: Likewise.
        behind: The port where the service itself listens.
    """

    service: str
    address: str
    port: int
    behind: int


class Edge:
    """All fronts, with the rules and counts that they share.

    Args:
        fronts: One for each service.
    """

    def __init__(self, fronts: Sequence[Front]) -> None:
        self.rules = Rules()
        self.counts = Counts()
        self._fronts = {front.service: front for front in fronts}
        self._servers: dict[str, _Server] = {}
        self._lock = threading.Lock()

    def start(self, services: Sequence[str] | None = None) -> list[str]:
        """Listen.

        Args:
            services: For which; all by default.

        Returns:
            Those for which it did not listen before.
        """
        with self._lock:
            closed = [name for name in services or self._fronts if name not in self._servers]
            for name in closed:
                server = _Server(self._fronts[name], self.rules, self.counts)
                threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
                self._servers[name] = server
        return closed

    def stop(self, service: str) -> None:
        """Stop listening: connections are closed, and new ones are refused.

        Args:
            service: For which.
        """
        with self._lock:
            server = self._servers.pop(service, None)
            if server is not None:
                server.shutdown()
                server.server_close()
                server.hang_up()

    @property
    def stopped(self) -> list[str]:
        """Services for which it does not listen."""
        with self._lock:
            return [name for name in self._fronts if name not in self._servers]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Threads that wait for a client's next request must not hold up a stop.
    block_on_close = False
    request_queue_size = 128

    def __init__(self, front: Front, rules: Rules, counts: Counts) -> None:
        self.front, self.rules, self.counts = front, rules, counts
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((front.address, front.port), _Handler)

    def add(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)

    def discard(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """A client that went away is nothing to log; all else is answered."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.add(self.connection)

    def finish(self) -> None:
        self.server.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_: object) -> None:
        """The counts are the log."""

    def _handle(self) -> None:
        path = self.path.partition("?")[0]
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._reply(http.client.LENGTH_REQUIRED, [], b"")
            return
        treatment = self.server.rules.treat(self.server.front.service, self.command, path)
        if treatment.seconds > 0:
            time.sleep(treatment.seconds)
        rule = treatment.rule
        if rule is not None and rule.action == "answer":
            kind, text = answer(rule.status)
            self._answer(path, rule.status, [("Content-Type", kind)], text)
            return
        try:
            status, headers, text = self._pass_on(body)
        except OSError:
            # The answer of a load balancer that has no backend.
            kind, text = answer(_UNAVAILABLE)
            status, headers = _UNAVAILABLE, [("Content-Type", kind)]
        if rule is not None and rule.action == "lose":
            self.close_connection = True
            self.server.counts.add(self.server.front.service, self.command, path, None)
            return
        self._answer(path, status, headers, text)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815 - named by the library

    def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        front = self.server.front
        # A new connection for each: a kept one may be closed while a request is sent, which must not be sent twice.
        service = http.client.HTTPConnection(front.address, front.behind)
        try:
            service.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    service.putheader(name, value)
            service.putheader("Connection", "close")
            service.endheaders(body)
            got = service.getresponse()
            text = got.read()
            headers = [
                (name, value)
                for name, value in got.getheaders()
                if name.lower() not in _HOP_BY_HOP and name.lower() != "content-length"
            ]
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            service.close()
        return got.status, headers, text

    def _answer(self, path: str, status: int, headers: list[tuple[str, str]], text: bytes) -> None:
        # Counted first: a client that has its answer may ask for the counts at once.
        self.server.counts.add(self.server.front.service, self.command, path, status)
        self._reply(status, headers, text)

    def _reply(self, status: int, headers: list[tuple[str, str]], text: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in _NO_BODY:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)
