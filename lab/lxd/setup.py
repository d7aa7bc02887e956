"""Setting up an LXD and its containers, and removing every trace of it."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from lab import cgroup, footprint, limits, subids
from lab.errors import LabError
from lab.files import replace_file
from lab.kernel import is_in_netns
from lab.layout import Layout
from lab.lock import locked
from lab.lxd import bridge, client, containers, daemon, nodes, processes, resources
from lab.lxd.api import Api
from lab.lxd.paths import LxdPaths


def check_names(layout: Layout, lab: str, names: Sequence[str]) -> None:
    """Check that a lab can have containers of these names besides its hosts.

    Args:
        layout: The lab's.
        lab: The lab's name.
        names: Of the containers.

    Raises:
        LabError: It has a host of such a name, no room in its node network, or another IP version.
    """
    if layout.ipv6:
        raise LabError("containers have IPv4 addresses only: use a lab without --ipv6")
    taken = [host.name for host in layout.hosts if host.name in names]
    if taken:
        raise LabError(
            f"{taken[0]} is a host of the lab {lab} already: take others, first_worker={layout.workers} say, "
            "or a lab without hosts"
        )
    for name in names:
        nodes.node(name, layout.network)


def bring_up(paths: LxdPaths, layout: Layout, new: Sequence[str], tarball: Path) -> bool:
    """Start the daemon, and create and start containers. The caller holds the lab's lock.

    Args:
        paths: The LXD's.
        layout: The lab's.
        new: Names of containers to have besides those that there are.
        tarball: The containers' image.

    Returns:
        Whether there was anything to do.

    Raises:
        LabError: The daemon or a container did not come up.
    """
    api = Api(paths.socket)
    names = nodes.in_order([*paths.lab.container_names(), *new])
    with locked(footprint.COMPUTER):
        limits.raise_limits(len(layout.hosts) + len(names))
        subids.ensure_subids()
    done = False
    if not paths.lab.containers.exists():
        _prepare(paths, layout)
        done = True
    elif not is_in_netns(processes.holder_pid(paths), paths.lab.operator_netns):
        daemon.start_holder(paths)
    done = daemon.ensure_running(paths) or done
    done = daemon.thaw(paths) or done
    # Written first: an `up` that is interrupted can be continued.
    replace_file(paths.lab.containers, json.dumps(names))
    present = resources.instances(api)
    missing = [nodes.node(name, layout.network) for name in names if name not in present]
    if missing:
        resources.ensure_image(api, tarball)
        resources.create(api, missing)
        client.name_hosts(paths, missing)
    changed = [name for name in names if containers.state(paths, name) != "running"]
    for name in changed:
        containers.thaw(paths, name)
    # A new daemon starts what ran before by itself, and does not wait for it.
    containers.start(paths, names if done else changed)
    return done or changed != []


def remove(paths: LxdPaths) -> None:
    """Remove every trace of an LXD, if there is any. The caller holds the lab's lock.

    Args:
        paths: The LXD's.
    """
    cgroup.kill(paths.cgroup)
    cgroup.kill(paths.starter)
    bridge.give_back(paths.lab.operator_netns)
    client.remove_settings(paths)
    # The files last: they say that there is something to remove.
    shutil.rmtree(paths.root, ignore_errors=True)


def _prepare(paths: LxdPaths, layout: Layout) -> None:
    """Start a new daemon and give it what all containers need."""
    remove(paths)
    paths.root.mkdir(mode=0o700)
    paths.folder.mkdir(mode=0o711)
    client.make_settings(paths)
    daemon.start_holder(paths)
    daemon.start(paths)
    api = Api(paths.socket)
    resources.configure(api)
    bridge.take_over(api, layout, paths.lab.operator_netns)
