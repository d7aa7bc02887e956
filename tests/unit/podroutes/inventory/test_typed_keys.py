import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from podroutes.inventory.files import DefaultsElement, HostElement
from podroutes.inventory.model import CloudData, ClusterData, HostData
from podroutes.inventory.typed_keys import ADVICE, KeyProblem, parse_own, problem_of, read_keys
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.plugins.inventory.lxd_options import InventoryOptions

Word = Annotated[str, Meta(pattern="^[a-z]+$", extra={ADVICE: "{!r} is no word"})]


class Sample(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Word
    size: Annotated[int, Meta(ge=1, le=9)] | None = None
    color: Literal["red", "blue"] = "red"
    folder: Path | None = None


def test_what_is_right_is_typed() -> None:
    typed, problems = read_keys(Sample, {"name": "a", "size": 3, "folder": "/tmp"})
    assert (typed, problems) == (Sample(name="a", size=3, folder=Path("/tmp")), [])


def test_every_problem_is_found_and_what_is_missing_comes_first() -> None:
    typed, problems = read_keys(Sample, {"colour": "red", "size": 0, 7: 7, "color": "green", "folder": 3})
    assert typed is None
    assert problems == [
        KeyProblem("name", "is missing"),
        KeyProblem("colour", "unknown key; did you mean color?", unknown=True),
        KeyProblem("size", "must be at least 1"),
        KeyProblem("7", "unknown key; known keys: color, folder, name, size", unknown=True),
        KeyProblem("color", "must be 'red' or 'blue'"),
        KeyProblem("folder", "must be text; put it in quotes"),
    ]


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (int, 1, None),
        (int, "1", "must be a whole number, without quotes"),
        (int, 1.0, "must be a whole number, without quotes"),
        (int, True, "must be a whole number, without quotes"),
        (int | None, "1", "must be a whole number, without quotes"),
        (float, 1, None),
        (float, "1", "must be a number, without quotes"),
        (float, True, "must be a number, without quotes"),
        (bool, 1, "must be true or false, without quotes"),
        (bool, "yes", "must be true or false, without quotes"),
        (bool, None, "must be true or false, without quotes"),
        (str, 1, "must be text; put it in quotes"),
        (list[str], "a", "must be a list"),
        (list[str], ["a", 1], "must be text; put it in quotes"),
        (dict[str, Any], [], "must hold `key: value` lines below it"),
        (dict[str, Any], {1: 1}, "must be text; put it in quotes"),
        (Annotated[int, Meta(ge=1)], 0, "must be at least 1"),
        (Annotated[int, Meta(le=9)], 10, "must be at most 9"),
        (Annotated[float, Meta(gt=0)], 0, "must be more than 0"),
        (Annotated[float, Meta(gt=0)], float("nan"), "must be more than 0"),
        (Annotated[float, Meta(lt=0.5)], 0.5, "must be less than 0.5"),
        (Annotated[str, Meta(min_length=1)], "", "must not be empty"),
        (Annotated[str, Meta(min_length=2)], "a", "must have at least 2 characters"),
        (Annotated[str, Meta(max_length=2)], "abc", "must have at most 2 characters"),
        (Annotated[list[int], Meta(max_length=1)], [1, 2], "must have at most 1 values"),
        (Word, "A", "'A' is no word"),
        (Word | None, "{0}", "'{0}' is no word"),
        (Word, 1, "must be text; put it in quotes"),
        (Literal["a", "b"], "c", "must be 'a' or 'b'"),
        (Literal["a", "b"], 1, "must be text; put it in quotes"),
        (Path, "a", None),
        (Path, 1, "must be text; put it in quotes"),
    ],
)
def test_what_is_wrong_with_a_value_tells_what_to_write(kind: Any, value: object, problem: str | None) -> None:  # noqa: ANN401  # a type
    assert problem_of(value, kind) == problem


def test_a_type_that_nobody_parses_is_our_own_mistake() -> None:
    with pytest.raises(NotImplementedError):
        parse_own(object, 1)


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)
DATA = (HostData, ClusterData, CloudData)
KINDS = (*DATA, HostElement, DefaultsElement, SshSettings, InventoryOptions)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_whatever_is_written_is_typed_or_told(kind: type[Struct], data: st.DataObject) -> None:
    keys = st.sampled_from(kind.__struct_fields__) | st.text(max_size=3) | st.integers()
    written = data.draw(st.dictionaries(keys, YAML | st.sampled_from(["10.0.0.1", "eth0\n", "a"]), max_size=4))
    typed, problems = read_keys(kind, written)
    assert (typed is None) == (problems != [])
    for problem in problems:
        assert "Expected" not in problem.message
        assert "$" not in problem.message.replace("\\$", "") or "$" in str(written)
    if typed is not None:
        assert set(written) <= set(kind.__struct_fields__) or kind in DATA
        assert getattr(typed, "interface", None) != "eth0\n"


def test_no_type_of_ours_crashes_the_interpreter() -> None:
    """msgspec's C code has done so with some types; here it would take the test run with it."""
    program = """
import gc
from msgspec import convert
from msgspec.structs import fields
from podroutes.inventory.typed_keys import problem_of
from tests.unit.podroutes.inventory.test_typed_keys import KINDS
for kind in KINDS:
    for field in fields(kind):
        for value in (None, 1, "a", ["a"], [1], {}, "A!", ""):
            problem_of(value, field.type)
        gc.collect()
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0
