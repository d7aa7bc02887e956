"""The cloud's side against a real Keystone and Neutron: what is written, what is kept, what is taken back."""

import json
import re
from typing import Any

import pytest

from tests.integration.cloud_lab import (
    CLOUD,
    NETWORK,
    PAIRS,
    ROUTER,
    ROUTES,
    ROUTES_IPV6,
    SUBNET,
    SUBNET_IPV6,
    CloudLab,
    codes,
    foreign,
    questions,
)
from tests.integration.inventories import Inventory

LEASES = "machines learn the subnet's routes at their next DHCP renewal"
FOREIGN = {"192.168.100.0/24": "10.240.0.1", "0.0.0.0/0": "10.240.0.1", "10.200.0.0/16": "10.240.0.9"}


def test_the_first_run_makes_all_of_it_and_the_second_sends_nothing_but_three_questions(cloudy: CloudLab) -> None:
    cloudy.make_fresh()
    dry = cloudy.run("provision", "--dry-run", "--diff")
    assert dry.exit_code == 0
    assert dry.hosts_that_are("changed") == {CLOUD, *cloudy.hosts}
    assert "    + destination='10.200.1.0/24', gateway='10.240.0.21'" in dry.stdout
    assert (cloudy.subnet_routes(), cloudy.count("POST", "PUT", "DELETE")) == ({}, 0)

    first = cloudy.provision()
    assert first.exit_code == 0, first.text
    assert first.hosts_that_are("changed") == {CLOUD, *cloudy.hosts}
    assert first.changes(CLOUD) == dry.changes(CLOUD)
    assert first.changes(CLOUD) == [
        *(("ports", "add", f"port {worker}: {pairs[0]}") for worker, pairs in PAIRS.items()),
        *(("subnet", "add", f"subnet kubernetes: {destination}") for destination in ROUTES),
    ]
    assert cloudy.subnet_routes() == ROUTES
    assert cloudy.pairs == PAIRS
    assert [note for note in first.hosts[CLOUD]["notes"] if note.startswith(LEASES)]
    for host in cloudy.hosts:
        assert len(cloudy.our_routes(host)) == (2 if host.startswith("worker") else 3)
    assert cloudy.count("PUT", path="/v2.0/subnets/") == 1
    assert cloudy.count("PUT") == 4

    log = cloudy.cloud.paths.log("neutron")
    before = len(log.read_text())
    cloudy.cloud.requests(reset=True)
    second = cloudy.provision()
    assert second.hosts_that_are("ok") == {CLOUD, *cloudy.hosts}
    assert second.exit_code == 0
    assert second.hosts[CLOUD]["notes"] == []
    assert cloudy.asked == questions()
    asked = re.findall(r" access .*? ([A-Z]+) (/\S*) \d+ \d+ ms", log.read_text()[before:])
    assert [method for method, _ in asked] == ["GET"] * 3


@pytest.fixture(scope="module")
def large(cloud_lab: CloudLab) -> CloudLab:
    cloud_lab.ensure()
    network = cloud_lab.make("network", name="large")["id"]
    subnet = cloud_lab.make("subnet", name="large", network_id=network, cidr="10.240.0.0/24", ip_version=4)["id"]
    bodies = [
        {"name": f"many-{x}", "network_id": network, "fixed_ips": [{"subnet_id": subnet, "ip_address": _ip(x)}]}
        for x in range(20)
    ]
    project = cloud_lab.get("network", NETWORK)["project_id"]
    ports = [body | {"project_id": project} for body in bodies]
    cloud_lab.api.call("POST", "/v2.0/ports", {"ports": ports})
    return cloud_lab


class TestManyWorkers:
    @staticmethod
    def many(lab: CloudLab, workers: int, **data: Any) -> Inventory:  # noqa: ANN401  # keys of the cloud
        inventory = lab.inventory(network="large", subnet="large", **data)
        inventory.hosts = {CLOUD: inventory.hosts[CLOUD]} | {
            f"worker-{x}": {"hostname": _ip(x), "groups": ["workers"], "data": {"pod_index": x}} for x in range(workers)
        }
        return inventory

    def test_twenty_take_no_more_questions_than_three(self, cloudy: CloudLab, large: CloudLab) -> None:
        inventory = self.many(large, 20, allowed_address_pairs=False)
        first = cloudy.on_cloud("provision", "--yes", inventory=inventory)
        assert first.exit_code == 0, first.text
        assert len(cloudy.subnet_routes("large")) == 20
        assert cloudy.count("PUT") == 1
        cloudy.cloud.requests(reset=True)
        assert cloudy.on_cloud("provision", "--yes", inventory=inventory).outcomes == {CLOUD: "ok"}
        assert cloudy.asked == questions()


