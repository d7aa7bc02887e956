"""Files that this software installs: writing, removing and restoring them, and what unfinished writes have left."""

from collections.abc import Iterator
from typing import Final

from podroutes.host.changes import Change, HostPlan, KeepCopy, Layer, PutBack, RemoveFile, Step, WriteFile
from podroutes.host.state import (
    BEFORE_PATH,
    REPLACED_SCRIPT_PATH,
    REPLACED_UNIT_PATH,
    SCRIPT_PATH,
    SYSCTL_PATH,
    UNIT_PATH,
    FileState,
    HostState,
    temporary_path,
)

OURS: Final = "this software put it there"
# Where a copy is kept of what stood in the place of a file.
KEPT_PATHS: Final = {SCRIPT_PATH: REPLACED_SCRIPT_PATH, UNIT_PATH: REPLACED_UNIT_PATH}
_FORWARDING: Final = frozenset({temporary_path(BEFORE_PATH), temporary_path(SYSCTL_PATH)})


def is_up_to_date(file: FileState | None, mode: int, content: str) -> bool:
    """Whether a file is a regular one of root's with this mode and content."""
    return file == FileState(content, mode, 0, 0)


def difference_of(file: FileState | None, content: str) -> str:
    """What is wrong with a file that is not up to date, in a few words."""
    if file is None:
        return "missing"
    if not file.ours and file.content != content:
        return "somebody else's file is there"
    if file.content != content:
        return "its content differs"
    if not file.regular:
        return "it is no regular file"
    return f"its mode or owner differs: {file.mode:04o} {file.uid}:{file.gid}"


def plan_file(layer: Layer, state: HostState, desired: WriteFile, drift: str) -> Iterator[Change]:
    """Plan to write a file unless it is up to date; of somebody else's, a copy is kept where it can be restored.

    Args:
        layer: Which capability it belongs to.
        state: What was read.
        desired: How it is written.
        drift: Code of the drift class that it is otherwise.
    """
    path, content = desired.path, desired.content
    file = state.files.get(path)
    if is_up_to_date(file, desired.mode, content):
        return
    steps: tuple[Step, ...] = (desired,)
    reason = finding = difference_of(file, content)
    if file is not None and not file.ours and path in KEPT_PATHS:
        reason = f"taken over; what was there is kept as {KEPT_PATHS[path]}"
        steps = (KeepCopy(path, KEPT_PATHS[path]), desired)
    before = file.content if file is not None else ""
    yield Change(layer, "write", path, before, content, reason, steps, drift, finding)


def plan_file_removal(layer: Layer, state: HostState, path: str) -> Change:
    """Plan to remove a file of ours that is there, or to restore what stood in its place before."""
    before = state.files[path].content
    kept = KEPT_PATHS.get(path)
    if kept is None or kept not in state.files:
        return Change(layer, "remove", path, before, "", OURS, (RemoveFile(path),))
    after = state.files[kept].content
    return Change(layer, "restore", path, before, after, "it was there before", (PutBack(kept, path),))


def plan_leftovers(state: HostState) -> HostPlan:
    """Plan to remove what interrupted writes have left beside their files; nobody else uses these names."""
    changes = []
    for path in state.leftovers:
        layer: Layer = "forwarding" if path in _FORWARDING else "routes_service"
        reason = "a write that was interrupted left it there"
        changes.append(Change(layer, "remove", path, "", "", reason, (RemoveFile(path),), "leftover-file"))
    return HostPlan(tuple(changes))
