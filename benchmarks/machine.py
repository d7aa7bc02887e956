"""What a measurement ran on, and the versions of what was measured."""

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from benchmarks.environment import versions as peers_versions

_GIB = 1 << 30
_OURS = ("asyncssh", "nornir", "msgspec", "rich")
_PEERS = ("ansible-core", "pyinfra")


def describe_machine() -> dict[str, str]:
    """What the machine is, and how busy it is at this moment."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    release = platform.freedesktop_os_release()
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / _GIB:.0f} GiB",
        "system": f"{release.get('PRETTY_NAME', 'Linux')}, Linux {platform.release()}",
        "load when it began": f"{os.getloadavg()[0]:.2f}",
    }


def describe_versions() -> Mapping[str, str]:
    """Versions of the contenders, and of what they stand on."""
    peers = peers_versions()
    return {
        "pod-routes": _revision(),
        "Python": platform.python_version(),
        **{name: version(name) for name in _OURS},
        **{name: peers[name] for name in _PEERS},
        "OpenSSH": _printed(["ssh", "-V"]).partition(",")[0].removeprefix("OpenSSH_"),
        "systemd": _printed(["systemctl", "--version"]).partition(" (")[0].removeprefix("systemd "),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _revision() -> str:
    """The commit that was measured; a mark where files differ from it."""
    root = Path(__file__).parent
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or version("pod-routes")


def _printed(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).partition("\n")[0]
