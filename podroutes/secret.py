"""A text that is shown to nobody."""

from typing import Self


class Secret:
    """A password or passphrase; no message, log or representation of what holds it shows it.

    Args:
        text: The secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself, for where it is used."""
        return self._text

    @classmethod
    def parse(cls, value: object) -> Self:
        """A text as a secret; ValueError if it is none."""
        if not isinstance(value, str):
            message = "must be text; put it in quotes"
            raise ValueError(message)
        return cls(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"
