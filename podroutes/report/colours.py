"""Lines in colours, by Rich, which takes a tenth of a short run to load: only a terminal needs it."""

import os
import shutil
from typing import TextIO

from rich import console
from rich.text import Text

from podroutes.report.styled import Console, Piece, Styled, printable


class ColourConsole(Console):
    """Prints for a terminal: colours, unless NO_COLOR is set; no line is wrapped by us.

    Args:
        file: Where to; one that is no terminal gets no colours, unless FORCE_COLOR is set.
    """

    def __init__(self, file: TextIO) -> None:
        super().__init__(file)
        self._console = rich_console(file)

    def print(self, *pieces: Piece) -> None:
        """Print pieces one after the other, and end the line."""
        styled = ((piece.text, piece.style) if isinstance(piece, Styled) else piece for piece in pieces)
        self._print(Text.assemble(*styled))

    def print_ansi(self, text: str) -> None:
        """Print a text that has a terminal's own colours in it."""
        self._print(Text.from_ansi(text))

    def _print(self, text: Text) -> None:
        text.plain = printable(text.plain)
        self._console.print(text, soft_wrap=True)


def rich_console(file: TextIO) -> console.Console:
    """Rich's own console, which reads nothing into a text: no markup, no emoji, no numbers to colour."""
    # Rich believes in a terminal without columns, and prints nothing there.
    columns = os.environ.get("COLUMNS", "")
    width = shutil.get_terminal_size().columns if columns.isdecimal() and int(columns) == 0 else None
    return console.Console(file=file, width=width, highlight=False, emoji=False, markup=False)
