"""Requests to a daemon that answers, refuses, forgets and breaks off."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from podroutes.errors import (
    AuthenticationError,
    PodRoutesError,
    RemoteCommandError,
    RemoteTimeoutError,
    UnreachableError,
)
from podroutes.plugins.lxd import client as client_module
from podroutes.plugins.lxd.client import ApiError, ExecResult, LxdClient
from podroutes.plugins.lxd.remotes import Remote
from tests.unit.podroutes.plugins.lxd.daemon import (
    BROKEN_OFF,
    LOGS,
    OPERATION,
    OUTPUT,
    Answer,
    Daemon,
    command,
    ended,
    metadata,
    refused,
    serving,
)

INSTANCE = "GET /1.0/instances/worker-0"
EXEC = "POST /1.0/instances/worker-0/exec"
WAIT = f"GET {OPERATION}/wait"


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "unix.socket"


@pytest.fixture
def daemon(socket: Path) -> Iterator[Daemon]:
    with serving(Daemon(command(b"out\n", b"err\n")), socket) as daemon:
        yield daemon


class Clock:
    """Time that goes on when somebody looks or sleeps, however long a busy computer takes for the rest."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += 0.01
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


@pytest.fixture
def client(socket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LxdClient]:
    monkeypatch.setattr(client_module, "time", Clock())
    with closing(LxdClient(_remote(socket), 10)) as client:
        yield client


def _remote(socket: Path) -> Remote:
    return Remote("local", "lxc", "default", str(socket), "http://lxd")


def test_a_command_runs_with_recorded_output_that_is_deleted(daemon: Daemon, client: LxdClient) -> None:
    assert client.execute("worker-0", ["true"], timeout=5) == ExecResult(0, b"out\n", b"err\n")
    assert daemon.seen() == [
        EXEC,
        WAIT,
        *(f"{method} {OUTPUT[number]}" for method in ("GET", "DELETE") for number in ("1", "2")),
    ]
    assert {tuple(request.query["project"]) for request in daemon.requests} == {("default",)}
    assert b'"record-output":true' in daemon.requests[0].body
    assert b'"wait-for-websocket":false' in daemon.requests[0].body


@pytest.mark.parametrize("status", [1, 127, 255])
def test_its_exit_status_is_the_commands(daemon: Daemon, client: LxdClient, status: int) -> None:
    daemon.answers[WAIT] = [ended(status)]
    assert client.execute("worker-0", ["false"], timeout=5).status == status


def test_a_file_is_pushed_with_owner_and_mode_as_either_server_reads_them(daemon: Daemon, client: LxdClient) -> None:
    client.push_file("worker-0", "/run/a b", b"\x00text", mode=0o640)
    (request,) = daemon.requests
    assert (request.query["path"], request.body) == (["/run/a b"], b"\x00text")
    for server in ("LXD", "Incus"):
        said = {key: request.headers[f"X-{server}-{key}"] for key in ("uid", "gid", "mode", "type")}
        assert said == {"uid": "0", "gid": "0", "mode": "0640", "type": "file"}


class TestAFileServerThatLeaves:
    FILES = "POST /1.0/instances/worker-0/files"
    LEFT = refused(500, "read unix @->/proc/self/fd/54/forkfile.sock: read: connection reset by peer")

    def test_is_asked_again(self, daemon: Daemon, client: LxdClient) -> None:
        daemon.answers[self.FILES] = [self.LEFT, self.LEFT, metadata({})]
        client.push_file("worker-0", "/run/a", b"text", mode=0o640)
        assert [request.body for request in daemon.requests] == [b"text"] * 3

    def test_but_not_for_ever(self, daemon: Daemon, client: LxdClient) -> None:
        daemon.answers[self.FILES] = [self.LEFT]
        with pytest.raises(ApiError, match=r"forkfile\.sock: read: connection reset"):
            client.push_file("worker-0", "/run/a", b"text", mode=0o640)

    def test_and_no_other_refusal_is_asked_again(self, daemon: Daemon, client: LxdClient) -> None:
        daemon.answers[self.FILES] = [refused(500, "No space left on device")]
        with pytest.raises(ApiError, match="No space left"):
            client.push_file("worker-0", "/run/a", b"text", mode=0o640)
        assert len(daemon.requests) == 1


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            ended(status_code=400, err="Command not found"),
            RemoteCommandError,
            "could not be started: Command not found",
        ),
        (ended(None), RemoteCommandError, "it has no exit status"),
        (ended(-1), RemoteCommandError, "it has no exit status"),
        (ended(0, {"1": "/etc/shadow", "2": ""}), RemoteCommandError, "names no file with the command's output"),
        (ended(0, {"1": f"{LOGS}/../../x", "2": ""}), RemoteCommandError, "names no file with the command's output"),
        (metadata({"status_code": 103}), RemoteTimeoutError, "the command did not end within 0.1 s"),
        (refused(500, "context deadline exceeded"), RemoteTimeoutError, "the command did not end within 0.1 s"),
        (refused(404, "Operation not found"), UnreachableError, "the daemon restarted while a command ran"),
    ],
)
def test_a_command_that_did_not_end_well(
    daemon: Daemon, client: LxdClient, answer: Answer, error: type[PodRoutesError], message: str
) -> None:
    daemon.answers[WAIT] = [answer]
    with pytest.raises(error, match=message):
        client.execute("worker-0", ["true"], timeout=0.1)


