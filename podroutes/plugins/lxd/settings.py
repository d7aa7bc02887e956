"""What an engineer may say about a connection to LXD or Incus."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from msgspec import Meta, Struct

from podroutes.errors import UsageError
from podroutes.inventory.typed_keys import read_keys

Server = Literal["lxd", "incus"]
_Kind = TypeVar("_Kind", bound=Struct)


class LxdSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which daemon, and what of it; what is left out is as `lxc` itself has it.

    Attributes:
        server: `lxd` or `incus`: whose sockets, folders and variables are meant.
        remote: Name of a remote, as `lxc remote list` shows it; the default remote where None.
        project: Name of a project; the remote's own where None.
        config_folder: Where the client keeps its config.yml and certificates; its own folder where None.
        conn_timeout: Seconds until the daemon must have answered; as long is waited for one that restarts.
    """

    server: Server = "lxd"
    remote: Annotated[str, Meta(min_length=1)] | None = None
    project: Annotated[str, Meta(min_length=1)] | None = None
    config_folder: Path | None = None
    conn_timeout: Annotated[float, Meta(gt=0, le=600)] = 10.0


def parse_options(kind: type[_Kind], options: object, where: str) -> _Kind:
    """Parse options that an engineer wrote.

    Args:
        kind: What they may be.
        options: What was written.
        where: The place it was written at, for the message.

    Raises:
        UsageError: Some are unknown or wrong; it says which.
    """
    typed, problems = read_keys(kind, options)
    if typed is None:
        raise UsageError("; ".join(problem.below(where) for problem in problems))
    return typed
