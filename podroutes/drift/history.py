"""What drift checks found before: an SQLite file with runs, and each finding from its first sight until it heals.

A finding heals when its host was checked and no longer has it. What an unreachable host had stays open: nothing is
known of it. The rollback journal makes a run's record whole or absent, in one file that can be copied between runs.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from podroutes.drift.classes import COVERAGE_CODES
from podroutes.drift.findings import Finding, HealedFinding
from podroutes.errors import LockHeldError, PodRoutesError, UsageError
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport

KEEP_DAYS: Final = 90
SCHEMA_VERSION: Final = 1
# Tells our files from other programs' (SQLite's application_id): "podr".
APPLICATION_ID: Final = 0x706F6472
_SCHEMA: Final = (
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, runbook TEXT NOT NULL, started TEXT NOT NULL, seconds REAL NOT NULL,
        exit_code INTEGER NOT NULL, interrupted INTEGER NOT NULL, asked INTEGER NOT NULL, checked INTEGER NOT NULL,
        drifted INTEGER NOT NULL, findings INTEGER NOT NULL, cut INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE findings (
        id INTEGER PRIMARY KEY, host TEXT NOT NULL, code TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL,
        since TEXT NOT NULL, first_run INTEGER NOT NULL, healed TEXT, healed_run INTEGER
    ) STRICT""",
    "CREATE UNIQUE INDEX open_findings ON findings (host, code, subject) WHERE healed_run IS NULL",
    "CREATE INDEX findings_by_first_run ON findings (first_run)",
    "CREATE INDEX findings_by_healed_run ON findings (healed_run)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class PastFinding(Struct, frozen=True):
    """A finding as the history keeps it.

    Attributes:
        host: Where it was.
        code: Its drift class.
        subject: What differed.
        message: One line for a person.
        since: When a check found it first.
        healed: When a check found it gone; None while it is there, or nobody knows.
    """

    host: str
    code: str
    subject: str
    message: str
    since: datetime
    healed: datetime | None = None


class PastRun(Struct, frozen=True):
    """A run as the history keeps it.

    Attributes:
        number: Counted from 1; later runs have higher ones.
        runbook: What was run.
        started: When.
        seconds: How long it took.
        exit_code: What its report says of it.
        interrupted: Whether it was stopped before its end.
        asked: Number of hosts.
        checked: Number of hosts whose state was known.
        drifted: Number of hosts that had drifted.
        findings: Number of findings, notices among them.
        cut: Number of directions in which packets did not arrive.
        new: The findings that it was the first to see.
        healed: The findings that it was the first not to see.
    """

    number: int
    runbook: str
    started: datetime
    seconds: float
    exit_code: int
    interrupted: bool
    asked: int
    checked: int
    drifted: int
    findings: int
    cut: int
    new: tuple[PastFinding, ...] = ()
    healed: tuple[PastFinding, ...] = ()

    @property
    def unknown(self) -> int:
        """Number of hosts that could not be checked."""
        return self.asked - self.checked


