"""What a person reads, to the letter."""

import io
from datetime import UTC, datetime

import pytest

from podroutes.outcomes import ChangeRecord, HostOutcome, Outcome, RunReport
from podroutes.report.console import changes_by_layer, new_console, print_diff, print_failures, print_recap, summary
from podroutes.report.table import print_table

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Terminal(io.StringIO):
    """Text that says it goes to a terminal."""

    def isatty(self) -> bool:
        return True


def record(layer: str, subject: str = "10.200.1.0/24", before: str = "", after: str = "new") -> ChangeRecord:
    return ChangeRecord(layer=layer, action="add", subject=subject, before=before, after=after, reason="missing")


CHANGES = (record("forwarding"), record("routes"), record("routes"), record("routes_service"))
HOSTS = (
    HostOutcome(host="controller-0", outcome=Outcome.OK, seconds=0.31),
    HostOutcome(host="controller-1", outcome=Outcome.CHANGED, changes=CHANGES, seconds=1.25, notes=("look at this",)),
    HostOutcome(
        host="worker-0", outcome=Outcome.CHANGED, changes=CHANGES[1:2], notes=("look at this", "alone"), seconds=1
    ),
    HostOutcome(host="worker-1", outcome=Outcome.DRIFT, changes=CHANGES[1:3], seconds=2),
    HostOutcome(
        host="worker-2", outcome=Outcome.FAILED, reason="a change failed: no", error="RemoteCommandError",
        changes=CHANGES, seconds=12.04,
    ),
    HostOutcome(host="worker-10", outcome=Outcome.UNREACHABLE, reason="no answer from 10.240.0.30 within 10 s"),
    HostOutcome(host="worker-11", outcome=Outcome.SKIPPED, reason="its result is missing"),
)  # fmt: skip


def report(*hosts: HostOutcome, dry_run: bool = False, interrupted: bool = False, seconds: float = 12.3) -> RunReport:
    return RunReport(
        runbook="provision", dry_run=dry_run, started=START, seconds=seconds, interrupted=interrupted, hosts=hosts
    )


def printed(run: RunReport, *unmanaged: str) -> list[str]:
    file = io.StringIO()
    print_recap(new_console(file), run, unmanaged=unmanaged)
    return file.getvalue().splitlines()


def test_a_recap_of_every_outcome() -> None:
    assert printed(report(*HOSTS), "worker-9") == [
        "HOST          OUTCOME      TIME    WHAT",
        "controller-0  ok           0.3 s   up to date",
        "controller-1  changed      1.2 s   forwarding 1, routes 2, service 1",
        "worker-0      changed      1.0 s   routes 1",
        "worker-1      drift        2.0 s   routes 2",
        "worker-2      failed       12.0 s  a change failed: no",
        "worker-10     unreachable  -       no answer from 10.240.0.30 within 10 s",
        "worker-11     skipped      -       its result is missing",
        "note: controller-1, worker-0: look at this",
        "note: worker-0: alone",
        "not managed, by the inventory: worker-9",
        "7 hosts: 1 ok, 2 changed, 1 drift, 1 failed, 1 unreachable, 1 skipped, 5 changes, 12.3 s",
    ]


def test_a_recap_of_a_dry_run() -> None:
    assert printed(report(*HOSTS[:2], dry_run=True)) == [
        "HOST          OUTCOME       TIME   WHAT",
        "controller-0  ok            0.3 s  up to date",
        "controller-1  would change  1.2 s  forwarding 1, routes 2, service 1",
        "note: controller-1: look at this",
        "2 hosts: 1 ok, 1 would change, 4 changes to make, 12.3 s, dry run, nothing was changed",
    ]


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (report(HOSTS[0]), "1 host: 1 ok, 0 changes, 12.3 s"),
        (report(HOSTS[2]), "1 host: 1 changed, 1 change, 12.3 s"),
        (report(HOSTS[0], dry_run=True), "1 host: 1 ok, 0 changes to make, 12.3 s, dry run, nothing was changed"),
        (report(HOSTS[5], interrupted=True), "1 host: 1 unreachable, 0 changes, 12.3 s (interrupted)"),
        # what a failed host had attempted is not counted as changed
        (report(HOSTS[4]), "1 host: 1 failed, 0 changes, 12.3 s"),
        (report(seconds=0), "0 hosts: 0 changes, 0.0 s"),
    ],
)
def test_the_line_that_sums_up(run: RunReport, line: str) -> None:
    assert summary(run) == line


