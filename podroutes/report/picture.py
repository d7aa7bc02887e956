"""What the page's pictures show: the matrix of nodes, and the strip of past runs; the template draws them."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from podroutes import exit_codes
from podroutes.drift.findings import Direction
from podroutes.drift.history import PastRun

# A larger matrix is neither readable nor quick to draw; what is left out is all ok, or the page says so.
MOST_NODES: Final = 60
_KINDS: Final = {exit_codes.OK: "ok", exit_codes.DRIFT: "drift"}


class Cell(Struct, frozen=True):
    """One direction of the matrix, or a run of the strip.

    Attributes:
        kind: `ok`, `cut`, `unknown`, `self` or `none` in the matrix; `ok`, `drift` or `incomplete` in the strip.
        title: Text that is shown when a reader points at it.
    """

    kind: str
    title: str


class Matrix(Struct, frozen=True):
    """Which pods reach which.

    Attributes:
        sources: Names of the rows.
        targets: Names of the columns.
        rows: Cells, by row and column.
        left_out: Number of nodes that are not shown.
        hidden_trouble: Whether directions that are not ok are among what is not shown.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int
    hidden_trouble: bool


def matrix_of(directions: Sequence[Direction]) -> Matrix | None:
    """The matrix of a report's directions: a row for each source, a column for each target.

    Returns:
        None if there are no directions. Of a large cluster, the nodes with directions that are not ok come first.
    """
    if not directions:
        return None
    by_pair = {(direction.source, direction.target): direction for direction in directions}
    all_sources = list(dict.fromkeys(direction.source for direction in directions))
    # Columns are in the order of the rows.
    order = {source: number for number, source in enumerate(all_sources)}
    all_targets = sorted(
        dict.fromkeys(direction.target for direction in directions), key=lambda name: order.get(name, len(order))
    )
    troubled = {name for one in directions if one.state != "ok" for name in (one.source, one.target)}
    sources, targets = _choose(all_sources, troubled), _choose(all_targets, troubled)
    shown = {(source, target) for source in sources for target in targets}
    return Matrix(
        sources=sources,
        targets=targets,
        rows=tuple(tuple(_cell(source, target, by_pair) for target in targets) for source in sources),
        left_out=len({*all_sources, *all_targets} - {*sources, *targets}),
        hidden_trouble=any(one.state != "ok" and pair not in shown for pair, one in by_pair.items()),
    )


def _choose(names: Sequence[str], troubled: set[str]) -> tuple[str, ...]:
    """The names to show, in their order."""
    chosen = set(sorted(names, key=lambda name: name not in troubled)[:MOST_NODES])
    return tuple(name for name in names if name in chosen)


def _cell(source: str, target: str, by_pair: Mapping[tuple[str, str], Direction]) -> Cell:
    if source == target:
        return Cell("self", f"{source}: its own pods")
    direction = by_pair.get((source, target))
    if direction is None:
        return Cell("none", f"{source} → {target}: not judged")
    reason = f" ({direction.reason})" if direction.reason else ""
    ping = f"; ping: {direction.ping}" if direction.ping else ""
    return Cell(direction.state, f"{source} → {target}: {direction.state}{reason}{ping}")


def strip_of(runs: Sequence[PastRun]) -> tuple[Cell, ...]:
    """A bar for each run, oldest first.

    Args:
        runs: Newest first, as the history gives them.
    """
    return tuple(_bar(run, _KINDS.get(run.exit_code, "incomplete")) for run in reversed(runs))


def _bar(run: PastRun, kind: str) -> Cell:
    title = (
        f"{run.started:%Y-%m-%d %H:%M} UTC: {kind}, checked {run.checked} of {run.asked}, "
        f"{run.drifted} drifted, {run.cut} cut"
    )
    return Cell(kind, title)
