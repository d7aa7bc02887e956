"""What may stand below `inventory.options` in `config.yaml` for `LXDInventory`."""

from typing import Annotated, Any, Self

from msgspec import Meta

from podroutes.inventory.key_types import InterfaceName
from podroutes.inventory.typed_keys import problem_of
from podroutes.plugins.lxd.settings import LxdSettings

Pattern = Annotated[str, Meta(min_length=1)]


class Patterns(tuple[str, ...]):
    """Patterns of instances' names."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """One pattern, or a list of them.

        Raises:
            ValueError: It is neither.
        """
        patterns: list[Any] = value if isinstance(value, list) else [value]
        problem = problem_of(patterns, list[Pattern])
        if problem is not None:
            raise ValueError(problem)
        return cls(patterns)


class InventoryOptions(LxdSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which daemon, which instances, and the files that add to them.

    Attributes:
        controllers: Patterns of controllers' names.
        workers: Patterns of workers' names.
        interface: The device inside an instance that has its internal IP.
        host_file: Path of `hosts.yaml`; None for none. Likewise the others.
        group_file: Of `groups.yaml`.
        defaults_file: Of `defaults.yaml`.
    """

    controllers: Patterns = Patterns(("controller-*",))
    workers: Patterns = Patterns(("worker-*",))
    interface: InterfaceName = "eth1"
    host_file: str | None = None
    group_file: str | None = None
    defaults_file: str | None = None
