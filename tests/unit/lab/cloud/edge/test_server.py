"""The proxy on real sockets, in front of a service that says what it got."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab.cloud.edge.control import Control, obey, serve_control
from lab.cloud.edge.rules import Counted, Rule
from lab.cloud.edge.server import Edge, Front
from lab.errors import LabError


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[str]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        type(self).seen.append(f"{self.command} {self.path} {body}")
        said = json.dumps({"body": body, "headers": dict(self.headers.items())}).encode()
        self.send_response(204 if self.command == "DELETE" else 201)
        self.send_header("X-Subject-Token", "abc")
        if self.command != "DELETE":
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if self.command not in ("HEAD", "DELETE"):
            self.wfile.write(said)

    do_GET = do_HEAD = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def behind(seen: list[str]) -> Iterator[int]:
    handler = type("Handler", (_Echo,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def edge(behind: int, port: int) -> Iterator[Edge]:
    made = Edge([Front("network", "127.0.0.1", port, behind)])
    made.start()
    yield made
    made.stop("network")


@pytest.fixture
def client(edge: Edge, port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    yield connection
    connection.close()


def test_everything_passes_both_ways(client: http.client.HTTPConnection, port: int, seen: list[str]) -> None:
    client.request("PUT", "/v2.0/subnets/1?fields=id", "a body", {"X-Auth-Token": "secret"})
    got = client.getresponse()
    said = json.loads(got.read())
    assert (got.status, got.headers["X-Subject-Token"], said["body"]) == (201, "abc", "a body")
    assert said["headers"]["X-Auth-Token"] == "secret"
    assert said["headers"]["Host"] == f"127.0.0.1:{port}"
    assert seen == ["PUT /v2.0/subnets/1?fields=id a body"]


def test_one_connection_for_many_requests_also_without_bodies(client: http.client.HTTPConnection, edge: Edge) -> None:
    sockets = set()
    for method, status in (("GET", 201), ("HEAD", 201), ("DELETE", 204), ("GET", 201)):
        client.request(method, "/v2.0/ports")
        got = client.getresponse()
        got.read()
        assert got.status == status
        assert client.sock is not None
        sockets.add(client.sock.getsockname())
    assert len(sockets) == 1
    assert edge.counts.list() == [
        Counted("network", "GET", "/v2.0/ports", 201, 2),
        Counted("network", "HEAD", "/v2.0/ports", 201, 1),
        Counted("network", "DELETE", "/v2.0/ports", 204, 1),
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(409, "application/json"), (412, "application/json"), (500, "application/json"), (503, "text/html")],
)
def test_answers_in_the_services_place(
    client: http.client.HTTPConnection, edge: Edge, seen: list[str], status: int, kind: str
) -> None:
    edge.rules.add(Rule("answer", status=status))
    client.request("GET", "/")
    got = client.getresponse()
    body = got.read()
    assert (got.status, got.headers["Content-Type"]) == (status, kind)
    assert kind == "text/html" or set(json.loads(body)["NeutronError"]) == {"type", "message", "detail"}
    assert seen == []
    client.request("GET", "/")
    assert client.getresponse().status == 201


def test_a_lost_answer_hangs_up_after_the_service_has_done_it(
    client: http.client.HTTPConnection, edge: Edge, seen: list[str]
) -> None:
    edge.rules.add(Rule("lose", methods=("PUT",)))
    client.request("PUT", "/", "x")
    with pytest.raises(http.client.RemoteDisconnected):
        client.getresponse()
    assert seen == ["PUT / x"]
    assert edge.counts.list() == [Counted("network", "PUT", "/", None, 1)]


def test_slow(client: http.client.HTTPConnection, edge: Edge) -> None:
    edge.rules.add(Rule("slow", seconds=0.2))
    started = time.monotonic()
    client.request("GET", "/")
    assert client.getresponse().status == 201
    assert time.monotonic() - started >= 0.2


def test_a_stop_hangs_up_and_refuses_until_it_starts_again(
    client: http.client.HTTPConnection, edge: Edge, port: int
) -> None:
    client.request("GET", "/")
    client.getresponse().read()
    edge.stop("network")
    assert edge.stopped == ["network"]
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        _ask(client)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert edge.start() == ["network"]
    assert edge.start() == []
    client.close()
    assert _ask(client) == 201


def test_nothing_behind_it_is_a_load_balancers_503(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    edge = Edge([Front("network", "127.0.0.1", port, nobody)])
    edge.start()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        assert _ask(client) == 503
    finally:
        client.close()
        edge.stop("network")


def test_control_over_its_socket(edge: Edge, tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    threading.Thread(target=serve_control, args=(path, edge), daemon=True).start()
    control = Control(path)
    _wait(lambda: control.faults() == [])
    rule = Rule("slow", seconds=2.0, count=None)
    control.add(rule)
    control.add(Rule("answer", status=409, methods=("PUT",), path="/v2.0/ports", count=2))
    control.stop("network")
    assert control.faults() == [
        "network: stopped",
        "network: every request is 2 s later (until repaired)",
        "network: PUT below /v2.0/ports is answered with 409 (2 to go)",
    ]
    edge.counts.add("network", "GET", "/", 200)
    assert control.requests(reset=True) == [Counted("network", "GET", "/", 200, 1)]
    assert control.requests() == []
    assert control.clear() == 3
    assert control.clear() == 0


def test_control_without_an_edge_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="the cloud's edge does not answer: "):
        Control(tmp_path / "none.sock").faults()


def test_what_is_not_understood_is_refused(edge: Edge) -> None:
    with pytest.raises(ValueError, match="not understood"):
        obey(edge, {"do": "dance"})


def _ask(client: http.client.HTTPConnection) -> int:
    client.request("GET", "/")
    got = client.getresponse()
    got.read()
    return got.status


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            assert condition()
        except (AssertionError, LabError):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        else:
            return
