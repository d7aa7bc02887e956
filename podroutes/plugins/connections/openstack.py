"""A Nornir connection that holds an `openstack.connection.Connection`."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct
from nornir.core.configuration import Config

from podroutes.errors import CloudError
from podroutes.text import first_line

if TYPE_CHECKING:
    from openstack.connection import Connection

# Seconds until the API must have answered, where neither the inventory nor clouds.yaml says it.
_API_TIMEOUT: Final = 30.0
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
        extras: `cloud`, the cloud's name, and `api_timeout`, the seconds until a request must have been answered.
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
        name, timeout = _options(extras or {})
        path, known = _first_file(), list[str]()
        try:
            config = OpenStackConfig(app_name="pod-routes")
            path = config.config_filename or path
            known = sorted(set(config.get_cloud_names()) - {"defaults"})
            if name in known:
                region = config.get_one(cloud=name)
                own = region.config.get("api_timeout") or _API_TIMEOUT
                region.config["api_timeout"] = timeout or _seconds(own, "api_timeout")
                self.connection = Connection(config=region)
        except CloudError as error:
            raise CloudError(f"cloud {name}: {path}: {error}") from error
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


def _options(extras: dict[str, Any]) -> tuple[str, float | None]:
    options = dict(extras)
    name, timeout = str(options.pop("cloud", "")), options.pop("api_timeout", None)
    where = "connection_options.openstack.extras"
    if options:
        message = f"{where}: unknown key {', '.join(sorted(options))}; known keys: api_timeout"
        raise CloudError(message)
    return name, None if timeout is None else _seconds(timeout, f"{where}.api_timeout")


def _seconds(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        message = f"{where} must be a number of seconds above 0, without quotes"
        raise CloudError(message)
    return float(value)


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
