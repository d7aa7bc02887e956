"""The command that runs something in a container. Imports little: `exec` must be quick."""

from collections.abc import Sequence

from lab.defaults import command
from lab.errors import LabError
from lab.lxd.paths import LxdPaths
from lab.lxd.processes import container_pid

_AS_ROOT = 'cd /root; exec "$@"'


def container_argv(paths: LxdPaths, container: str, argv: Sequence[str]) -> list[str]:
    """The command that runs another in a container, as its root and not by way of LXD.

    Args:
        paths: The LXD's.
        container: Its name.
        argv: What to run.

    Returns:
        A command that ends with the other's status. Its environment must be that of `lab.enter.host_environment`.

    Raises:
        LabError: The container does not run.
    """
    pid = container_pid(paths, container)
    if pid is None:
        raise LabError(f"{container} is not running: start it with {command(paths.lab.name, f'repair {container}')}")
    namespaces = ["--user", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
    ids = ["--setuid=0", "--setgid=0"]
    return ["nsenter", f"--target={pid}", *namespaces, *ids, "--", "sh", "-c", _AS_ROOT, "sh", *argv]
