"""Files that take long to make: made once and kept for later labs, outside their state."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.errors import LabError

_STAMP = "complete"
_DIGITS = 12


def cache_root() -> Path:
    """Folder of all that is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pod-routes"


def digest(*contents: bytes) -> str:
    """A short text that differs when the contents do.

    Args:
        contents: All that the result depends on.
    """
    return hashlib.sha256(b"".join(contents)).hexdigest()[:_DIGITS]


def is_made(folder: Path) -> bool:
    """Whether a folder has been made, to its end.

    Args:
        folder: As given to `made_once`.
    """
    return (folder / _STAMP).exists()


def made_once(folder: Path, make: Callable[[Path, int], None], *, announce: Callable[[], None] = lambda: None) -> Path:
    """Make a folder unless it has been made; of two makers at once, one waits for the other.

    What is made may know its own path, so it is made in its place; a stamp says that it is complete. What an
    interrupted maker has left is removed and made again, once the programs that it had started have ended.

    Args:
        folder: The folder.
        make: Fills it. It is also given a file descriptor that the programs which it starts have to inherit: as long as
            one of them runs, nobody else makes the folder.
        announce: Called before it is made.

    Returns:
        The folder.
    """
    if is_made(folder):
        return folder
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_made(folder):
            return folder
        announce()
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
        started = time.monotonic()
        make(folder, lock.fileno())
        # Its text is for people.
        (folder / _STAMP).write_text(f"made in {time.monotonic() - started:.0f} s\n")
    return folder


def run_tool(argv: Sequence[str], what: str, *, lock: int, stdin: str = "", folder: Path | None = None) -> None:
    """Run a program that makes something for the cache.

    Args:
        argv: The command.
        what: What it does, for the error.
        lock: File descriptor that it inherits, see `made_once`.
        stdin: Its standard input.
        folder: Its working directory.

    Raises:
        LabError: It failed; the message holds the last line of its output.
    """
    done = subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        cwd=folder,
        pass_fds=(lock,),
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() != ""]
        raise LabError(f"cannot {what}: {lines[-1].strip() if lines else 'it printed nothing'}", status=1)
