"""A lab host that serves as the operator's machine: with this project, its interpreter and the operator's SSH keys.

Hosts see none of the computer's own files but its programs. The project and the interpreter are shown to the host where
they are here; that ends with the host's boot.
"""

import subprocess
import sys
from pathlib import Path

from lab.enter import host_pid
from tests.integration.cluster import ROOT, Cluster

CONFIG = "/etc/pod-routes/config.yaml"

# open_tree(2) takes a copy of a mount here, and move_mount(2) puts it into the host's namespace of mounts.
_SHOW = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
OPEN_TREE, MOVE_MOUNT, HERE = 428, 429, -100
def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
pid, source, target = sys.argv[1:]
tree = check(libc.syscall(OPEN_TREE, HERE, source.encode(), 1 | os.O_CLOEXEC))
check(libc.setns(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY), 0))
check(libc.syscall(MOVE_MOUNT, tree, b"", HERE, target.encode(), 4))
"""


def make_operator(cluster: Cluster, host: str) -> None:
    """Make a host an operator's machine, with an inventory that fits the lab at CONFIG.

    Args:
        cluster: The lab.
        host: The host's name.
    """
    for folder in (ROOT, Path(sys.base_prefix)):
        if folder == Path("/usr"):
            continue
        cluster.on(host, "mkdir", "-p", str(folder))
        pid = host_pid(cluster.lab.paths.host(host))
        subprocess.run([sys.executable, "-c", _SHOW, str(pid), str(folder), str(folder)], check=True)
    ssh = cluster.lab.paths.operator / "ssh"
    cluster.on(host, "mkdir", "-p", "-m", "0700", "/root/.ssh")
    for name in ("id_ed25519", "config", "known_hosts"):
        put(cluster, host, f"/root/.ssh/{name}", (ssh / name).read_text(), mode=0o600)
    config = cluster.write(cluster.inventory())
    cluster.on(host, "mkdir", "-p", str(Path(CONFIG).parent))
    for path in config.parent.rglob("*"):
        if path.is_file():
            target = Path(CONFIG).parent / path.relative_to(config.parent)
            put(cluster, host, str(target), path.read_text(), mode=0o644)


def put(cluster: Cluster, host: str, path: str, text: str, *, mode: int) -> None:
    """Write a file on a host, and the folders above it."""
    cluster.on(
        host,
        "sh",
        "-euc",
        'mkdir -p "$(dirname "$1")"; cat >"$1"; chmod "$2" "$1"',
        "sh",
        path,
        f"{mode:o}",
        stdin=text,
    )
