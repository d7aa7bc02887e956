"""Text of hosts on a terminal: what would move the cursor, colour or rename the window is shown instead of obeyed."""

from typing import Final

# Unicode's pictures of the C0 control characters; new lines and tabs are what they are. C1 has no pictures.
_PICTURES: Final = (
    {number: 0x2400 + number for number in range(0x20) if chr(number) not in "\n\t"}
    | {0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
)


def printable(text: str) -> str:
    """A text without control characters, as long as before."""
    return text.translate(_PICTURES)
