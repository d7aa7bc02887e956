"""What the lab's command line does with an LXD."""

import argparse
from collections.abc import Sequence
from typing import Any

from lab.errors import LabError
from lab.lxd.paths import LXD_HOST, container_names
from lab.paths import LabPaths


def is_meant(options: argparse.Namespace) -> bool:
    """Whether `up` and `demo` are about containers: asked for, or the lab that is there has nothing else.

    Args:
        options: With the lab's `name`.
    """
    if options.lxd or options.cloud:
        return bool(options.lxd)
    return container_names(LabPaths(options.name)) != [] and not _has_hosts(options)


def size(asked: dict[str, Any]) -> dict[str, Any]:
    """What `Lxd.up` takes, of what was asked for.

    Args:
        asked: Fields of `Layout`.

    Raises:
        LabError: Containers do not come in that shape.
    """
    for key, words in (
        ("ipv6", "have no --ipv6"),
        ("pods", "always have pods: leave out --pods and --no-pods"),
        ("release", "all have the same Debian: leave out --release"),
    ):
        if key in asked:
            raise LabError(f"containers {words}")
    return asked


def up(options: argparse.Namespace, asked: dict[str, Any]) -> int:
    """Start the containers.

    Args:
        options: With the lab's `name`.
        asked: Fields of `Layout` that were asked for.

    Returns:
        Exit status.
    """
    _lxd(options).up(**size(asked))
    return 0


def split(options: argparse.Namespace, names: list[str] | None) -> tuple[list[str] | None, list[str] | None]:
    """Tell hosts from containers.

    Args:
        options: With the lab's `name`.
        names: Of hosts, of containers, or `lxd`; None for all.

    Returns:
        Hosts, and containers; None for all of them, empty for none.
    """
    if names is not None:
        its = [name for name in names if is_its(options, name)]
        return [name for name in names if name not in its], its
    if container_names(LabPaths(options.name)) == []:
        return None, []
    return (None if _has_hosts(options) else []), None


def is_its(options: argparse.Namespace, name: str) -> bool:
    """Whether a name is a container's, or the daemon's, or could be nothing else.

    Args:
        options: With the lab's `name`.
        name: What the user gave.
    """
    names = container_names(LabPaths(options.name))
    return name == LXD_HOST or name in names or (names != [] and not _has_hosts(options))


def reboot(options: argparse.Namespace, names: Sequence[str] | None) -> None:
    """Restart containers.

    Args:
        options: With the lab's `name`, and `fresh`.
        names: Of containers; None for all.
    """
    _lxd(options).reboot(names, fresh=options.fresh)


def break_(options: argparse.Namespace, name: str, fault: str, *arguments: str) -> str:
    """Make something go wrong.

    Args:
        options: With the lab's `name`.
        name: A container's, or `lxd`.
        fault: A fault's name.
        arguments: What the fault takes.

    Returns:
        One line that says what was done.
    """
    return str(_lxd(options).break_(name, fault, *arguments))


def mend(options: argparse.Namespace, names: Sequence[str] | None) -> list[str]:
    """Undo the faults that the runbooks cannot repair.

    Args:
        options: With the lab's `name`.
        names: Of containers, or `lxd`; None for all.

    Returns:
        One line for each thing that was mended.
    """
    return list(_lxd(options).mend(names))


def print_status(options: argparse.Namespace) -> bool:
    """Print how the daemon and each container is.

    Args:
        options: With the lab's `name`.

    Returns:
        Whether all of it runs.
    """
    from lab.cloud.edge.rules import render_table  # noqa: PLC0415 - `exec` must be quick

    lxd = _lxd(options)
    states = lxd.status()
    rows = [("CONTAINER", "ADDRESS", "STATE", "POD", "PID")]
    for one in states:
        texts = [
            "-" if value is None else str(value)
            for value in (one.node.address, one.state, one.node.pod_address, one.pid)
        ]
        rows.append((one.node.name, *texts))
    print(render_table(rows))
    pid = lxd.daemon_pid
    print("\nLXD is stopped" if pid is None else f"\nLXD runs (PID {pid}); LXD_DIR={lxd.folder}")
    return pid is not None and all(one.state == "running" for one in states)


def print_faults() -> None:
    """Explain the faults that only containers, or LXD itself, can have."""
    from lab.faults import FAULTS  # noqa: PLC0415 - not for the others
    from lab.lxd import faults  # noqa: PLC0415

    own = [(fault.usage, fault.explanation) for fault in faults.FAULTS if fault not in FAULTS]
    of_daemon = [(f"{LXD_HOST} {fault.usage}", fault.explanation) for fault in faults.DAEMON_FAULTS]
    width = max(len(usage) for usage, _ in own + of_daemon)
    for usage, explanation in own + of_daemon:
        print(f"{usage.ljust(width)}  {explanation}")


def _has_hosts(options: argparse.Namespace) -> bool:
    from lab.state import read_layout  # noqa: PLC0415 - `exec` must be quick

    return read_layout(LabPaths(options.name)).hosts != ()


def _lxd(options: argparse.Namespace) -> Any:  # noqa: ANN401 - Lxd, which is imported late
    from lab.lxd.lxd import Lxd  # noqa: PLC0415 - errors of usage must not wait for it
    from lab.machines import Lab  # noqa: PLC0415

    def say(line: str) -> None:
        print(f"lab: {line}", flush=True)

    return Lxd(Lab(options.name, say=say), say=say)
