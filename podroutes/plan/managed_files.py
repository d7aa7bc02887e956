"""Files that this software installs: whether one is as it should be, and what unfinished writes have left."""

from collections.abc import Iterator
from typing import Final

from podroutes.host.changes import Change, HostPlan, KeepCopy, Layer, PutBack, RemoveFile, Step, WriteFile
from podroutes.host.state import BEFORE_PATH, KEPT_PATHS, SYSCTL_PATH, FileState, HostState, temporary_path

OURS: Final = "this software put it there"

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


def plan_file(layer: Layer, state: HostState, wanted: WriteFile, drift: str) -> Iterator[Change]:
    """Plan to write a file, unless it is as it should be; a copy of somebody else's is kept where one can be put back.

    Args:
        layer: Which capability it belongs to.
        state: What was read.
        wanted: How it is written.
        drift: Code of the drift class that it is otherwise.
    """
    path, content = wanted.path, wanted.content
    file = state.files.get(path)
    if is_up_to_date(file, wanted.mode, content):
        return
    steps: list[Step] = [wanted]
    reason = finding = difference_of(file, content)
    if file is not None and not file.ours and path in KEPT_PATHS:
        reason = f"taken over; what was there is kept as {KEPT_PATHS[path]}"
        steps.insert(0, KeepCopy(path, KEPT_PATHS[path]))
    before = file.content if file is not None else ""
    yield Change(layer, "write", path, before, content, reason, tuple(steps), drift, finding)


def plan_file_removal(layer: Layer, state: HostState, path: str, drift: str = "") -> Change:
    """Plan to remove a file of ours that is there, or to put back what it has taken the place of.

    Args:
        layer: Which capability it belongs to.
        state: What was read.
        path: Absolute path.
        drift: Code of the drift class that the file is; empty where it is none.
    """
    before = state.files[path].content
    kept = KEPT_PATHS.get(path)
    if kept is None or kept not in state.files:
        return Change(layer, "remove", path, before, "", OURS, (RemoveFile(path),), drift)
    after = state.files[kept].content
    return Change(layer, "restore", path, before, after, "it was there before", (PutBack(kept, path),), drift)


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
