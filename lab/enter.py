"""The commands that run something on a host or as the operator. Imports little: `exec` must be quick."""

import json
import os
import pwd
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lab.defaults import INSIDE, SYSTEM_PATH, command
from lab.errors import LabError
from lab.files import write_file
from lab.paths import NETNS, HostPaths, LabPaths
from lab.proc import has_files, start_time

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
    """The caller's environment, with the project's own programs first, and what parts of the lab have added to it.

    Args:
        paths: The lab's.
        variables: Another environment than the caller's.
    """
    given = os.environ if variables is None else variables
    programs = Path(__file__).resolve().parent.parent / ".venv" / "bin"
    environment = dict(given) | {
        "PATH": f"{programs}:{paths.programs}:{given.get('PATH', os.defpath)}",
        "HOME": str(ssh_folder().parent),
        # Labs side by side have the same addresses and are different clusters: a run in one locks nothing in another.
        "POD_ROUTES_LOCK_DIR": str(paths.operator),
        INSIDE: paths.name,
    }
    for file in sorted(paths.environment.glob("*.json")):
        added = json.loads(file.read_text())
        hidden = tuple(added["hidden"])
        environment = {name: value for name, value in environment.items() if not name.startswith(hidden)}
        environment |= added["variables"]
    return environment


def add_to_environment(paths: LabPaths, part: str, *, hidden: Iterable[str], variables: Mapping[str, str]) -> None:
    """Change the operator's environment variables from now on.

    Args:
        paths: The lab's.
        part: Name of the part of the lab to which the change belongs.
        hidden: Prefixes of names of the caller's variables that the operator must not see.
        variables: Those that the operator has instead.
    """
    change = {"hidden": list(hidden), "variables": dict(variables)}
    write_file(paths.environment / f"{part}.json", json.dumps(change), 0o600)


def remove_from_environment(paths: LabPaths, part: str) -> None:
    """Undo `add_to_environment`, if it was called.

    Args:
        paths: The lab's.
        part: As given there.
    """
    (paths.environment / f"{part}.json").unlink(missing_ok=True)


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
        raise LabError(f"{of.host} is not running: boot it with {command(of.lab.name, f'repair {of.host}')}")
    namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
    return ["nsenter", f"--target={pid}", *namespaces, "sh", "-c", _AS_ROOT, "sh", *argv]


def host_environment() -> dict[str, str]:
    """The environment variables of a login as root."""
    environment = {
        "PATH": SYSTEM_PATH,
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
