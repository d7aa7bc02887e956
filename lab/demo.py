"""The first run: a lab, its pods before and after the routes are set."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab import enter, matrix
from lab.defaults import DEFAULT_NAME, command
from lab.hosts import HostsPart
from lab.inventory import write_inventory
from lab.layout import Layout
from lab.machines import Lab
from lab.part import Part, say

_EXAMPLE_WITH_CLOUD = "examples/openstack/config.yaml"
_RUNBOOKS = Path(__file__).resolve().parent.parent / "runbooks"


def demo(hosts: HostsPart, size: dict[str, Any], *, cloud: Part | None = None) -> int:
    """Start the lab, give its hosts their pod routes and show that pods reach each other.

    Args:
        hosts: The lab's.
        size: Fields of `Layout` that were asked for.
        cloud: The OpenStack cloud to start as well and give its routes; None for none.

    Returns:
        0; else the status of the runbook that failed, or 1 if a pod is not reached at the end.

    Raises:
        LabError: The lab cannot be started.
    """
    started = time.monotonic()
    lab = hosts.lab()
    make_room(lab, containers=False)
    lab.up(**size)
    if cloud is not None:
        cloud.up({})
    config = _config(lab, cloud=cloud is not None)

    def measure() -> list[matrix.Matrix]:
        return matrix.measure(lab.layout, lab.paths) if lab.layout.pods else []

    run_runbook(lab, "show_routes.py", *config)
    before = show("Before", measure())
    if all(one.answered == one.asked for one in before):
        say_reached_already()
    elif any(one.answered > 0 for one in before):
        print("  Some pods are reached already: some routes were set by an earlier run.\n")
    else:
        print("  No pod is reached: no host has a route to another's pod network yet.\n")
    return provision(lab, config, measure, started=started, trial="ssh worker-0")


def provision(
    lab: Lab, config: Sequence[str], measure: Callable[[], list[matrix.Matrix]], *, started: float, trial: str
) -> int:
    """Run provision.py, and show its result and what can be done next.

    Args:
        lab: The lab.
        config: Options that name the inventory.
        measure: Pings pods.
        started: When the first run began, by the monotonic clock in seconds.
        trial: A command to try in the lab's shell.

    Returns:
        0; else the status of the runbook that failed, or 1 if a pod is not reached.
    """
    status = run_runbook(lab, "provision.py", "--yes", *config)
    shown = run_runbook(lab, "show_routes.py", *config)
    missing = sum(one.asked - one.answered for one in show("After", measure()))
    if status != 0 or missing > 0:
        print(f"  Not all is well: provision.py ended with status {status}, {missing} pings were not answered.")
    else:
        print(f"  Every pod is reached. That took {time.monotonic() - started:.1f} s.")
    shell, down = (
        ("`make shell`", "`make down`")
        if lab.name == DEFAULT_NAME
        else (command(lab.name, "shell"), command(lab.name, "down"))
    )
    print(f"  Go on with {shell} (try `{trial}` there); take the lab down with {down}.")
    return status or shown or (1 if missing > 0 else 0)


def make_room(lab: Lab, *, containers: bool) -> None:
    """Take down what an earlier first run of the other kind has left: both have the same names.

    Args:
        lab: The lab.
        containers: Whether containers will be started; else hosts.

    Raises:
        LabError: It cannot be taken down from here.
    """
    if not lab.exists:
        return
    only_hosts = lab.hosts != () and lab.paths.container_names() == []
    if containers and only_hosts:
        say(f"removing the hosts of the lab {lab.name}: containers of the same names take their place")
    elif not containers and lab.hosts == ():
        say(f"removing the containers of the lab {lab.name}: hosts of the same names take their place")
    else:
        return
    lab.down()


def _config(lab: Lab, *, cloud: bool) -> Sequence[str]:
    """Options that name an inventory; none where the project's own fits the lab."""
    if lab.layout == Layout():
        return ("--config", _EXAMPLE_WITH_CLOUD) if cloud else ()
    folder = lab.paths.operator / "inventory"
    write_inventory(lab.layout, folder)
    return ("--config", str(folder / "config.yaml"))


def run_runbook(lab: Lab, name: str, *options: str) -> int:
    """Run a runbook as the operator, and show how it is typed.

    Args:
        lab: The lab.
        name: The name of its file.
        options: Its arguments.

    Returns:
        Its exit status.
    """
    argv = [sys.executable, str(_RUNBOOKS / name), *options]
    print(f"$ python runbooks/{' '.join([name, *options])}", flush=True)
    environment = enter.operator_environment(lab.paths)
    status = subprocess.run(
        enter.operator_argv(lab.paths, argv), env=environment, check=False, cwd=_RUNBOOKS.parent
    ).returncode
    print(flush=True)
    return status


def say_reached_already() -> None:
    """Print that there was nothing to show before."""
    print("  Every pod is reached already: the routes were set by an earlier run.\n")


def show(title: str, matrices: list[matrix.Matrix]) -> list[matrix.Matrix]:
    """Print which pod is reached from where.

    Args:
        title: When that was.
        matrices: The answers to the pings.

    Returns:
        The same.
    """
    for one in matrices:
        print(f"{title}: {one.answered} of {one.asked} pings to pods are answered (IPv{one.version})")
        print(matrix.render(one), flush=True)
    return matrices