def _ip(number: int) -> str:
    return f"10.240.0.{20 + number}"


def test_routes_that_the_guides_own_commands_made_are_taken_over_without_a_change(cloudy: CloudLab) -> None:
    guide = (
        "for i in 0 1 2; do"
        " openstack subnet set kubernetes --host-route destination=10.200.${i}.0/24,gateway=10.240.0.2${i} || exit 1;"
        " done"
    )
    done = cloudy.lab.operator(["sh", "-c", guide])
    assert done.returncode == 0, done.stderr
    assert cloudy.subnet_routes() == ROUTES
    cloudy.cloud.requests(reset=True)
    without_pairs = cloudy.inventory(allowed_address_pairs=False)
    assert cloudy.on_cloud("provision", "--yes", inventory=without_pairs).outcomes == {CLOUD: "ok"}
    assert cloudy.count("PUT") == 0
    with_pairs = cloudy.on_cloud("provision", "--yes")
    assert {layer for layer, _, _ in with_pairs.changes(CLOUD)} == {"ports"}
    assert cloudy.count("PUT", path="/v2.0/subnets") == 0
    assert cloudy.pairs == PAIRS


def drifted(lab: CloudLab) -> None:
    """Each kind of drift at once, beside things of others."""
    lab.set_routes(
        {"10.200.1.0/24": "10.240.0.20", "10.200.2.0/24": "10.240.0.22", "10.200.9.0/24": "10.240.0.29"} | FOREIGN
    )
    lab.set_pairs("worker-0", "192.168.7.7")
    lab.set_pairs("worker-1", "10.200.1.0/24", "10.200.9.0/24", "10.200.0.0/16")
    lab.set_pairs("worker-2", "10.200.2.0/24")


DRIFT = [
    ("address-pair-missing", "port worker-0: 10.200.0.0/24"),
    ("address-pair-stale", "port worker-1: 10.200.9.0/24"),
    ("cloud-route-missing", "subnet kubernetes: 10.200.0.0/24"),
    ("cloud-route-wrong", "subnet kubernetes: 10.200.1.0/24"),
    ("cloud-route-stale", "subnet kubernetes: 10.200.9.0/24"),
]


def test_drift_of_each_kind_is_found_and_repaired_and_what_others_have_stays(cloudy: CloudLab) -> None:
    drifted(cloudy)
    cloudy.cloud.requests(reset=True)
    checked = cloudy.on_cloud("drift_check")
    assert (checked.exit_code, checked.outcomes) == (2, {CLOUD: "drift"})
    assert codes(checked) == DRIFT
    assert cloudy.asked == questions()

    foreign_pairs = [pair for pair in cloudy.port_pairs("worker-1") if pair["ip_address"] == "10.200.0.0/16"]
    foreign_pairs += cloudy.port_pairs("worker-0")
    run = cloudy.on_cloud("provision", "--yes")
    assert run.exit_code == 0, run.text
    assert [subject for _, _, subject in run.changes(CLOUD)] == [subject for _, subject in DRIFT]
    assert cloudy.subnet_routes() == ROUTES | FOREIGN
    assert cloudy.pairs == {
        "worker-0": ["10.200.0.0/24", "192.168.7.7"],
        "worker-1": ["10.200.0.0/16", "10.200.1.0/24"],
        "worker-2": ["10.200.2.0/24"],
    }
    after = [pair for worker in ("worker-1", "worker-0") for pair in cloudy.port_pairs(worker)]
    assert [pair for pair in foreign_pairs if pair not in after] == []
    assert cloudy.count("PUT", path="/v2.0/subnets/") == 1
    clean = cloudy.on_cloud("drift_check")
    assert (clean.exit_code, codes(clean)) == (0, [])


