"""The first run: a lab, its pods before and after the routes are set."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import enter, matrix
from lab.defaults import DEFAULT_NAME, command
from lab.inventory import write_inventory
from lab.layout import Layout
from lab.lxd.paths import container_names
from lab.machines import Lab

_EXAMPLE_WITH_CLOUD = "examples/openstack/config.yaml"
_RUNBOOKS = Path(__file__).resolve().parent.parent / "runbooks"


def demo(lab: Lab, size: dict[str, Any], *, cloud: bool = False) -> int:
    """Start the lab, give its hosts their pod routes and show that pods reach each other.

    Args:
        lab: The lab.
        size: Fields of `Layout` that were asked for.
        cloud: Start the OpenStack cloud as well, and give it the routes too.

    Returns:
        0; else the status of the runbook that failed, or 1 if a pod is not reached at the end.

    Raises:
        LabError: The lab cannot be started.
    """
    started = time.monotonic()
    make_room(lab, containers=False)
    lab.up(**size)
    if cloud:
        from lab.cloud import Cloud  # noqa: PLC0415  # not for others

        Cloud(lab, say=lambda line: print(f"lab: {line}", flush=True)).up()
    config = _config(lab, cloud=cloud)
    runbook(lab, "show_routes.py", *config)
    before = _show(lab, "Before")
    if all(one.answered == one.asked for one in before):
        print("  Every pod is reached already: the routes were set by an earlier run.\n")
    elif any(one.answered > 0 for one in before):
        print("  Some pods are reached already: some routes were set by an earlier run.\n")
    else:
        print("  No pod is reached: no host has a route to another's pod network yet.\n")
    status = runbook(lab, "provision.py", "--yes", *config)
    shown = runbook(lab, "show_routes.py", *config)
    after = _show(lab, "After")
    missing = sum(one.asked - one.answered for one in after)
    if status != 0 or missing > 0:
        print(f"  Not all is well: provision.py ended with status {status}, {missing} pings were not answered.")
    else:
        print(f"  Every pod is reached. That took {time.monotonic() - started:.1f} s.")
    say_how_to_go_on(lab, "ssh worker-0")
    return status or shown or (1 if missing > 0 else 0)


def make_room(lab: Lab, *, containers: bool) -> None:
    """Take down what an earlier first run of the other kind has left: both have the same names.

    Args:
        lab: The lab.
        containers: Whether containers are to be started; else hosts.

    Raises:
        LabError: It cannot be taken down from here.
    """
    if not lab.exists:
        return
    only_hosts = lab.hosts != () and container_names(lab.paths) == []
    if containers and only_hosts:
        print(f"lab: the hosts of the lab {lab.name} go: containers of the same names take their place", flush=True)
    elif not containers and lab.hosts == ():
        print(f"lab: the containers of the lab {lab.name} go: hosts of the same names take their place", flush=True)
    else:
        return
    lab.down()


def say_how_to_go_on(lab: Lab, trial: str) -> None:
    """Print what can be done next.

    Args:
        lab: The lab.
        trial: A command to try in its shell.
    """
    shell, down = (
        ("`make shell`", "`make down`")
        if lab.name == DEFAULT_NAME
        else (command(lab.name, "shell"), command(lab.name, "down"))
    )
    print(f"  Go on with {shell} (try `{trial}` there); take the lab down with {down}.")


def _config(lab: Lab, *, cloud: bool) -> Sequence[str]:
    """Options that name an inventory; none where the project's own fits the lab."""
    if lab.layout == Layout():
        return ("--config", _EXAMPLE_WITH_CLOUD) if cloud else ()
    folder = lab.paths.operator / "inventory"
    write_inventory(lab.layout, folder)
    return ("--config", str(folder / "config.yaml"))


def runbook(lab: Lab, name: str, *options: str) -> int:
    """Run a runbook where the operator sits, and show how it is typed.

    Args:
        lab: The lab.
        name: Of its file.
        options: Its arguments.

    Returns:
        Its exit status.
    """
    command = [sys.executable, str(_RUNBOOKS / name), *options]
    print(f"$ python runbooks/{' '.join([name, *options])}", flush=True)
    environment = enter.operator_environment(lab.paths)
    status = subprocess.run(
        enter.operator_argv(lab.paths, command), env=environment, check=False, cwd=_RUNBOOKS.parent
    ).returncode
    print(flush=True)
    return status


def _show(lab: Lab, title: str) -> list[matrix.Matrix]:
    if not lab.layout.pods:
        return []
    matrices = matrix.measure(lab.layout, lab.paths)
    for one in matrices:
        show(title, one)
    return matrices


def show(title: str, measured: matrix.Matrix) -> None:
    """Print which pod is reached from where.

    Args:
        title: When that was.
        measured: The answers to the pings.
    """
    print(f"{title}: {measured.answered} of {measured.asked} pings to pods are answered (IPv{measured.version})")
    print(matrix.render(measured), flush=True)
