import pytest

from lab.defaults import check_name, command
from lab.errors import LabError
from lab.paths import LabPaths


@pytest.mark.parametrize("name", ["podroutes", "a", "lab-2"])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "Lab", "2lab", "a.b", "../x", "a/b", "a b", "a" * 32, "lab\n"])
def test_names_that_would_break_a_path_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="--name"):
        check_name(name)


@pytest.mark.parametrize(
    ("name", "typed"), [("podroutes", "`python -m lab up`"), ("two", "`python -m lab --name two up`")]
)
def test_hints_name_the_lab(name: str, typed: str) -> None:
    assert command(name, "up") == typed


def test_names_of_two_labs_never_meet() -> None:
    names = []
    for lab in ("lab", "lab-worker-0", "lab-worker"):
        paths = LabPaths(lab)
        host = paths.host("worker-0")
        names += [paths.operator_netns, host.netns, host.pod_netns, paths.cgroup, host.cgroup]
    assert len(set(names)) == len(names)


def test_a_socket_of_the_longest_name_fits() -> None:
    assert len(str(LabPaths("a" * 31).host("controller-9").dir / "notify")) < 108
