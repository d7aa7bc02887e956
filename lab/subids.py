"""The user ids that containers may have: root's entries in /etc/subuid and /etc/subgid, removed after the last lab."""

import json
from pathlib import Path

from lab.files import add_missing_lines
from lab.paths import STATE

ENTRY = "root:1000000:1000000000\n"
_RECORD = STATE / "subids.json"
_FILES = (Path("/etc/subuid"), Path("/etc/subgid"))


def lacks_root(text: str) -> bool:
    """Whether a file gives root no ids.

    Args:
        text: Of /etc/subuid or /etc/subgid.
    """
    return not any(line.split(":")[0] in ("root", "0") for line in text.splitlines())


def ensure_subids() -> None:
    """Give root ids where it has none, and record it. The caller holds the lock for what all labs share."""
    added: dict[str, bool] = json.loads(_RECORD.read_text()) if _RECORD.exists() else {}
    for path in _FILES:
        there = path.exists()
        if lacks_root(path.read_text() if there else ""):
            added[str(path)] = there
            # Written first: a lab that dies between the two can still be undone.
            _RECORD.write_text(json.dumps(added))
            add_missing_lines(path, [ENTRY])


def restore_subids() -> None:
    """Remove what was added. The caller holds the lock for what all labs share."""
    if not _RECORD.exists():
        return
    for name, there in json.loads(_RECORD.read_text()).items():
        path = Path(name)
        if not path.exists():
            continue
        left = path.read_text().replace(ENTRY, "")
        if left == "" and not there:
            path.unlink()
        else:
            path.write_text(left)
    _RECORD.unlink()
