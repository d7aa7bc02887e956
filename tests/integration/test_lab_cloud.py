"""The lab's cloud: a real Keystone and Neutron, their faults, and that nothing of them stays."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lab import Lab, LabError
from lab.cgroup import mount_point, pids
from lab.cloud.api import Api
from lab.cloud.cloud import Cloud
from lab.network import namespaces
from lab.proc import start_time

# A run that was killed leaves labs which the next one removes, see `new_lab`.
NAME = f"podroutes-test{os.getpid()}-cloudlab"
WRITERS = 6

# Where nothing is cached yet, the first test waits for the packages.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    lab = Lab(NAME)
    lab.down()
    lab.up(controllers=1, workers=2, ipv6=True, pods=False)
    made = Cloud(lab)
    made.up()
    yield made
    lab.down()


@pytest.fixture
def whole(cloud: Cloud) -> Iterator[Cloud]:
    """A cloud without host routes, address pairs, faults or counts, whatever the last test did to it."""
    cloud.repair()
    _set_routes(cloud, {})
    cloud.requests(reset=True)
    yield cloud
    cloud.repair()


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", "--name", NAME, *words], capture_output=True, text=True, check=False
    )


def _subnet(cloud: Cloud, name: str = "kubernetes") -> dict[str, Any]:
    (subnet,) = cloud.api().get("/v2.0/subnets", name=name)["subnets"]
    return dict(subnet)


def _routes(cloud: Cloud) -> dict[str, str]:
    return {route["destination"]: route["nexthop"] for route in _subnet(cloud)["host_routes"]}


def _set_routes(cloud: Cloud, routes: dict[str, str]) -> None:
    _put_routes(cloud.api(), _subnet(cloud)["id"], routes)


def _put_routes(api: Api, subnet: str, routes: dict[str, str]) -> None:
    listed = [{"destination": destination, "nexthop": hop} for destination, hop in routes.items()]
    api.call("PUT", f"/v2.0/subnets/{subnet}", {"subnet": {"host_routes": listed}})


def _ports(api: Api) -> dict[str, dict[str, Any]]:
    return {port["name"]: port for port in api.get("/v2.0/ports", device_owner="compute:nova")["ports"]}


class TestWhatIsThere:
    def test_the_guides_own_commands_work_as_the_projects_member(self, whole: Cloud) -> None:
        guide = (
            "for i in 0 1; do"
            " openstack subnet set kubernetes --host-route destination=10.200.${i}.0/24,gateway=10.240.0.2${i};"
            " done; openstack subnet show kubernetes | grep destination"
        )
        done = whole.lab.operator(["sh", "-c", guide])
        assert re.findall(r"destination='(.*?)', gateway='(.*?)'", done.stdout) == [
            ("10.200.0.0/24", "10.240.0.20"),
            ("10.200.1.0/24", "10.240.0.21"),
        ], done.stderr
        assert _routes(whole) == {"10.200.0.0/24": "10.240.0.20", "10.200.1.0/24": "10.240.0.21"}
        changes = [one for one in whole.requests() if one.service == "network" and one.method == "PUT"]
        assert [(one.path, one.status, one.count) for one in changes] == [
            (f"/v2.0/subnets/{_subnet(whole)['id']}", 200, 2)
        ]

    def test_a_port_for_every_host_with_its_addresses(self, whole: Cloud) -> None:
        subnets = {_subnet(whole, name)["id"] for name in ("kubernetes", "kubernetes-ipv6")}
        ports = _ports(whole.api("kubernetes"))
        assert set(ports) == {host.name for host in whole.lab.hosts}
        for host in whole.lab.hosts:
            port = ports[host.name]
            addresses = {ip["ip_address"] for ip in port["fixed_ips"]}
            assert addresses == {str(address.ip) for address in host.addresses}
            assert {ip["subnet_id"] for ip in port["fixed_ips"]} == subnets
            assert port["mac_address"] == host.mac
            assert port["port_security_enabled"] is True
            assert port["allowed_address_pairs"] == []

    def test_the_guides_network_subnets_and_router(self, whole: Cloud) -> None:
        api = whole.api("kubernetes")
        (network,) = api.get("/v2.0/networks", name="kubernetes-the-hard-way")["networks"]
        subnet, subnet_ipv6 = _subnet(whole), _subnet(whole, "kubernetes-ipv6")
        assert set(network["subnets"]) == {subnet["id"], subnet_ipv6["id"]}
        assert (subnet["cidr"], subnet["gateway_ip"], subnet["enable_dhcp"]) == ("10.240.0.0/24", "10.240.0.1", True)
        assert (subnet_ipv6["cidr"], subnet_ipv6["gateway_ip"]) == ("fd00:240::/64", "fd00:240::1")
        (router,) = api.get("/v2.0/routers")["routers"]
        inside = api.get("/v2.0/ports", device_id=router["id"])["ports"]
        addresses = {ip["ip_address"] for port in inside for ip in port["fixed_ips"]}
        assert addresses == {"10.240.0.1", "fd00:240::1"}

    def test_the_user_is_no_administrator(self, whole: Cloud) -> None:
        shared = {"network": {"name": "for-all", "shared": True}}
        with pytest.raises(LabError, match="with 403"):
            whole.api("kubernetes").call("POST", "/v2.0/networks", shared)
        made = whole.api("admin").call("POST", "/v2.0/networks", shared)["network"]
        whole.api("admin").call("DELETE", f"/v2.0/networks/{made['id']}")

    def test_passwords_are_in_files_for_root_alone(self, whole: Cloud) -> None:
        assert whole.paths.clouds_file.stat().st_mode & 0o777 == 0o600
        secrets = [whole.auth(cloud)["password"] for cloud in ("kubernetes", "admin")]
        for one in whole.status():
            for of in ("cmdline", "environ"):
                seen = Path(f"/proc/{one.pid}/{of}").read_bytes().decode()
                assert not any(secret in seen for secret in secrets)
        for path in whole.paths.root.iterdir():
            assert path.stat().st_mode & 0o077 == 0 or not any(
                secret.encode() in path.read_bytes() for secret in secrets if path.is_file()
            )

    def test_it_listens_on_the_loopback_of_the_operator_alone(self, whole: Cloud) -> None:
        listening = whole.lab.operator(["ss", "-Hltn"]).stdout.splitlines()
        assert {line.split()[3] for line in listening} == {f"127.0.0.1:{port}" for port in (5000, 5001, 9696, 9697)}

    def test_commands_of_the_computer_see_nothing_of_it(self, whole: Cloud) -> None:
        done = whole.lab.operator(["sh", "-c", "echo $OS_CLOUD $OS_CLIENT_CONFIG_FILE $OS_PASSWORD"])
        assert done.stdout.split() == ["kubernetes", str(whole.paths.clouds_file)]
        inside = whole.lab.exec("worker-0", ["env"]).stdout
        assert "OS_" not in inside


class TestFaults:
    def test_a_host_route_is_removed_made_wrong_or_foreign(self, whole: Cloud) -> None:
        right = {"10.200.0.0/24": "10.240.0.20", "10.200.1.0/24": "10.240.0.21"}
        with pytest.raises(LabError, match="no host route to a pod network"):
            whole.break_("host-route-removed")
        _set_routes(whole, right)
        whole.break_("host-route-removed")
        assert _routes(whole) == {"10.200.1.0/24": "10.240.0.21"}
        _set_routes(whole, right)
        whole.break_("host-route-wrong", "10.200.1.0/24")
        assert _routes(whole) == {"10.200.0.0/24": "10.240.0.20", "10.200.1.0/24": "10.240.0.20"}
        _set_routes(whole, right)
        whole.break_("host-route-foreign")
        assert _routes(whole) == right | {"192.168.100.0/24": "10.240.0.1"}

    def test_an_address_pair_is_removed(self, whole: Cloud) -> None:
        api = whole.api("kubernetes")
        for name, cidr in (("worker-0", "10.200.0.0/24"), ("worker-1", "10.200.1.0/24")):
            pairs = {"port": {"allowed_address_pairs": [{"ip_address": cidr}]}}
            api.call("PUT", f"/v2.0/ports/{_ports(api)[name]['id']}", pairs)
        whole.break_("address-pair-removed", "worker-1")
        ports = _ports(api)
        assert [pair["ip_address"] for pair in ports["worker-0"]["allowed_address_pairs"]] == ["10.200.0.0/24"]
        assert ports["worker-1"]["allowed_address_pairs"] == []
        whole.break_("address-pair-removed")
        assert _ports(api)["worker-0"]["allowed_address_pairs"] == []

    @pytest.mark.parametrize("service", ["network", "identity"])
    def test_an_api_that_is_stopped_refuses_connections(self, whole: Cloud, service: str) -> None:
        api = whole.api("kubernetes", edge=True)
        whole.break_("api-stopped", service)
        with pytest.raises(LabError, match=rf"{service} API does not answer: .*refused"):
            api.get("/v2.0/subnets")
        assert whole.repair() == ["the APIs behave again"]
        api.get("/v2.0/subnets")

    def test_a_slow_api(self, whole: Cloud) -> None:
        api = whole.api("kubernetes", edge=True)
        api.get("/v2.0/subnets")
        whole.break_("api-slow", "1.5")
        started = time.monotonic()
        api.get("/v2.0/subnets")
        assert time.monotonic() - started >= 1.5

    @pytest.mark.parametrize("status", [500, 503])
    def test_errors_of_the_server(self, whole: Cloud, status: int) -> None:
        api = whole.api("kubernetes", edge=True)
        whole.break_(f"api-{status}", "2")
        for _ in range(2):
            with pytest.raises(LabError, match=f"with {status}"):
                api.get("/v2.0/subnets")
        api.get("/v2.0/subnets")
        counted = {one.status: one.count for one in whole.requests() if one.path == "/v2.0/subnets"}
        assert counted == {status: 2, 200: 1}

    @pytest.mark.parametrize("status", [409, 412])
    def test_refused_changes(self, whole: Cloud, status: int) -> None:
        api, subnet = whole.api("kubernetes", edge=True), _subnet(whole)["id"]
        whole.break_(f"api-{status}")
        api.get("/v2.0/subnets")
        with pytest.raises(LabError, match=f"with {status}"):
            _put_routes(api, subnet, {"10.200.0.0/24": "10.240.0.20"})
        assert _routes(whole) == {}
        _put_routes(api, subnet, {"10.200.0.0/24": "10.240.0.20"})
        assert _routes(whole) == {"10.200.0.0/24": "10.240.0.20"}

    def test_a_lost_answer_to_a_change_that_was_made(self, whole: Cloud) -> None:
        api = whole.api("kubernetes", edge=True)
        api.get("/v2.0/subnets")
        whole.break_("answer-lost", "1", "PUT")
        with pytest.raises(LabError, match=r"does not answer: .*closed"):
            _put_routes(api, _subnet(whole)["id"], {"10.200.0.0/24": "10.240.0.20"})
        assert _routes(whole) == {"10.200.0.0/24": "10.240.0.20"}
        assert [one.status for one in whole.requests() if one.method == "PUT"] == [None]

    def test_a_role_that_is_revoked_takes_effect_at_once(self, whole: Cloud) -> None:
        api, subnet = whole.api("kubernetes", edge=True), _subnet(whole)["id"]
        _put_routes(api, subnet, {})
        whole.break_("role-revoked")
        with pytest.raises(LabError, match="with 403"):
            _put_routes(api, subnet, {"10.200.0.0/24": "10.240.0.20"})
        assert api.get("/v2.0/subnets", name="kubernetes")["subnets"] != []
        assert whole.repair() == ["the user kubernetes has the role member again"]
        _put_routes(api, subnet, {"10.200.0.0/24": "10.240.0.20"})

    def test_without_any_role_there_is_no_logging_in(self, whole: Cloud) -> None:
        whole.break_("role-revoked", "all")
        with pytest.raises(LabError, match="Keystone refuses kubernetes with 401"):
            whole.api("kubernetes").get("/v2.0/subnets")
        whole.repair()
        whole.api("kubernetes").get("/v2.0/subnets")

    def test_an_expired_token_is_refused_and_a_new_one_is_had(self, whole: Cloud) -> None:
        api = whole.api("kubernetes", edge=True)
        api.get("/v2.0/subnets")
        whole.break_("token-expired")
        whole.requests(reset=True)
        api.get("/v2.0/subnets")
        assert [(one.service, one.method, one.status) for one in whole.requests()] == [
            ("network", "GET", 401),
            ("identity", "POST", 201),
            ("network", "GET", 200),
        ]


class TestCommands:
    def test_break_and_repair_the_cloud_like_a_host(self, whole: Cloud) -> None:
        assert _command("break", "cloud", "api-500", "3").stdout.startswith("cloud: the network API will answer")
        status = _command("status")
        assert status.returncode == 0
        assert re.search(r"^neutron +running +\d+ +\d+ MB$", status.stdout, re.MULTILINE)
        assert "made to go wrong: network: every request is answered with 500 (3 to go)" in status.stdout
        assert _command("repair", "cloud").stdout == "cloud: the APIs behave again\n"
        assert _command("repair", "--all").stdout == "nothing to repair\n"

    def test_requests_are_counted(self, whole: Cloud) -> None:
        whole.api("kubernetes", edge=True).get("/v2.0/routers", fields="id")
        assert re.search(r"^1 +network +GET +200 +/v2.0/routers$", _command("cloud", "requests").stdout, re.MULTILINE)
        counted = json.loads(_command("cloud", "requests", "--json", "--reset").stdout)
        seen = {"service": "network", "method": "GET", "path": "/v2.0/routers", "status": 200, "count": 1}
        assert seen in counted
        assert json.loads(_command("cloud", "requests", "--json").stdout) == []

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["break", "cloud", "no-such"], "there is no fault 'no-such'"),
            (["break", "cloud", "api-500", "0"], "'0' is no number of requests"),
            (["break", "cloud", "api-slow", "soon"], "'soon' is no number of seconds"),
            (["break", "cloud", "host-route-foreign", "10.0.0.1/8"], "is no network"),
            (["cloud"], "required"),
        ],
    )
    def test_wrong_usage_is_one_line(self, whole: Cloud, words: list[str], said: str) -> None:
        done = _command(*words)
        assert (done.returncode, done.stdout) == (64, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


class TestUpAndDown:
    def test_up_again_does_nothing_and_repairs_what_was_killed(self, whole: Cloud) -> None:
        _set_routes(whole, {"10.200.0.0/24": "10.240.0.20"})
        assert whole.up() is False
        processes = {one.name: one.pid for one in whole.status()}
        edge = processes["edge"]
        assert edge is not None
        os.kill(edge, signal.SIGKILL)
        _wait(lambda: start_time(edge) is None)
        assert whole.up() is True
        now = {one.name: one.pid for one in whole.status()}
        assert now["edge"] is not None
        assert {name for name in now if now[name] != processes[name]} == {"edge"}
        assert _routes(whole) == {"10.200.0.0/24": "10.240.0.20"}

    def test_a_larger_lab_gets_more_ports(self, whole: Cloud) -> None:
        before = _ports(whole.api())
        whole.lab.up(workers=3)
        assert set(_ports(whole.api())) == set(before)
        whole.up()
        after = _ports(whole.api())
        assert set(after) - set(before) == {"worker-2"}
        assert all(after[name]["id"] == before[name]["id"] for name in before)

    def test_down_leaves_the_lab_and_no_trace(self, cloud: Cloud) -> None:
        before = set(cloud.lab.paths.operator.rglob("*"))
        assert cloud.down() is True
        assert cloud.down() is False
        assert pids(cloud.paths.cgroup) == []
        assert not cloud.paths.root.exists()
        gone = before - set(cloud.lab.paths.operator.rglob("*"))
        assert {path.name for path in gone} == {"clouds.yaml", "bin", "openstack", "cloud.json"}
        assert cloud.lab.operator(["sh", "-c", "command -v openstack; echo $OS_CLOUD"]).stdout == "\n"
        with pytest.raises(LabError, match="has no cloud: start one with"):
            cloud.requests()
        assert all(one.state == "running" for one in cloud.lab.status())


class TestMariaDB:
    def test_requests_really_run_at_the_same_time_and_none_fails(self, cloud: Cloud) -> None:
        cloud.down()
        cloud.up(database="mariadb")
        with pytest.raises(LabError, match="another database"):
            cloud.up()
        subnet = _subnet(cloud)["id"]
        wanted = {f"10.200.{number}.0/24": "10.240.0.20" for number in range(WRITERS)}

        def write(destination: str) -> None:
            """What a careful writer does: add its route until a later read shows it."""
            api = cloud.api("kubernetes", edge=True)
            while destination not in (routes := _read(api, subnet)):
                _put_routes(api, subnet, routes | {destination: wanted[destination]})
                time.sleep(0.2)

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, wanted))
        # Whoever was overwritten after its last look must be seen too.
        for destination in set(wanted) - set(_routes(cloud)):
            write(destination)
        assert _routes(cloud) == wanted
        assert {one.status for one in cloud.requests()} <= {200, 201}
        assert _most_at_once(cloud.paths.log("neutron")) > 1


class TestLabDown:
    def test_an_up_that_is_killed_leaves_no_trace_after_down(self, cloud: Cloud) -> None:
        lab = cloud.lab
        cloud.down()
        starting = subprocess.Popen(
            [sys.executable, "-m", "lab", "--name", NAME, "cloud", "up"], stdout=subprocess.DEVNULL
        )
        _wait(lambda: len(pids(cloud.paths.cgroup)) == 3)
        running = pids(cloud.paths.cgroup)
        starting.kill()
        starting.wait()
        lab.down()
        assert [pid for pid in running if start_time(pid) is not None] == []
        assert not lab.paths.root.exists()
        assert not (mount_point() / lab.paths.cgroup).exists()
        assert namespaces(lab.paths) == []


def _read(api: Api, subnet: str) -> dict[str, str]:
    routes = api.get(f"/v2.0/subnets/{subnet}")["subnet"]["host_routes"]
    return {route["destination"]: route["nexthop"] for route in routes}


def _most_at_once(log: Path) -> int:
    """How many requests Neutron was busy with at the same time, from the ends and durations that it logs."""
    line = re.compile(r"^(\S+ \S+) \d+ INFO access .* (\d+) ms$")
    events = []
    for text in log.read_text().splitlines():
        if (found := line.match(text)) is not None:
            end = datetime.fromisoformat(found[1]).timestamp()
            events += [(end - int(found[2]) / 1000, 1), (end, -1)]
    most = now = 0
    for _, change in sorted(events):
        now += change
        most = max(most, now)
    return most


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
