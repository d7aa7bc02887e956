from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from podroutes.drift.findings import Direction
from podroutes.drift.history import PastRun
from podroutes.report.picture import MOST_NODES, Matrix, matrix_of, strip_of
from tests.unit.podroutes.report.reports import NODES, directions


def matrix_from(found: Sequence[Direction]) -> Matrix:
    matrix = matrix_of(found)
    assert matrix is not None
    return matrix


def test_rows_are_sources_and_columns_targets() -> None:
    matrix = matrix_from(directions(("worker-0", "worker-1"), unknown=["controller-0"]))
    assert matrix.sources == NODES
    assert matrix.targets == ("worker-0", "worker-1")
    kinds = {}
    for source, row in zip(matrix.sources, matrix.rows, strict=True):
        for target, cell in zip(matrix.targets, row, strict=True):
            assert cell.title.startswith(source)
            kinds[source, target] = cell.kind
    assert kinds == {
        ("controller-0", "worker-0"): "unknown",
        ("controller-0", "worker-1"): "unknown",
        ("worker-0", "worker-0"): "self",
        ("worker-0", "worker-1"): "cut",
        ("worker-1", "worker-0"): "ok",
        ("worker-1", "worker-1"): "self",
    }


def test_columns_are_in_the_order_of_the_rows() -> None:
    workers = ["w0", "w1", "w2"]
    found = [Direction(source=one, target=other, state="ok") for one in workers for other in workers if one != other]
    matrix = matrix_from(found)
    assert (matrix.sources, matrix.targets) == (tuple(workers), tuple(workers))


def test_what_was_not_judged_is_no_ok() -> None:
    one = Direction(source="controller-0", target="worker-0", state="ok")
    other = Direction(source="controller-1", target="worker-1", state="ok")
    kinds = [[cell.kind for cell in row] for row in matrix_from([one, other]).rows]
    assert kinds == [["ok", "none"], ["none", "ok"]]


@pytest.mark.parametrize(("cuts", "hidden"), [([(0, 99), (80, 3)], False), ([(i, 99 - i) for i in range(50)], True)])
def test_a_large_cluster_shows_what_is_wrong_and_says_what_it_leaves_out(
    cuts: list[tuple[int, int]], hidden: bool
) -> None:
    found = [
        Direction(source=f"w{i}", target=f"w{j}", state="cut" if (i, j) in set(cuts) else "ok")
        for i in range(100)
        for j in range(100)
        if i != j
    ]
    matrix = matrix_from(found)
    assert len(matrix.sources) == len(matrix.targets) == MOST_NODES
    assert matrix.left_out == 100 - len({*matrix.sources, *matrix.targets})
    assert matrix.hidden_trouble is hidden
    if not hidden:
        assert sum(cell.kind == "cut" for row in matrix.rows for cell in row) == len(cuts)


def test_nothing_to_show_is_no_picture() -> None:
    assert matrix_of([]) is None
    assert strip_of([]) == ()


def test_a_bar_for_each_run_oldest_first() -> None:
    runs = [PastRun(code, "drift_check", datetime.now(UTC), 1.0, code, False, 1, 1, 0, 0, 0) for code in (1, 2, 0)]
    assert [bar.kind for bar in strip_of(runs)] == ["ok", "drift", "incomplete"]
