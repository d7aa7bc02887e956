"""What is measured: who does which work, with which command."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.sites import Site


class Work(StrEnum):
    """What a contender is asked to do."""

    FIRST = "first"
    """Provision hosts that have nothing."""
    AGAIN = "again"
    """The same once more: there is nothing to change."""
    READ = "read"
    """Look, and change nothing."""


@dataclass(frozen=True)
class Command:
    """A contender's command.

    Attributes:
        argv: It and its arguments.
        environment: Variables in addition.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contender:
    """One that does the work.

    Attributes:
        name: In results and on the command line.
        title: For people.
        works: What it can do; makes its files and returns the command.
        persistent: Whether it keeps forwarding on over a reboot, as the hosts' check then asks.
    """

    name: str
    title: str
    works: Mapping[Work, Callable[[Site], Command]]
    persistent: bool = True
