"""A real Keystone and Neutron beside the lab's hosts, with the guide's network in them.

`Cloud` is what commands and tests use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.cloud.cloud import Cloud as Cloud

__all__ = ["Cloud"]


def __getattr__(name: str) -> object:
    """Load what is asked for: the edge is a process of its own and needs none of it."""
    if name == "Cloud":
        from lab.cloud.cloud import Cloud  # noqa: PLC0415 - late on purpose, see above

        return Cloud
    raise AttributeError(f"module 'lab.cloud' has no attribute {name!r}")
