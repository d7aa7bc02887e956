"""The cloud's processes: in the operator's network namespace, each in a control group of its own."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import cgroup
from lab.cloud.paths import ADDRESS, IDENTITY_PORT, INSIDE, NETWORK_PORT, CloudPaths, behind
from lab.defaults import SYSTEM_PATH
from lab.errors import LabError
from lab.kernel import is_in_netns
from lab.paths import NETNS
from lab.process import last_line, start_detached

_READY_SECONDS = 90.0
_POLL_SECONDS = 0.05
_LAB = Path(__file__).resolve().parents[2]
_START = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"'


@dataclass(frozen=True)
class Service:
    """A process of the cloud.

    Attributes:
        name: `keystone`, `neutron`, `edge` or `mariadb`.
        argv: Its command.
        environment: All of its environment variables, without PATH.
        ready: Whether it answers; called again until it does.
    """

    name: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    ready: Callable[[], bool]


def web_application(name: str, port: int, environment: Path, threads: int) -> tuple[str, ...]:
    """The command that serves Keystone or Neutron.

    Args:
        name: `keystone` or `neutron`.
        port: That of the edge.
        environment: The cloud's own Python environment.
        threads: How many requests it handles at a time.
    """
    python = str(environment / "bin/python")
    return (python, str(INSIDE / "serve.py"), name, ADDRESS, str(behind(port)), str(threads))


def edge_argv(paths: CloudPaths) -> tuple[str, ...]:
    """The command of the edge.

    Args:
        paths: The cloud's.
    """
    fronts = [
        f"{service}={port}={behind(port)}" for service, port in (("identity", IDENTITY_PORT), ("network", NETWORK_PORT))
    ]
    return (sys.executable, "-m", "lab.cloud.edge", str(paths.control), ADDRESS, *fronts)


def process_id(paths: CloudPaths, service: str) -> int | None:
    """The process of a service.

    Args:
        paths: The cloud's.
        service: Its name.

    Returns:
        Its id as this computer sees it; None if it does not run.
    """
    running = cgroup.pids(f"{paths.cgroup}/{service}")
    # A namespace that was deleted and made again leaves the process in the old one, which nothing can reach.
    return running[0] if running and is_in_netns(running[0], paths.lab.operator_netns) else None


def start(paths: CloudPaths, service: Service) -> None:
    """Start a service, without waiting for it.

    Args:
        paths: The cloud's.
        service: One that does not run.
    """
    group = cgroup.make(f"{paths.cgroup}/{service.name}")
    command = ["nsenter", f"--net={NETNS / paths.lab.operator_netns}", "sh", "-c", _START, "sh", str(group)]
    environment = {"PATH": SYSTEM_PATH, "PYTHONPATH": str(_LAB)} | dict(service.environment)
    start_detached([*command, *service.argv], paths.log(service.name), environment, folder=paths.root)


def wait_until_ready(paths: CloudPaths, services: Sequence[Service]) -> None:
    """Wait until every service answers.

    Args:
        paths: The cloud's.
        services: Those that were started.

    Raises:
        LabError: One stopped, or does not answer in time; the message has the reason or the log.
    """
    started = time.monotonic()
    waiting = list(services)
    while waiting:
        waiting = [service for service in waiting if not service.ready()]
        elapsed = time.monotonic() - started
        for service in waiting:
            # A process joins its group a moment after it is started.
            if elapsed > 1 and process_id(paths, service.name) is None:
                raise LabError(f"the cloud's {service.name} stopped: {last_line(paths.log(service.name))}", status=1)
            if elapsed > _READY_SECONDS:
                raise LabError(
                    f"the cloud's {service.name} does not answer after {_READY_SECONDS:.0f} s; "
                    f"its log: {paths.log(service.name)}",
                    status=1,
                )
        if waiting:
            time.sleep(_POLL_SECONDS)


def memory(pid: int) -> int:
    """The memory of a process.

    Args:
        pid: Process id.

    Returns:
        Bytes: its proportional share of all that it has mapped; 0 if it is gone.
    """
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
