"""A Nornir connection that holds an `openstack.connection.Connection`."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct
from nornir.core.configuration import Config

from podroutes.errors import CloudError
from podroutes.inventory.typed_keys import read_keys
from podroutes.text import first_line

if TYPE_CHECKING:
    from openstack.connection import Connection

# Seconds until the API must have answered, where neither the inventory nor clouds.yaml says it.
_API_TIMEOUT: Final = 30.0
_EXTRAS: Final = "connection_options.openstack.extras"
_WHERE: Final = "the current folder, ~/.config/openstack or /etc/openstack, or where OS_CLIENT_CONFIG_FILE says"


class OpenStackExtras(Struct, frozen=True, forbid_unknown_fields=True):
    """What an engineer may write below `connection_options.openstack.extras`.

    Attributes:
        api_timeout: Seconds until a request must have been answered; what clouds.yaml says, else 30, where None.
    """

    api_timeout: Annotated[float, Meta(gt=0)] | None = None


class OpenStack:
    """Connects to a cloud of clouds.yaml; credentials come from there and from nowhere else.

    Inventory:
        extras: As `OpenStackExtras`; the task adds `cloud`, the cloud's name.
    """

    connection: "Connection"

    def open(  # noqa: PLR0917  # Nornir's own signature
        self,
        hostname: str | None,
        username: str | None,
        password: str | None,
        port: int | None,
        platform: str | None,
        extras: dict[str, Any] | None = None,
        configuration: Config | None = None,
    ) -> None:
        """Prepare the connection; nothing is sent before the first request.

        Raises:
            CloudError: clouds.yaml has no such cloud, or can't be used.
        """
        # Nornir loads every plugin that is installed; only a run with a cloud is to pay for the SDK.
        from openstack.config import OpenStackConfig  # noqa: PLC0415
        from openstack.connection import Connection  # noqa: PLC0415

        _keep_quiet()
        options = dict(extras or {})
        name = str(options.pop("cloud", ""))
        settings = _parse(options, _EXTRAS)
        path, known = _first_file(), list[str]()
        try:
            config = OpenStackConfig(app_name="pod-routes")
            path = config.config_filename or path
            known = sorted(set(config.get_cloud_names()) - {"defaults"})
            if name in known:
                region = config.get_one(cloud=name)
                own = _parse({"api_timeout": region.config.get("api_timeout")}, f"cloud {name}: {path}: clouds.{name}")
                region.config["api_timeout"] = settings.api_timeout or own.api_timeout or _API_TIMEOUT
                self.connection = Connection(config=region)
        except CloudError:
            raise
        except Exception as error:
            # Whatever it is made of: a library reads a file that a person wrote. Its message may quote the file, and so
            # a password, unless it is one of the library's own.
            raise CloudError(f"cloud {name}: {path or 'clouds.yaml'} can't be used: {_shown(error)}") from error
        if name not in known:
            raise CloudError(_missing(name, path, config.config_filename, known))

    def close(self) -> None:
        """Close it."""
        self.connection.close()


def _first_file() -> str | None:
    from openstack.config.loader import CONFIG_FILES  # noqa: PLC0415  # see above

    candidates = (os.environ.get("OS_CLIENT_CONFIG_FILE", ""), *CONFIG_FILES)
    return next((candidate for candidate in candidates if Path(candidate).is_file()), None)


def _missing(name: str, path: str | None, read: str | None, known: Sequence[str]) -> str:
    if path is None:
        return f"there is no clouds.yaml with cloud {name}: it is looked for in {_WHERE}"
    if read is None:  # the SDK passes over what it can't read
        return f"cloud {name}: {path} can't be used: it is no YAML, or this user may not read it"
    return f"there is no cloud {name} in {path}; it has: {', '.join(known) or 'none'}"


def _parse(options: dict[str, Any], where: str) -> OpenStackExtras:
    settings, problems = read_keys(OpenStackExtras, options)
    if settings is None:
        raise CloudError("; ".join(problem.below(where) for problem in problems))
    return settings


def _shown(error: Exception) -> str:
    from keystoneauth1.exceptions import ClientException  # noqa: PLC0415  # see above
    from openstack.exceptions import ConfigException  # noqa: PLC0415

    if isinstance(error, ClientException | ConfigException):
        return first_line(error).rstrip(".")
    return f"{type(error).__name__} (-v shows where)"


def _keep_quiet() -> None:
    """What its libraries warn of comes as errors too; without a handler Python would print it between the lines."""
    for name in ("keystoneauth", "openstack"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
