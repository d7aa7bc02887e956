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
        """The secret itself; to be asked for only where it is used."""
        return self._text

    @classmethod
    def parse(cls, value: object) -> Self:
        """Take a text for a secret.

        Raises:
            ValueError: It is none.
        """
        if isinstance(value, str):
            return cls(value)
        message = "must be text; put it in quotes"
        raise ValueError(message)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same secret."""
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        """As a text's."""
        return hash(self._text)

    def __repr__(self) -> str:
        """Not the secret."""
        return "Secret(***)"
