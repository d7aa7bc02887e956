"""A cloud as a host of the inventory: what reads it, and what its errors mean."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from keystoneauth1 import exceptions as keystone
from nornir.core.task import Task
from openstack import exceptions as sdk
from openstack.connection import Connection

from podroutes.addresses import Family
from podroutes.errors import AuthenticationError, CloudBusyError, CloudError, PodRoutesError, UnreachableError
from podroutes.host.cloud import CloudState, SubnetState, parse_ports, parse_routers, parse_subnets
from podroutes.inventory.network_plan import Cloud
from podroutes.text import first_line

_Result = TypeVar("_Result")
_CONNECTION: Final = "openstack"
# Seconds before a request that only reads is made again, where it failed in a way that passes.
_READ_PAUSES: Final = (0.2, 0.8)
_BUSY: Final = (409, 503)
_FORBIDDEN: Final = 403
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")
# What to do about what Neutron refuses, by its own name for it.
_ADVICE: Final[Mapping[str, str]] = {
    "HostRoutesExhausted": "write the operator's limit as max_subnet_host_routes in the inventory; then use "
    "route_target: router, larger node CIDRs on fewer workers, or have the operator raise it",
    "AllowedAddressPairExhausted": "remove foreign pairs from that port, or have the operator raise "
    "max_allowed_address_pair",
    "InvalidRoutes": "the router has to be attached to the workers' subnet",
    "OverQuota": "remove foreign ones, or have the operator raise the limit",
}


def connection_to(task: Task, cloud: Cloud) -> Connection:
    """The host's one connection to its cloud."""
    host = task.host
    if _CONNECTION not in host.connections:
        extras = host.get_connection_parameters(_CONNECTION).extras or {}
        host.open_connection(_CONNECTION, task.nornir.config, extras={**extras, "cloud": cloud.cloud})
    return cast("Connection", host.connections[_CONNECTION].connection)


def call(cloud: Cloud, what: str, request: Callable[[], _Result]) -> _Result:
    """Make a request that is to do `what`, such as `read the ports`.

    Raises:
        AuthenticationError: The credentials are refused, or the token is.
        UnreachableError: The API does not answer.
        CloudBusyError: It answers that it could not do it now.
        CloudError: It answers with another error.
    """
    try:
        return request()
    except (keystone.Unauthorized, keystone.MissingRequiredOptions, keystone.MissingAuthPlugin) as error:
        message = f"cloud {cloud.cloud} refuses the credentials of clouds.yaml: {_first_line(error)}"
        raise AuthenticationError(message) from error
    except (keystone.ConnectionError, keystone.DiscoveryFailure) as error:
        message = f"the API of cloud {cloud.cloud} does not answer: {_connection_problem(error)}"
        raise UnreachableError(message) from error
    except (sdk.SDKException, keystone.ClientException) as error:
        raise _refusal(cloud, what, error) from error


def read(
    cloud: Cloud, what: str, request: Callable[[], _Result], *, sleep: Callable[[float], None] = time.sleep
) -> _Result:
    """Make a request that changes nothing: as `call`, and again if it failed in a way that passes.

    One that was not answered in time is not made again: the time limit is the engineer's patience.
    """
    for pause in _READ_PAUSES:
        try:
            return call(cloud, what, request)
        except (CloudBusyError, UnreachableError) as error:
            too_slow = any(isinstance(one, keystone.ConnectTimeout) for one in _chain(error.__cause__))
            if isinstance(error, AuthenticationError) or too_slow:
                raise
            sleep(pause)
    return call(cloud, what, request)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error of a library and what it came from, without what was being handled when the request was made."""
    seen: set[int] = set()
    while error is not None and not isinstance(error, PodRoutesError) and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _connection_problem(error: Exception) -> str:
    """What was tried, without the libraries' own names for it, and what the system said to it."""
    what = _first_line(error).partition(": HTTP")[0].rstrip(":")
    *_, root = _chain(error)
    why = getattr(root, "strerror", None) or str(root)
    return what if root is error or why in what else f"{what}: {why}"


