import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.inventory import Defaults, Group, Groups, Host, Hosts, Inventory
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.task import AggregatedResult, MultiResult, Result, Task

from podroutes.plugins.runners.interruptible_threads import InterruptibleResult, InterruptibleThreads


class FakeConnection:
    """Counts what is open; closing one that is named so fails."""

    connection: Any = None
    opened: ClassVar[set[str]] = set()

    def open(self, hostname: str | None, *_: object, **__: object) -> None:
        self.name = str(hostname)
        FakeConnection.opened.add(self.name)

    def close(self) -> None:
        FakeConnection.opened.discard(self.name)
        if self.name == "h1":
            raise OSError("closing failed")


@pytest.fixture
def _connections() -> Iterator[None]:
    FakeConnection.opened.clear()
    for name in ("first", "second"):
        ConnectionPluginRegister.register(name, FakeConnection)
    yield
    for name in ("first", "second"):
        ConnectionPluginRegister.deregister(name)


def make_nornir(count: int, runner: InterruptibleThreads, processors: list[Any] | None = None) -> Nornir:
    hosts = Hosts({f"h{n}": Host(f"h{n}", hostname=f"h{n}") for n in range(count)})
    inventory = Inventory(hosts=hosts, groups=Groups({"all": Group("all")}), defaults=Defaults())
    nornir = Nornir(inventory, config=Config(), runner=runner)
    return nornir.with_processors(processors or [])


def run(nornir: Nornir, task: Callable[..., Any]) -> InterruptibleResult:
    result = nornir.run(task)
    assert isinstance(result, InterruptibleResult)
    return result


def interrupt(runner: InterruptibleThreads | None = None) -> None:
    """Press Ctrl-C, and wait until the runner has noticed."""
    os.kill(os.getpid(), signal.SIGINT)
    while runner is not None and not runner.interrupted:
        time.sleep(0.01)


def test_every_host_has_its_result_in_the_order_of_the_inventory() -> None:
    def slow_first(task: Task) -> str:
        time.sleep(0.05 if task.host.name == "h0" else 0)
        return task.host.name.upper()

    result = run(make_nornir(5, InterruptibleThreads(3)), slow_first)

    assert [(name, answer[0].result) for name, answer in result.items()] == [(f"h{n}", f"H{n}") for n in range(5)]
    assert result.interrupted is False
    assert not result.failed


def test_zero_hosts_give_an_empty_result() -> None:
    result = run(make_nornir(0, InterruptibleThreads()), lambda task: None)
    assert len(result) == 0
    assert result.interrupted is False


@pytest.mark.parametrize(("workers", "hosts", "most"), [(1, 4, 1), (3, 9, 3), (50, 4, 4)])
def test_no_more_threads_than_workers_or_hosts(workers: int, hosts: int, most: int) -> None:
    names: set[str] = set()
    running, peak, lock = 0, 0, threading.Lock()
    # As many as there may be are there at once, or none goes on.
    together = threading.Barrier(most)

    def task(task: Task) -> None:
        nonlocal running, peak
        with lock:
            names.add(threading.current_thread().name)
            running += 1
            peak = max(peak, running)
        together.wait(60)
        with lock:
            running -= 1

    run(make_nornir(hosts, InterruptibleThreads(workers)), task)
    assert peak == most
    assert len(names) == most


@pytest.mark.parametrize(("workers", "grace"), [(0, 30.0), (-1, 30.0), (5, -1.0), (5, float("nan"))])
def test_senseless_settings_are_refused(workers: int, grace: float) -> None:
    with pytest.raises(ValueError, match="at least"):
        InterruptibleThreads(workers, grace=grace)


@pytest.mark.usefixtures("_connections")
@pytest.mark.parametrize("close", [True, False])
def test_connections_are_closed_as_soon_as_a_host_is_done(close: bool) -> None:
    open_at_start: list[int] = []

    def task(task: Task) -> None:
        open_at_start.append(len(FakeConnection.opened))
        for name in ("first", "second"):
            task.host.get_connection(name, Config())
        task.run(
            lambda task: Result(task.host, result=len(task.host.connections)), name="connections stay for subtasks"
        )

    nornir = make_nornir(3, InterruptibleThreads(1, close_connections=close))
    result = run(nornir, task)

    assert [answer[1].result for answer in result.values()] == [2, 2, 2]
    assert not result.failed, "a connection that cannot be closed is no failure of its host"
    assert open_at_start == ([0, 0, 0] if close else [0, 1, 2])
    assert sum(len(host.connections) for host in nornir.inventory.hosts.values()) == (0 if close else 6)


class Boom(BaseException):
    """What Nornir does not catch."""


