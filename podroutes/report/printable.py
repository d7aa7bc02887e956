"""Text of hosts on a terminal: what would move the cursor, colour or rename the window is shown instead of obeyed."""

from typing import Any, Final

from rich.console import Console
from rich.text import Text

# Unicode's pictures of the C0 control characters; new lines and tabs are what they are. C1 has no pictures.
_PICTURES: Final = (
    {number: 0x2400 + number for number in range(0x20) if chr(number) not in "\n\t"}
    | {0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
)


def printable(text: str) -> str:
    """A text without control characters, as long as before."""
    return text.translate(_PICTURES)


class PrintableConsole(Console):
    """A console that obeys no control characters in what it prints."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401  # rich's own
        """Print as `rich.console.Console.print`."""
        super().print(*(_printable(item) for item in objects), **options)


def _printable(item: object) -> object:
    if isinstance(item, str):
        return printable(item)
    if isinstance(item, Text):
        item = item.copy()
        item.plain = printable(item.plain)
    return item
