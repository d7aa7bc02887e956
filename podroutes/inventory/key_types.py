"""Types of the inventory's keys that are more than any text or number."""

from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar

from msgspec import Meta

from podroutes.addresses import INTERFACE_NAME, NO_INTERFACE_NAME, IPAddress, IPNetwork, parse_address, parse_network
from podroutes.inventory.typed_keys import ADVICE, problem_of

# The groups that make a host a machine of the cluster, or a cloud that machines run in.
CONTROLLERS: Final = "controllers"
WORKERS: Final = "workers"
OPENSTACK: Final = "openstack"

Persist = Literal["unit", "networkd", "networkmanager", "ifupdown"]
# Hooks of these have `routes.service` set the routes again.
KEPT_BY_HOOKS: Final = frozenset[Persist]({"networkmanager", "ifupdown"})

_Value = TypeVar("_Value", IPAddress, IPNetwork)


class _OneOrBoth(tuple[_Value, ...]):
    __slots__ = ()
    parse_one: ClassVar["staticmethod[[object], Any]"]

    @classmethod
    def parse(cls, value: object) -> Self:
        """One value, a comma-separated text or a list: at most one of each family.

        Raises:
            ValueError: It is none of these.
        """
        parts: list[object] = value if isinstance(value, list) else [value]
        if isinstance(value, str):
            parts = [part.strip() for part in value.split(",")]
        values = [cls.parse_one(part) for part in parts]
        if not values:
            message = "the list is empty; leave the key out, or write one value for each family"
            raise ValueError(message)
        for version in (4, 6):
            if sum(one.version == version for one in values) > 1:
                message = f"two IPv{version} values; one per family is allowed"
                raise ValueError(message)
        return cls(sorted(values, key=lambda one: int(one.version)))


class Addresses(_OneOrBoth[IPAddress]):
    """At most one address of each family, IPv4 first."""

    __slots__ = ()
    parse_one = staticmethod(parse_address)


class Networks(_OneOrBoth[IPNetwork]):
    """At most one network of each family, IPv4 first."""

    __slots__ = ()
    parse_one = staticmethod(parse_network)


# `(?!\n)`: where Python's `$` would let a newline follow.
InterfaceName = Annotated[
    str, Meta(pattern=f"^{INTERFACE_NAME.pattern}(?!\\n)$", extra={ADVICE: NO_INTERFACE_NAME}, examples=["eth0"])
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
