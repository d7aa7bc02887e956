import pickle

import pytest

from podroutes import errors
from podroutes.errors import HostError, InventoryError, PodRoutesError, Problem, UnreachableError


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("hosts.yaml", "worker-0", "data.pod_index", "is missing"),
         "hosts.yaml: worker-0: data.pod_index: is missing"),
        (Problem("hosts.yaml", "worker-0", "", "is odd"), "hosts.yaml: worker-0: is odd"),
        (Problem("hosts.yaml", "", "", "line 3: odd"), "hosts.yaml: line 3: odd"),
        (Problem("", "worker-0", "hostname", "is missing"), "worker-0: hostname: is missing"),
    ],
)  # fmt: skip
def test_a_problem_is_one_line_with_its_place(problem: Problem, line: str) -> None:
    assert str(problem) == line


def test_problems_are_sorted_and_told_once() -> None:
    one, other = Problem("a", "x", "", "1"), Problem("b", "", "", "2")
    error = InventoryError([other, one, other])
    assert error.problems == (one, other)
    assert str(error) == "2 problems in the inventory"
    assert str(InventoryError([one])) == "1 problem in the inventory"


def test_every_error_can_be_sent_to_another_process() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PodRoutesError)]
    assert len(kinds) > 10
    for kind in kinds:
        error = InventoryError([Problem("a", "b", "c", "d")]) if kind is InventoryError else kind("one line")
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
        assert (type(copy), str(copy), vars(copy)) == (kind, str(error), vars(error))


@pytest.mark.parametrize("kind", ["HostKeyError", "AuthenticationError"])
def test_who_can_not_be_logged_in_to_is_unreachable(kind: str) -> None:
    assert issubclass(getattr(errors, kind), UnreachableError)
    assert issubclass(UnreachableError, HostError)
