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
    lab.up(**size)
    if cloud:
        from lab.cloud import Cloud  # noqa: PLC0415  # not for others

        Cloud(lab, say=lambda line: print(f"lab: {line}", flush=True)).up()
    config = _config(lab, cloud=cloud)
    _runbook(lab, "show_routes.py", *config)
    before = _show(lab, "Before")
    if all(one.answered == one.asked for one in before):
        print("  Every pod is reached already: the routes were set by an earlier run.\n")
    elif any(one.answered > 0 for one in before):
        print("  Some pods are reached already: some routes were set by an earlier run.\n")
    else:
        print("  No pod is reached: no host has a route to another's pod network yet.\n")
    status = _runbook(lab, "provision.py", "--yes", *config)
    shown = _runbook(lab, "show_routes.py", *config)
    after = _show(lab, "After")
    missing = sum(one.asked - one.answered for one in after)
    if status != 0 or missing > 0:
        print(f"  Not all is well: provision.py ended with status {status}, {missing} pings were not answered.")
    else:
        print(f"  Every pod is reached. That took {time.monotonic() - started:.1f} s.")
    shell, down = (
        ("`make shell`", "`make down`")
        if lab.name == DEFAULT_NAME
        else (command(lab.name, "shell"), command(lab.name, "down"))
    )
    print(f"  Go on with {shell} (try `ssh worker-0` there); take the lab down with {down}.")
    return status or shown or (1 if missing > 0 else 0)


def _config(lab: Lab, *, cloud: bool) -> Sequence[str]:
    """Options that name an inventory; none where the project's own fits the lab."""
    if lab.layout == Layout():
        return ("--config", _EXAMPLE_WITH_CLOUD) if cloud else ()
    folder = lab.paths.operator / "inventory"
    write_inventory(lab.layout, folder)
    return ("--config", str(folder / "config.yaml"))


def _runbook(lab: Lab, name: str, *options: str) -> int:
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
        print(f"{title}: {one.answered} of {one.asked} pings to pods are answered (IPv{one.version})")
        print(matrix.render(one), flush=True)
    return matrices
