import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from podroutes.errors import LockHeldError
from runbooks._lock import run_lock

HOLD = """
import sys
from pathlib import Path
from runbooks._lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POD_ROUTES_LOCK_DIR", str(tmp_path))
    return tmp_path


def test_another_process_is_named_and_its_end_frees_the_lock(folder: Path) -> None:
    config = folder / "config.yaml"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parents[3],
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with (
            pytest.raises(LockHeldError, match=rf"another run holds the lock .*\.lock \(process {process.pid}\)"),
            run_lock(config),
        ):
            pytest.fail("two runs at once")
        with run_lock(folder / "another.yaml"):
            pass
        process.kill()
    with run_lock(config):
        pass


def test_one_configuration_is_one_lock_whatever_it_is_called(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "link.yaml").symlink_to("config.yaml")
    (folder / "config.yaml").touch()
    monkeypatch.chdir(folder)
    with run_lock(folder / "config.yaml"):
        for other in (Path("config.yaml"), folder / "link.yaml", folder / "x" / ".." / "config.yaml"):
            with pytest.raises(LockHeldError), run_lock(other):
                pytest.fail("two runs at once")


def test_the_file_is_nobody_elses_and_holds_the_process(folder: Path) -> None:
    with run_lock(folder / "config.yaml"):
        (path,) = folder.glob("*.lock")
        assert re.fullmatch(rf"pod-routes-{os.getuid()}-[0-9a-f]{{16}}\.lock", path.name)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_text() == str(os.getpid())


def test_an_error_inside_frees_the_lock(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(folder / "config.yaml"):
        raise ZeroDivisionError
    with run_lock(folder / "config.yaml"):
        pass
