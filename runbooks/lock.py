"""A lock against a second run on the same inventory; the kernel drops it when its process ends, however it ends."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podroutes.errors import LockHeldError


def _folder() -> Path:
    """One for a person's runs and a timer's alike, so not $XDG_RUNTIME_DIR; $POD_ROUTES_LOCK_DIR names another."""
    chosen = os.environ.get("POD_ROUTES_LOCK_DIR")
    if chosen:
        return Path(chosen)
    folder = Path("/run/lock")
    return folder if os.access(folder, os.W_OK) else Path("/tmp")  # noqa: S108  # nothing is read from it


@contextmanager
def run_lock(config: Path) -> Iterator[None]:
    """Hold the lock of a configuration file.

    Args:
        config: Nornir's configuration; another one is another lock, and so is another user's.

    Raises:
        LockHeldError: Another run holds it; at once, without waiting.
    """
    folder = _folder()
    digest = hashlib.sha256(str(config.resolve()).encode()).hexdigest()[:16]
    path = folder / f"pod-routes-{os.getuid()}-{digest}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
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
