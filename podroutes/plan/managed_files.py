"""Files that this software installs: whether one is as it should be, and what unfinished writes have left."""

from podroutes.host.changes import Change, HostPlan, RemoveFile
from podroutes.host.state import BEFORE_PATH, SYSCTL_PATH, FileState, HostState, temporary_path

_FORWARDING = frozenset({temporary_path(BEFORE_PATH), temporary_path(SYSCTL_PATH)})


def is_up_to_date(file: FileState | None, mode: int, content: str) -> bool:
    """Whether a file is a regular one of root's with this mode and content."""
    return file == FileState(content, mode, 0, 0)


def difference_of(file: FileState | None, content: str) -> str:
    """What is so of a file that is not as it should be, in a few words."""
    if file is None:
        return "missing"
    if not file.ours and file.content != content:
        return "somebody else's file is there"
    if file.content != content:
        return "its content differs"
    if not file.regular:
        return "it is no regular file"
    return f"its mode or owner differs: {file.mode:04o} {file.uid}:{file.gid}"


def plan_leftovers(state: HostState) -> HostPlan:
    """Plan to remove what an interrupted write has left beside the place of its file; nobody else uses these names."""
    return HostPlan(
        tuple(
            Change(
                "forwarding" if path in _FORWARDING else "routes_service",
                "remove",
                path,
                "",
                "",
                "a write that was interrupted left it there",
                (RemoveFile(path),),
                "leftover-file",
            )
            for path in state.leftovers
        )
    )
