"""Scripts in an instance, over a daemon that answers as a test says."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from podroutes.errors import HostError, RemoteCommandError, RemoteTimeoutError, UnreachableError, UsageError
from podroutes.plugins.connections.lxd import Lxd, LxdInstance
from podroutes.script_runner import ScriptResult
from tests.unit.podroutes.plugins.lxd.daemon import (
    OPERATION,
    OUTPUT,
    Answer,
    Daemon,
    Request,
    command,
    ended,
    metadata,
    refused,
    serving,
)

STATUS = "GET /1.0/instances/worker-0"
FILES = "POST /1.0/instances/worker-0/files"


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("LXD_SOCKET", str(tmp_path / "unix.socket"))
    monkeypatch.setenv("LXD_CONF", str(tmp_path))
    daemon = Daemon(command(b""))
    pushed: list[bytes] = []

    def take(request: Request) -> Answer:
        pushed.append(request.body)
        return metadata({})

    def shell(words: bytes, end: Callable[[], bytes] = bytes) -> Callable[[Request], Answer]:
        """What a shell would print of the script's first line, and then of the script; and its end."""
        return lambda _: Answer(200, pushed[-1].split(b";")[0].split()[-1] + b"\n" + words + end())

    def status() -> bytes:
        start = next(request for request in reversed(daemon.requests) if request.path.endswith("/exec"))
        end: str = json.loads(start.body)["command"][-1]
        return f"{end} 127".encode()

    daemon.answers |= {
        FILES: take,
        f"GET {OUTPUT['1']}": shell(b"said\n"),
        f"GET {OUTPUT['2']}": shell(b"warned\n", status),
    }
    with serving(daemon, tmp_path / "unix.socket"):
        yield daemon


def connect(hostname: str | None = "worker-0", **extras: object) -> LxdInstance:
    plugin = Lxd()
    plugin.open(hostname, None, None, None, None, {"conn_timeout": 10, **extras})
    return plugin.connection


@pytest.fixture
def instance(daemon: Daemon) -> Iterator[LxdInstance]:
    del daemon
    instance = connect()
    yield instance
    instance.close()


def test_a_script_is_pushed_run_and_read(daemon: Daemon, instance: LxdInstance) -> None:
    assert instance.run_script("echo said\n", timeout=5) == ScriptResult(127, "said\n", "warned\n")
    push = next(request for request in daemon.requests if request.path.endswith("/files"))
    (path,) = push.query["path"]
    assert path.startswith("/run/pod-routes-")
    assert push.headers["X-LXD-mode"] == "0600"
    assert b"echo said" in push.body
    start = next(request for request in daemon.requests if request.path.endswith("/exec"))
    assert path.encode() in start.body
    assert b"echo said" not in start.body


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("Stopped", "worker-0: the instance is stopped; `lxc start worker-0` starts it"),
        ("Frozen", "worker-0: the instance is frozen; `lxc unfreeze worker-0` starts it"),
        ("Error", "worker-0: the instance is error"),
        ("", "worker-0: the instance is in no known state"),
    ],
)
def test_one_that_does_not_run_is_unreachable(daemon: Daemon, status: str, message: str) -> None:
    daemon.answers[STATUS] = [metadata({"status": status})]
    with pytest.raises(UnreachableError, match=f"^{message}$"):
        connect()


def test_one_that_there_is_not_is_unreachable(daemon: Daemon) -> None:
    daemon.answers[STATUS] = [refused(404, "Instance not found")]
    with pytest.raises(UnreachableError, match=r"^worker-0: lxc remote local: Instance not found$"):
        connect()


@pytest.mark.parametrize(
    ("request_", "answer", "error"),
    [
        (FILES, refused(500, "no space left"), RemoteCommandError("no space left")),
        (
            f"GET {OPERATION}/wait",
            ended(status_code=400, err="Command not found"),
            RemoteCommandError("it could not be started"),
        ),
        (
            f"GET {OPERATION}/wait",
            metadata({"status_code": 103}),
            RemoteTimeoutError("the command did not end within 0.1 s"),
        ),
        (f"GET {OUTPUT['1']}", Answer(200, b"sh: can't open\n"), RemoteCommandError("/bin/sh did not start")),
        (f"GET {OUTPUT['2']}", Answer(200, b"Killed\n"), RemoteCommandError("the command was ended before it had")),
    ],
)
def test_what_goes_wrong_is_said_with_the_hosts_name(
    daemon: Daemon, instance: LxdInstance, request_: str, answer: Answer, error: HostError
) -> None:
    daemon.answers[request_] = [answer]
    with pytest.raises(type(error), match=f"^worker-0: {error}"):
        instance.run_script("true", timeout=0.1)


def test_a_refusal_by_one_that_stopped_meanwhile_is_told_by_its_state(daemon: Daemon, instance: LxdInstance) -> None:
    daemon.answers["POST /1.0/instances/worker-0/exec"] = [refused(400, "Instance is not running")]
    daemon.answers[STATUS] = [metadata({"status": "Stopped"})]
    with pytest.raises(UnreachableError, match="the instance is stopped"):
        instance.run_script("true", timeout=1)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_that_is_none(instance: LxdInstance, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be a positive number"):
        instance.run_script("true", timeout=timeout)


def test_an_inventory_without_a_name_is_told_what_to_write() -> None:
    with pytest.raises(UsageError, match="write the instance's name under 'hostname'"):
        connect(None)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(
        UsageError, match=r"worker-0: connection_options\.lxd\.extras\.remot: unknown key; did you mean remote\?"
    ):
        connect(remot="x")
