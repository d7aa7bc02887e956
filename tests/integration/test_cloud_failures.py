"""What goes wrong with a cloud: each is one line and the right outcome, nothing is half-written, the hosts go on."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.integration.cloud_lab import CLOUD, PAIRS, ROUTES, WORKERS, CloudLab, cloud_host, codes
from tests.integration.terminal import Terminal

SUBNETS = "/v2.0/subnets/"
PORTS = "/v2.0/ports/"
NO_PAIRS: dict[str, list[str]] = {worker: [] for worker in WORKERS}
NOWHERE = "http://127.0.0.1:1/v3"
WRONG_PASSWORD = "a-password-that-is-wrong"


def write_clouds(lab: CloudLab, clouds: Mapping[str, Any]) -> Path:
    """A `clouds.yaml` of a test's own."""
    path = lab.folder / "clouds.yaml"
    # JSON is YAML.
    path.write_text(json.dumps({"clouds": clouds}))
    return path


def own_clouds(lab: CloudLab) -> Any:  # noqa: ANN401  # YAML
    return YAML(typ="safe").load(lab.cloud.paths.clouds_file)["clouds"]


def make_network(lab: CloudLab, name: str, cidr: str, workers: int, *, dhcp: bool) -> None:
    network = lab.make("network", name=name)["id"]
    subnet = lab.make("subnet", name=name, network_id=network, cidr=cidr, ip_version=4, enable_dhcp=dhcp)["id"]
    for x in range(workers):
        lab.make("port", network_id=network, fixed_ips=[{"subnet_id": subnet, "ip_address": f"10.240.0.{20 + x}"}])


def test_what_the_inventory_names_and_is_not_so_is_a_line_each_and_one_cloud_does_not_harm_another(
    cloudy: CloudLab,
) -> None:
    make_network(cloudy, "no-dhcp", "10.240.0.0/24", 3, dhcp=False)
    make_network(cloudy, "no-port", "10.240.0.0/24", 2, dhcp=True)
    make_network(cloudy, "other-cidr", "10.240.0.0/16", 3, dhcp=True)
    clouds = own_clouds(cloudy)
    right = clouds["kubernetes"]
    clouds["wrong-password"] = right | {"auth": right["auth"] | {"password": WRONG_PASSWORD}}
    clouds["nowhere"] = right | {"auth": right["auth"] | {"auth_url": NOWHERE}}
    clouds["no-password"] = right | {"auth": {key: right["auth"][key] for key in right["auth"] if key != "password"}}
    cloudy.clouds_file = write_clouds(cloudy, clouds)
    inventory = cloudy.inventory()
    known = "admin, kubernetes, no-password, nowhere, wrong-password"
    member = "that this user sees; check"
    failed = {
        "no-network": ({"network": "x"}, f"cloud kubernetes has no network x {member} data.network in the inventory"),
        "no-subnet": (
            {"subnet": "x"},
            "network kubernetes-the-hard-way has no subnet x; it has: kubernetes, kubernetes-ipv6",
        ),
        "no-router": ({"router": "x"}, f"cloud kubernetes has no router x {member} data.router in the inventory"),
        "no-cloud": ({"cloud": "x"}, f"there is no cloud x in {cloudy.clouds_file}; it has: {known}"),
        "no-dhcp": (
            {"network": "no-dhcp", "subnet": "no-dhcp"},
            (
                "subnet no-dhcp has DHCP off, so machines never learn its host routes: turn it on, or write "
                "route_target: router"
            ),
        ),
        "no-port": (
            {"network": "no-port", "subnet": "no-port"},
            (
                "no port on subnet no-port has 10.240.0.22, the internal IP of worker-2: check its internal_ips, or "
                "create the port"
            ),
        ),
        "other-cidr": (
            {"network": "other-cidr", "subnet": "other-cidr"},
            "subnet other-cidr is 10.240.0.0/16, not the inventory's node_network 10.240.0.0/24: fix one",
        ),
    }
    unreachable = {
        "wrong-password": (
            {"cloud": "wrong-password"},
            "cloud wrong-password refuses the credentials of clouds.yaml: The request you have made requires",
        ),
        "nowhere": ({"cloud": "nowhere"}, "the API of cloud nowhere does not answer: "),
        "no-password": (
            {"cloud": "no-password"},
            "cloud no-password can't log in with what clouds.yaml says: password is a required attribute",
        ),
    }
    for name, (data, _) in (failed | unreachable).items():
        inventory.hosts[name] = cloud_host(**data)
    run = cloudy.run("provision", "--yes", "--limit", "openstack", "-v", inventory=inventory)
    assert run.exit_code == 1
    assert {name: run.reason(name) for name in failed} == {name: reason for name, (_, reason) in failed.items()}
    for name, (_, reason) in unreachable.items():
        assert run.reason(name).startswith(reason)
    assert run.hosts_that_are("failed") == set(failed)
    assert run.hosts_that_are("unreachable") == set(unreachable)
    assert run.hosts_that_are("changed") == {CLOUD}
    assert WRONG_PASSWORD not in run.text + json.dumps(run.report)
    assert cloudy.count("PUT", path=SUBNETS) == 1
    assert cloudy.subnet_routes() == ROUTES

    some = ("--limit", "no-dhcp", "--limit", "nowhere", "--limit", "no-cloud")
    checked = cloudy.run("drift_check", *some, inventory=inventory)
    assert checked.exit_code == 1
    assert codes(checked, "no-dhcp") == [("cloud-conflict", failed["no-dhcp"][1])]
    assert {finding["code"] for finding in checked.hosts["nowhere"]["findings"]} == {"host-unreachable"}
    shown = cloudy.run("show_routes", *some, inventory=inventory)
    assert shown.exit_code == 1
    assert f"no-cloud: failed: {failed['no-cloud'][1]}" in shown.stdout


