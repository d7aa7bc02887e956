"""Files that this software installs: writing, removing and restoring them, and what unfinished writes have left."""

from collections.abc import Iterator
from typing import Final

from podroutes.host.changes import Change, HostPlan, KeepCopy, PutBack, RemoveFile, Step, WriteFile
from podroutes.host.managed_files import managed_file_of
from podroutes.host.state import FileState, HostState

OURS: Final = "this software put it there"


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


def plan_file(state: HostState, path: str, content: str) -> Iterator[Change]:
    """Plan to write a managed file, unless it is up to date; somebody else's is kept where one can be put back.

    Args:
        state: What was read.
        path: Its path in `MANAGED_FILES`, which says layer, mode and drift codes.
        content: What it is to hold.
    """
    managed, file = managed_file_of(path), state.files.get(path)
    if is_up_to_date(file, managed.mode, content):
        return
    steps: list[Step] = [WriteFile(path, managed.mode, content)]
    reason = finding = difference_of(file, content)
    if file is not None and not file.ours and managed.kept_as:
        reason = f"taken over; what was there is kept as {managed.kept_as}"
        steps.insert(0, KeepCopy(path, managed.kept_as))
    before = file.content if file is not None else ""
    drift = managed.missing if file is None else managed.edited
    yield Change(managed.layer, "write", path, before, content, reason, tuple(steps), drift, finding)


def plan_file_removal(state: HostState, path: str, drift: str = "") -> Change:
    """Plan to remove a managed file that is there, or to put back what it has taken the place of.

    Args:
        state: What was read.
        path: Its path in `MANAGED_FILES`.
        drift: Code of the drift class that the file is; empty where it is none.
    """
    managed, before = managed_file_of(path), state.files[path].content
    if managed.kept_as not in state.files:
        return Change(managed.layer, "remove", path, before, "", OURS, (RemoveFile(path),), drift)
    after, step = state.files[managed.kept_as].content, PutBack(managed.kept_as, path)
    return Change(managed.layer, "restore", path, before, after, "it was there before", (step,), drift)


def plan_leftovers(state: HostState) -> HostPlan:
    """Plan to remove what interrupted writes have left beside their files; nobody else uses these names."""
    reason = "a write that was interrupted left it there"
    return HostPlan(
        tuple(
            Change(managed_file_of(path).layer, "remove", path, "", "", reason, (RemoveFile(path),), "leftover-file")
            for path in state.leftovers
        )
    )
