"""One `up`, `down`, `reboot` or `break` of a lab at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.paths import STATE


def lock_file(name: str) -> Path:
    """The file that a lock is on.

    Args:
        name: As given to `locked`.
    """
    return STATE / f"{name}.lock"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock; wait for it if another process holds it.

    The kernel releases it when the holder dies. The file is removed with the last lab that needs it.

    Args:
        name: The lab's name, or `.computer` for what all labs share.
    """
    path = lock_file(name)
    while True:
        STATE.mkdir(mode=0o755, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # another `down` has just removed the folder
        try:
            _wait(descriptor, name)
            if _is_still(path, descriptor):
                yield
                return
        finally:
            os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the file is still there: its holder may have removed it while we waited, and the lock guards nothing."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def remove_lock_file(name: str) -> None:
    """Remove the file of a lock that this process holds.

    Args:
        name: As given to `locked`.
    """
    lock_file(name).unlink(missing_ok=True)


def _wait(descriptor: int, name: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not name.startswith("."):
            print(f"lab: waiting for another command of the lab {name}", flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
