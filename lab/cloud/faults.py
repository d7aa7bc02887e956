"""Faults: what can go wrong in a cloud, each a small function in one table, and how to undo some of them.

The product fixes host routes and address pairs. It cannot fix the cloud itself: for that there are `REPAIRS`.
"""

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from lab.cloud.api import Api
from lab.cloud.config import USER
from lab.cloud.edge.control import Control
from lab.cloud.edge.rules import WRITES, Rule
from lab.cloud.resources import SUBNET, SUBNET_IPV6, find, project_id
from lab.errors import LabError
from lab.fault import Fault, other_address, parse_address, parse_network
from lab.faults import Place

_MEMBER, _READER = "member", "reader"
_SLOW_SECONDS = "5"
_SERVICES = ("network", "identity")
_FOREIGN = "192.168.100.0/24"


class CloudPlace(Protocol):
    """A cloud that something can go wrong in."""

    @property
    def lab(self) -> Place:
        """The lab, with its hosts."""

    @property
    def control(self) -> Control:
        """The sender of commands to the edge."""

    def api(self) -> Api:
        """The APIs, as the cloud's administrator and past the edge."""


def _host_route_removed(cloud: CloudPlace, cidr: str | None = None) -> str:
    api = cloud.api()
    subnet, route = _route(cloud, api, cidr)
    _set_routes(api, subnet, [one for one in subnet["host_routes"] if one != route])
    return f"removed {_shown(route)} from the subnet {subnet['name']}"


def _host_route_wrong(cloud: CloudPlace, cidr: str | None = None, via: str | None = None) -> str:
    api = cloud.api()
    subnet, route = _route(cloud, api, cidr)
    hop = (
        parse_address(via) if via is not None else other_address(cloud.lab.hosts, cloud.lab.layout, [route["nexthop"]])
    )
    wrong = route | {"nexthop": hop}
    _set_routes(api, subnet, [wrong if one == route else one for one in subnet["host_routes"]])
    return f"the subnet {subnet['name']} now has {_shown(wrong)} instead of gateway {route['nexthop']}"


def _host_route_foreign(cloud: CloudPlace, cidr: str = _FOREIGN, via: str | None = None) -> str:
    api = cloud.api()
    wanted = str(parse_network(cidr))
    subnet = _subnet(api, SUBNET_IPV6 if ":" in wanted else SUBNET)
    added = {"destination": wanted, "nexthop": parse_address(via) if via is not None else subnet["gateway_ip"]}
    if added not in subnet["host_routes"]:
        _set_routes(api, subnet, [*subnet["host_routes"], added])
    return f"the subnet {subnet['name']} has {_shown(added)}, as another administrator would set it"


def _address_pair_removed(cloud: CloudPlace, host: str | None = None) -> str:
    api = cloud.api()
    names = [host] if host is not None else [one.name for one in cloud.lab.hosts if one.role == "worker"]
    for name in names:
        port = find(api, "port", cloud.lab.layout.host(name).name)
        if port is not None and port["allowed_address_pairs"]:
            api.call("PUT", f"/v2.0/ports/{port['id']}", {"port": {"allowed_address_pairs": []}})
            pairs = ", ".join(pair["ip_address"] for pair in port["allowed_address_pairs"])
            return f"the port of {name} may not send from {pairs} any more"
    raise LabError(f"no port of {', '.join(names)} has an address pair: provision it first")


def _api_stopped(cloud: CloudPlace, service: str = "network") -> str:
    cloud.control.stop(_service(service))
    return f"the {service} API is stopped: connections are refused"


def _api_slow(cloud: CloudPlace, seconds: str = _SLOW_SECONDS, service: str = "network") -> str:
    wait = _seconds(seconds)
    cloud.control.add(Rule("slow", _service(service), seconds=wait, count=None))
    return f"each request to the {service} API takes {wait:g} s longer"


def _answering(status: int, methods: tuple[str, ...]) -> Callable[..., str]:
    def make(cloud: CloudPlace, count: str = "1", method: str | None = None) -> str:
        number = _count(count)
        chosen = methods if method is None else (method.upper(),)
        cloud.control.add(Rule("answer", methods=chosen, status=status, count=number))
        return f"the network API will answer the next {_requests(number, chosen)} with {status}"

    return make


def _answer_lost(cloud: CloudPlace, count: str = "1", method: str | None = None) -> str:
    number = _count(count)
    chosen = WRITES if method is None else (method.upper(),)
    cloud.control.add(Rule("lose", methods=chosen, count=number))
    return f"the network API will do the next {_requests(number, chosen)} and hang up instead of answering"


def _role_revoked(cloud: CloudPlace, role: str = _MEMBER) -> str:
    if role not in (_MEMBER, "all"):
        raise LabError(f"role-revoked takes `{_MEMBER}` or `all`, not {role!r}")
    api = cloud.api()
    if role == _MEMBER:
        _assign(api, "PUT", _READER)
    else:
        _assign(api, "DELETE", _READER)
    _assign(api, "DELETE", _MEMBER)
    left = f"left is {_READER}, which may change nothing" if role == _MEMBER else "it cannot log in to its project"
    return f"the user {USER} has lost the role {_MEMBER}: {left}"


def _token_expired(cloud: CloudPlace) -> str:
    api = cloud.api()
    user = _user(api)
    # Keystone revokes the tokens of a user who is disabled; they stay revoked.
    for enabled in (False, True):
        api.call("PATCH", f"/v3/users/{user}", {"user": {"enabled": enabled}}, service="identity")
    # It counts in whole seconds: a token from the rest of this one would be revoked too.
    time.sleep(1.0 - time.time() % 1.0)
    return f"every token of the user {USER} so far is no longer valid; a new login works"


