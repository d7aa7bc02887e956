"""Mappings that are nearly the same for many hosts, kept nearly once."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")


class Shared(Mapping[K, V], Generic[K, V]):
    """A mapping as another one and what differs.

    Args:
        usual: The other one; must never change.
        given: What this one is to hold; no value of it may be None.
    """

    __slots__ = ("_count", "_own", "_usual")

    def __init__(self, usual: Mapping[K, V], given: Mapping[K, V]) -> None:
        self._usual = usual
        self._own: dict[K, V | None] = {key: value for key, value in given.items() if usual.get(key) is not value}
        # None stands for a key that only the other one has.
        self._own.update(dict.fromkeys(set(usual) - set(given)))
        self._count = len(given)

    @property
    def differences(self) -> int:
        """Number of keys that differ."""
        return len(self._own)

    def __getitem__(self, key: K) -> V:
        value = self._own[key] if key in self._own else self._usual[key]
        if value is None:
            raise KeyError(key)
        return value

    # Mapping's own takes two more calls, and what hosts have is looked up in once for each pair of them.
    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...
    def get(self, key: K, /, default: V | D | None = None) -> V | D | None:
        """The value of a key, or else the default."""
        value = self._own[key] if key in self._own else self._usual.get(key)
        return default if value is None else value

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self._usual if key not in self._own)
        yield from (key for key, value in self._own.items() if value is not None)

    def __len__(self) -> int:
        return self._count


class Sharing(Generic[K, V]):
    """Makes mappings share what they have in common with one of the first of them."""

    def __init__(self) -> None:
        self._usual: Mapping[K, V] = {}

    def share(self, given: Mapping[K, V]) -> Mapping[K, V]:
        """The same mapping, in less memory if it is nearly as others are.

        Args:
            given: Must not change from now on.
        """
        shared = Shared(self._usual, given)
        if 2 * shared.differences < len(given):
            return shared
        self._usual = given
        return given
