"""A double of the SDK's `connection.network`: it keeps lists as Neutron does, and fails when a test says so.

What it gives are the SDK's own resources, and what it raises are the errors that the SDK makes of an answer.
"""

import copy
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import requests
from openstack.connection import Connection
from openstack.exceptions import raise_from_response
from openstack.network.v2.network import Network
from openstack.network.v2.port import Port
from openstack.network.v2.router import Router
from openstack.network.v2.subnet import Subnet

MAC = "02:00:0a:f0:00:14"
_KINDS: dict[str, Any] = {"networks": Network, "subnets": Subnet, "ports": Port, "routers": Router}

Body = dict[str, Any]


def refusal(status: int, kind: str = "", message: str = "") -> Callable[[], None]:
    """Raises what the SDK makes of Neutron's answer; of a load balancer's page where there is no kind."""
    response = requests.Response()
    response.status_code = status
    response.url = "http://127.0.0.1:9696/v2.0/x"
    response.headers["Content-Type"] = "application/json" if kind else "text/html"
    body = {"NeutronError": {"type": kind, "message": message, "detail": ""}}
    response._content = json.dumps(body).encode() if kind else f"<html><h1>{message}</h1></html>".encode()
    return lambda: raise_from_response(response)


def raising(error: Exception) -> Callable[[], None]:
    """Raises an error that comes from the transport."""

    def act() -> None:
        raise error

    return act


class Neutron:
    """What a cloud has, and the requests that came.

    Attributes:
        content: By kind (`subnets`, say), as the API shows it; may be changed at will.
        requests: Each as `read subnets` or `write subnets`, in order.
        before: By request, what happens instead of its being done, once each; None for nothing.
        after: By request, what happens after it was done and instead of its answer, once each; None for nothing.
    """

    def __init__(self, workers: int = 3, **content: list[Body]) -> None:
        ports = [
            {
                "id": f"port-{x}",
                "name": f"worker-{x}",
                "network_id": "n",
                "mac_address": MAC,
                "fixed_ips": [{"subnet_id": "four", "ip_address": f"10.240.0.{20 + x}"}],
                "allowed_address_pairs": [],
                "port_security_enabled": True,
            }
            for x in range(workers)
        ]
        self.content: dict[str, list[Body]] = {
            "networks": [{"id": "n", "name": "the-network"}],
            "subnets": [subnet("four", "kubernetes")],
            "ports": ports,
            "routers": [{"id": "r", "name": "kubernetes", "routes": []}],
        } | content
        self.requests: list[str] = []
        self.queries: list[str] = []
        self.before: dict[str, list[Callable[[], None] | None]] = {}
        self.after: dict[str, list[Callable[[], None] | None]] = {}

    @property
    def connection(self) -> Connection:
        """What a task is given."""
        return cast("Connection", SimpleNamespace(network=self))

    def one(self, kind: str, identity: str) -> Body:
        """One thing, to be looked at or changed."""
        return next(one for one in self.content[kind] if one["id"] == identity)

    @property
    def routes(self) -> set[tuple[str, str]]:
        """Of the IPv4 subnet."""
        return {(one["destination"], one["nexthop"]) for one in self.one("subnets", "four")["host_routes"]}

    @property
    def pairs(self) -> dict[str, list[str]]:
        """Of every port, by its name."""
        return {
            port["name"]: [pair["ip_address"] for pair in port["allowed_address_pairs"]]
            for port in self.content["ports"]
        }

    def writes(self) -> list[str]:
        """What was written, in order."""
        return [request for request in self.requests if request.startswith("write")]

    # What the SDK offers

    def networks(self, **query: str) -> Iterator[Any]:
        return self._list("networks", query)

    def subnets(self, **query: str) -> Iterator[Any]:
        return self._list("subnets", query)

    def ports(self, **query: str) -> Iterator[Any]:
        return self._list("ports", query)

    def routers(self, **query: str) -> Iterator[Any]:
        return self._list("routers", query)

    def update_subnet(self, identity: str, *, host_routes: list[Body]) -> None:
        self._write("subnets", lambda: self.one("subnets", identity).update(host_routes=copy.deepcopy(host_routes)))

    def update_port(self, identity: str, *, allowed_address_pairs: list[Body]) -> None:
        # Neutron fills in the port's own MAC address.
        filled = [{"mac_address": MAC} | pair for pair in allowed_address_pairs]
        self._write("ports", lambda: self.one("ports", identity).update(allowed_address_pairs=filled))

    def add_extra_routes_to_router(self, identity: str, *, body: Body) -> None:
        self._write("routers", lambda: self.one("routers", identity)["routes"].extend(body["router"]["routes"]))

    def remove_extra_routes_from_router(self, identity: str, *, body: Body) -> None:
        gone = body["router"]["routes"]
        router = self.one("routers", identity)
        self._write("routers", lambda: router.update(routes=[one for one in router["routes"] if one not in gone]))

    def _list(self, kind: str, query: dict[str, str]) -> Iterator[Any]:
        self.queries.append(f"{kind} {' '.join(f'{key}={value}' for key, value in query.items())}")
        self._happen(self.before, f"read {kind}")
        self.requests.append(f"read {kind}")
        found = [one for one in self.content[kind] if all(one.get(key) == value for key, value in query.items())]
        self._happen(self.after, f"read {kind}")
        return iter([_KINDS[kind].existing(**copy.deepcopy(one)) for one in found])

    def _write(self, kind: str, write: Callable[[], None]) -> None:
        self.requests.append(f"write {kind}")
        self._happen(self.before, f"write {kind}")
        write()
        self._happen(self.after, f"write {kind}")

    @staticmethod
    def _happen(when: dict[str, list[Callable[[], None] | None]], request: str) -> None:
        queue = when.get(request)
        act = queue.pop(0) if queue else None
        if act is not None:
            act()


def subnet(identity: str, name: str, cidr: str = "10.240.0.0/24", *routes: str) -> Body:
    """A subnet as the API shows it; a route is `destination nexthop`."""
    listed = [dict(zip(("destination", "nexthop"), text.split(), strict=True)) for text in routes]
    return {"id": identity, "name": name, "network_id": "n", "cidr": cidr, "enable_dhcp": True, "host_routes": listed}