class TestRoles:
    def test_a_reader_may_look_and_is_told_whom_to_ask(self, cloudy: CloudLab) -> None:
        cloudy.cloud.break_("role-revoked")
        assert cloudy.on_cloud("drift_check").exit_code == 2
        run = cloudy.on_cloud("provision", "--yes")
        assert (run.exit_code, run.outcomes) == (1, {CLOUD: "failed"})
        assert run.reason(CLOUD) == (
            "cloud kubernetes does not allow this user to change a port's allowed address pairs (403): ask the "
            "project's administrator for the member role"
        )
        assert (cloudy.subnet_routes(), cloudy.pairs) == ({}, NO_PAIRS)

    def test_without_a_role_there_is_no_logging_in(self, cloudy: CloudLab) -> None:
        cloudy.cloud.break_("role-revoked", "all")
        run = cloudy.on_cloud("provision", "--yes")
        assert (run.exit_code, run.outcomes) == (1, {CLOUD: "unreachable"})
        assert run.reason(CLOUD).startswith("cloud kubernetes refuses the credentials of clouds.yaml: ")
        assert cloudy.count("POST", service="identity") == 1


class TestHalfAChange:
    def test_pairs_are_taken_back_where_the_routes_cannot_be_written(self, cloudy: CloudLab) -> None:
        cloudy.set_routes({"10.200.0.0/24": "10.240.0.20"})
        cloudy.set_pairs("worker-1", "192.168.7.7")
        cloudy.answer(500, SUBNETS)
        run = cloudy.on_cloud("provision", "--yes")
        assert (run.exit_code, run.outcomes) == (1, {CLOUD: "failed"})
        assert run.reason(CLOUD).startswith(
            "cloud kubernetes could not change the subnet's host routes: Request Failed"
        )
        # Worker-0's route was there before, so its pair serves.
        assert cloudy.pairs == {"worker-0": ["10.200.0.0/24"], "worker-1": ["192.168.7.7"], "worker-2": []}

    def test_also_when_only_some_ports_were_written(self, cloudy: CloudLab) -> None:
        cloudy.answer(412, f"{PORTS}{cloudy.id('port', 'worker-2')}")
        run = cloudy.on_cloud("provision", "--yes")
        assert run.exit_code == 1
        assert "could not change a port's allowed address pairs: Constrained to" in run.reason(CLOUD)
        assert (cloudy.subnet_routes(), cloudy.pairs) == ({}, NO_PAIRS)

    def test_an_api_that_dies_in_mid_run_leaves_nothing_that_the_next_run_does_not_fix(self, cloudy: CloudLab) -> None:
        cloudy.shell("worker-0", "ip route flush proto 201")
        cloudy.cloud.break_("api-slow", "0.4")
        with cloudy.meanwhile(lambda: cloudy.count("PUT", path=PORTS) == 2) as running:
            cloudy.cloud.break_("api-stopped")
            run = running.finish()
        assert (run.exit_code, run.outcomes[CLOUD]) == (1, "unreachable")
        assert run.reason(CLOUD).startswith("the API of cloud kubernetes does not answer: ")
        assert run.outcomes["worker-0"] == "changed"
        assert run.hosts_that_are("changed") | run.hosts_that_are("ok") == set(cloudy.hosts)
        assert all(cloudy.our_routes(host) for host in cloudy.hosts)
        assert [note for note in run.hosts[CLOUD]["notes"] if "could not be taken back" in note]
        assert cloudy.subnet_routes() == {}
        assert cloudy.pairs != NO_PAIRS
        cloudy.cloud.repair()
        assert cloudy.on_cloud("provision", "--yes").exit_code == 0
        assert (cloudy.subnet_routes(), cloudy.pairs) == (ROUTES, PAIRS)

    @pytest.mark.parametrize("service", ["network", "identity"])
    def test_an_api_that_is_down_is_unreachable_in_short_time(self, cloudy: CloudLab, service: str) -> None:
        cloudy.cloud.break_("api-stopped", service)
        run = cloudy.on_cloud("provision", "--yes")
        assert (run.exit_code, run.outcomes) == (1, {CLOUD: "unreachable"})
        assert run.reason(CLOUD).startswith("the API of cloud kubernetes does not answer: ")
        assert run.reason(CLOUD).endswith(": Connection refused")
        assert run.stderr.count("\n") == 1


