"""Measuring real commands."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import measure

BURN = "import time; end = time.process_time() + 0.15\nwhile time.process_time() < end: pass"


def measured(tmp_path: Path, *argv: str) -> tuple[int, dict[str, Any]]:
    result = tmp_path / "result.json"
    done = subprocess.run([sys.executable, "-S", str(measure.__file__), str(result), *argv], check=False)
    return done.returncode, json.loads(result.read_text())


def test_time_and_exit_status(tmp_path: Path) -> None:
    status, numbers = measured(tmp_path, "sh", "-c", "sleep 0.2; exit 7")
    assert status == numbers["status"] == 7
    assert numbers["wall"] >= 0.2
    assert numbers["cpu"] < numbers["wall"], "sleeping costs none"


def test_a_signal_is_a_failure(tmp_path: Path) -> None:
    status, numbers = measured(tmp_path, "sh", "-c", "kill -TERM $$")
    assert (status, numbers["status"]) == (128 + 15, -15)


def test_cpu_of_children_counts(tmp_path: Path) -> None:
    _, numbers = measured(tmp_path, "sh", "-c", f"{sys.executable} -S -c '{BURN}'; true")
    assert numbers["cpu"] >= 0.15


def test_peak_memory_in_bytes(tmp_path: Path) -> None:
    _, numbers = measured(tmp_path, sys.executable, "-S", "-c", "x = bytearray(80_000_000)")
    assert 80_000_000 < numbers["peak_rss"] < 110_000_000


def test_what_is_left_running_is_ended_and_counted(tmp_path: Path) -> None:
    left = tmp_path / "pid"
    burn_then_wait = f"{BURN}\nimport os, pathlib; pathlib.Path('{left}').write_text(str(os.getpid())); time.sleep(600)"
    script = f'setsid {sys.executable} -S -c "$1" & while [ ! -s {left} ]; do sleep 0.01; done'
    started = time.monotonic()
    status, numbers = measured(tmp_path, "sh", "-c", script, "sh", burn_then_wait)
    assert status == 0
    assert time.monotonic() - started < 60
    assert not Path("/proc", left.read_text()).exists()
    assert numbers["cpu"] >= numbers["left_cpu"] >= 0.15


def test_a_command_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        measure.main([str(tmp_path / "result.json"), str(tmp_path / "no-such-program")])
