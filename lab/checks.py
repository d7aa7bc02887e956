"""Checks that this computer can have a lab, before anything is made."""

import os
import shutil

from lab import cgroup
from lab.defaults import INSIDE, SYSTEM_PATH
from lab.errors import LabError
from lab.process import run

_TOOLS = {
    "ip": "iproute2",
    "mount": "mount",
    "nsenter": "util-linux",
    "ping": "iputils-ping",
    "setsid": "util-linux",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "sudo": "sudo",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}

# Everything that a lab does to the kernel, tried in namespaces that end with the command.
_TRIAL = """
set -e
ip link add lab0 type bridge
ip link add lab1 type veth peer name lab2
mount -t tmpfs lab /run
mkdir /run/upper /run/work /run/root
mknod /run/upper/hidden c 0 0
mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work lab /run/root
"""


def check_place() -> None:
    """Check that this process sees the computer itself, and may change it.

    Raises:
        LabError: It is not root's, or runs in the operator's namespace.
    """
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes namespaces and mounts; try `sudo` in front")
    # Mounts made there would not be seen outside.
    if INSIDE in os.environ:
        raise LabError("this is the lab's own shell: leave it first (`exit`), then try again")


def check_computer() -> None:
    """Check that a lab can be made here and from here.

    Raises:
        LabError: It cannot; the message says what to do.
    """
    check_place()
    missing = [tool for tool in _TOOLS if shutil.which(tool, path=SYSTEM_PATH) is None]
    if missing:
        packages = " ".join(sorted({_TOOLS[tool] for tool in missing}))
        raise LabError(f"{', '.join(missing)} not found: install {packages} (scripts/setup.sh packages does)")
    group = cgroup.mount_point()
    if not os.access(group, os.W_OK):
        raise LabError(f"{group} cannot be written to: the lab needs control groups of its own")
    device = os.stat("/").st_dev  # noqa: PTH116
    for folder in ("/usr", "/etc"):
        if os.stat(folder).st_dev != device:  # noqa: PTH116
            raise LabError(f"{folder} is a file system of its own, which the lab's hosts would not see")
    trial = run(["unshare", "--mount", "--net", "sh", "-c", _TRIAL], check=False)
    if trial.returncode != 0:
        output = (trial.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LabError(f"this computer does not allow namespaces, bridges or overlay mounts: {output}")
