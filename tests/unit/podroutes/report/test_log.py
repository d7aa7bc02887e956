import io
from datetime import timedelta
from pathlib import Path

import pytest

from podroutes.drift.history import History
from podroutes.report.log import duration, print_log
from podroutes.report.styled import Console
from tests.unit.podroutes.report.reports import check, drifted, ok, unreachable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (7500, "2 h 5 min"),
        (90061, "1 d 1 h"),
        (86460, "1 d 1 min"),
        (-5, "0 s"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_the_log_shows_each_run_and_what_is_open(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    report = check(drifted("a"), ok("b"))
    history.record(report)
    history.record(check(ok("a"), unreachable("b"), started=report.started + timedelta(minutes=125)))
    out = io.StringIO()
    print_log(Console(out), history)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[0] == "STARTED RESULT CHECKED DRIFTED FINDINGS CUT NEW AND RESOLVED"
    assert lines[1].endswith("drift 2 of 2 1 1 0 + a route-missing 10.200.1.0/24")
    assert lines[2].endswith(
        "incomplete 1 of 2 0 1 0 + b host-unreachable host, - a route-missing 10.200.1.0/24 after 2 h 5 min"
    )
    assert lines[4] == "open: 1"
    assert lines[5].startswith("b: host-unreachable: host, since ")
