"""Aligned columns of styled text; the last column is never wrapped, so that a reason stays on its line."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

Cell = str | Text
_GAP = 2


def print_table(console: Console, headings: Sequence[str], rows: Sequence[Sequence[Cell]], *, indent: int = 0) -> None:
    """Print rows below headings.

    Args:
        console: Where to.
        headings: One for each column.
        rows: Cells; as many in each row as there are headings.
        indent: Spaces in front of each line.
    """
    texts = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    widths = [max(len(heading), *(row[column].cell_len for row in texts), 0) for column, heading in enumerate(headings)]
    lines = [_line([Text(heading, style="bold") for heading in headings], widths, indent)]
    lines += [_line(row, widths, indent) for row in texts]
    # At once: a console does as much work for a line as for a hundred.
    console.print(Text("\n").join(lines), soft_wrap=True, highlight=False)


def _line(cells: Sequence[Text], widths: Sequence[int], indent: int) -> Text:
    line = Text(" " * indent)
    for cell, width in zip(cells[:-1], widths[:-1], strict=True):
        line.append_text(cell)
        line.append(" " * (width - cell.cell_len + _GAP))
    line.append_text(cells[-1])
    line.rstrip()
    return line
