"""Files that this software puts on hosts. To add one, add an entry to `MANAGED_FILES`.

Reading a host, the cleaning up after interrupted writes and the test of docs/hosts.md follow from the table; planners
take mode, layer and drift codes from it.
"""

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from podroutes.host.changes import Layer

# Stands in every file of ours; a file without it is somebody else's.
MARKER: Final = "Managed by pod-routes"

UNIT_NAME: Final = "routes.service"
SCRIPT_PATH: Final = "/usr/local/sbin/basic-kubernetes-routes.sh"
UNIT_PATH: Final = f"/etc/systemd/system/{UNIT_NAME}"
DATA_DIRECTORY: Final = "/etc/kubernetes-routes"
DATA_PATH: Final = f"{DATA_DIRECTORY}/routes"
BEFORE_PATH: Final = f"{DATA_DIRECTORY}/forwarding.before"
REPLACED_DIRECTORY: Final = f"{DATA_DIRECTORY}/replaced"
REPLACED_SCRIPT_PATH: Final = f"{REPLACED_DIRECTORY}/basic-kubernetes-routes.sh"
REPLACED_UNIT_PATH: Final = f"{REPLACED_DIRECTORY}/{UNIT_NAME}"
SYSCTL_PATH: Final = "/etc/sysctl.d/90-kubernetes-pod-routes.conf"
# Beside a .network file of systemd-networkd's; in /etc, so that it goes before any other of that name.
DROP_IN_NAME: Final = "90-kubernetes-pod-routes.conf"
DROP_IN_PATTERN: Final = f"/etc/systemd/network/*.network.d/{DROP_IN_NAME}"
# Scripts that these network managers run when an interface has an address again.
NETWORKMANAGER_HOOK: Final = "/etc/NetworkManager/dispatcher.d/90-kubernetes-pod-routes"
IFUPDOWN_HOOK: Final = "/etc/network/if-up.d/kubernetes-pod-routes"  # run-parts takes no dots in names

# What `systemctl enable` leaves, whatever target or unit it is for.
ENABLING_LINKS: Final = (f"/etc/systemd/system/*.wants/{UNIT_NAME}", f"/etc/systemd/system/*.requires/{UNIT_NAME}")
# What the script keeps until the next boot.
SCRIPT_STATE_DIRECTORY: Final = "/run/kubernetes-routes"
SCRIPT_STATE_PATHS: Final = (f"{SCRIPT_STATE_DIRECTORY}/applied", f"{SCRIPT_STATE_DIRECTORY}/lock")
# Held by the run that changes the host.
LOCK_PATH: Final = "/run/pod-routes.lock"
# Removed with the last file in them, the inner one first.
OWN_DIRECTORIES: Final = (REPLACED_DIRECTORY, DATA_DIRECTORY, SCRIPT_STATE_DIRECTORY)


def _kept(path: str) -> str:
    return f"{REPLACED_DIRECTORY}/{path.rpartition('/')[2]}"


class ManagedFile(Struct, frozen=True):
    """A file that this software puts on hosts.

    Attributes:
        path: Absolute path; a `*` stands for a part that differs from host to host.
        layer: The capability that it belongs to.
        mode: Permission bits.
        missing: Code of the drift class of a host without it; empty where it can't be missing.
        edited: Code of the drift class of a host that has something else there.
        kept_as: Where a file of somebody else that was in its place is kept until it goes; empty where none is kept.
    """

    path: str
    layer: Layer
    mode: int = 0o644
    missing: str = ""
    edited: str = ""
    kept_as: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Its own path, and where what it has replaced is kept."""
        return (self.path, self.kept_as) if self.kept_as else (self.path,)


MANAGED_FILES: Final = (
    ManagedFile(SCRIPT_PATH, "routes_service", 0o755, "unit-missing", "script-edited", REPLACED_SCRIPT_PATH),
    ManagedFile(UNIT_PATH, "routes_service", 0o644, "unit-missing", "unit-edited", REPLACED_UNIT_PATH),
    ManagedFile(DATA_PATH, "routes_service", 0o644, "unit-missing", "unit-edited"),
    ManagedFile(BEFORE_PATH, "forwarding"),
    ManagedFile(SYSCTL_PATH, "forwarding", 0o644, "forwarding-not-kept", "forwarding-not-kept"),
    ManagedFile(DROP_IN_PATTERN, "persist", 0o644, "manager-lacks-routes", "manager-lacks-routes"),
    *(
        ManagedFile(path, "persist", 0o755, "manager-lacks-routes", "manager-lacks-routes", _kept(path))
        for path in (NETWORKMANAGER_HOOK, IFUPDOWN_HOOK)
    ),
)


def temporary_path(path: str) -> str:
    """Where a file is written before it gets its place; a power cut leaves it there."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.new"


FILE_PATHS: Final = tuple([path for file in MANAGED_FILES for path in file.paths])
TEMPORARY_PATHS: Final = tuple(map(temporary_path, FILE_PATHS))


def path_regex(paths: Iterable[str]) -> re.Pattern[str]:
    """Matches each of the paths, in which `*` stands for a part of a name."""
    return re.compile("|".join([re.escape(path).replace(r"\*", r"[^/\s]+") for path in paths]))


_DROP_IN: Final = path_regex([DROP_IN_PATTERN])


def is_drop_in(path: str) -> bool:
    """Whether a path is that of a drop-in of ours for systemd-networkd."""
    return _DROP_IN.fullmatch(path) is not None


def managed_file_of(path: str) -> ManagedFile:
    """The entry that a path on a host is of: a file's own, that of what it replaced, or of an interrupted write.

    Raises:
        LookupError: It is none of these.
    """
    for file in MANAGED_FILES:
        if path_regex([*file.paths, *map(temporary_path, file.paths)]).fullmatch(path) is not None:
            return file
    raise LookupError(path)
