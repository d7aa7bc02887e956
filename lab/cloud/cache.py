"""What takes long to make is made once and kept for later labs, outside their state."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

_STAMP = "complete"


def cache_root() -> Path:
    """Where it is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pod-routes"


def made_once(folder: Path, make: Callable[[Path, int], None], *, announce: Callable[[], None] = lambda: None) -> Path:
    """Make a folder unless it has been made; of two makers at once, one waits for the other.

    What is made may know its own path, so it is made in its place; a stamp says that it is whole. What an interrupted
    maker has left is removed and made anew, once the programs that it had started have ended.

    Args:
        folder: The folder.
        make: Fills it. It is also given a file descriptor that the programs which it starts have to inherit: as long as
            one of them runs, nobody else makes the folder.
        announce: Called before it is made.

    Returns:
        The folder.
    """
    if (folder / _STAMP).exists():
        return folder
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / _STAMP).exists():
            return folder
        announce()
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
        started = time.monotonic()
        make(folder, lock.fileno())
        # Its text is for a person who wonders.
        (folder / _STAMP).write_text(f"made in {time.monotonic() - started:.0f} s\n")
    return folder
