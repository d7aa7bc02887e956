"""The history among processes that are killed, and that write at once."""

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from podroutes.drift.history import History

# Each run has 200 findings, and those of odd and of even runs differ: a record is large, and partly heals.
_WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from podroutes.drift.findings import new_finding
from podroutes.drift.history import History
from podroutes.outcomes import HostOutcome, Outcome, RunReport

history, name, count = History(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for number in range(count):
    findings = [new_finding("route-missing", f"{name}-{number % 2}-{one}", "message " * 20) for one in range(200)]
    host = HostOutcome(host=name, outcome=Outcome.DRIFT, findings=tuple(findings))
    history.record(RunReport(runbook=name, dry_run=True, started=datetime.now(UTC), seconds=number, hosts=(host,)))
    print(number, flush=True)
"""


def _start_writer(path: Path, name: str, count: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )


def test_a_writer_that_is_killed_leaves_its_last_whole_run(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite3")
    for attempt in range(6):
        with _start_writer(history.path, "killed", 100_000) as writer:
            assert writer.stdout is not None
            counted = int(writer.stdout.readline())
            # Somewhere inside one of the next writes.
            time.sleep(0.003 * attempt)
            writer.send_signal(signal.SIGKILL)
            counted = max([counted, *map(int, writer.stdout.read().split())])
        assert writer.returncode == -signal.SIGKILL
        last = history.runs(1)[0]
        # Its last word may have come before or after its last commit, but nothing that it has printed is lost.
        assert last.seconds in (counted, counted + 1)
        assert {finding.subject.split("-")[1] for finding in history.open_findings()} == {str(int(last.seconds) % 2)}
        assert len(history.open_findings()) == 200
        assert is_intact(history.path)


def test_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite3")
    names = ["one", "two", "three"]
    writers = [_start_writer(history.path, name, 8) for name in names]
    for writer in writers:
        out, _ = writer.communicate(timeout=120)
        assert (writer.returncode, out.split()) == (0, [str(number) for number in range(8)])
    runs = history.runs(100)
    assert sorted((run.runbook, int(run.seconds)) for run in runs) == sorted((n, i) for n in names for i in range(8))
    assert len(history.open_findings()) == 600
    assert is_intact(history.path)


def is_intact(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute("PRAGMA integrity_check")] == ["ok"]
