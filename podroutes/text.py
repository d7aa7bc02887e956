"""Small pieces of messages."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

# Unicode's pictures of the C0 control characters; new lines and tabs are what they are. C1 has no pictures.
_PICTURES: Final = (
    {number: 0x2400 + number for number in range(0x20) if chr(number) not in "\n\t"}
    | {0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
)


def printable(text: str) -> str:
    """A text without control characters, as long as before: a host can't move the cursor or rename the window."""
    return text.translate(_PICTURES)


def one_line(text: object, limit: int = 300) -> str:
    """Anything as one printable line, so that what a host or a server says can't disturb a terminal or a report.

    Args:
        text: What was said.
        limit: Longest line, in characters; the rest is cut off.
    """
    return " ".join("".join(one if one.isprintable() else " " for one in str(text)).split())[:limit]


def first_line(text: object) -> str:
    """The first line of an error, or of what a program said, that is not empty; empty if there is none."""
    return next((line for raw in str(text).splitlines() if (line := one_line(raw))), "")


def last_line(text: object) -> str:
    """The last line that is not empty; empty if there is none."""
    return next((line for raw in reversed(str(text).splitlines()) if (line := one_line(raw))), "")


def closest(word: str, known: Iterable[str], *, similarity: float = 0.6) -> str | None:
    """The known word that another one is most likely a misspelling of, if any.

    Args:
        word: What was written.
        known: The words that there are.
        similarity: How alike they must be at least, 0 to 1, as `difflib` measures it.
    """
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=similarity)), None)


def did_you_mean(word: str, known: Iterable[str], what: str) -> str:
    """A hint for who wrote an unknown word: the closest one, or else all that there are.

    Args:
        word: What was written.
        known: The words that there are.
        what: What they are called: `known keys`.
    """
    known = sorted(known)
    close = closest(word, known)
    return f"did you mean {close}?" if close is not None else f"{what}: {', '.join(known)}"
