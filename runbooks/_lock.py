"""A lock against a second run on the same inventory; the kernel drops it when its process ends, however it ends."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podroutes.errors import LockHeldError, UsageError


def _folder() -> Path:
    """One for a person's runs and a timer's alike, so not $XDG_RUNTIME_DIR; $POD_ROUTES_LOCK_DIR names another."""
    chosen = os.environ.get("POD_ROUTES_LOCK_DIR")
    if chosen:
        return Path(chosen)
    # Only root writes to /run, so nobody else can have made the file there first.
    folders = (Path("/run"), Path("/run/lock"))
    return next((folder for folder in folders if os.access(folder, os.W_OK)), Path("/tmp"))  # noqa: S108


@contextmanager
def run_lock(config: Path) -> Iterator[None]:
    """Hold the lock of a configuration file.

    Args:
        config: Nornir's configuration; another one is another lock, and so is another user's.

    Raises:
        LockHeldError: Another run holds it; at once, without waiting.
        UsageError: The lock's file can't be opened.
    """
    folder = _folder()
    digest = hashlib.sha256(str(config.resolve()).encode()).hexdigest()[:16]
    path = folder / f"pod-routes-{os.getuid()}-{digest}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        message = f"the lock {path} can't be opened: {error.strerror}; remove it, if it is not this user's"
        raise UsageError(message) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            message = f"another run holds the lock {path} (process {holder}); nothing was touched"
            raise LockHeldError(message) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
