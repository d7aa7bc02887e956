"""What systemd has loaded of the unit, against the unit's file; the samples are three releases' own words of it."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from podroutes.host.loaded_unit import (
    COMPARED,
    NOT_COMPARED,
    UNSET,
    differing_settings,
    parse_time_span,
    parse_unit_file,
    property_name,
)
from podroutes.host.parse_unit import parse_unit
from podroutes.host.state import UnitState
from tasks.service_files import load_service_files

SAMPLES = Path(__file__).parent / "samples"
RELEASES = (247, 252, 257)
FILE = load_service_files().unit


def unit_of(release: int) -> UnitState:
    """Our unit, as a release of systemd shows it."""
    return parse_unit((SAMPLES / f"unit-{release}.txt").read_text(), linked=True)


def showing(release: int, name: str, *values: str) -> UnitState:
    """The same with another value of a property."""
    unit = unit_of(release)
    return replace(unit, properties={**unit.properties, name: values})


@pytest.mark.parametrize("release", RELEASES)
def test_each_release_has_loaded_what_the_file_says(release: int) -> None:
    assert differing_settings(FILE, unit_of(release)) == ()


def test_each_setting_of_the_unit_is_compared_or_said_not_to_be() -> None:
    settings = set(parse_unit_file(FILE))
    assert {property_name(name) for name in settings - NOT_COMPARED} == set(COMPARED)
    assert settings >= NOT_COMPARED
    assert not settings & set(UNSET)
    assert "\\\n" not in FILE


@dataclass(frozen=True)
class Edit:
    """Something that an earlier file said."""

    line: str
    instead: str
    name: str


EDITS = [
    Edit("ExecStart=/usr/local/sbin/basic-kubernetes-routes.sh add", "ExecStart=/bin/true", "ExecStart"),
    Edit("ExecStop=/usr/local/sbin/basic-kubernetes-routes.sh del\n", "", "ExecStop"),
    Edit("ExecReload=/", "ExecReload=-/", "ExecReload"),
    Edit("RemainAfterExit=yes", "RemainAfterExit=no", "RemainAfterExit"),
    Edit("Type=oneshot", "Type=simple", "Type"),
    Edit("TimeoutStartSec=60", "TimeoutStartSec=90s", "TimeoutStartSec"),
    Edit("After=network-online.target", "After=network.target", "After"),
    Edit("ProtectHome=yes", "ProtectHome=no", "ProtectHome"),
]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_another_file_than_the_loaded_one_is_noticed(release: int, edit: Edit) -> None:
    """The samples have loaded our file, so the file is what differs here; it is the same comparison."""
    assert edit.line in FILE
    found = differing_settings(FILE.replace(edit.line, edit.instead), unit_of(release))
    # What a file no longer says, nobody can miss: the loaded one says it, and it is not ours to set.
    assert found == ((edit.name,) if edit.instead else ())


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("ExecStart", (), "ExecStart"),
        ("ExecStop", (), "ExecStop"),
        ("ExecStartPre", ("{ path=/x ; argv[]=/x ; ignore_errors=no ; pid=0 }",), "ExecStartPre"),
        ("User", ("nobody",), "User"),
        ("PrivateNetwork", ("yes",), "PrivateNetwork"),
        ("Environment", ("KUBERNETES_ROUTES_FILE=/x",), "Environment"),
        ("FragmentPath", ("/run/systemd/transient/routes.service",), "FragmentPath"),
        ("RestartUSec", ("100ms",), "RestartSec"),
        ("Restart", ("no",), "Restart"),
    ],
)
def test_what_systemd_has_loaded_beside_the_file_is_named(name: str, values: tuple[str, ...], found: str) -> None:
    for release in RELEASES:
        assert differing_settings(FILE, showing(release, name, *values)) == (found,)


def test_what_a_drop_in_sets_is_the_drop_ins() -> None:
    unit = showing(257, "TimeoutStartUSec", "1min 30s")
    assert differing_settings(FILE, replace(unit, overridden=frozenset({"TimeoutStartSec"}))) == ()
    assert differing_settings(FILE, replace(unit, overridden=frozenset({"Nice"}))) == ("TimeoutStartSec",)


def test_what_a_systemd_does_not_know_or_says_in_new_words_is_not_judged() -> None:
    unit = unit_of(252)
    properties = {name: values for name, values in unit.properties.items() if name != "ProtectClock"}
    assert differing_settings(FILE, replace(unit, properties=properties)) == ()
    assert differing_settings(FILE, showing(252, "ExecStart", "[ a new form ]")) == ()
    assert differing_settings(FILE, showing(252, "RestartUSec", "soon")) == ()


@pytest.mark.parametrize("load", ["not-found", "masked", "bad-setting"])
def test_a_unit_that_is_not_loaded_is_not_compared(load: str) -> None:
    assert differing_settings(FILE, replace(unit_of(252), load=load, properties={})) == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60),
        ("1min", 60),
        ("1min 30s", 90),
        ("1h", 3600),
        ("10s", 10),
        ("0", 0),
        ("500ms", 0.5),
        ("2d 3us", 172800.000003),
    ],
)
def test_time_spans(text: str, seconds: float) -> None:
    assert parse_time_span(text) == round(seconds * 1_000_000)


@given(st.text())
def test_any_text_is_a_time_span_or_none(text: str) -> None:
    span = parse_time_span(text)
    assert span is None or span >= 0
    assert parse_time_span("infinity") is None


@given(st.text(), st.dictionaries(st.sampled_from([*COMPARED, *UNSET]), st.tuples(st.text())))
def test_any_file_and_any_answer_can_be_compared(text: str, properties: dict[str, tuple[str]]) -> None:
    unit = replace(unit_of(252), properties=properties)
    assert set(differing_settings(FILE, unit)) <= {*parse_unit_file(FILE), *UNSET, "FragmentPath"}
    differing_settings(text, unit)
