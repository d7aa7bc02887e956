import re
from pathlib import Path

import pytest

from lab.cloud import environment
from lab.cloud.environment import REQUIREMENTS, environment_folder, run_tool
from lab.errors import LabError


def test_every_package_is_pinned() -> None:
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    pin = r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+( *; python_version [<>=]+ \"3\.\d+\")?"
    assert [line for line in lines if re.fullmatch(pin, line) is None] == []
    pinned = {line.split("==")[0].lower() for line in lines}
    assert {"keystone", "neutron", "waitress", "pymysql", "python-openstackclient"} <= pinned


def test_newer_pythons_get_what_they_no_longer_have() -> None:
    pins = REQUIREMENTS.read_text().splitlines()
    # WebOb 1.8 imports cgi.
    assert any(line.startswith("WebOb==1.8.") for line in pins) == any(
        re.fullmatch(r'legacy-cgi==.*; python_version >= "3\.13"', line) is not None for line in pins
    )


def test_other_pins_are_another_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment_folder()
    assert environment_folder() == before
    other = tmp_path / "requirements.txt"
    other.write_text(REQUIREMENTS.read_text() + "more==1\n")
    monkeypatch.setattr(environment, "REQUIREMENTS", other)
    assert environment_folder() != before


def test_a_tool_that_fails_is_one_line(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        run_tool(["sh", "-c", "test -e lock"], "look", lock=lock.fileno(), folder=tmp_path)
        with pytest.raises(LabError, match=r"^cannot fly: no wings$") as caught:
            run_tool(["sh", "-c", "echo tried; echo no wings >&2; exit 3"], "fly", lock=lock.fileno())
    assert caught.value.status == 1
