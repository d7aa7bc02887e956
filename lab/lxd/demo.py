"""The first run with containers: the guide's own commands, what they leave, and what the runbook puts right."""

import subprocess
import time
from pathlib import Path
from typing import Any

from lab import enter, matrix
from lab.demo import make_room, runbook, say_how_to_go_on, show
from lab.layout import Host
from lab.lxd.lxd import Lxd
from lab.lxd.processes import container_pid
from lab.machines import Lab

CONFIG = "examples/lxd/config.yaml"
_GUIDE = """for i in 0 1 2; do
  lxc exec worker-${i} -- ip route add 10.200.0.0/24 via 10.0.2.20 dev eth1
done"""


def demo(lab: Lab, size: dict[str, Any]) -> int:
    """Start the containers, follow the guide, then give them their pod routes and show that pods reach each other.

    Args:
        lab: The lab.
        size: What `Lxd.up` takes.

    Returns:
        0; else the status of the runbook that failed, or 1 if a pod is not reached at the end.

    Raises:
        LabError: The containers cannot be started.
    """
    started = time.monotonic()
    make_room(lab, containers=True)
    lxd = Lxd(lab, say=lambda line: print(f"lab: {line}", flush=True))
    lxd.up(**size)
    before = _show(lxd, "Before")
    if before.answered == before.asked:
        print("  Every pod is reached already: the routes were set by an earlier run.\n")
    else:
        _follow_the_guide(lxd)
    status = runbook(lab, "provision.py", "--yes", "--config", CONFIG)
    shown = runbook(lab, "show_routes.py", "--config", CONFIG)
    after = _show(lxd, "After")
    missing = after.asked - after.answered
    if status != 0 or missing > 0:
        print(f"  Not all is well: provision.py ended with status {status}, {missing} pings were not answered.")
    else:
        print(f"  Every pod is reached. That took {time.monotonic() - started:.1f} s.")
    say_how_to_go_on(lab, "lxc list")
    return status or shown or (1 if missing > 0 else 0)


def _follow_the_guide(lxd: Lxd) -> None:
    print("The guide's own commands:")
    print(
        "".join(f"  $ {line}\n" if number == 0 else f"  > {line}\n" for number, line in enumerate(_GUIDE.split("\n")))
    )
    _operator(lxd, _GUIDE)
    print("and the routes that it leaves:")
    for host in lxd.hosts:
        if host.role == "worker":
            routes = lxd.exec(host.name, ["ip", "route", "show", "root", "10.200.0.0/16"]).stdout
            print(f"  {host.name}: " + "\n".ljust(len(host.name) + 5).join(routes.strip().splitlines()))
    print()
    show_after = _show(lxd, "After the guide's commands")
    if show_after.answered < show_after.asked:
        print("  One network, on the workers alone, gone at the next boot; and nothing forwards.\n")


def _operator(lxd: Lxd, script: str) -> None:
    """Run a script as it is typed, output and all."""
    argv = enter.operator_argv(lxd.lab.paths, ["sh", "-c", script])
    subprocess.run(argv, env=enter.operator_environment(lxd.lab.paths), stdin=subprocess.DEVNULL, check=False)


def _show(lxd: Lxd, title: str) -> matrix.Matrix:
    (measured,) = measure(lxd)
    show(title, measured)
    return measured


def measure(lxd: Lxd) -> list[matrix.Matrix]:
    """Ping pods from pods and from controllers, all at once; nothing is asked of LXD.

    Args:
        lxd: The LXD, all of whose containers run.

    Returns:
        One matrix.
    """

    def namespace(host: Host, *, pod: bool) -> Path:
        process = Path(f"/proc/{container_pid(lxd.paths, host.name)}")
        return process / "root/run/netns/pod" if pod else process / "ns/net"

    return matrix.measure_between(lxd.hosts, namespace)