class RaisingProcessor:
    """A processor with one bad hook."""

    def __init__(self, hook: str) -> None:
        self.hook = hook

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(task: Task, host: object = None, *_: object) -> None:
            if name == self.hook and isinstance(host, Host) and host.name == "h1":
                raise RuntimeError("bad hook")

        return call


@pytest.mark.parametrize("hook", ["task_instance_started", "task_instance_completed"])
def test_a_processor_that_raises_costs_its_own_host_alone(hook: str) -> None:
    nornir = make_nornir(3, InterruptibleThreads(), [RaisingProcessor(hook)])
    result = run(nornir, lambda task: "done")

    assert {name: answer.failed for name, answer in result.items()} == {"h0": False, "h1": True, "h2": False}
    assert result["h1"][0].result == "RuntimeError: bad hook"
    assert isinstance(result["h1"][0].exception, RuntimeError)
    assert [answer.result for answer in result["h1"][1:]] == (["done"] if hook == "task_instance_completed" else [])


def test_an_exception_that_nornir_does_not_catch_costs_its_own_host_alone() -> None:
    def task(task: Task) -> str:
        if task.host.name == "h0":
            raise Boom("out")
        return "done"

    result = run(make_nornir(2, InterruptibleThreads(1)), task)
    assert isinstance(result["h0"][0].exception, Boom)
    assert result["h1"][0].result == "done"


def test_an_ordinary_failure_is_nornirs_own() -> None:
    def task(task: Task) -> None:
        raise ValueError("wrong")

    nornir = make_nornir(1, InterruptibleThreads())
    result = run(nornir, task)
    assert isinstance(result["h0"][0].exception, ValueError)
    assert nornir.data.failed_hosts == {"h0"}


def test_ctrl_c_lets_running_hosts_finish_and_starts_no_other() -> None:
    both = threading.Barrier(2)
    runner = InterruptibleThreads(2, grace=60)

    def task(task: Task) -> str:
        both.wait(60)
        if task.host.name == "h0":
            interrupt(runner)
        both.wait(60)
        time.sleep(0.4)
        return "done"

    result = run(make_nornir(6, runner), task)

    assert [(name, answer[0].result) for name, answer in result.items()] == [("h0", "done"), ("h1", "done")]
    assert result.interrupted
    assert runner.interrupted


def test_ctrl_c_waits_no_longer_than_the_grace() -> None:
    release = threading.Event()

    def task(task: Task) -> None:
        if task.host.name == "h0":
            return
        interrupt()
        release.wait(60)

    began = time.monotonic()
    result = run(make_nornir(3, InterruptibleThreads(1, grace=0.2)), task)
    took = time.monotonic() - began
    release.set()

    assert list(result) == ["h0"]
    assert 0.2 <= took < 30


def test_a_second_ctrl_c_stops_waiting_at_once() -> None:
    release = threading.Event()
    runner = InterruptibleThreads(grace=600)

    def task(task: Task) -> None:
        interrupt(runner)
        time.sleep(0.1)
        interrupt()
        release.wait(60)

    began = time.monotonic()
    result = run(make_nornir(1, runner), task)
    release.set()

    assert len(result) == 0
    assert result.interrupted
    assert time.monotonic() - began < 30


def test_what_finishes_after_the_end_does_not_change_the_result() -> None:
    release, done = threading.Event(), threading.Event()

    class Late:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: done.set() if name == "task_instance_completed" else None

    def task(task: Task) -> None:
        interrupt()
        release.wait(10)

    result = run(make_nornir(1, InterruptibleThreads(grace=0), [Late()]), task)
    release.set()
    assert done.wait(60)
    time.sleep(0.02)
    assert len(result) == 0


def test_the_runner_can_be_used_again_after_an_interrupted_run() -> None:
    runner = InterruptibleThreads(grace=0.1)
    run(make_nornir(1, runner), lambda task: interrupt())
    result = run(make_nornir(1, runner), lambda task: "again")
    assert (result.interrupted, runner.interrupted, result["h0"][0].result) == (False, False, "again")


def test_threads_left_behind_do_not_keep_the_interpreter_alive() -> None:
    program = """
import os, signal, threading
from nornir.core import Nornir
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from podroutes.plugins.runners.interruptible_threads import InterruptibleThreads
def task(task):
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()
hosts = Hosts({"h": Host("h")})
nornir = Nornir(Inventory(hosts, Groups(), Defaults()), runner=InterruptibleThreads(grace=0))
print(len(nornir.run(task)))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("Traceback")) == (0, "0\n", 0)


def test_results_are_nornirs_types() -> None:
    result = run(make_nornir(1, InterruptibleThreads()), lambda task: 1)
    assert isinstance(result, AggregatedResult)
    assert isinstance(result["h0"], MultiResult)
