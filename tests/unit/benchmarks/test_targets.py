from dataclasses import replace

import pytest

from benchmarks.plan import Mode
from benchmarks.targets import SINGLES, Ratio, Verdict, memory_growth, verdicts
from tests.unit.benchmarks.made import made_results

READ = Ratio("", "read", "floor", "read", 1.3)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict(1.3, 1.3), True),
        (Verdict(1.31, 1.3), False),
        (Verdict(0, 0), True),
        (Verdict(1, 0), False),
        (Verdict(None, 1.3), None),
        (Verdict(5, None), None),
    ],
)
def test_met_up_to_the_limit(verdict: Verdict, expected: bool | None) -> None:
    assert verdict.is_met is expected


def test_a_ratio_is_ours_by_theirs() -> None:
    results = made_results(Mode.QUICK, lambda contender, work, hosts: 3.0 if contender == "product" else 2.0)
    assert READ.verdict(results, 24, 0) == Verdict(1.5, 1.3)
    assert replace(READ, of_cpu=True).verdict(results, 24, 0) == Verdict(1.5, 1.3)


def test_a_ratio_is_shown_where_nothing_is_asked() -> None:
    shown = replace(READ, limit=None)
    assert shown.verdict(made_results(Mode.QUICK), 6, 0) == Verdict(1.0, None)


def test_no_ratio_without_both() -> None:
    assert READ.verdict(made_results(Mode.QUICK), 24, 100) == Verdict(None, 1.3)


@pytest.mark.parametrize("mode", [Mode.DEFAULT, Mode.FULL])
def test_no_target_is_left_open(mode: Mode) -> None:
    assert [verdict for verdict in verdicts(made_results(mode)) if verdict.value is None] == []


def test_memory_grows_by_what_each_further_host_takes() -> None:
    assert memory_growth(made_results(Mode.DEFAULT)) == pytest.approx(50_000)
    assert memory_growth(made_results(Mode.QUICK)) is None


def test_singles_have_the_units_of_their_limits() -> None:
    values = {single.title: single.verdict(made_results(Mode.DEFAULT)).value for single in SINGLES}
    assert values == {
        "round trips of a drift check, one host": 7,
        "round trips of a first provisioning, one host": 10,
        "peak memory at 400 hosts": pytest.approx(80),
        "memory growth, 100 to 400 hosts": pytest.approx(50),
        "file descriptors left open": 0,
        "`drift_check.py --help`": 0.2,
        "`drift_check.py --limit no-such`": 0.7,
    }
