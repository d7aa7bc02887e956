import re

import pytest

from benchmarks.plan import Mode
from benchmarks.report import cell_of, render, table
from benchmarks.targets import Verdict
from tests.unit.benchmarks.made import made_results


@pytest.mark.parametrize(
    ("verdict", "unit", "text"),
    [
        (Verdict(None, 1.3), "", "not measured"),
        (Verdict(1.234, 1.3), "", "1.23 met"),
        (Verdict(1.301, 1.3), "", "**1.301 missed**"),
        (Verdict(0.0345, 0.04), "", "0.035 met"),
        (Verdict(0, 0), "", "0 met"),
        (Verdict(153.26, 200), "MB", "153 MB met"),
        (Verdict(2, None), "", "2"),
    ],
)
def test_a_cell_says_what_it_is(verdict: Verdict, unit: str, text: str) -> None:
    assert cell_of(verdict, unit) == text


def test_a_table_has_as_many_cells_in_each_line() -> None:
    assert table(["", "a"], [["b", "1"]]) == "|  | a |\n| --- | --- |\n| b | 1 |\n"


def test_missed_and_not_measured_are_said() -> None:
    text = render(made_results(Mode.QUICK, lambda contender, work, hosts: 2.0 if contender == "product" else 1.0))
    (line,) = [line for line in text.splitlines() if line.startswith("| drift check ÷ floor's read")]
    assert line.split(" | ")[1:] == [
        "1.3",
        "**2 missed**",
        "**2 missed**",
        "**2 missed**",
        "not measured",
        "**2 missed**",
        "not measured |",
    ]


def test_every_table_is_whole() -> None:
    text = render(made_results(Mode.DEFAULT))
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 6
    for lines in (one.splitlines() for one in tables):
        assert len({line.count("|") for line in lines}) == 1


def test_the_machine_and_the_command_are_said() -> None:
    text = render(made_results(Mode.DEFAULT))
    for words in ("Some CPU", "2 cores", "2026-01-01", "`make bench`", "load when it began: 0.01", "pod-routes abc"):
        assert words in text
