"""The cloud's command line: `python -m lab cloud COMMAND`."""

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

from lab.cloud.paths import CloudPaths
from lab.defaults import command
from lab.paths import LabPaths

CLOUD_HOST = "cloud"
"""The cloud's name where a host's is expected."""

EX_NO_CLOUD = 1


def add_commands(
    parser: argparse.ArgumentParser,
    parents: Sequence[argparse.ArgumentParser],
    parser_class: type[argparse.ArgumentParser],
) -> None:
    """Add the cloud's own commands.

    Args:
        parser: To which.
        parents: Whose options each command has too.
        parser_class: What parses each; it says what is wrong.
    """
    commands = parser.add_subparsers(dest="cloud_command", required=True, metavar="COMMAND", parser_class=parser_class)

    def add(name: str, explanation: str, function: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=list(parents), help=explanation)
        added.set_defaults(run=function)
        return added

    add("up", "start the cloud of a lab that is there, or mend it", up_cloud)
    add("down", "remove every trace of it; the lab stays", _down)
    add("status", "how each service is; exit status 0 if all run", _status)
    requests = add("requests", "how many requests there were, by method and path", _requests)
    requests.add_argument("--reset", action="store_true", help="count from zero from now on")
    requests.add_argument("--json", action="store_true", help="as JSON")


def exists(options: argparse.Namespace) -> bool:
    """Whether a lab has a cloud.

    Args:
        options: With the lab's `name`.
    """
    return CloudPaths(LabPaths(options.name)).state.exists()


def up_cloud(options: argparse.Namespace) -> int:
    """Start the cloud.

    Args:
        options: With the lab's `name`.

    Returns:
        Exit status.
    """
    _cloud(options).up()
    return 0


def break_cloud(options: argparse.Namespace, fault: str, *arguments: str) -> str:
    """Make something go wrong.

    Args:
        options: With the lab's `name`.
        fault: A fault's name.
        arguments: What the fault takes.

    Returns:
        One line that says what was done.
    """
    return f"{CLOUD_HOST}: {_cloud(options).break_(fault, *arguments)}"


def mend_cloud(options: argparse.Namespace) -> list[str]:
    """Undo the faults that the runbooks cannot repair.

    Args:
        options: With the lab's `name`.

    Returns:
        One line for each thing that was mended.
    """
    return [f"{CLOUD_HOST}: {line}" for line in _cloud(options).mend()]


def print_status(options: argparse.Namespace) -> bool:
    """Print how each service of a cloud that exists is, and what is made to go wrong.

    Args:
        options: With the lab's `name`.

    Returns:
        Whether all of it runs.
    """
    from lab.cloud.edge.rules import render_table  # noqa: PLC0415 - `exec` must be quick

    cloud = _cloud(options)
    states = cloud.status()
    rows = [("SERVICE", "STATE", "PID", "MEMORY")]
    for one in states:
        running = (one.name, "running", str(one.pid), f"{one.memory / 2**20:.0f} MB")
        rows.append((one.name, "stopped", "-", "-") if one.pid is None else running)
    print(render_table(rows))
    if any(one.pid is None for one in states):
        return False
    for fault in cloud.control.faults():
        print(f"made to go wrong: {fault}")
    return True


def print_faults() -> None:
    """Explain the faults."""
    from lab.cloud.faults import FAULTS  # noqa: PLC0415 - not for the others

    width = max(len(fault.usage) for fault in FAULTS)
    for fault in FAULTS:
        print(f"{fault.usage.ljust(width)}  {fault.explanation}")


def _cloud(options: argparse.Namespace) -> Any:  # noqa: ANN401 - Cloud, which is imported late
    from lab.cloud.cloud import Cloud  # noqa: PLC0415 - errors of usage must not wait for it
    from lab.machines import Lab  # noqa: PLC0415

    return Cloud(Lab(options.name), say=lambda line: print(f"lab: {line}", flush=True))


def _down(options: argparse.Namespace) -> int:
    _cloud(options).down()
    return 0


def _status(options: argparse.Namespace) -> int:
    if not exists(options):
        print(f"the lab {options.name!r} has no cloud: start one with {command(options.name, 'up --cloud')}")
        return EX_NO_CLOUD
    return 0 if print_status(options) else EX_NO_CLOUD


def _requests(options: argparse.Namespace) -> int:
    from dataclasses import asdict  # noqa: PLC0415 - `exec` must be quick

    from lab.cloud.edge.rules import render_counts  # noqa: PLC0415

    counted = _cloud(options).requests(reset=options.reset)
    print(json.dumps([asdict(one) for one in counted], indent=2) if options.json else render_counts(counted))
    return 0