class TestLimit:
    def test_foreign_routes_count_and_nothing_is_touched(self, cloudy: CloudLab) -> None:
        cloudy.set_routes(foreign(19))
        cloudy.cloud.requests(reset=True)
        run = cloudy.on_cloud("provision", "--yes")
        assert (run.exit_code, run.outcomes) == (1, {CLOUD: "failed"})
        assert run.reason(CLOUD).startswith(
            "subnet kubernetes would have 22 host routes, 2 more than its limit of 20: use route_target: router, "
        )
        assert cloudy.count("PUT") == 0

    def test_the_operators_own_limit_may_be_lower_than_the_inventory_says(self, cloudy: CloudLab) -> None:
        cloudy.set_routes(foreign(19))
        run = cloudy.on_cloud("provision", "--yes", inventory=cloudy.inventory(max_subnet_host_routes=30))
        assert run.exit_code == 1
        assert "exceeds the limit 20; write the operator's limit as max_subnet_host_routes" in run.reason(CLOUD)
        assert cloudy.subnet_routes() == foreign(19)
        assert cloudy.pairs == {worker: [] for worker in PAIRS}

    def test_so_may_the_limit_of_pairs(self, cloudy: CloudLab) -> None:
        cloudy.set_pairs("worker-1", *(f"10.9.{x}.0/24" for x in range(10)))
        before = cloudy.pairs
        run = cloudy.on_cloud("provision", "--yes")
        assert run.exit_code == 1
        assert "exceeds the maximum 10; remove foreign pairs from that port, or" in run.reason(CLOUD)
        assert (cloudy.subnet_routes(), cloudy.pairs) == ({}, before)


def test_a_port_with_port_security_off_is_left_alone_and_said(cloudy: CloudLab) -> None:
    cloudy.put("port", "worker-1", port_security_enabled=False, security_groups=[])
    run = cloudy.on_cloud("provision", "--yes")
    assert run.exit_code == 0, run.text
    assert "port worker-1 has port security off: pod traffic passes, no address pair is needed" in run.stdout
    assert cloudy.pairs == PAIRS | {"worker-1": []}
    assert cloudy.subnet_routes() == ROUTES
    assert cloudy.on_cloud("provision", "--yes").outcomes == {CLOUD: "ok"}


def test_pairs_can_be_left_to_others(cloudy: CloudLab) -> None:
    cloudy.set_pairs("worker-0", "10.200.9.0/24")
    inventory = cloudy.inventory(allowed_address_pairs=False)
    assert cloudy.on_cloud("provision", "--yes", inventory=inventory).exit_code == 0
    assert cloudy.subnet_routes() == ROUTES
    assert cloudy.pairs == {"worker-0": ["10.200.9.0/24"], "worker-1": [], "worker-2": []}
    assert cloudy.on_cloud("deprovision", "--yes", inventory=inventory).exit_code == 0
    assert cloudy.subnet_routes() == {}
    assert cloudy.pairs["worker-0"] == ["10.200.9.0/24"]


def test_routes_move_to_the_router_and_back(cloudy: CloudLab) -> None:
    others = {"192.168.7.0/24": "10.240.0.10"}
    cloudy.put("router", ROUTER, routes=[{"destination": "192.168.7.0/24", "nexthop": "10.240.0.10"}])
    cloudy.provisioned()
    cloudy.set_routes(ROUTES | FOREIGN)
    to_router = cloudy.inventory(route_target="router", router=ROUTER)
    cloudy.cloud.requests(reset=True)
    run = cloudy.on_cloud("provision", "--yes", inventory=to_router)
    assert run.exit_code == 0, run.text
    assert (cloudy.subnet_routes(), cloudy.router_routes) == (FOREIGN, ROUTES | others)
    assert cloudy.count("PUT", path=f"/v2.0/routers/{cloudy.id('router', ROUTER)}/add_extraroutes") == 1
    cloudy.cloud.requests(reset=True)
    assert cloudy.on_cloud("provision", "--yes", inventory=to_router).outcomes == {CLOUD: "ok"}
    assert cloudy.asked == questions("routers")

    back = cloudy.inventory(router=ROUTER)
    assert cloudy.on_cloud("provision", "--yes", inventory=back).exit_code == 0
    assert (cloudy.subnet_routes(), cloudy.router_routes) == (ROUTES | FOREIGN, others)