def _refusal(cloud: Cloud, what: str, error: Exception) -> CloudError:
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    if status == _FORBIDDEN:
        who = "ask the project's administrator for the member role"
        return CloudError(f"cloud {cloud.cloud} does not allow this user to {what} (403): {who}")
    advice = _ADVICE.get(_neutrons_name(error), "")
    message = f"cloud {cloud.cloud} could not {what}: {_first_line(error)}{f'; {advice}' if advice else ''}"
    return CloudBusyError(message) if status in _BUSY else CloudError(message)


def _neutrons_name(error: Exception) -> str:
    """Neutron's own name for an error; the SDK keeps only the text."""
    response = getattr(error, "response", None)
    try:
        return str(response.json()["NeutronError"]["type"]) if response is not None else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _first_line(error: Exception) -> str:
    details = getattr(error, "details", None)
    text = str(details) if isinstance(details, str) and details else str(error)
    return first_line(text).rstrip(". ") or type(error).__name__


def collect_cloud(connection: Connection, cloud: Cloud) -> CloudState:
    """Read everything that planning needs: the network, its subnets and ports, and the router; a request each.

    Raises:
        HostError: The cloud can't be read.
        CloudError: What the inventory names is not there.
    """
    network = read(cloud, "log in", lambda: _log_in(connection, cloud))
    network_id = _find(cloud, "network", cloud.network, network.networks)["id"]
    subnets = parse_subnets(read(cloud, "read the subnets", lambda: _dicts(network.subnets(network_id=network_id))))
    chosen = _choose(subnets, cloud)
    ports = parse_ports(read(cloud, "read the ports", lambda: _dicts(network.ports(network_id=network_id))))
    router = None
    if cloud.router is not None:
        router = parse_routers([_find(cloud, "router", cloud.router, network.routers)])[0]
    return CloudState(network_id, chosen, ports, router)


def _log_in(connection: Connection, cloud: Cloud) -> Any:  # noqa: ANN401  # the SDK's proxies have no common type
    try:
        # The SDK logs in at the first look at a service.
        return connection.network
    except Exception as error:
        # This is how keystoneauth says that something below `auth` is missing.
        if type(error) is not Exception:
            raise
        message = f"cloud {cloud.cloud} can't log in with what clouds.yaml says: {_first_line(error)}"
        raise AuthenticationError(message) from error


def _choose(subnets: Sequence[SubnetState], cloud: Cloud) -> Mapping[Family, SubnetState]:
    """The subnets that the inventory names, by family."""
    chosen: dict[Family, SubnetState] = {}
    for name in cloud.subnets:
        matching = [subnet for subnet in subnets if name in (subnet.id, subnet.name)]
        if len(matching) != 1:
            names = ", ".join(sorted(subnet.label for subnet in subnets)) or "none"
            hint = "; write the id" if matching else ""
            raise CloudError(
                f"network {cloud.network} has {len(matching) or 'no'} subnet {name}; it has: {names}{hint}"
            )
        subnet = matching[0]
        other = chosen.setdefault(subnet.family, subnet)
        if other is not subnet:
            message = f"the subnets {other.label} and {subnet.label} are both IPv{subnet.family}"
            raise CloudError(f"{message}; data.subnet takes one of each family")
    return chosen


def _find(cloud: Cloud, what: str, name: str, list_resources: Callable[..., Any]) -> dict[str, Any]:
    """The one resource with a name or id; a name may look like an id, so the likelier one is asked for first."""
    likelier, other = ("id", "name") if _UUID.fullmatch(name) else ("name", "id")
    found = read(
        cloud,
        f"find {what} {name}",
        lambda: _dicts(list_resources(**{likelier: name})) or _dicts(list_resources(**{other: name})),
    )
    if not found:
        message = f"cloud {cloud.cloud} has no {what} {name} that this user sees; check data.{what} in the inventory"
        raise CloudError(message)
    if len(found) > 1:
        raise CloudError(f"cloud {cloud.cloud} has {len(found)} {what}s named {name}; write the id in the inventory")
    return found[0]


def _dicts(resources: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # the SDK's resources have no common type
    return [resource.to_dict(computed=False, original_names=True) for resource in resources]
