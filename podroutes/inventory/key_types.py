"""Types of the inventory's keys that are more than any text or number."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Self, TypeVar

from msgspec import Meta

from podroutes.addresses import (
    INTERFACE_NAME,
    NO_INTERFACE_NAME,
    IPAddress,
    IPNetwork,
    parse_address,
    parse_network,
)
from podroutes.inventory.typed_keys import ADVICE, problem_of

_Value = TypeVar("_Value", IPAddress, IPNetwork)


def _one_or_both(parse: Callable[[object], _Value], value: object) -> Iterable[_Value]:
    """Parse one value, a comma-separated text or a list: at most one of each family, IPv4 first."""
    parts: Iterable[object] = value if isinstance(value, list) else [value]
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
    values = tuple(parse(part) for part in parts)
    if not values:
        message = "the list is empty; leave the key out, or write one value for each family"
        raise ValueError(message)
    if len({item.version for item in values}) != len(values):
        message = "there are two values of one family; write one for IPv4, one for IPv6, or one of each"
        raise ValueError(message)
    return sorted(values, key=lambda item: item.version)


class Addresses(tuple[IPAddress, ...]):
    """At most one address of each family, IPv4 first."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """One address, a comma-separated text or a list.

        Raises:
            ValueError: It is none of these.
        """
        return cls(_one_or_both(parse_address, value))


class Networks(tuple[IPNetwork, ...]):
    """At most one network of each family, IPv4 first."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """One network, a comma-separated text or a list.

        Raises:
            ValueError: It is none of these.
        """
        return cls(_one_or_both(parse_network, value))


# `(?!\n)`: where Python's `$` would let a newline follow.
InterfaceName = Annotated[
    str,
    Meta(
        pattern=f"^{INTERFACE_NAME.pattern}(?!\\n)$",
        extra={ADVICE: NO_INTERFACE_NAME},
        examples=["eth0"],
    ),
]
NetworkName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(?!\n)$",
        extra={ADVICE: "{!r} is not a network's name; write letters, digits and . _ - with no space between"},
    ),
]
ResourceName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*(?!\n)$",
        extra={ADVICE: "must be one line"},
    ),
]


class SubnetNames(tuple[str, ...]):
    """One subnet's name or id, or one of each family's.

    A union of text and list would do, if msgspec (0.22) did not crash where such a text has a pattern.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """A name, or a list of one or two.

        Raises:
            ValueError: It is neither.
        """
        names: list[Any] = value if isinstance(value, list) else [value]
        if not 1 <= len(names) <= 2:
            message = "must be a subnet's name or id, or a list of two for both families"
            raise ValueError(message)
        for name in names:
            problem = problem_of(name, ResourceName)
            if problem is not None:
                raise ValueError(problem)
        if len(names) == 2 and names[0] == names[1]:
            message = f"names {names[0]} twice; write one subnet of each family"
            raise ValueError(message)
        return cls(names)
