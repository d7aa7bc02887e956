"""What drift checks found before: an SQLite file with runs, and each finding from its first sight until it heals.

A finding heals when its host was checked and no longer has it. What an unreachable host had stays open: nothing is
known of it. The rollback journal makes a run's record whole or absent, in one file that can be copied between runs.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct, convert
from msgspec.structs import replace

from podroutes.drift.classes import COVERAGE_CODES
from podroutes.drift.findings import HealedFinding
from podroutes.errors import LockHeldError, PodRoutesError, UsageError
from podroutes.outcomes import FAILURES, HostOutcome, Outcome, RunReport

# Age at which runs and healed findings are deleted, seen from the run that is recorded.
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
        asked, checked, drifted: Numbers of hosts; the state of those checked was known.
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

    Every method raises a UsageError if the file is damaged, of another program, can't be written or (but for `record`)
    does not exist, and a LockHeldError if another process did not finish writing.

    Args:
        path: Of the file; `record` makes it if there is none.
        patience: Seconds to wait for another process that is writing.
    """

    def __init__(self, path: Path, *, patience: float = 30.0) -> None:
        self.path = path
        self._patience = patience

    def record(self, report: RunReport) -> RunReport:
        """Record a run.

        Returns:
            The report, each finding with its state and since when, and with what has healed on the hosts it checked.
        """
        with self._transaction(write=True) as database:
            remembered = _record(database, report)
            _prune(database, report.started - timedelta(days=KEEP_DAYS))
        return remembered

    def runs(self, limit: int) -> tuple[PastRun, ...]:
        """The last runs, newest first, `limit` at most."""
        with self._transaction(write=False) as database:
            rows = database.execute("SELECT id AS number, * FROM runs ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
            return tuple(_past_run(database, row) for row in rows)

    def open_findings(self) -> tuple[PastFinding, ...]:
        """The findings that have not healed, also of hosts that could not be checked lately; by host, oldest first."""
        with self._transaction(write=False) as database:
            return _findings(database, "healed_run IS NULL ORDER BY host, since, code, subject")

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """A transaction on the checked file; rolled back on any error."""
        if not write and not self.path.exists():
            message = f"{self.path}: there is no such history; a drift check with --history {self.path} creates it"
            raise UsageError(message)
        try:
            # An absolute path: SQLite gives ":memory:" and "" a meaning of its own.
            with closing(
                sqlite3.connect(self.path.absolute(), timeout=self._patience, isolation_level=None)
            ) as database:
                database.row_factory = sqlite3.Row
                database.execute("PRAGMA synchronous = EXTRA")
                database.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    self._check(database, create=write)
                    yield database
                except BaseException:
                    database.rollback()
                    raise
                database.commit()
        except sqlite3.Error as error:
            raise self._problem(error) from error

    def _check(self, database: sqlite3.Connection, *, create: bool) -> None:
        query = "SELECT *, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id, pragma_user_version"
        application, version, tables = database.execute(query).fetchone()
        if create and (application, version, tables) == (0, 0, 0):
            for statement in _SCHEMA:
                database.execute(statement)
            return
        if application != APPLICATION_ID:
            message = f"{self.path}: no history of drift checks; nothing was changed in it: name another file"
            raise UsageError(message)
        if version != SCHEMA_VERSION:
            message = (
                f"{self.path}: a history of version {version}, and this software knows version {SCHEMA_VERSION}: "
                "use the software that wrote it, or name another file"
            )
            raise UsageError(message)
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)

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


def _record(database: sqlite3.Connection, report: RunReport) -> RunReport:
    started = _text(report.started)
    number = database.execute(
        "INSERT INTO runs (runbook, started, seconds, exit_code, interrupted, asked, checked, drifted, findings, cut)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            report.runbook,
            started,
            report.seconds,
            report.exit_code,
            report.interrupted,
            len(report.hosts),
            report.checked,
            report.counts[Outcome.DRIFT],
            sum(len(host.findings) for host in report.hosts),
            report.cut_count,
        ),
    ).lastrowid
    known: dict[str, dict[tuple[str, str], datetime]] = {}
    for one in _findings(database, "healed_run IS NULL"):
        known.setdefault(one.host, {})[one.code, one.subject] = one.since
    hosts: list[HostOutcome] = []
    healed: list[HealedFinding] = []
    for host in report.hosts:
        before = known.get(host.host, {})
        new = [finding for finding in host.findings if finding.key not in before]
        database.executemany(
            "INSERT INTO findings (host, code, subject, message, since, first_run) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            [(host.host, finding.code, finding.subject, finding.message, started, number) for finding in new],
        )
        findings = tuple(
            replace(
                finding,
                state="persisting" if finding.key in before else "new",
                since=before.get(finding.key, report.started),
            )
            for finding in host.findings
        )
        hosts.append(replace(host, findings=findings))
        healed += [
            HealedFinding(host=host.host, code=code, subject=subject, since=since)
            for (code, subject), since in before.items()
            if _has_healed(host, code, subject)
        ]
    database.executemany(
        "UPDATE findings SET healed = ?, healed_run = ?"
        " WHERE host = ? AND code = ? AND subject = ? AND healed_run IS NULL",
        [(started, number, one.host, one.code, one.subject) for one in healed],
    )
    return replace(report, hosts=tuple(hosts), healed=tuple(healed))


def _has_healed(host: HostOutcome, code: str, subject: str) -> bool:
    if (code, subject) in {finding.key for finding in host.findings}:
        return False
    if host.outcome not in FAILURES:
        return True
    # A host that was reached and not understood is no longer unreachable, and the other way round.
    return code in COVERAGE_CODES and any(finding.code in COVERAGE_CODES for finding in host.findings)


def _prune(database: sqlite3.Connection, oldest: datetime) -> None:
    """Delete old runs, and findings that healed before; what is still open stays."""
    database.execute("DELETE FROM findings WHERE healed < ?", (_text(oldest),))
    database.execute("DELETE FROM runs WHERE started < ?", (_text(oldest),))


def _past_run(database: sqlite3.Connection, row: sqlite3.Row) -> PastRun:
    run = convert(dict(row), PastRun, strict=False)
    new = _findings(database, "first_run = ? ORDER BY id", run.number)
    healed = _findings(database, "healed_run = ? ORDER BY id", run.number)
    return replace(run, new=new, healed=healed)


def _findings(database: sqlite3.Connection, condition: str, *parameters: int) -> tuple[PastFinding, ...]:
    rows = database.execute(f"SELECT * FROM findings WHERE {condition}", parameters)  # noqa: S608  # the constants above
    return tuple(convert(dict(row), PastFinding) for row in rows)


def _text(when: datetime) -> str:
    # All in UTC and of the same form, so that texts sort as times do.
    return when.astimezone(UTC).isoformat(timespec="microseconds")
