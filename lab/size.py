"""The size of a lab: that of a new one, or of one that is there and may only grow."""

from collections.abc import Callable
from typing import Any

from lab import footprint, limits
from lab.errors import LabError
from lab.layout import Layout
from lab.lock import locked
from lab.paths import LabPaths
from lab.state import read_layout, write_layout

_FIXED = ("node_network", "ipv6", "pods", "release")


def settle_size(paths: LabPaths, asked: dict[str, Any], say: Callable[[str], None]) -> tuple[Layout, bool]:
    """Decide the size of a lab and write it to the lab's state. The caller holds the lab's lock.

    Args:
        paths: The lab's.
        asked: Fields of `Layout` that were asked for.
        say: Called with each line of progress.

    Returns:
        The size, and whether it differs from before.

    Raises:
        LabError: The lab cannot have that size.
    """
    if paths.layout.exists():
        present = read_layout(paths)
        layout = _grown(present, asked, paths.name, say)
        if layout == present:
            return layout, False
        taken = {host.name for host in layout.hosts}.intersection(paths.container_names())
        if taken:
            raise LabError(f"{min(taken)} is a container of the lab {paths.name} already: use another lab")
    else:
        layout = Layout(**asked)
        footprint.make(paths)
    with locked(footprint.COMPUTER):
        limits.raise_limits(len(layout.hosts))
    write_layout(paths, layout)
    return layout, True


def _grown(present: Layout, asked: dict[str, Any], name: str, say: Callable[[str], None]) -> Layout:
    for key in _FIXED:
        if key in asked and asked[key] != getattr(present, key):
            raise LabError(f"the lab {name} is there with another {key.replace('_', '-')}: take it down first")
    larger = {key: max(asked.get(key, 0), getattr(present, key)) for key in ("controllers", "workers")}
    for key, count in larger.items():
        if asked.get(key, count) < count:
            say(f"the lab {name} has {count} {key} already and keeps them; `down` takes it down")
    layout = Layout(**(present.as_dict() | larger))
    if layout.cluster_cidr != present.cluster_cidr:
        say(f"the pod network is now {layout.cluster_cidr}")
    return layout
