"""The traces of a lab on the computer: its own tmpfs, and a few folders that must exist."""

import json
import shutil
from pathlib import Path

from lab import limits
from lab.enter import ssh_folder
from lab.lock import locked, remove_lock_file
from lab.paths import STATE, LabPaths
from lab.process import run
from lab.subids import restore_subids

COMPUTER = ".computer"
"""The lock for what all labs share."""

_MADE = STATE / "made.json"


def make(paths: LabPaths) -> None:
    """Make the lab's own tmpfs, and the folders outside it that it needs, where they do not exist.

    Args:
        paths: The lab's.
    """
    with locked(COMPUTER):
        made = json.loads(_MADE.read_text()) if _MADE.exists() else []
        for folder, mode in ((Path("/run/systemd"), 0o755), (ssh_folder(), 0o700)):
            if not folder.exists():
                made.append(str(folder))
                # Written first: a lab that dies between the two can still be undone.
                _MADE.write_text(json.dumps(made))
                folder.mkdir(mode=mode)
    paths.root.mkdir(mode=0o700, exist_ok=True)
    if not paths.root.is_mount():
        run(["mount", "-t", "tmpfs", "-o", "mode=0700", "lab", str(paths.root)])
    (paths.root / "hosts").mkdir(exist_ok=True)


def remove(paths: LabPaths) -> None:
    """Remove the lab's tmpfs with all of its files.

    Args:
        paths: The lab's.
    """
    while paths.root.is_mount():
        run(["umount", "--lazy", str(paths.root)])
    shutil.rmtree(paths.root, ignore_errors=True)


def leave_computer() -> None:
    """Restore the computer after the last lab. The caller holds the lock for what all labs share."""
    if any(path.is_dir() for path in STATE.iterdir()):
        return
    limits.restore_limits()
    restore_subids()
    if _MADE.exists():
        for name in json.loads(_MADE.read_text()):
            folder = Path(name)
            # Not only ours any more if something is in it.
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        _MADE.unlink()
    remove_lock_file(COMPUTER)
    if not any(STATE.iterdir()):
        STATE.rmdir()
