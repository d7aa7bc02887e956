"""What is measured in which mode, in what order: pure data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

CONTROLLERS = 3
SIZES = (6, 24, 100)
LARGEST = 400
FAR_MS = 100
TRIPS_MS = (0, FAR_MS)


class Mode(StrEnum):
    """How much is measured."""

    QUICK = "quick"
    DEFAULT = "default"
    FULL = "full"


@dataclass(frozen=True)
class Times:
    """How often a contender is measured.

    Attributes:
        rounds: From pristine hosts on.
        looks: Runs of each work that changes nothing, in each round.
    """

    rounds: int
    looks: int


@dataclass(frozen=True)
class Cell:
    """A size and a distance, at which contenders are measured side by side.

    Attributes:
        hosts: Number of hosts.
        trip_ms: Milliseconds that a round trip takes in addition.
        contenders: How often, by name, in order.
    """

    hosts: int
    trip_ms: int
    contenders: Mapping[str, Times]


_ONCE = Times(1, 1)
_ONCE_THRICE = Times(1, 3)
_TWICE_THRICE = Times(2, 3)

_FAST = ("floor", "product")
_ALL = ("floor", "product", "pyinfra", "ansible-50", "ansible-5", "seed")

# What the default mode leaves out takes minutes each, and is no part of a target.
_DEFAULT = (
    Cell(6, 0, dict.fromkeys(_FAST, _TWICE_THRICE) | dict.fromkeys(_ALL[2:], _ONCE)),
    Cell(6, 100, dict.fromkeys(_FAST, _TWICE_THRICE) | dict.fromkeys(("pyinfra", "ansible-50"), _ONCE)),
    Cell(24, 0, dict.fromkeys(_FAST, _TWICE_THRICE) | dict.fromkeys(("pyinfra", "ansible-50"), _ONCE)),
    Cell(24, 100, dict.fromkeys(_FAST, _TWICE_THRICE) | dict.fromkeys(("pyinfra", "ansible-50"), _ONCE)),
    Cell(100, 0, dict.fromkeys(_FAST, _ONCE_THRICE) | dict.fromkeys(("pyinfra", "ansible-50"), _ONCE)),
    Cell(100, 100, dict.fromkeys(_FAST, _ONCE_THRICE) | dict.fromkeys(("pyinfra", "ansible-50"), _ONCE)),
    Cell(LARGEST, 0, {"product": _ONCE}),
    Cell(LARGEST, 100, {"product": _ONCE}),
)
_QUICK = (
    Cell(6, 0, dict.fromkeys(_FAST, _TWICE_THRICE) | {"pyinfra": _ONCE}),
    Cell(6, 100, dict.fromkeys(_FAST, _ONCE_THRICE)),
    Cell(24, 0, dict.fromkeys(_FAST, _ONCE_THRICE) | {"pyinfra": _ONCE}),
    Cell(100, 0, dict.fromkeys(_FAST, _ONCE_THRICE) | {"pyinfra": _ONCE}),
)


def cells(mode: Mode) -> tuple[Cell, ...]:
    """What a mode measures, sizes ascending.

    Args:
        mode: How much.
    """
    match mode:
        case Mode.QUICK:
            return _QUICK
        case Mode.DEFAULT:
            return _DEFAULT
        case Mode.FULL:
            return tuple(_everything())


def _everything() -> Iterator[Cell]:
    for hosts, trip_ms in product(SIZES, TRIPS_MS):
        yield Cell(hosts, trip_ms, dict.fromkeys(_FAST, Times(3, 3)) | dict.fromkeys(_ALL[2:], _ONCE))
    for trip_ms in TRIPS_MS:
        yield Cell(LARGEST, trip_ms, {"product": _ONCE_THRICE})
