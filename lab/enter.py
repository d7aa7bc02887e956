"""The commands that run something on a host or in the operator's place. Imports little: `exec` must be quick."""

import os
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.cloud.paths import operator_environment as with_cloud
from lab.defaults import INSIDE, command
from lab.errors import LabError
from lab.lxd.paths import operator_environment as with_lxd
from lab.paths import NETNS, HostPaths, LabPaths
from lab.proc import has_files, start_time

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Shows the lab's keys and names in place of the computer's own, to this command and what it starts alone. A computer
# that has no /etc/hosts has a layer over /etc instead: nothing can be mounted on a file that is not there.
_AS_OPERATOR = """
mount --bind "$1" "$2" || exit 64
if [ -e /etc/hosts ]; then mount --bind "$3/hosts" /etc/hosts
else mount -t overlay -o "ro,lowerdir=$3:/etc" lab /etc; fi || exit 64
shift 3
exec "$@"
"""
_AS_ROOT = 'cd /root; exec "$@"'


def operator_argv(paths: LabPaths, argv: Sequence[str]) -> list[str]:
    """The command that runs another in the operator's namespace.

    Args:
        paths: The lab's.
        argv: What to run.

    Returns:
        A command that ends with the other's status. Its environment must be that of `operator_environment`.
    """
    return [
        "nsenter",
        f"--net={NETNS / paths.operator_netns}",
        "unshare",
        "--mount",
        "--propagation",
        "slave",
        "sh",
        "-c",
        _AS_OPERATOR,
        "sh",
        str(paths.operator / "ssh"),
        str(ssh_folder()),
        str(paths.operator_etc),
        *argv,
    ]


def operator_environment(paths: LabPaths, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment, with the project's own programs first.

    Args:
        paths: The lab's.
        variables: Another environment than the caller's.
    """
    given = os.environ if variables is None else variables
    programs = Path(__file__).resolve().parent.parent / ".venv" / "bin"
    environment = dict(given) | {
        "PATH": f"{programs}:{given.get('PATH', os.defpath)}",
        "HOME": str(ssh_folder().parent),
        # Labs side by side have the same addresses and are different clusters: a run in one locks nothing in another.
        "POD_ROUTES_LOCK_DIR": str(paths.operator),
        INSIDE: paths.name,
    }
    return with_lxd(paths, with_cloud(paths, environment))


def host_argv(of: HostPaths, argv: Sequence[str]) -> list[str]:
    """The command that runs another on a host, as root.

    Args:
        of: The host's paths.
        argv: What to run.

    Returns:
        A command that ends with the other's status. Its environment must be that of `host_environment`.

    Raises:
        LabError: The host does not run.
    """
    pid = host_pid(of)
    if pid is None:
        raise LabError(f"{of.host} is not running: boot it with {command(of.lab.name, f'mend {of.host}')}")
    namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
    return ["nsenter", f"--target={pid}", *namespaces, "sh", "-c", _AS_ROOT, "sh", *argv]


def host_environment() -> dict[str, str]:
    """What a login as root on a host would have."""
    environment = {
        "PATH": _SYSTEM_PATH,
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
    }
    return environment | {name: os.environ[name] for name in ("TERM",) if name in os.environ}


def host_pid(of: HostPaths) -> int | None:
    """The process that is the host's PID 1.

    Args:
        of: The host's paths.

    Returns:
        Its id as this computer sees it; None if the host does not run.
    """
    try:
        pid, started = (int(word) for word in of.pid.read_text().split())
    except (OSError, ValueError):
        return None
    return pid if start_time(pid) == started and has_files(pid) else None


def ssh_folder() -> Path:
    """Root's own folder of SSH keys, over which the lab's is shown."""
    return Path(pwd.getpwuid(0).pw_dir) / ".ssh"