class History:
    """An SQLite file with the runs of drift checks. Several processes may use it at once.

    Args:
        path: Of the file; `record` makes it if there is none.
        keep_days: Age in days, seen from the run that is recorded, at which runs and healed findings go.
        patience: Seconds to wait for another process that is writing.
    """

    def __init__(self, path: Path, *, keep_days: int = KEEP_DAYS, patience: float = 30.0) -> None:
        self.path = path
        self._keep_days = keep_days
        self._patience = patience

    def record(self, report: RunReport) -> RunReport:
        """Remember a run.

        Args:
            report: With what was found; of which repair, if any, a later run will see.

        Returns:
            The report, each finding with its state and since when, and with what has healed on the hosts it checked.

        Raises:
            UsageError: The file is damaged, of another program, or can't be written.
            LockHeldError: Another process did not end writing.
        """
        with self._connect(write=True) as connection:
            number = _insert_run(connection, report)
            remembered = _remember(connection, report, number)
            _prune(connection, report.started - timedelta(days=self._keep_days))
        return remembered

    def runs(self, limit: int) -> tuple[PastRun, ...]:
        """The last runs, newest first.

        Args:
            limit: How many at most.

        Raises:
            UsageError: There is no such file, or it is damaged or of another program.
            LockHeldError: Another process did not end writing.
        """
        with self._connect(write=False) as connection:
            rows = connection.execute("SELECT * FROM runs ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
            return tuple(_past_run(connection, row) for row in rows)

    def open_findings(self) -> tuple[PastFinding, ...]:
        """The findings that have not healed, also of hosts that could not be checked lately; by host, oldest first.

        Raises:
            UsageError: There is no such file, or it is damaged or of another program.
            LockHeldError: Another process did not end writing.
        """
        with self._connect(write=False) as connection:
            query = "SELECT * FROM findings WHERE healed_run IS NULL ORDER BY host, since, code, subject"
            return tuple(map(_past_finding, connection.execute(query)))

    def prune(self, older_than_days: int) -> int:
        """Let go of old runs, and of findings that healed before; what is still open stays.

        Args:
            older_than_days: Age from which on runs go.

        Returns:
            How many runs have gone.

        Raises:
            UsageError: There is no such file, it is damaged, of another program, or can't be written.
            LockHeldError: Another process did not end writing.
        """
        self._must_exist()
        with self._connect(write=True) as connection:
            return _prune(connection, datetime.now(UTC) - timedelta(days=older_than_days))

    def _must_exist(self) -> None:
        if not self.path.exists():
            message = f"{self.path}: there is no such history; a drift check with --history {self.path} begins it"
            raise UsageError(message)

    @contextmanager
    def _connect(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """A transaction on the checked file; rolled back on any error."""
        if not write:
            self._must_exist()
        try:
            # An absolute path: SQLite gives ":memory:" and "" a meaning of its own.
            with closing(
                sqlite3.connect(self.path.absolute(), timeout=self._patience, isolation_level=None)
            ) as database:
                database.row_factory = sqlite3.Row
                database.execute("PRAGMA synchronous = EXTRA")
                database.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    self._check(database, write=write)
                    yield database
                except BaseException:
                    database.rollback()
                    raise
                database.commit()
        except sqlite3.Error as error:
            raise self._problem(error) from error

    def _check(self, database: sqlite3.Connection, *, write: bool) -> None:
        application, version = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in _HEADER)
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (application, version, tables) == (0, 0, 0):
            if write:
                for statement in _SCHEMA:
                    database.execute(statement)
                return
            self._must_be_ours(ours=False)
        self._must_be_ours(ours=application == APPLICATION_ID)
        if version != SCHEMA_VERSION:
            message = (
                f"{self.path}: a history of version {version}, and this software knows version {SCHEMA_VERSION}: "
                "use the software that wrote it, or name another file"
            )
            raise UsageError(message)
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    def _must_be_ours(self, *, ours: bool) -> None:
        if not ours:
            message = f"{self.path}: no history of drift checks; nothing was changed in it: name another file"
            raise UsageError(message)

    def _problem(self, error: sqlite3.Error) -> PodRoutesError:
        # The primary code is the low byte of an extended one; an error of our own making has none.
        detail = " ".join(str(error).split())
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return LockHeldError(f"{self.path}: another process has been writing for {self._patience:g} s: try again")
        if code == sqlite3.SQLITE_NOTADB:
            return UsageError(f"{self.path}: no SQLite file; nothing was changed in it: name another file")
        if code == sqlite3.SQLITE_CORRUPT:
            return UsageError(
                f"{self.path}: the history is damaged ({detail}); nothing was changed in it. Move it away, and the "
                f"next check begins a new one: mv {self.path} {self.path}.damaged"
            )
        return UsageError(f"{self.path}: the history can't be used: {detail}")


_HEADER: Final = ("application_id", "user_version")


def _insert_run(connection: sqlite3.Connection, report: RunReport) -> int:
    cursor = connection.execute(
        "INSERT INTO runs (runbook, started, seconds, exit_code, interrupted, asked, checked, drifted, findings, cut)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            report.runbook,
            _text(report.started),
            report.seconds,
            report.exit_code,
            report.interrupted,
            len(report.hosts),
            report.checked,
            report.counts[Outcome.DRIFT],
            sum(len(host.findings) for host in report.hosts),
            report.cut_count,
        ),
    )
    assert cursor.lastrowid is not None  # noqa: S101  # an INSERT of one row always has it
    return cursor.lastrowid