def test_both_families_have_a_subnet_each_and_foreign_text_stays_as_it_is(cloudy: CloudLab) -> None:
    odd = {"2001:0DB8:0::/48": "fd00:240::9"}
    cloudy.set_routes(odd, SUBNET_IPV6)
    cloudy.set_pairs("worker-0", "2001:0DB8::1")
    inventory = cloudy.inventory(dual=True, subnet=[SUBNET, SUBNET_IPV6])
    run = cloudy.on_cloud("provision", "--yes", inventory=inventory)
    assert run.exit_code == 0, run.text
    assert cloudy.subnet_routes() == ROUTES
    assert cloudy.subnet_routes(SUBNET_IPV6) == ROUTES_IPV6 | odd
    assert cloudy.pairs["worker-0"] == ["10.200.0.0/24", "2001:0DB8::1", "fd00:200::/64"]
    cloudy.cloud.requests(reset=True)
    assert cloudy.on_cloud("provision", "--yes", inventory=inventory).outcomes == {CLOUD: "ok"}
    assert cloudy.asked == questions()
    assert cloudy.on_cloud("deprovision", "--yes", inventory=inventory).exit_code == 0
    assert (cloudy.subnet_routes(), cloudy.subnet_routes(SUBNET_IPV6)) == ({}, odd)
    assert cloudy.pairs == {"worker-0": ["2001:0DB8::1"], "worker-1": [], "worker-2": []}


def test_deprovision_takes_back_exactly_ours_on_the_hosts_and_in_the_cloud(cloudy: CloudLab) -> None:
    cloudy.provisioned()
    cloudy.set_routes(ROUTES | FOREIGN)
    cloudy.set_pairs("worker-0", "10.200.0.0/24", "192.168.7.7")
    cloudy.put("router", ROUTER, routes=[{"destination": "192.168.7.0/24", "nexthop": "10.240.0.10"}])
    assert cloudy.provision().exit_code == 0
    run = cloudy.deprovision()
    assert run.exit_code == 0, run.text
    assert cloudy.subnet_routes() == FOREIGN
    assert cloudy.pairs == {"worker-0": ["192.168.7.7"], "worker-1": [], "worker-2": []}
    assert cloudy.router_routes == {"192.168.7.0/24": "10.240.0.10"}
    assert {host for host in cloudy.hosts if cloudy.our_routes(host)} == set()
    cloudy.cloud.requests(reset=True)
    assert cloudy.on_cloud("deprovision", "--dry-run").outcomes == {CLOUD: "ok"}


def test_show_routes_prints_what_the_guide_shows_and_each_worker_beside_its_port(cloudy: CloudLab) -> None:
    cloudy.provisioned()
    cloudy.put("port", "worker-2", port_security_enabled=False, security_groups=[], allowed_address_pairs=[])
    table = cloudy.on_cloud("show_routes")
    assert table.exit_code == 0
    for destination, hop in ROUTES.items():
        assert re.search(rf"subnet kubernetes +destination='{destination}', gateway='{hop}'", table.stdout)
    assert re.search(r"worker-0 +worker-0 +10\.240\.0\.20 +10\.200\.0\.0/24", table.stdout)
    assert re.search(r"worker-2 +worker-2 +10\.240\.0\.22 +port security is off", table.stdout)
    shown = cloudy.run("show_routes", "--limit", CLOUD, "--limit", "worker-0", "--format", "text")
    assert "==> worker-0" in shown.stdout
    assert "destination='10.200.1.0/24', gateway='10.240.0.21'" in shown.stdout

    parsed: dict[str, Any] = json.loads(cloudy.on_cloud("show_routes", "--format", "json").stdout)
    (cloud,) = parsed["clouds"]
    assert cloud["routes"] == [[f"subnet {SUBNET}", destination, hop] for destination, hop in ROUTES.items()]
    assert [port["port_security"] for port in cloud["ports"]] == [True, True, False]
    assert cloudy.count("PUT") == 0


def test_an_inventory_without_a_cloud_never_loads_the_sdk(cloudy: CloudLab) -> None:
    inventory = cloudy.inventory()
    del inventory.hosts[CLOUD]
    config = cloudy.write(inventory)
    program = (
        "import sys\n"
        "from runbooks import drift_check, provision, show_routes\n"
        "options = ['--config', sys.argv[1], '--limit', 'worker-0']\n"
        "codes = [provision.main([*options, '--yes']), drift_check.main(options), show_routes.main(options)]\n"
        "print(codes, sorted(name for name in sys.modules if name.split('.')[0] in ('openstack', 'keystoneauth1')))\n"
    )
    done = cloudy.lab.operator(["python", "-c", program, str(config)])
    assert done.stdout.splitlines()[-1] == "[0, 0, 0] []", done.stderr
    with_cloud = cloudy.write(cloudy.inventory())
    only_look = program.replace("worker-0", CLOUD).replace(
        "provision.main([*options, '--yes']), drift_check", "drift_check"
    )
    done = cloudy.lab.operator(["python", "-c", only_look.replace(", show_routes.main(options)", ""), str(with_cloud)])
    assert "'openstack'" in done.stdout.splitlines()[-1], done.stderr
