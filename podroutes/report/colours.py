"""Lines in colours, by Rich, which takes a tenth of a short run to load: only a terminal needs it."""

from typing import TextIO

from rich.text import Text

from podroutes.report.styled import Console, Piece, Styled
from podroutes.terminal import rich_console
from podroutes.text import printable


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