def _remember(connection: sqlite3.Connection, report: RunReport, number: int) -> RunReport:
    before: dict[str, dict[tuple[str, str], sqlite3.Row]] = {}
    for row in connection.execute("SELECT * FROM findings WHERE healed_run IS NULL"):
        before.setdefault(row["host"], {})[row["code"], row["subject"]] = row
    hosts = []
    healed: list[HealedFinding] = []
    for host in report.hosts:
        known = before.get(host.host, {})
        found = tuple(_with_age(finding, known.get(finding.key), report.started) for finding in host.findings)
        hosts.append(replace(host, findings=found))
        new = {finding.key: finding for finding in found if finding.key not in known}
        _insert_findings(connection, host.host, new.values(), number)
        gone = [row for row in known.values() if _has_healed(host, row)]
        _heal(connection, gone, report.started, number)
        healed += [
            HealedFinding(host=host.host, code=row["code"], subject=row["subject"], since=_time(row["since"]))
            for row in gone
        ]
    return replace(report, hosts=tuple(hosts), healed=tuple(healed))


def _with_age(finding: Finding, before: sqlite3.Row | None, now: datetime) -> Finding:
    if before is None:
        return replace(finding, state="new", since=now)
    return replace(finding, state="persisting", since=_time(before["since"]))


def _has_healed(host: HostOutcome, before: sqlite3.Row) -> bool:
    found = {finding.key for finding in host.findings}
    if (before["code"], before["subject"]) in found:
        return False
    if host.outcome not in FAILURES:
        return True
    # A host that was reached and not understood is no longer unreachable, and the other way round.
    return before["code"] in COVERAGE_CODES and any(finding.code in COVERAGE_CODES for finding in host.findings)


def _insert_findings(connection: sqlite3.Connection, host: str, findings: Iterable[Finding], number: int) -> None:
    connection.executemany(
        "INSERT INTO findings (host, code, subject, message, since, first_run) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (host, finding.code, finding.subject, finding.message, _text(finding.since), number)
            for finding in findings
            if finding.since is not None
        ],
    )


def _heal(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row], when: datetime, number: int) -> None:
    connection.executemany(
        "UPDATE findings SET healed = ?, healed_run = ? WHERE id = ?",
        [(_text(when), number, row["id"]) for row in rows],
    )


def _prune(connection: sqlite3.Connection, oldest: datetime) -> int:
    connection.execute("DELETE FROM findings WHERE healed < ?", (_text(oldest),))
    return connection.execute("DELETE FROM runs WHERE started < ?", (_text(oldest),)).rowcount


def _past_run(connection: sqlite3.Connection, row: sqlite3.Row) -> PastRun:
    number = row["id"]
    new = connection.execute("SELECT * FROM findings WHERE first_run = ? ORDER BY id", (number,))
    healed = connection.execute("SELECT * FROM findings WHERE healed_run = ? ORDER BY id", (number,))
    return PastRun(
        number=number,
        runbook=row["runbook"],
        started=_time(row["started"]),
        seconds=row["seconds"],
        exit_code=row["exit_code"],
        interrupted=bool(row["interrupted"]),
        asked=row["asked"],
        checked=row["checked"],
        drifted=row["drifted"],
        findings=row["findings"],
        cut=row["cut"],
        new=tuple(map(_past_finding, new)),
        healed=tuple(map(_past_finding, healed)),
    )


def _past_finding(row: sqlite3.Row) -> PastFinding:
    return PastFinding(
        host=row["host"],
        code=row["code"],
        subject=row["subject"],
        message=row["message"],
        since=_time(row["since"]),
        healed=None if row["healed"] is None else _time(row["healed"]),
    )


def _text(when: datetime) -> str:
    # All in UTC and of the same form, so that texts sort as times do.
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
