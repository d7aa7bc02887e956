"""The guide's network in the cloud, as it is before the routes are set."""

from collections.abc import Iterator, Sequence
from typing import Any

from lab.cloud.api import Api
from lab.cloud.config import PROJECT
from lab.layout import NODE_NETWORK_IPV6, Host, Layout

NETWORK = "kubernetes-the-hard-way"
SUBNET = "kubernetes"
SUBNET_IPV6 = "kubernetes-ipv6"
ROUTER = "kubernetes"
_AT_ONCE = 50


def ensure_resources(api: Api, layout: Layout) -> list[str]:
    """Create what is missing of the network, its subnets, router and ports; all else stays as it is.

    Args:
        api: As the cloud's administrator.
        layout: The lab's.

    Returns:
        Names of what was created.

    Raises:
        LabError: The cloud does not answer, or refuses.
    """
    made: list[str] = []
    project = project_id(api)
    network = _ensure(api, "network", {"name": NETWORK, "project_id": project}, made)
    subnets = [
        _ensure(api, "subnet", body | {"project_id": project, "network_id": network["id"]}, made)
        for body in subnet_bodies(layout)
    ]
    router = _ensure(api, "router", {"name": ROUTER, "project_id": project}, made)
    joined = {
        ip["subnet_id"]
        for port in api.get("/v2.0/ports", device_id=router["id"], fields="fixed_ips")["ports"]
        for ip in port["fixed_ips"]
    }
    for subnet in subnets:
        if subnet["id"] not in joined:
            api.call("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    present = api.get("/v2.0/ports", network_id=network["id"], fields="name")["ports"]
    names = {port["name"] for port in present}
    missing = [host for host in layout.hosts if host.name not in names]
    ids = [subnet["id"] for subnet in subnets]
    for few in _chunks(missing):
        bodies = [port_body(host, ids) | {"project_id": project, "network_id": network["id"]} for host in few]
        api.call("POST", "/v2.0/ports", {"ports": bodies})
    return made + [host.name for host in missing]


def subnet_bodies(layout: Layout) -> list[dict[str, Any]]:
    """The subnets, IPv4 first, as the API takes them.

    Args:
        layout: The lab's.
    """
    gateways = [str(address.ip) for address in layout.gateway]
    bodies: list[dict[str, Any]] = [
        {"name": SUBNET, "ip_version": 4, "cidr": str(layout.network), "gateway_ip": gateways[0], "enable_dhcp": True}
    ]
    if layout.ipv6:
        bodies.append(
            {
                "name": SUBNET_IPV6,
                "ip_version": 6,
                "cidr": str(NODE_NETWORK_IPV6),
                "gateway_ip": gateways[1],
                "enable_dhcp": True,
                "ipv6_ra_mode": "dhcpv6-stateful",
                "ipv6_address_mode": "dhcpv6-stateful",
            }
        )
    return bodies


def port_body(host: Host, subnets: Sequence[str]) -> dict[str, Any]:
    """A host's port, as the API takes it.

    Args:
        host: The host.
        subnets: Ids of the subnets, IPv4 first.
    """
    return {
        "name": host.name,
        "mac_address": host.mac,
        "device_owner": "compute:nova",
        "port_security_enabled": True,
        "fixed_ips": [
            {"subnet_id": subnet, "ip_address": str(address.ip)}
            for subnet, address in zip(subnets, host.addresses, strict=True)
        ],
    }


def project_id(api: Api) -> str:
    """The id of the project that has the guide's network.

    Args:
        api: As the cloud's administrator.

    Raises:
        LabError: The cloud does not answer.
    """
    return str(api.get("/v3/projects", service="identity", name=PROJECT)["projects"][0]["id"])


def find(api: Api, kind: str, name: str) -> dict[str, Any] | None:
    """Find something by its name.

    Args:
        api: Of the cloud.
        kind: `subnet`, say.
        name: Its name.

    Returns:
        It as the API shows it; None if there is none.

    Raises:
        LabError: The cloud does not answer, or refuses.
    """
    listed: list[dict[str, Any]] = api.get(f"/v2.0/{kind}s", name=name)[f"{kind}s"]
    return listed[0] if listed else None


def _ensure(api: Api, kind: str, body: dict[str, Any], made: list[str]) -> dict[str, Any]:
    found = find(api, kind, body["name"])
    if found is None:
        found = dict(api.call("POST", f"/v2.0/{kind}s", {kind: body})[kind])
        made.append(f"{kind} {body['name']}")
    return found


def _chunks(hosts: Sequence[Host]) -> Iterator[Sequence[Host]]:
    for first in range(0, len(hosts), _AT_ONCE):
        yield hosts[first : first + _AT_ONCE]