def test_output_that_is_gone_is_no_empty_output(daemon: Daemon, client: LxdClient) -> None:
    del daemon.answers[f"GET {OUTPUT['1']}"]
    with pytest.raises(RemoteCommandError, match=r"output could not be read \(HTTP 404: not found\)"):
        client.execute("worker-0", ["true"], timeout=5)


def test_output_that_a_stopping_daemon_can_not_give_is_asked_for_again(daemon: Daemon, client: LxdClient) -> None:
    daemon.answers[f"GET {OUTPUT['1']}"] = [refused(500, "database is closed"), Answer(200, b"out\n")]
    assert client.execute("worker-0", ["true"], timeout=5).stdout == b"out\n"


def test_but_not_for_ever(daemon: Daemon, client: LxdClient) -> None:
    daemon.answers[f"GET {OUTPUT['1']}"] = [refused(500, "database is closed")]
    with pytest.raises(RemoteCommandError, match=r"could not be read \(HTTP 500: database is closed\)"):
        client.execute("worker-0", ["true"], timeout=5)


def test_no_output_at_all_is_empty(daemon: Daemon, client: LxdClient) -> None:
    daemon.answers[WAIT] = [ended(0, {})]
    assert client.execute("worker-0", ["true"], timeout=5) == ExecResult(0, b"", b"")


def test_what_can_not_be_deleted_does_not_fail_the_command(daemon: Daemon, client: LxdClient) -> None:
    del daemon.answers[f"DELETE {OUTPUT['1']}"]
    assert client.execute("worker-0", ["true"], timeout=5).status == 0


@pytest.mark.parametrize(
    "answer", [BROKEN_OFF, refused(503, "LXD is shutting down"), refused(500, "LXD is shutting down")]
)
class TestADaemonThatRestarts:
    def test_is_asked_again(self, daemon: Daemon, client: LxdClient, answer: Answer) -> None:
        daemon.answers[INSTANCE] = [answer, metadata({"status": "Running"})]
        assert client.status("worker-0") == "Running"

    def test_but_not_for_ever(self, daemon: Daemon, client: LxdClient, answer: Answer) -> None:
        daemon.answers[INSTANCE] = [answer]
        with pytest.raises(UnreachableError, match="lxc remote local"):
            client.status("worker-0")

    def test_and_its_answer_about_a_command_is_waited_for(
        self, daemon: Daemon, client: LxdClient, answer: Answer
    ) -> None:
        daemon.answers[WAIT] = [answer, ended(3)]
        assert client.execute("worker-0", ["true"], timeout=5).status == 3


def test_a_command_whose_start_was_not_confirmed_is_not_sent_twice(daemon: Daemon, client: LxdClient) -> None:
    daemon.answers[EXEC] = [BROKEN_OFF]
    with pytest.raises(UnreachableError):
        client.execute("worker-0", ["true"], timeout=5)
    assert daemon.seen() == [EXEC]


@pytest.mark.parametrize("status", [500, 503])
def test_one_that_the_daemon_refused_as_it_stopped_is(daemon: Daemon, client: LxdClient, status: int) -> None:
    started = daemon.answers[EXEC]
    assert isinstance(started, list)
    daemon.answers[EXEC] = [refused(status, "LXD is shutting down"), *started]
    assert client.execute("worker-0", ["true"], timeout=5).status == 0
    assert daemon.seen()[:2] == [EXEC, EXEC]


def test_one_that_comes_back_is_waited_for(client: LxdClient, socket: Path) -> None:
    with pytest.raises(UnreachableError, match=r"\(.*unix.socket\): nobody answers: is the daemon running\?"):
        client.status("worker-0")
    socket.touch()
    with pytest.raises(UnreachableError, match="nobody answers"):
        client.status("worker-0")
    socket.unlink()
    with serving(Daemon({INSTANCE: [metadata({"status": "Stopped"})]}), socket):
        assert client.status("worker-0") == "Stopped"


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (refused(404, "Instance\tnot\nfound"), ApiError, "^Instance not found$"),
        (Answer(500, b"<html>"), ApiError, "^HTTP 500$"),
        (refused(403, "not authorized"), AuthenticationError, "not authorized; is this client's certificate trusted"),
    ],
)
def test_a_refusal_is_one_line(
    daemon: Daemon, client: LxdClient, answer: Answer, error: type[Exception], message: str
) -> None:
    daemon.answers[INSTANCE] = [answer]
    with pytest.raises(error, match=message):
        client.status("worker-0")


@pytest.mark.parametrize("content", [None, {}, "text", 7])
def test_an_answer_of_another_shape_names_no_instance(daemon: Daemon, client: LxdClient, content: object) -> None:
    daemon.answers["GET /1.0/instances"] = [metadata(content)]
    assert client.instances() == []
