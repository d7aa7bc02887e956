"""A private LXD in the lab, with the guide's containers in it.

`Lxd` is what commands and tests use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.lxd.lxd import Lxd as Lxd

__all__ = ["Lxd"]


def __getattr__(name: str) -> object:
    """Load what is asked for: the operator's environment is wanted by commands that must be quick."""
    if name == "Lxd":
        from lab.lxd.lxd import Lxd  # noqa: PLC0415 - late on purpose, see above

        return Lxd
    raise AttributeError(f"module 'lab.lxd' has no attribute {name!r}")
