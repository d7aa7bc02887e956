import pytest

from lab.layout import Layout
from lab.matrix import Matrix, choose, render


def test_drawing() -> None:
    matrix = Matrix(
        version=4,
        sources=("controller-0", "pod of worker-0", "pod of worker-1"),
        targets=("worker-0", "worker-1"),
        answers=((True, False), (None, True), (False, None)),
    )
    assert render(matrix) == (
        "                   to pod of\n"
        "  from             worker-0  worker-1\n"
        "  controller-0     ok        —\n"
        "  pod of worker-0  ·         ok\n"
        "  pod of worker-1  —         ·\n"
    )
    assert (matrix.answered, matrix.asked) == (2, 4)


def test_left_out_hosts_are_said() -> None:
    assert "(7 more hosts are left out)" in render(Matrix(4, ("a",), ("b",), ((True,),), left_out=7))


@pytest.mark.parametrize(
    ("workers", "most", "chosen"),
    [(3, 10, [0, 1, 2]), (10, 10, list(range(10))), (100, 4, [0, 25, 50, 75]), (3, 2, [0, 1])],
)
def test_a_sample_is_spread_evenly(workers: int, most: int, chosen: list[int]) -> None:
    hosts = [host for host in Layout(workers=workers).hosts if host.role == "worker"]
    assert [host.index for host in choose(hosts, most)] == chosen
