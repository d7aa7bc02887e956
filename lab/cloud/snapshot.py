"""Neutron's database with a lab's network in it, kept for the next lab of the same size.

Creating ports costs Neutron far more time than reading a copy of them.
"""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from lab.cache import digest
from lab.cloud import resources
from lab.layout import Layout


def snapshot_path(template: Path, layout: Layout) -> Path:
    """File of the database for a size of lab, whether it is there or not.

    Args:
        template: The folder of the template from which it was filled.
        layout: The lab's.
    """
    size = json.dumps(layout.as_dict(), sort_keys=True).encode()
    return template / f"neutron-{digest(size, Path(resources.__file__).read_bytes())}.db"


def use_snapshot(snapshot: Path, database: Path) -> bool:
    """Put the kept database in the place of an empty one.

    Args:
        snapshot: The kept one.
        database: The lab's own, which is not in use yet.

    Returns:
        Whether there is one.
    """
    if not snapshot.exists():
        return False
    shutil.copy(snapshot, database)
    return True


def keep_snapshot(database: Path, snapshot: Path) -> None:
    """Keep a copy of a lab's database, which may be in use; all of it or nothing.

    Args:
        database: The lab's own.
        snapshot: The file.
    """
    unfinished = snapshot.with_name(f"{snapshot.name}.{os.getpid()}")
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(unfinished)) as copy:
        source.backup(copy)
    unfinished.rename(snapshot)
