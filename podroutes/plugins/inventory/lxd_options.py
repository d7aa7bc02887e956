"""What may stand below `inventory.options` in `config.yaml` for `LXDInventory`."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StrictStr

from podroutes.plugins.lxd.settings import LxdSettings
from podroutes.values import parse_interface_name


def _as_several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Patterns = Annotated[tuple[Annotated[StrictStr, Field(min_length=1)], ...], BeforeValidator(_as_several)]


class InventoryOptions(LxdSettings):
    """Which daemon, which instances, and the files that add to them.

    Attributes:
        controllers: Patterns of controllers' names.
        workers: Patterns of workers' names.
        interface: The device inside an instance that has its internal IP.
        host_file: Path of `hosts.yaml`; None for none. Likewise the others.
        group_file: Of `groups.yaml`.
        defaults_file: Of `defaults.yaml`.
    """

    controllers: Patterns = ("controller-*",)
    workers: Patterns = ("worker-*",)
    interface: Annotated[str, BeforeValidator(parse_interface_name)] = "eth1"
    host_file: StrictStr | None = None
    group_file: StrictStr | None = None
    defaults_file: StrictStr | None = None
