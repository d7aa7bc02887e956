"""Lines for people: text with styles, which a terminal shows in colours and a pipe without."""

from typing import Final, TextIO

from msgspec import Struct


class Styled(Struct, frozen=True):
    """A piece of text and how it looks.

    Attributes:
        text: The text; what is a control character in it is shown and not obeyed.
        style: In Rich's words, such as `bold red`; only a terminal has it.
    """

    text: str
    style: str


Piece = str | Styled

# Unicode's pictures of the C0 control characters; new lines and tabs are what they are. C1 has no pictures.
_PICTURES: Final = (
    {number: 0x2400 + number for number in range(0x20) if chr(number) not in "\n\t"}
    | {0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
)


def printable(text: str) -> str:
    """A text without control characters, as long as before: a host can't move the cursor or rename the window."""
    return text.translate(_PICTURES)


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
