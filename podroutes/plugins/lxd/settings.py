"""What an engineer may say about a connection to LXD or Incus."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from podroutes.errors import UsageError

Server = Literal["lxd", "incus"]
_Model = TypeVar("_Model", bound=BaseModel)


class LxdSettings(BaseModel):
    """Which daemon, and what of it; what is left out is as `lxc` itself has it.

    Attributes:
        server: `lxd` or `incus`: whose sockets, folders and variables are meant.
        remote: Name of a remote, as `lxc remote list` shows it; the default remote where None.
        project: Name of a project; the remote's own where None.
        config_folder: Where the client keeps its config.yml and certificates; its own folder where None.
        conn_timeout: Seconds until the daemon must have answered; as long is waited for one that restarts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    server: Server = "lxd"
    remote: Annotated[StrictStr, Field(min_length=1)] | None = None
    project: Annotated[StrictStr, Field(min_length=1)] | None = None
    config_folder: Path | None = None
    conn_timeout: Annotated[float, Field(gt=0, le=600)] = 10.0


def parse_options(model: type[_Model], options: Mapping[str, Any], where: str) -> _Model:
    """Parse options that an engineer wrote.

    Args:
        model: What they may be.
        options: What was written.
        where: The place it was written at, for the message.

    Raises:
        UsageError: One is unknown or wrong; it says which.
    """
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        detail = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "extra_forbidden":
            message = f"{where}: unknown key {key}; known keys: {', '.join(model.model_fields)}"
        else:
            message = f"{where}.{key}: {detail['msg']}"
        raise UsageError(message) from error
