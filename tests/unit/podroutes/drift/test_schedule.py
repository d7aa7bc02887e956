import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.drift.schedule import (
    MARK,
    SERVICE,
    TIMER,
    TimerOptions,
    is_ours,
    on_calendar,
    parse_span,
    render_units,
    uses_state_directory,
)
from podroutes.errors import UsageError

PYTHON = Path("/opt/pod-routes/.venv/bin/python")
RUNBOOK = Path("/opt/pod-routes/runbooks/drift_check.py")
CONFIG = Path("/opt/pod-routes/config.yaml")


def options(**changes: object) -> TimerOptions:
    return TimerOptions(**({"python": PYTHON, "runbook": RUNBOOK, "config": CONFIG} | changes))  # type: ignore[arg-type]  # as the case has them


def section(text: str, name: str) -> dict[str, list[str]]:
    """A unit's section: every value of each key."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in text.splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == name and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5min", 300),
        ("30s", 30),
        ("30", 30),
        ("1h", 3600),
        ("1 h", 3600),
        ("1h30min", 5400),
        (" 1h 30min ", 5400),
        ("2 hours", 7200),
        ("1d", 86400),
        ("1day", 86400),
        ("1m", 60),
    ],
)
def test_spans(text: str, seconds: int) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "min", "5 fortnights", "-5min", "1.5h", "5min; reboot", "\u0665min", "5MIN", "9999999s", "5min\nx"],
)
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(UsageError, match="no time span; write"):
        parse_span(text)


@pytest.mark.parametrize(
    ("seconds", "expression"),
    [
        (10, "*-*-* *:*:00/10"),
        (30, "*-*-* *:*:00/30"),
        (60, "*-*-* *:00/1:00"),
        (300, "*-*-* *:00/5:00"),
        (3600, "*-*-* 00/1:00:00"),
        (21600, "*-*-* 00/6:00:00"),
        (86400, "*-*-* 00:00:00"),
    ],
)
def test_spans_by_the_clock(seconds: int, expression: str) -> None:
    assert on_calendar(seconds) == expression


@pytest.mark.parametrize("seconds", [0, 1, 5, 7, 45, 90, 420, 5400, 5 * 3600, 2 * 86400, 7 * 86400])
def test_spans_that_the_clock_cannot_keep(seconds: int) -> None:
    with pytest.raises(UsageError, match="divides a minute, an hour or a day"):
        on_calendar(seconds)


@given(st.integers(1, 100_000))
def test_every_calendar_expression_comes_round_that_often(seconds: int) -> None:
    try:
        expression = on_calendar(seconds)
    except UsageError:
        return
    date, _, clock = expression.partition(" ")
    assert date == "*-*-*"
    parts = []
    for part, size in zip(clock.split(":"), (24, 60, 60), strict=True):
        start, _, step = part.partition("/")
        numbers = range(size) if part == "*" else range(int(start), size, int(step)) if step else [int(start)]
        parts.append(list(numbers))
    times = [h * 3600 + m * 60 + s for h in parts[0] for m in parts[1] for s in parts[2]]
    assert {later - earlier for earlier, later in zip(times, [*times[1:], times[0] + 86400], strict=True)} == {seconds}


def test_the_service_runs_this_check_with_every_report() -> None:
    service = section(render_units(options(limit=("worker-*", "controllers")))[SERVICE], "Service")
    reports = [
        "--history /var/lib/pod-routes/history.sqlite3",
        "--json /var/lib/pod-routes/report.json",
        "--prometheus /var/lib/pod-routes/pod_routes.prom",
        "--html /var/lib/pod-routes/report.html",
        "--junit /var/lib/pod-routes/report.xml",
    ]
    command = f"{PYTHON} {RUNBOOK} --config {CONFIG} --limit worker-* --limit controllers {' '.join(reports)}"
    assert service["ExecStart"] == [command]
    expected = {
        "Type": "oneshot",
        "SuccessExitStatus": "2",
        "StateDirectory": "pod-routes",
        "User": "root",
        "ProtectSystem": "strict",
        "ProtectHome": "read-only",
        "NoNewPrivileges": "yes",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "CAP_DAC_READ_SEARCH",
    }
    assert {key: service[key] for key in expected} == {key: [value] for key, value in expected.items()}


def test_the_timer_has_jitter_and_makes_up_for_what_it_missed() -> None:
    text = render_units(options(every="1h"))[TIMER]
    timer = section(text, "Timer")
    assert timer["OnCalendar"] == ["*-*-* 00/1:00:00"]
    assert timer["RandomizedDelaySec"] == ["300s"]
    assert timer["Persistent"] == ["true"]
    assert section(text, "Install") == {"WantedBy": ["timers.target"]}
    assert section(render_units(options())[TIMER], "Timer")["RandomizedDelaySec"] == ["30s"]


def test_a_dedicated_user_has_no_capabilities() -> None:
    service = section(render_units(options(user="drift-check"))[SERVICE], "Service")
    assert (service["User"], service["CapabilityBoundingSet"]) == (["drift-check"], [""])


@pytest.mark.parametrize(
    ("state_dir", "by_systemd"), [("/var/lib/drift", True), ("/var/lib/a/b", False), ("/srv/drift", False)]
)
def test_the_state_directory_may_be_anywhere(state_dir: str, by_systemd: bool) -> None:
    chosen = options(state_dir=Path(state_dir))
    service = section(render_units(chosen)[SERVICE], "Service")
    assert uses_state_directory(chosen) is by_systemd
    assert ("StateDirectory" in service) is by_systemd
    assert (state_dir in service["ReadWritePaths"]) is not by_systemd


def test_what_lies_in_tmp_stays_visible() -> None:
    service = section(render_units(options(config=Path("/tmp/config.yaml")))[SERVICE], "Service")
    assert service["PrivateTmp"] == ["no"]


@pytest.mark.parametrize("name", ["python", "runbook", "config", "state_dir", "systemd_dir"])
@pytest.mark.parametrize(
    "path",
    [
        "relative/path",
        "/with blank",
        "/per%cent",
        "/new\nline",
        "/quo'te",
        '/"',
        "/dol$lar",
        "/a;b",
        "/a/../b",
        "/ü",
        "/b\\s",
    ],
)
def test_odd_paths_never_reach_a_unit(name: str, path: str) -> None:
    with pytest.raises(UsageError, match="a path in a unit is absolute"):
        render_units(options(**{name: Path(path)}))


@pytest.mark.parametrize("user", ["", "Root", "a b", "a\nExecStartPre=/bin/sh", "0abc", "%u", "a" * 32])
def test_odd_users_never_reach_a_unit(user: str) -> None:
    with pytest.raises(UsageError, match="no user name"):
        render_units(options(user=user))


@pytest.mark.parametrize("pattern", ["", "a b", "a\nb", "%i", "$(x)", "a'b", "a;b"])
def test_odd_patterns_never_reach_a_unit(pattern: str) -> None:
    with pytest.raises(UsageError, match="a pattern in a timer"):
        render_units(options(limit=(pattern,)))


def test_a_unit_says_whose_it_is() -> None:
    assert all(is_ours(text) for text in render_units(options()).values())
    assert not is_ours("[Unit]\n" + MARK)
    assert not is_ours("")


@pytest.mark.parametrize("every", ["10s", "5min", "6h", "1d"])
def test_systemd_has_nothing_to_complain_of(tmp_path: Path, every: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd here")
    tools = Path(shutil.which("true") or "/bin/true")
    for name, text in render_units(options(python=tools, every=every)).items():
        (tmp_path / name).write_text(text)
        parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
        parser.read_string(text)
        assert parser.sections()
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / SERVICE, tmp_path / TIMER], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
