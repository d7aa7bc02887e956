from datetime import UTC, datetime

import pytest

from podroutes.drift.findings import Direction
from podroutes.drift.history import PastRun
from podroutes.report.picture import CELL, MOST_NODES, Picture, draw_matrix, draw_strip
from tests.unit.podroutes.report.reports import NODES, directions


def drawn(picture: Picture | None) -> Picture:
    assert picture is not None
    return picture


def test_rows_are_sources_and_columns_targets() -> None:
    picture = drawn(draw_matrix(directions(("worker-0", "worker-1"), unknown=["controller-0"])))
    assert [label.text for label in picture.rows] == list(NODES)
    assert [label.text for label in picture.columns] == ["worker-0", "worker-1"]
    kinds = {}
    for cell in picture.cells:
        row = next(label.text for label in picture.rows if cell.y < label.y < cell.y + CELL)
        column = next(label.text for label in picture.columns if cell.x < label.x < cell.x + CELL)
        assert cell.title.startswith(row)
        kinds[row, column] = cell.kind
    assert kinds == {
        ("controller-0", "worker-0"): "unknown",
        ("controller-0", "worker-1"): "unknown",
        ("worker-0", "worker-0"): "self",
        ("worker-0", "worker-1"): "cut",
        ("worker-1", "worker-0"): "ok",
        ("worker-1", "worker-1"): "self",
    }
    assert all(cell.x + CELL < picture.width and cell.y + CELL < picture.height for cell in picture.cells)


def test_columns_are_in_the_order_of_the_rows() -> None:
    workers = ["w0", "w1", "w2"]
    found = [Direction(source=one, target=other, state="ok") for one in workers for other in workers if one != other]
    picture = drawn(draw_matrix(found))
    assert [label.text for label in picture.rows] == workers
    assert [label.text for label in picture.columns] == workers


def test_what_was_not_judged_is_no_ok() -> None:
    one = Direction(source="controller-0", target="worker-0", state="ok")
    other = Direction(source="controller-1", target="worker-1", state="ok")
    kinds = [cell.kind for cell in drawn(draw_matrix([one, other])).cells]
    assert kinds == ["ok", "none", "none", "ok"]


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
    picture = drawn(draw_matrix(found))
    assert len(picture.rows) == len(picture.columns) == MOST_NODES
    assert picture.left_out == 100 - len({label.text for label in (*picture.rows, *picture.columns)})
    assert picture.hidden_trouble is hidden
    if not hidden:
        assert sum(cell.kind == "cut" for cell in picture.cells) == len(cuts)


def test_nothing_to_show_is_no_picture() -> None:
    assert draw_matrix([]) is None
    assert draw_strip([]) is None


def test_the_worse_a_run_ended_the_higher_its_bar() -> None:
    runs = [PastRun(code, "drift_check", datetime.now(UTC), 1.0, code, False, 1, 1, 0, 0, 0) for code in (1, 2, 0)]
    picture = drawn(draw_strip(runs))
    assert [cell.kind for cell in picture.cells] == ["ok", "drift", "incomplete"]
    heights = [cell.height for cell in picture.cells]
    assert heights == sorted(set(heights))
    assert all(cell.y + cell.height == picture.height for cell in picture.cells)
    assert [cell.x for cell in picture.cells] == sorted(cell.x for cell in picture.cells)
