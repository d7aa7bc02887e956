"""A lab with a real Keystone and Neutron, as the tests of the cloud's side see it."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import Lab
from lab.cloud.api import Api
from lab.cloud.cloud import Cloud
from lab.cloud.edge.rules import Rule
from tests.integration.cluster import Cluster, Run, Running
from tests.integration.inventories import Inventory

CLOUD = "cloud"
SUBNET, SUBNET_IPV6, ROUTER, NETWORK = "kubernetes", "kubernetes-ipv6", "kubernetes", "kubernetes-the-hard-way"
WORKERS = ("worker-0", "worker-1", "worker-2")
ROUTES = {f"10.200.{x}.0/24": f"10.240.0.2{x}" for x in range(3)}
PAIRS = {f"worker-{x}": [f"10.200.{x}.0/24"] for x in range(3)}
ROUTES_IPV6 = {
    "fd00:200::/64": "fd00:240::20",
    "fd00:200:0:1::/64": "fd00:240::21",
    "fd00:200:0:2::/64": "fd00:240::22",
}

Body = dict[str, Any]


class CloudLab(Cluster):
    """A running lab with a cloud. Secrets are looked for in all that any run shows.

    Args:
        lab: The lab, up, with both families.
        folder: Where inventories and reports are written.
    """

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(lab, folder)
        self.cloud = Cloud(lab)
        self.clouds_file: Path | None = None
        self._database = ""
        self._api: Api | None = None
        self._ids: dict[tuple[str, str], str] = {}

    # The cloud itself

    def ensure(self, database: str = "sqlite") -> None:
        """A cloud with that database."""
        if self._database != database:
            self.cloud.down()
            self.cloud.up(database=database)
            self._database, self._api, self._ids = database, None, {}

    @property
    def api(self) -> Api:
        """As the cloud's administrator, past the edge: neither counted nor disturbed."""
        if self._api is None:
            self._api = self.cloud.api()
        return self._api

    def id(self, kind: str, name: str) -> str:
        """The id of a subnet, say, of that name."""
        key = (kind, name)
        if key not in self._ids:
            (found,) = self.api.get(f"/v2.0/{kind}s", name=name)[f"{kind}s"]
            self._ids[key] = found["id"]
        return self._ids[key]

    def get(self, kind: str, name: str) -> Body:
        """A subnet, say, as the API shows it."""
        shown: Body = self.api.get(f"/v2.0/{kind}s/{self.id(kind, name)}")[kind]
        return shown

    def put(self, kind: str, name: str, **body: object) -> None:
        """Change a subnet, say, as somebody else would."""
        self.api.call("PUT", f"/v2.0/{kind}s/{self.id(kind, name)}", {kind: body})

    def make(self, kind: str, **body: object) -> Body:
        """Make a subnet, say, in the operator's project."""
        project = self.get("network", NETWORK)["project_id"]
        made: Body = self.api.call("POST", f"/v2.0/{kind}s", {kind: {"project_id": project, **body}})[kind]
        return made

    def subnet_routes(self, name: str = SUBNET) -> dict[str, str]:
        """Host routes of a subnet: destination and next hop."""
        listed = self.get("subnet", name)["host_routes"]
        routes = {route["destination"]: route["nexthop"] for route in listed}
        assert len(routes) == len(listed), listed
        return routes

    def set_routes(self, routes: Mapping[str, str], name: str = SUBNET) -> None:
        """Give a subnet these host routes, as somebody else would."""
        self.put("subnet", name, host_routes=as_json(routes))

    @property
    def router_routes(self) -> dict[str, str]:
        """Extra routes of the router."""
        return {route["destination"]: route["nexthop"] for route in self.get("router", ROUTER)["routes"]}

    @property
    def pairs(self) -> dict[str, list[str]]:
        """Addresses of the allowed pairs of each worker's port."""
        return {
            name: sorted(pair["ip_address"] for pair in port["allowed_address_pairs"])
            for name, port in self._ports().items()
        }

    def port_pairs(self, worker: str) -> list[Body]:
        """Allowed pairs of a worker's port as the API shows them."""
        listed: list[Body] = self._ports()[worker]["allowed_address_pairs"]
        return listed

    def _ports(self) -> dict[str, Body]:
        listed = self.api.get("/v2.0/ports", network_id=self.id("network", NETWORK), device_owner="compute:nova")
        return {port["name"]: port for port in listed["ports"] if port["name"] in WORKERS}

    def set_pairs(self, worker: str, *addresses: str) -> None:
        """Give a worker's port these pairs, as somebody else would."""
        self.put("port", worker, allowed_address_pairs=[{"ip_address": address} for address in addresses])

    def provisioned(self) -> None:
        """The cloud as a run leaves it."""
        self.set_routes(ROUTES)
        for worker, pairs in PAIRS.items():
            self.set_pairs(worker, *pairs)
        self.cloud.requests(reset=True)

    def reset(self) -> None:
        """The guide's network without routes, pairs, faults or counts, whatever a test did to it."""
        self.cloud.repair()
        self.clouds_file = None
        for subnet in self.api.get("/v2.0/subnets", network_id=self.id("network", NETWORK))["subnets"]:
            if subnet["host_routes"]:
                self.put("subnet", subnet["name"], host_routes=[])
        if self.router_routes:
            self.put("router", ROUTER, routes=[])
        for worker, port in self._ports().items():
            if port["allowed_address_pairs"] or not port["port_security_enabled"]:
                self.put("port", worker, port_security_enabled=True, allowed_address_pairs=[])
        self.cloud.requests(reset=True)

    # What happens to requests

    def count(self, *methods: str, service: str = "network", path: str = "/") -> int:
        """How many requests there were since the last reset of the counts."""
        return sum(
            one.count
            for one in self.cloud.requests()
            if one.service == service and (not methods or one.method in methods) and one.path.startswith(path)
        )

    @property
    def asked(self) -> list[tuple[str, str, int | None]]:
        """Method, kind and status of each request to Neutron since the last reset of the counts."""
        return [
            (one.method, one.path.split("/")[2] if one.path.count("/") > 1 else one.path, one.status)
            for one in self.cloud.requests()
            for _ in range(one.count)
            if one.service == "network"
        ]

    def answer(self, status: int, path: str, *, count: int | None = 1, method: str = "PUT") -> None:
        """Let requests to a path be answered with an error."""
        self.cloud.control.add(Rule("answer", methods=(method,), path=path, status=status, count=count))

    def lose(self, path: str, *, count: int = 1) -> None:
        """Let changes below a path be made, and their answer be lost."""
        self.cloud.control.add(Rule("lose", methods=("PUT",), path=path, count=count))

    # What the operator does

    def inventory(self, *, dual: bool = False, **data: object) -> Inventory:
        """An inventory that fits the lab, with the cloud in front; IPv4 alone unless `dual`.

        Args:
            dual: Both families.
            **data: More keys of the cloud.
        """
        made = Inventory.of(self.lab.layout)
        if not dual:
            layout = self.lab.layout
            made.defaults["data"] |= {"cluster_cidr": str(layout.cluster_cidr), "node_network": str(layout.network)}
            made.defaults["data"].pop("node_cidr_mask_size_ipv6")
            for host in made.hosts.values():
                host["data"].pop("internal_ips")
        made.groups["openstack"] = {}
        made.hosts = {CLOUD: cloud_host(**data)} | made.hosts
        return made

    def command(self, runbook: str, *options: str, inventory: Inventory | Path | None = None) -> list[str]:
        """The command line of a runbook, with another `clouds.yaml` where a test has one."""
        command = super().command(runbook, *options, inventory=inventory)
        return command if self.clouds_file is None else ["env", f"OS_CLIENT_CONFIG_FILE={self.clouds_file}", *command]

    def run(self, runbook: str, *options: str, inventory: Inventory | Path | None = None) -> Run:
        """Run a runbook to its end; no password may be seen anywhere."""
        done = super().run(runbook, *options, inventory=inventory)
        for cloud in ("kubernetes", "admin"):
            assert self.cloud.auth(cloud)["password"] not in done.text + json.dumps(done.report)
        return done

    def on_cloud(self, runbook: str, *options: str, inventory: Inventory | Path | None = None) -> Run:
        """Run a runbook for the cloud alone."""
        return self.run(runbook, "--limit", CLOUD, *options, inventory=inventory)

    @contextmanager
    def meanwhile(self, happened: Callable[[], bool], *options: str, **more: Any) -> Iterator[Running]:  # noqa: ANN401
        """Start provision.py, and go on once something has happened."""
        with self.start("provision", "--yes", *options, **more) as running:
            deadline = time.monotonic() + 120
            while not happened():
                assert running.process.poll() is None, running.finish().text
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield running


def as_json(routes: Mapping[str, str]) -> list[Body]:
    """Routes as the API takes them."""
    return [{"destination": destination, "nexthop": hop} for destination, hop in routes.items()]


def questions(*kinds: str) -> list[tuple[str, str, int | None]]:
    """What `CloudLab.asked` is where a run only reads; a router is one more."""
    return [("GET", kind, 200) for kind in ("networks", "subnets", "ports", *kinds)]


def cloud_host(**data: object) -> Body:
    """A cloud as a host of the inventory, the guide's own unless said otherwise."""
    return {
        "groups": ["openstack"],
        "data": {"cloud": "kubernetes", "network": NETWORK, "subnet": SUBNET} | data,
    }


def foreign(count: int) -> dict[str, str]:
    """Somebody else's host routes."""
    return {f"192.168.{number}.0/24": "10.240.0.1" for number in range(count)}


def codes(run: Run, host: str = CLOUD) -> list[tuple[str, str]]:
    """Code and subject of each finding of a host; all of a cloud's are in its layer."""
    findings: Iterable[Body] = run.hosts[host]["findings"]
    assert {finding["layer"] for finding in findings} <= {"cloud"}
    return [(finding["code"], finding["subject"]) for finding in findings]
