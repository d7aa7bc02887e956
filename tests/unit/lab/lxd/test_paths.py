from lab.lxd.paths import LxdPaths
from lab.paths import LabPaths


def test_the_socket_of_the_longest_name_is_short_enough() -> None:
    assert len(str(LxdPaths(LabPaths("x" * 31)).socket).encode()) <= 107


def test_groups_are_below_the_labs_own() -> None:
    lab = LabPaths("two")
    of = LxdPaths(lab)
    for group in (of.cgroup, of.starter, of.payload("worker-0")):
        assert group.startswith(f"{lab.cgroup}/")


def test_names_of_the_containers_go_with_the_lxd() -> None:
    lab = LabPaths("two")
    assert lab.containers.is_relative_to(LxdPaths(lab).root)
