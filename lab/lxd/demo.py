"""The first run with containers: the guide's own commands, what they leave, and how the runbook completes it."""

import subprocess
import time
from pathlib import Path
from typing import Any

from lab import enter, matrix
from lab.demo import make_room, provision, say_reached_already, show
from lab.layout import Host
from lab.lxd.lxd import Lxd
from lab.lxd.part import LxdPart, check_size
from lab.lxd.processes import container_pid

CONFIG = "examples/lxd/config.yaml"
_GUIDE = """for i in 0 1 2; do
  lxc exec worker-${i} -- ip route add 10.200.0.0/24 via 10.0.2.20 dev eth1
done"""


def demo(part: LxdPart, size: dict[str, Any]) -> int:
    """Start the containers, follow the guide, then give them their pod routes and show that pods reach each other.

    Args:
        part: The lab's LXD.
        size: Fields of `Layout` that were asked for.

    Returns:
        0; else the status of the runbook that failed, or 1 if a pod is not reached at the end.

    Raises:
        LabError: The containers cannot be started.
    """
    started = time.monotonic()
    check_size(size)
    lxd = part.lxd()
    make_room(lxd.lab, containers=True)
    lxd.up(**size)
    (before,) = show("Before", measure(lxd))
    if before.answered == before.asked:
        say_reached_already()
    else:
        _follow_the_guide(lxd)
    return provision(lxd.lab, ("--config", CONFIG), lambda: measure(lxd), started=started, trial="lxc list")


def _follow_the_guide(lxd: Lxd) -> None:
    print("The guide's own commands:")
    first, *others = _GUIDE.split("\n")
    print("\n".join([f"  $ {first}", *(f"  > {line}" for line in others)]), flush=True)
    argv = enter.operator_argv(lxd.lab.paths, ["sh", "-c", _GUIDE])
    subprocess.run(argv, env=enter.operator_environment(lxd.lab.paths), stdin=subprocess.DEVNULL, check=False)
    print("and the routes that it leaves:")
    for host in lxd.hosts:
        if host.role == "worker":
            routes = lxd.exec(host.name, ["ip", "route", "show", "root", "10.200.0.0/16"]).stdout
            print(f"  {host.name}: " + "\n".ljust(len(host.name) + 5).join(routes.strip().splitlines()))
    print()
    (after,) = show("After the guide's commands", measure(lxd))
    if after.answered < after.asked:
        print("  One network, on the workers alone, gone at the next boot; and nothing forwards.\n")


def measure(lxd: Lxd) -> list[matrix.Matrix]:
    """Ping pods from pods and from controllers, all at once; LXD is not involved.

    Args:
        lxd: The LXD, all of whose containers run.

    Returns:
        One matrix.
    """

    def namespace(host: Host, *, pod: bool) -> Path:
        process = Path(f"/proc/{container_pid(lxd.paths, host.name)}")
        return process / "root/run/netns/pod" if pod else process / "ns/net"

    return matrix.measure_between(lxd.hosts, namespace)
