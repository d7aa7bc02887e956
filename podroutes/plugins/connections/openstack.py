"""A Nornir connection that holds an `openstack.connection.Connection`."""

from typing import TYPE_CHECKING, Any, Final

from nornir.core.configuration import Config

from podroutes.errors import CloudError

if TYPE_CHECKING:
    from openstack.connection import Connection

# Seconds until the API must have answered.
_API_TIMEOUT: Final = 30.0


class OpenStack:
    """Connects to a cloud of clouds.yaml; credentials come from there and from nowhere else.

    Inventory:
        extras: `cloud`, the cloud's name, and `api_timeout` in seconds.
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
        from openstack.exceptions import ConfigException  # noqa: PLC0415

        options = dict(extras or {})
        name = options.pop("cloud", None)
        timeout = float(options.pop("api_timeout", _API_TIMEOUT))
        try:
            region = OpenStackConfig(app_name="pod-routes").get_one(cloud=name, api_timeout=timeout)
            self.connection = Connection(config=region)
        except ConfigException as error:
            known = ", ".join(sorted(OpenStackConfig().get_cloud_names())) or "none"
            message = f"cloud {name}: {str(error).splitlines()[0]}; clouds.yaml has: {known}"
            raise CloudError(message) from error

    def close(self) -> None:
        """Close it."""
        self.connection.close()