def test_a_failure_without_a_reason_is_never_called_up_to_date() -> None:
    lines = printed(report(HostOutcome(host="a", outcome=Outcome.FAILED), HostOutcome(host="b", outcome=Outcome.OK)))
    assert lines[1:3] == ["a     failed   -     for an unknown reason", "b     ok       -     up to date"]


def test_who_failed_is_one_line_and_only_if_somebody_did() -> None:
    file = io.StringIO()
    print_failures(new_console(file), report(*HOSTS))
    assert file.getvalue() == "FAILED: worker-2, worker-10, worker-11\n"
    file = io.StringIO()
    print_failures(new_console(file), report(*HOSTS[:4]))
    assert file.getvalue() == ""


def test_every_change_of_every_host() -> None:
    changed = HostOutcome(
        host="worker-0",
        outcome=Outcome.CHANGED,
        changes=(record("routes"), record("routes_service", "/etc/x", "a\nb\n", "a\nc\n")),
    )
    file = io.StringIO()
    print_diff(new_console(file), [HOSTS[0], changed])
    assert file.getvalue().splitlines() == [
        "worker-0",
        "  routes: add 10.200.1.0/24 (missing)",
        "    + new",
        "  routes_service: add /etc/x (missing)",
        "    @@ -1,2 +1,2 @@",
        "     a",
        "    -b",
        "    +c",
        "",
    ]


@pytest.mark.parametrize("columns", ["20", "80"])
def test_a_reason_stays_on_its_line_whatever_the_width(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    reason = "word " * 60 + "end"
    for file in (io.StringIO(), Terminal()):
        print_recap(new_console(file), report(HostOutcome(host="a", outcome=Outcome.FAILED, reason=reason)))
        assert any(line.endswith(reason) for line in file.getvalue().splitlines())


@pytest.mark.parametrize("columns", ["", "wide", "-1", "0", "00"])
def test_an_odd_width_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for file in (io.StringIO(), Terminal()):
        new_console(file).print("a" * 300)
        assert file.getvalue() == "a" * 300 + "\n"


@pytest.mark.parametrize(("no_color", "colours"), [(None, True), ("1", False), ("", True)])
def test_colours_are_a_terminals_and_end_with_no_color(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, colours: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    terminal, pipe = Terminal(), io.StringIO()
    for file in (terminal, pipe):
        print_recap(new_console(file), report(*HOSTS))
    assert ("\x1b[33m" in terminal.getvalue()) == colours
    assert "\x1b" not in pipe.getvalue()


def test_colours_can_be_forced_upon_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    pipe = io.StringIO()
    print_recap(new_console(pipe), report(*HOSTS))
    assert "\x1b[33m" in pipe.getvalue()


HOSTILE = "\x1b]0;title\x07 \x1b[2J\x9b31m\rover\x7f\b"


def test_a_host_can_not_move_the_cursor_or_name_the_window() -> None:
    host = HostOutcome(
        host="a",
        outcome=Outcome.FAILED,
        reason=HOSTILE,
        notes=(HOSTILE,),
        changes=(record("routes", HOSTILE, HOSTILE),),
    )
    for file in (io.StringIO(), Terminal()):
        console = new_console(file)
        print_recap(console, report(host))
        print_diff(console, [host])
        console.print(HOSTILE)
        text = file.getvalue()
        assert not [character for character in HOSTILE if character < " " and character != "\x1b" and character in text]
        assert "\x9b" not in text
        assert "\x1b]" not in text
        assert "\x1b[2J" not in text
        assert "␛]0;title" in text


def test_changes_by_layer_are_counted_in_their_order() -> None:
    assert changes_by_layer(CHANGES) == "forwarding 1, routes 2, service 1"
    assert changes_by_layer([record("ports")]) == "ports 1"
    assert changes_by_layer([]) == ""


def test_a_table_is_aligned_and_has_no_spaces_at_the_ends_of_lines() -> None:
    file = io.StringIO()
    print_table(new_console(file), ("A", "LONG", "C"), [("wörld", "x", ""), ("日本", "", "[red]z[/red]")], indent=2)
    assert file.getvalue().splitlines() == ["  A      LONG  C", "  wörld  x", "  日本         [red]z[/red]"]
