"""The table of drift classes: what reports, pages and histories rely on."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from podroutes.drift import classes as drift_classes
from podroutes.drift.classes import DRIFT_CLASSES, DriftClass, DriftLayer
from podroutes.drift.findings import Finding, new_finding

ROOT = Path(__file__).parents[4]


def test_codes_are_unique_and_stable_words() -> None:
    text = Path(drift_classes.__file__).read_text()
    listed = re.findall(r'^    _(?:kernel|persisted|cloud|host)\(\n +"([^"]+)",$', text, re.MULTILINE)
    assert listed == list(DRIFT_CLASSES)
    assert len(set(listed)) == len(listed)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in DRIFT_CLASSES)


@pytest.mark.parametrize("one", DRIFT_CLASSES.values(), ids=DRIFT_CLASSES)
def test_each_says_what_it_is_what_it_breaks_and_what_fixes_it(one: DriftClass) -> None:
    assert one.layer in get_args(DriftLayer)
    for line in (one.title, one.breaks, one.fix, one.detail):
        assert line.strip() == line != ""
        assert "\n" not in line
    assert not one.title.endswith(".")
    assert one.breaks.endswith(".")
    assert one.detail.endswith(".")


@pytest.mark.parametrize("one", DRIFT_CLASSES.values(), ids=DRIFT_CLASSES)
def test_commands_that_fix_are_there(one: DriftClass) -> None:
    for runbook in re.findall(r"runbooks/\w+\.py", one.fix):
        assert (ROOT / runbook).is_file()


def test_every_code_that_the_planners_give_is_in_the_table() -> None:
    given = set()
    for path in (ROOT / "podroutes/plan").glob("*.py"):
        given |= set(re.findall(r'"([a-z]+-[a-z]+(?:-[a-z]+)*)"', path.read_text()))
    # Words with a hyphen that are systemd's.
    given -= {"not-found", "masked-runtime", "daemon-reload", "reset-failed", "reload-or-restart", "systemd-networkd"}
    assert given <= set(DRIFT_CLASSES)
    assert {"route-missing", "forwarding-off", "unit-edited", "address-pair-missing"} <= given


def test_a_finding_has_its_class_layer_and_severity() -> None:
    drift = new_finding("route-missing", "10.200.1.0/24", "missing", expected="a route")
    assert (drift.layer, drift.is_drift, drift.key) == ("kernel", True, ("route-missing", "10.200.1.0/24"))
    assert drift.drift_class is DRIFT_CLASSES["route-missing"]
    notice = new_finding("foreign-route", "x", "y")
    assert (notice.layer, notice.is_drift) == ("kernel", False)
    assert msgspec.json.decode(msgspec.json.encode(drift), type=Finding) == drift
    with pytest.raises(KeyError):
        new_finding("no-such-class", "x", "y")
