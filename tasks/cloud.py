"""A cloud as a host of the inventory: what reads it, and what its errors mean."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from keystoneauth1 import exceptions as keystone
from nornir.core.task import Task
from openstack import exceptions as sdk
from openstack.connection import Connection

from podroutes.cloud import CloudState, parse_ports, parse_routers, parse_subnets
from podroutes.errors import AuthenticationError, CloudError, UnreachableError
from podroutes.network_plan import Cloud

_Result = TypeVar("_Result")
_CONNECTION = "openstack"


def connection_to(task: Task, cloud: Cloud) -> Connection:
    """The host's one connection to its cloud."""
    host = task.host
    if _CONNECTION not in host.connections:
        extras = host.get_connection_parameters(_CONNECTION).extras or {}
        host.open_connection(_CONNECTION, task.nornir.config, extras={**extras, "cloud": cloud.cloud})
    return cast("Connection", host.connections[_CONNECTION].connection)


def call(cloud: Cloud, what: str, request: Callable[[], _Result]) -> _Result:
    """Make a request, and say in a line what an error of it means.

    Args:
        cloud: Whose API it is.
        what: What the request is for, such as `read the ports`.
        request: Makes it.

    Raises:
        AuthenticationError: The credentials are refused, or the token is.
        UnreachableError: The API does not answer.
        CloudError: It answers with an error.
    """
    try:
        return request()
    except (keystone.Unauthorized, keystone.MissingRequiredOptions, keystone.MissingAuthPlugin) as error:
        message = f"cloud {cloud.cloud} refuses the credentials of clouds.yaml: {_first_line(error)}"
        raise AuthenticationError(message) from error
    except (keystone.ConnectFailure, keystone.ConnectTimeout, keystone.DiscoveryFailure) as error:
        message = f"the API of cloud {cloud.cloud} does not answer: {_first_line(error)}"
        raise UnreachableError(message) from error
    except sdk.ForbiddenException as error:
        message = (
            f"cloud {cloud.cloud} does not allow this user to {what} (403): "
            "ask the project's administrator for the member role"
        )
        raise CloudError(message) from error
    except (sdk.SDKException, keystone.ClientException) as error:
        raise CloudError(f"cloud {cloud.cloud} could not {what}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    details = getattr(error, "details", None)
    text = str(details) if isinstance(details, str) and details else str(error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__


def collect_cloud(connection: Connection, cloud: Cloud) -> CloudState:
    """Read everything that planning needs: the network, its subnets and ports, and the router; a request each.

    Raises:
        HostError: The cloud can't be read.
        CloudError: What the inventory names is not there.
    """
    network = connection.network
    found = call(cloud, f"find network {cloud.network}", lambda: _by_name_or_id(network.networks, cloud.network))
    network_id = _only(found, "network", cloud.network, cloud)["id"]
    subnets = parse_subnets(
        _dicts(call(cloud, "read the subnets", lambda: list(network.subnets(network_id=network_id))))
    )
    chosen = []
    for name in cloud.subnets:
        matching = [subnet for subnet in subnets if name in (subnet.id, subnet.name)]
        if len(matching) != 1:
            names = ", ".join(sorted(subnet.name for subnet in subnets)) or "none"
            how_many = "no" if not matching else f"{len(matching)}"
            message = f"network {cloud.network} has {how_many} subnet {name}; it has: {names} (write the id if several)"
            raise CloudError(message)
        chosen.append(matching[0])
    ports = parse_ports(_dicts(call(cloud, "read the ports", lambda: list(network.ports(network_id=network_id)))))
    router = None
    if cloud.router is not None:
        routers = call(cloud, f"find router {cloud.router}", lambda: _by_name_or_id(network.routers, str(cloud.router)))
        router = parse_routers([_only(routers, "router", cloud.router, cloud)])[0]
    return CloudState(network_id, {subnet.family: subnet for subnet in chosen}, ports, router)


def _by_name_or_id(list_resources: Callable[..., Any], name: str) -> list[dict[str, Any]]:
    return _dicts(list_resources(name=name)) or _dicts(list_resources(id=name))


def _dicts(resources: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # the SDK's resources have no common type
    return [resource.to_dict(computed=False, original_names=True) for resource in resources]


def _only(found: list[dict[str, Any]], what: str, name: str, cloud: Cloud) -> dict[str, Any]:
    if len(found) == 1:
        return found[0]
    if not found:
        message = f"cloud {cloud.cloud} has no {what} {name} that this user sees; check data.{what} in the inventory"
    else:
        message = f"cloud {cloud.cloud} has {len(found)} {what}s named {name}; write the id in the inventory"
    raise CloudError(message)
