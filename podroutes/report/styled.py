"""Lines for people: text with styles, which a terminal shows in colours and a pipe without."""

from typing import TextIO

from msgspec import Struct

from podroutes.text import printable


class Styled(Struct, frozen=True):
    """A piece of text and how it looks.

    Attributes:
        text: The text; what is a control character in it is shown and not obeyed.
        style: In Rich's words, such as `bold red`; only a terminal has it.
    """

    text: str
    style: str


Piece = str | Styled


def text_of(piece: Piece) -> str:
    """A piece without its style."""
    return piece if isinstance(piece, str) else piece.text


class Console:
    """Prints for a person who reads a pipe or a file: no colours, and no line is cut.

    Args:
        file: Where to.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def print(self, *pieces: Piece) -> None:
        """Print pieces one after the other, and end the line."""
        print(printable("".join(map(text_of, pieces))), file=self._file)
