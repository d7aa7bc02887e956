"""Kernel limits that many hosts need: only ever raised, and restored after the last lab."""

import json
from pathlib import Path

from lab.paths import STATE

_RECORD = STATE / "limits.json"
_SYSCTL = Path("/proc/sys")


def wanted_limits(hosts: int) -> dict[str, int]:
    """Limits that a number of hosts need.

    Args:
        hosts: Number of hosts of all labs that are likely to run.

    Returns:
        Least values by path below /proc/sys.
    """
    limits = {
        "fs/inotify/max_user_instances": 1024 + 32 * hosts,
        "fs/inotify/max_user_watches": 65536 + 256 * hosts,
        "kernel/keys/maxkeys": 2000 + 40 * hosts,
        "kernel/keys/maxbytes": 200_000 + 4000 * hosts,
        "kernel/pty/max": 4096 + 2 * hosts,
    }
    # The kernel counts neighbours of all namespaces together; every host may know every other.
    entries = 4 * hosts * hosts
    if entries > 512:
        for family in ("ipv4", "ipv6"):
            limits[f"net/{family}/neigh/default/gc_thresh3"] = 2 * entries
            limits[f"net/{family}/neigh/default/gc_thresh2"] = entries
    return limits


def raise_limits(hosts: int) -> None:
    """Raise limits that are too low, and record their values.

    Args:
        hosts: Number of hosts.
    """
    record: dict[str, list[int]] = json.loads(_RECORD.read_text()) if _RECORD.exists() else {}
    for key, least in wanted_limits(hosts).items():
        now = _read(key)
        if now is None or now >= least:
            continue
        original = record[key][0] if key in record else now
        record[key] = [original, least]
        # Written before the change: a lab that dies between the two can still be undone.
        _RECORD.write_text(json.dumps(record))
        (_SYSCTL / key).write_text(str(least))


def restore_limits() -> None:
    """Restore what was raised, unless it was changed again since."""
    if not _RECORD.exists():
        return
    record: dict[str, list[int]] = json.loads(_RECORD.read_text())
    for key, (original, raised) in record.items():
        if _read(key) == raised:
            (_SYSCTL / key).write_text(str(original))
    _RECORD.unlink()


def _read(key: str) -> int | None:
    try:
        return int((_SYSCTL / key).read_text())
    except (OSError, ValueError):
        # Not a kernel of this computer's configuration, or not visible in a container: nothing to raise.
        return None