FAULTS = (
    Fault(
        "host-route-removed", ("CIDR",), "remove a host route of the subnet (the first to a pod)", _host_route_removed
    ),
    Fault("host-route-wrong", ("CIDR", "VIA"), "point a host route at another host", _host_route_wrong),
    Fault("host-route-foreign", ("CIDR", "VIA"), "add a foreign host route", _host_route_foreign),
    Fault(
        "address-pair-removed", ("HOST",), "remove the allowed address pairs of a worker's port", _address_pair_removed
    ),
    Fault("api-stopped", ("SERVICE",), "refuse connections to Neutron, or to `identity` [repair]", _api_stopped),
    Fault("api-slow", ("SECONDS", "SERVICE"), f"answer late, by {_SLOW_SECONDS} s [repair]", _api_slow),
    Fault("api-500", ("COUNT", "METHOD"), "answer requests with 500 [repair]", _answering(500, ())),
    Fault("api-503", ("COUNT", "METHOD"), "answer requests with 503, as a load balancer [repair]", _answering(503, ())),
    Fault("api-409", ("COUNT", "METHOD"), "answer changes with 409 [repair]", _answering(409, WRITES)),
    Fault("api-412", ("COUNT", "METHOD"), "answer changes with 412 [repair]", _answering(412, WRITES)),
    Fault("answer-lost", ("COUNT", "METHOD"), "make changes, hang up instead of answering [repair]", _answer_lost),
    Fault("role-revoked", ("ROLE",), f"leave the user {_READER} alone; `all`: no role at all [repair]", _role_revoked),
    Fault("token-expired", (), "revoke every token of the user", _token_expired),
)


def _repair_edge(cloud: CloudPlace) -> str | None:
    return "the APIs behave again" if cloud.control.clear() > 0 else None


def _repair_role(cloud: CloudPlace) -> str | None:
    api = cloud.api()
    roles = {role["name"] for role in _get_roles(api)}
    if _MEMBER in roles and _READER not in roles:
        return None
    _assign(api, "PUT", _MEMBER)
    _assign(api, "DELETE", _READER)
    return f"the user {USER} has the role {_MEMBER} again"


REPAIRS: tuple[Callable[[CloudPlace], str | None], ...] = (_repair_edge, _repair_role)


def _subnet(api: Api, name: str) -> dict[str, Any]:
    found = find(api, "subnet", name)
    if found is None:
        raise LabError(f"the cloud has no subnet {name}: `up --cloud` creates it")
    return found


def _route(cloud: CloudPlace, api: Api, cidr: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """A subnet and one of its host routes: that to a network, or the first to a worker's pods."""
    pods = {str(pod) for host in cloud.lab.hosts for pod in host.pod_cidrs}
    wanted = pods if cidr is None else {str(parse_network(cidr))}
    for name in (SUBNET, SUBNET_IPV6):
        subnet = find(api, "subnet", name)
        routes = [] if subnet is None else sorted(subnet["host_routes"], key=lambda one: str(one["destination"]))
        for route in routes:
            if subnet is not None and route["destination"] in wanted:
                return subnet, route
    which = "a pod network" if cidr is None else cidr
    raise LabError(f"the subnet {SUBNET} has no host route to {which}: provision it first")


def _set_routes(api: Api, subnet: dict[str, Any], routes: list[dict[str, str]]) -> None:
    api.call("PUT", f"/v2.0/subnets/{subnet['id']}", {"subnet": {"host_routes": routes}})


def _user(api: Api) -> str:
    return str(api.get("/v3/users", service="identity", name=USER)["users"][0]["id"])


def _get_roles(api: Api) -> list[dict[str, Any]]:
    path = f"/v3/projects/{project_id(api)}/users/{_user(api)}/roles"
    roles: list[dict[str, Any]] = api.get(path, service="identity")["roles"]
    return roles


def _assign(api: Api, method: str, role: str) -> None:
    """Give the project's user a role (PUT) or take it away (DELETE), unless that is so already."""
    if (method == "PUT") == (role in {one["name"] for one in _get_roles(api)}):
        return
    role_id = api.get("/v3/roles", service="identity", name=role)["roles"][0]["id"]
    api.call(method, f"/v3/projects/{project_id(api)}/users/{_user(api)}/roles/{role_id}", service="identity")


def _shown(route: dict[str, str]) -> str:
    """A host route as the guide's command line writes it."""
    return f"destination={route['destination']},gateway={route['nexthop']}"


def _requests(count: int, methods: tuple[str, ...]) -> str:
    """`request`, `3 changes`, `2 PUT`: what will be treated so."""
    noun = "request" if not methods else "change" if methods == WRITES else methods[0]
    if count == 1:
        return noun
    return f"{count} {noun}s" if noun.islower() else f"{count} {noun}"


def _service(name: str) -> str:
    if name not in _SERVICES:
        raise LabError(f"there is no API {name!r}: {' or '.join(_SERVICES)}")
    return name


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise LabError(f"{text!r} is no number of seconds") from error
    if not math.isfinite(seconds) or seconds < 0:
        raise LabError(f"{text!r} is no number of seconds")
    return seconds


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise LabError(f"{text!r} is no number of requests: use 1 or more")
    return int(text)
