import sqlite3
from contextlib import closing
from pathlib import Path

from lab.cloud.snapshot import keep_snapshot, snapshot_path, use_snapshot
from lab.layout import Layout


def test_a_database_in_use_is_kept_whole(tmp_path: Path) -> None:
    own, kept, new = tmp_path / "own.db", tmp_path / "kept.db", tmp_path / "new.db"
    assert use_snapshot(kept, new) is False
    with closing(sqlite3.connect(own)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE port (name TEXT)")
        database.execute("INSERT INTO port VALUES ('worker-0')")
        database.commit()
        # It is still open: what was written is in the log beside it, not in the file.
        keep_snapshot(own, kept)
    assert use_snapshot(kept, new) is True
    with closing(sqlite3.connect(new)) as database:
        assert database.execute("SELECT name FROM port").fetchall() == [("worker-0",)]
    assert {path.name for path in tmp_path.iterdir()} == {"own.db", "kept.db", "new.db"}


def test_each_size_of_lab_has_its_own() -> None:
    layouts = (Layout(), Layout(workers=4), Layout(ipv6=True), Layout(node_network="10.241.0.0/24"))
    assert len({snapshot_path(Path("/x"), layout) for layout in layouts}) == 4
    assert snapshot_path(Path("/x"), Layout()) == snapshot_path(Path("/x"), Layout(workers=3))
