import re
from pathlib import Path

import pytest

from lab.cloud import environment
from lab.cloud.environment import REQUIREMENTS, environment_folder


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
