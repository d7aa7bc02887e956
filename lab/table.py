"""Tables as text."""

from collections.abc import Sequence


def render_table(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows so that their columns are below each other.

    Args:
        rows: All of the same length; at least one.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
