import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from podroutes.drift.findings import Finding, new_finding
from podroutes.drift.history import History
from podroutes.errors import LockHeldError, UsageError
from podroutes.outcomes import RunReport
from tests.unit.podroutes.report.reports import (
    MISSING,
    NO_ANSWER,
    NOT_UNDERSTOOD,
    check,
    directions,
    drifted,
    failed,
    ok,
    skipped,
    unreachable,
)

NOW = datetime.now(UTC).replace(microsecond=0)
OTHER = new_finding("unit-disabled", "routes.service", "not enabled")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.sqlite3")


def at(minutes: int, report: RunReport) -> RunReport:
    return replace(report, started=NOW + timedelta(minutes=minutes))


def ages(report: RunReport) -> list[tuple[str, str, str | None, int | None]]:
    """Host, code, state and minutes since when, of each finding."""
    return [
        (host.host, finding.code, finding.state, None if finding.since is None else minutes(finding.since))
        for host in report.hosts
        for finding in host.findings
    ]


def minutes(when: datetime) -> int:
    return round((when - NOW).total_seconds() / 60)


def healed(report: RunReport) -> list[tuple[str, str, int]]:
    return [(one.host, one.code, minutes(one.since)) for one in report.healed]


def test_a_finding_is_new_then_persists_then_heals_then_is_new_again(history: History) -> None:
    first = history.record(at(0, check(drifted("a", MISSING, OTHER), ok("b"))))
    second = history.record(at(5, check(drifted("a", MISSING, OTHER), ok("b"))))
    third = history.record(at(10, check(drifted("a", OTHER), drifted("b", MISSING))))
    fourth = history.record(at(15, check(drifted("a", MISSING), ok("b"))))
    assert ages(first) == [("a", "route-missing", "new", 0), ("a", "unit-disabled", "new", 0)]
    assert ages(second) == [("a", "route-missing", "persisting", 0), ("a", "unit-disabled", "persisting", 0)]
    assert ages(third) == [("a", "unit-disabled", "persisting", 0), ("b", "route-missing", "new", 10)]
    assert ages(fourth) == [("a", "route-missing", "new", 15)]
    assert [healed(report) for report in (first, second, third, fourth)] == [
        [],
        [],
        [("a", "route-missing", 0)],
        [("a", "unit-disabled", 0), ("b", "route-missing", 10)],
    ]


def test_the_same_code_elsewhere_is_another_finding(history: History) -> None:
    history.record(at(0, check(drifted("a", MISSING))))
    other = replace(MISSING, subject="10.200.7.0/24")
    report = history.record(at(5, check(drifted("a", other))))
    assert ages(report) == [("a", "route-missing", "new", 5)]
    assert healed(report) == [("a", "route-missing", 0)]


@pytest.mark.parametrize("host", [unreachable("a"), failed("a"), skipped("a")], ids=str)
def test_what_a_host_had_that_was_not_checked_is_neither_healed_nor_lost(history: History, host: object) -> None:
    history.record(at(0, check(drifted("a", MISSING))))
    report = history.record(at(5, check(host)))  # type: ignore[arg-type]  # pytest's ids want an object
    assert healed(report) == []
    after = history.record(at(10, check(drifted("a", MISSING))))
    assert ages(after) == [("a", "route-missing", "persisting", 0)]


def test_a_host_that_answers_again_has_healed_of_that(history: History) -> None:
    history.record(at(0, check(unreachable("a"))))
    assert ages(history.record(at(1, check(unreachable("a"))))) == [("a", "host-unreachable", "persisting", 0)]
    assert healed(history.record(at(2, check(skipped("a"))))) == []
    understood = history.record(at(3, check(failed("a"))))
    assert ages(understood) == [("a", "result-unknown", "new", 3)]
    assert healed(understood) == [("a", NO_ANSWER.code, 0)]
    assert healed(history.record(at(4, check(ok("a"))))) == [("a", NOT_UNDERSTOOD.code, 3)]


def test_hosts_that_a_limited_run_left_out_are_not_compared(history: History) -> None:
    history.record(at(0, check(drifted("a"), drifted("b"))))
    limited = history.record(at(5, check(ok("a"))))
    assert healed(limited) == [("a", "route-missing", 0)]
    assert ages(history.record(at(10, check(ok("a"), drifted("b"))))) == [("b", "route-missing", "persisting", 0)]


