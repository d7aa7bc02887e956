"""Aligned columns of styled text; the last column is never wrapped, so that a reason stays on its line."""

from collections.abc import Sequence

from podroutes.report.styled import Console, Piece, Styled, text_of

Cell = Piece | tuple[Piece, ...]
_GAP = 2


def print_table(console: Console, headings: Sequence[str], rows: Sequence[Sequence[Cell]], *, indent: int = 0) -> None:
    """Print rows below headings.

    Args:
        console: Where to.
        headings: One for each column.
        rows: Cells; as many in each row as there are headings.
        indent: Spaces in front of each line.
    """
    table: list[Sequence[Cell]] = [[Styled(heading, "bold") for heading in headings], *rows]
    cells = [[cell if isinstance(cell, tuple) else (cell,) for cell in row] for row in table]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(headings))]
    pieces: list[Piece] = []
    for row in cells:
        pieces += _line(row, widths, indent)
        pieces.append("\n")
    # At once: a console does as much work for a line as for a hundred.
    console.print(*pieces[:-1])


def _line(cells: Sequence[tuple[Piece, ...]], widths: Sequence[int], indent: int) -> list[Piece]:
    line: list[Piece] = [" " * indent]
    space = ""
    for cell, width in zip(cells, widths, strict=True):
        used = _width(cell)
        if used != 0:
            line += [space, *cell]
            space = ""
        space += " " * (width - used + _GAP)
    return line


def _width(cell: tuple[Piece, ...]) -> int:
    """How many columns of a terminal a cell takes."""
    text = "".join(map(text_of, cell))
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415

    return cell_len(text)