class TestWhatPasses:
    def test_lost_answers_to_changes_that_were_made_are_no_second_changes(self, cloudy: CloudLab) -> None:
        cloudy.lose(SUBNETS)
        cloudy.lose(PORTS)
        run = cloudy.on_cloud("provision", "--yes")
        assert (run.exit_code, run.outcomes) == (0, {CLOUD: "changed"}), run.text
        assert (cloudy.subnet_routes(), cloudy.pairs) == (ROUTES, PAIRS)
        assert cloudy.count("PUT") == 4

    def test_two_failures_of_each_are_survived(self, cloudy: CloudLab) -> None:
        cloudy.answer(503, "/v2.0/ports", method="GET", count=2)
        cloudy.answer(409, PORTS, count=2)
        cloudy.answer(503, SUBNETS, count=2)
        run = cloudy.on_cloud("provision", "--yes")
        assert (run.exit_code, run.outcomes) == (0, {CLOUD: "changed"}), run.text
        assert (cloudy.subnet_routes(), cloudy.pairs) == (ROUTES, PAIRS)

    def test_but_not_for_ever(self, cloudy: CloudLab) -> None:
        cloudy.answer(409, SUBNETS, count=None)
        run = cloudy.on_cloud("provision", "--yes")
        assert (run.exit_code, run.outcomes) == (1, {CLOUD: "failed"})
        assert "could not change the subnet's host routes: Quota exceeded" in run.reason(CLOUD)
        assert cloudy.count("PUT", path=SUBNETS) == 3
        assert (cloudy.subnet_routes(), cloudy.pairs) == ({}, NO_PAIRS)

    def test_an_error_of_a_question_is_reported_plainly(self, cloudy: CloudLab) -> None:
        cloudy.cloud.break_("api-500")
        run = cloudy.on_cloud("provision", "--yes")
        assert run.exit_code == 1
        assert run.reason(CLOUD).startswith(
            "cloud kubernetes could not find network kubernetes-the-hard-way: Request Failed: internal server error"
        )

    def test_a_token_that_expires_in_mid_run_is_renewed(self, cloudy: CloudLab) -> None:
        # Keystone revokes by whole seconds: the next question comes in another one.
        cloudy.cloud.break_("api-slow", "1.5")
        with cloudy.meanwhile(lambda: cloudy.count("GET", path="/v2.0/networks") == 1, "--limit", CLOUD) as running:
            cloudy.cloud.break_("token-expired")
            cloudy.cloud.control.clear()
            run = running.finish()
        assert (run.exit_code, run.outcomes) == (0, {CLOUD: "changed"}), run.text
        assert cloudy.count("POST", service="identity") == 2
        assert (cloudy.subnet_routes(), cloudy.pairs) == (ROUTES, PAIRS)

    def test_a_slow_api_is_bounded(self, cloudy: CloudLab) -> None:
        inventory = cloudy.inventory()
        inventory.hosts[CLOUD]["connection_options"] = {"openstack": {"extras": {"api_timeout": 1}}}
        cloudy.cloud.break_("api-slow", "4")
        started = time.monotonic()
        run = cloudy.on_cloud("provision", "--yes", inventory=inventory)
        assert (run.exit_code, run.outcomes) == (1, {CLOUD: "unreachable"})
        assert "timed out" in run.reason(CLOUD)
        # The answer that nobody waits for any more would be counted in the next test.
        while cloudy.asked == []:
            assert time.monotonic() - started < 120
            time.sleep(0.1)
        assert len(cloudy.asked) == 1


def test_a_cloud_that_changes_while_the_question_is_read_is_left_alone(cloudy: CloudLab) -> None:
    with Terminal(cloudy.lab, cloudy.command("provision", "--limit", CLOUD)) as terminal:
        terminal.read_until("Apply 6 changes to 1 host? [y/N] ")
        cloudy.set_routes({"10.200.0.0/24": "10.240.0.9"})
        terminal.answer("y")
        assert terminal.finish() == 1
    assert "it has changed since the changes were shown: nothing was done; run this again" in terminal.text
    assert (cloudy.subnet_routes(), cloudy.pairs) == ({"10.200.0.0/24": "10.240.0.9"}, NO_PAIRS)
