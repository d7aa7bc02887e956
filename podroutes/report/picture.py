"""Where things are in the page's pictures: the matrix of nodes, and the strip of past runs. Lengths are in pixels."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from podroutes import exit_codes
from podroutes.drift.findings import Direction
from podroutes.drift.history import PastRun

CELL: Final = 26
# A larger picture is neither read nor quick to draw; what is left out is all ok, or said.
MOST_NODES: Final = 60
_LETTER: Final = 7.3
_GAP: Final = 8
_BAR: Final = 10
_HEIGHTS: Final = {"ok": 10, "drift": 20, "incomplete": 30}
_STRIP_HEIGHT: Final = 30


class Label(Struct, frozen=True):
    """A node's name beside the matrix.

    Attributes:
        text: The name.
        x: From the left.
        y: From the top.
    """

    text: str
    x: float
    y: float


class Cell(Struct, frozen=True):
    """One direction of the matrix, or a run of the strip.

    Attributes:
        x: Of its left edge.
        y: Of its top edge.
        kind: `ok`, `cut`, `unknown`, `self` or `none` in the matrix; `ok`, `drift` or `incomplete` in the strip.
        title: What a reader sees who points at it.
        height: Of a run's bar.
    """

    x: float
    y: float
    kind: str
    title: str
    height: float = CELL


class Picture(Struct, frozen=True):
    """Cells and labels, and how large it all is.

    Attributes:
        width: In all.
        height: In all.
        cells: In reading order.
        rows: Labels of the rows; they end at their place.
        columns: Labels of the columns; they begin at their place and go upwards.
        left_out: Number of nodes that are not shown.
        hidden_trouble: Whether directions that are not ok are among what is not shown.
    """

    width: float
    height: float
    cells: tuple[Cell, ...]
    rows: tuple[Label, ...] = ()
    columns: tuple[Label, ...] = ()
    left_out: int = 0
    hidden_trouble: bool = False


def draw_matrix(directions: Sequence[Direction]) -> Picture | None:
    """The matrix of a report's directions: a row for each source, a column for each target.

    Args:
        directions: Of the report.

    Returns:
        None if there are none. In a large cluster, the nodes with directions that are not ok come first.
    """
    by_pair = {(direction.source, direction.target): direction for direction in directions}
    sources, all_sources = _choose([direction.source for direction in directions], directions)
    # Every target is a source, too, of the other targets: columns are in the order of the rows.
    order = {source: number for number, source in enumerate(all_sources)}
    named = dict.fromkeys(direction.target for direction in directions)
    wanted = sorted(named, key=lambda name: order.get(name, len(order)))
    targets, all_targets = _choose(wanted, directions)
    if not by_pair:
        return None
    shown = {(source, target) for source in sources for target in targets}
    left = max(len(name) for name in sources) * _LETTER + _GAP
    top = max(len(name) for name in targets) * _LETTER + _GAP
    cells = [
        _cell(left + column * CELL, top + row * CELL, source, target, by_pair)
        for row, source in enumerate(sources)
        for column, target in enumerate(targets)
    ]
    return Picture(
        width=left + len(targets) * CELL + 1,
        height=top + len(sources) * CELL + 1,
        cells=tuple(cells),
        rows=tuple(Label(name, left - _GAP, top + (row + 0.5) * CELL) for row, name in enumerate(sources)),
        columns=tuple(Label(name, left + (column + 0.5) * CELL, top - _GAP) for column, name in enumerate(targets)),
        left_out=len({*all_sources, *all_targets} - {*sources, *targets}),
        hidden_trouble=any(one.state != "ok" and pair not in shown for pair, one in by_pair.items()),
    )


def _choose(names: Sequence[str], directions: Sequence[Direction]) -> tuple[list[str], list[str]]:
    """Names to show, in their order, and all names."""
    everything = list(dict.fromkeys(names))
    if len(everything) <= MOST_NODES:
        return everything, everything
    troubled = {name for one in directions if one.state != "ok" for name in (one.source, one.target)}
    first = sorted(everything, key=lambda name: name not in troubled)[:MOST_NODES]
    chosen = set(first)
    return [name for name in everything if name in chosen], everything


def _cell(x: float, y: float, source: str, target: str, by_pair: Mapping[tuple[str, str], Direction]) -> Cell:
    if source == target:
        return Cell(x, y, "self", f"{source}: its own pods")
    direction = by_pair.get((source, target))
    if direction is None:
        return Cell(x, y, "none", f"{source} → {target}: not judged")
    reason = f" ({direction.reason})" if direction.reason else ""
    ping = f"; ping: {direction.ping}" if direction.ping else ""
    return Cell(x, y, direction.state, f"{source} → {target}: {direction.state}{reason}{ping}")


def draw_strip(runs: Sequence[PastRun]) -> Picture | None:
    """A bar for each run, oldest first: the worse it ended, the higher.

    Args:
        runs: Newest first, as the history gives them.

    Returns:
        None if there are none.
    """
    cells = []
    for index, run in enumerate(reversed(runs)):
        kind = {exit_codes.OK: "ok", exit_codes.DRIFT: "drift"}.get(run.exit_code, "incomplete")
        height = _HEIGHTS[kind]
        title = (
            f"{run.started:%Y-%m-%d %H:%M} UTC: {kind}, checked {run.checked} of {run.asked}, "
            f"{run.drifted} drifted, {run.cut} cut"
        )
        cells.append(Cell(index * _BAR, _STRIP_HEIGHT - height, kind, title, height))
    return Picture(len(cells) * _BAR, _STRIP_HEIGHT, tuple(cells)) if cells else None