def test_a_finding_that_stands_twice_is_kept_once(history: History) -> None:
    history.record(at(0, check(drifted("a", MISSING, MISSING))))
    assert [finding.code for finding in history.open_findings()] == ["route-missing"]


def test_past_runs_come_newest_first(history: History) -> None:
    history.record(at(0, check(drifted("a"), unreachable("b"), between=directions(("worker-0", "worker-1")))))
    history.record(at(5, check(ok("a"), ok("b"))))
    newest, oldest = history.runs(10)
    assert (oldest.exit_code, oldest.asked, oldest.unknown, oldest.drifted, oldest.findings, oldest.cut) == (
        1,
        2,
        1,
        1,
        2,
        1,
    )
    assert [(one.host, one.code) for one in oldest.new] == [("a", "route-missing"), ("b", "host-unreachable")]
    assert (newest.exit_code, newest.started, newest.new) == (0, NOW + timedelta(minutes=5), ())
    assert [(one.host, one.code, one.healed) for one in newest.healed] == [
        ("a", "route-missing", newest.started),
        ("b", "host-unreachable", newest.started),
    ]
    assert history.runs(1) == (newest,)


def test_old_runs_go_and_what_is_still_open_stays(history: History) -> None:
    long_ago = NOW - timedelta(days=100)
    for days, report in (
        (0, check(drifted("a", MISSING, OTHER))),
        (1, check(drifted("a", MISSING))),
        (99, check(drifted("a"))),
    ):
        history.record(replace(report, started=long_ago + timedelta(days=days)))
    assert [run.number for run in history.runs(10)] == [3]
    assert [(one.code, one.since) for one in history.open_findings()] == [("route-missing", long_ago)]
    # Numbers are not given out again, also when every run has gone: open findings refer to them.
    history.record(replace(check(drifted("a")), started=NOW + timedelta(days=100)))
    assert [(run.number, run.new) for run in history.runs(10)] == [(4, ())]


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE runs (id)")
        database.commit()


def _newer(path: Path) -> None:
    History(path).record(check(ok("a")))
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")


def _damaged(path: Path) -> None:
    history = History(path)
    for index in range(30):
        history.record(at(0, check(drifted("a", *(_finding(f"{index}-{number}") for number in range(10))))))
    content = bytearray(path.read_bytes())
    content[2 * 4096 : 6 * 4096] = b"\xa5" * (4 * 4096)
    path.write_bytes(content)


def _finding(subject: str) -> Finding:
    return new_finding("route-missing", subject, "a message that fills pages " * 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("no database\n" * 100), "no SQLite file.*name another file"),
        (_foreign, "no history of drift checks; nothing was changed in it"),
        (_newer, "a history of version 2.*version 1"),
        (_damaged, "damaged.*mv .*h .*h.damaged"),
        (Path.mkdir, "can't be used: unable to open"),
        (lambda path: path.symlink_to(path.parent / "missing" / "h"), "can't be used: unable to open"),
    ],
    ids=["text", "foreign", "newer", "damaged", "folder", "nowhere"],
)
def test_what_is_no_history_of_ours_is_refused_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "h"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(UsageError, match=message) as caught:
        History(path).record(check(ok("a")))
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_reading_makes_no_file(history: History) -> None:
    for read in (lambda: history.runs(1), history.open_findings):
        with pytest.raises(UsageError, match="there is no such history"):
            read()
    assert not history.path.exists()


def test_an_empty_file_becomes_a_history(history: History) -> None:
    history.path.touch()
    history.record(check(ok("a")))
    assert len(history.runs(5)) == 1


def test_a_writer_that_does_not_end_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "h"
    History(path).record(check(ok("a")))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LockHeldError, match="another process"):
            History(path, patience=0.05).record(check(ok("a")))
        other.execute("ROLLBACK")
    History(path, patience=0.05).record(check(ok("a")))
    assert len(History(path).runs(5)) == 2


def test_nothing_is_remembered_of_a_run_whose_record_fails(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.record(at(0, check(drifted("a"))))

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("podroutes.drift.history._prune", fail)  # the last step of a record
    with pytest.raises(KeyboardInterrupt):
        history.record(at(5, check(ok("a"))))
    assert [run.number for run in history.runs(5)] == [1]
    assert [one.code for one in history.open_findings()] == ["route-missing"]
