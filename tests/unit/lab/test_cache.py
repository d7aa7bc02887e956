import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab.cache import cache_root, made_once, run_tool
from lab.errors import LabError


def test_made_once_and_then_used(tmp_path: Path) -> None:
    said: list[str] = []

    def make(folder: Path, _: int) -> None:
        (folder / "made").write_text("x")

    for _ in range(2):
        folder = made_once(tmp_path / "cache" / "thing", make, announce=lambda: said.append("once"))
        assert (folder / "made").read_text() == "x"
        assert folder.stat().st_mode & 0o777 == 0o700
    assert said == ["once"]


def test_a_maker_that_failed_leaves_nothing_to_trip_over(tmp_path: Path) -> None:
    def fail(folder: Path, _: int) -> None:
        (folder / "half").touch()
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        made_once(tmp_path / "thing", fail)
    folder = made_once(tmp_path / "thing", lambda folder, _: (folder / "whole").touch())
    assert {path.name for path in folder.iterdir()} == {"whole", "complete"}


def test_of_two_makers_at_once_one_waits(tmp_path: Path) -> None:
    makers: list[int] = []

    def make(folder: Path, _: int) -> None:
        makers.append(threading.get_ident())
        time.sleep(0.05)
        (folder / "made").touch()

    def use() -> None:
        assert (made_once(tmp_path / "thing", make) / "made").exists()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(makers) == 1


_KILLED = """
import subprocess, sys
from pathlib import Path
from lab.cache import made_once

def make(folder, lock):
    script = 'echo $$ >"$1/pid"; sleep 0.4; touch "$1/late"'
    subprocess.run(["sh", "-c", script, "sh", str(folder)], pass_fds=(lock,))

made_once(Path(sys.argv[1]), make)
"""


def test_what_a_killed_maker_had_started_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    maker = subprocess.Popen([sys.executable, "-c", _KILLED, str(folder)])
    deadline = time.monotonic() + 60
    while not (folder / "pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(maker.pid, signal.SIGKILL)
    maker.wait()
    made_once(folder, lambda folder, _: (folder / "whole").touch())
    time.sleep(0.1)
    assert {path.name for path in folder.iterdir()} == {"whole", "complete"}


@pytest.mark.parametrize(("base", "root"), [("/x/cache", "/x/cache/pod-routes"), ("", "/home/me/.cache/pod-routes")])
def test_where(monkeypatch: pytest.MonkeyPatch, base: str, root: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_root() == Path(root)


def test_a_tool_that_fails_is_one_line(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        run_tool(["sh", "-c", "test -e lock"], "look", lock=lock.fileno(), folder=tmp_path)
        with pytest.raises(LabError, match=r"^cannot fly: no wings$") as caught:
            run_tool(["sh", "-c", "echo tried; echo no wings >&2; exit 3"], "fly", lock=lock.fileno())
    assert caught.value.status == 1
