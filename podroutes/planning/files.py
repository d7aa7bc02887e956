"""Files that this software installs: whether one is as it should be."""

from podroutes.host_state import FileState


def is_wanted_file(file: FileState | None, mode: int, content: str) -> bool:
    """Whether a file is a regular one of root's with this mode and content."""
    return file == FileState(content, mode, 0, 0)
