import pickle
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.host.changes import Change, WriteFile
from podroutes.outcomes import ChangeRecord, HostOutcome, Outcome, RunReport, complete

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def report(*outcomes: str, interrupted: bool = False) -> RunReport:
    hosts = tuple(HostOutcome(host=f"host-{n}", outcome=Outcome(outcome)) for n, outcome in enumerate(outcomes))
    return RunReport(runbook="provision", dry_run=False, started=START, seconds=1, interrupted=interrupted, hosts=hosts)


@pytest.mark.parametrize(
    ("outcomes", "interrupted", "code"),
    [
        (["ok"], False, 0),
        (["ok", "changed"], False, 0),
        (["changed"], False, 0),
        (["drift"], False, 2),
        (["ok", "drift", "changed"], False, 2),
        (["failed"], False, 1),
        (["unreachable"], False, 1),
        (["skipped"], False, 1),
        # a failure outranks drift
        (["drift", "failed"], False, 1),
        (["unreachable", "drift"], False, 1),
        (["drift", "skipped", "ok"], False, 1),
        # a run over nothing has shown nothing
        ([], False, 1),
        # neither has one that did not end
        (["ok"], True, 1),
        (["drift"], True, 1),
        ([], True, 1),
    ],
)
def test_exit_codes(outcomes: list[str], interrupted: bool, code: int) -> None:
    assert report(*outcomes, interrupted=interrupted).exit_code == code


@given(st.lists(st.sampled_from(Outcome)))
def test_counts_sum_to_the_hosts_that_were_asked_for(outcomes: list[Outcome]) -> None:
    counts = report(*outcomes).counts
    assert sum(counts.values()) == len(outcomes)
    assert list(counts) == list(Outcome)
    assert all(counts[outcome] == outcomes.count(outcome) for outcome in Outcome)


@given(st.lists(st.sampled_from(Outcome)))
def test_only_hosts_whose_state_is_known_count_as_checked(outcomes: list[Outcome]) -> None:
    known = [outcome for outcome in outcomes if outcome in (Outcome.OK, Outcome.CHANGED, Outcome.DRIFT)]
    assert report(*outcomes).checked == len(known)


def outcome(host: str, kind: Outcome = Outcome.OK) -> HostOutcome:
    return HostOutcome(host=host, outcome=kind)


def test_a_host_without_an_outcome_is_skipped_in_the_order_that_was_asked_for() -> None:
    hosts = complete(["c", "a", "b"], [outcome("b"), outcome("c", Outcome.FAILED)], reason="its result is missing")
    assert [(host.host, str(host.outcome), host.reason) for host in hosts] == [
        ("c", "failed", ""),
        ("a", "skipped", "its result is missing"),
        ("b", "ok", ""),
    ]


@pytest.mark.parametrize("hosts", [["x"], ["a", "a"], ["a", "x"]])
def test_an_outcome_that_nobody_asked_for_is_an_error(hosts: list[str]) -> None:
    with pytest.raises(ValueError, match=f"^unexpected outcome of {hosts[-1]}$"):
        complete(["a", "b"], [outcome(host) for host in hosts], reason="")


def test_completing_a_large_run_takes_no_time() -> None:
    """One look-up an outcome: ten thousand hosts would else be fifty million comparisons."""
    names = [f"host-{n}" for n in range(10_000)]
    assert len(complete(names, map(outcome, reversed(names)), reason="")) == len(names)


record_texts = st.text(st.characters(codec="utf-8"), max_size=20)
host_outcomes = st.builds(
    HostOutcome,
    host=record_texts,
    outcome=st.sampled_from(Outcome),
    reason=record_texts,
    error=record_texts,
    changes=st.lists(
        st.builds(ChangeRecord, *[], **dict.fromkeys(ChangeRecord.__struct_fields__, record_texts)), max_size=2
    ).map(tuple),
    notes=st.lists(record_texts, max_size=2).map(tuple),
    commands=st.integers(0, 9),
    seconds=st.floats(0, 1e6),
)


@given(st.lists(host_outcomes, max_size=3).map(tuple), st.booleans(), st.floats(0, 1e6))
def test_a_report_survives_json_and_pickling(hosts: tuple[HostOutcome, ...], flag: bool, seconds: float) -> None:
    whole = RunReport(
        runbook="provision", dry_run=flag, started=START, seconds=seconds, interrupted=not flag, hosts=hosts
    )
    assert msgspec.json.decode(msgspec.json.encode(whole), type=RunReport) == whole
    assert pickle.loads(pickle.dumps(whole)) == whole  # noqa: S301  # our own bytes


def test_a_change_is_told_without_its_steps() -> None:
    change = Change("routes", "add", "10.200.1.0/24", "", "x", "missing", (WriteFile("/x", 0o644, "secret\n"),))
    record = ChangeRecord.of(change)
    assert msgspec.structs.asdict(record) == {
        "layer": "routes", "action": "add", "subject": "10.200.1.0/24", "before": "", "after": "x", "reason": "missing",
    }  # fmt: skip
    assert "secret" not in repr(change)


def test_a_report_of_another_version_is_refused() -> None:
    text = msgspec.json.encode(report("ok")).replace(b'"schema_version":1', b'"schema_version":2')
    with pytest.raises(ValueError, match="schema_version"):
        msgspec.json.decode(text, type=RunReport)
