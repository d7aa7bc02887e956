"""What becomes of pod routes when the network manager sets their device up anew: a real systemd-networkd, in LXD.

docs/decisions/0017-network-managers.md has what other releases of it and other managers do.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.cluster import new_lab
from tests.integration.lxd_lab import NEXT_HOPS, LxdLab

WORKERS = ("worker-0", "worker-1")
FILE = "/etc/systemd/network/eth1.network"
DROP_IN = f"{FILE}.d/90-kubernetes-pod-routes.conf"
DHCP = (
    "[Match]\nName=eth1\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n\n"
    "[DHCPv4]\nUseDNS=no\nUseGateway=no\nUseHostname=no\nUseRoutes=no\n"
)
BOUNCE = "ip link set eth1 down; sleep 0.3; ip link set eth1 up"
RECONFIGURE = "networkctl reconfigure eth1"
SECONDS = 20.0


@pytest.fixture(scope="module")
def lab_of_containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LxdLab]:
    with new_lab("-managers", controllers=0, workers=0, node_network="10.0.2.0/24", containers=True) as lab:
        cluster = LxdLab(lab, tmp_path_factory.mktemp("managers"))
        cluster.lxd.up(controllers=1, workers=2)
        yield cluster


@pytest.fixture
def containers(lab_of_containers: LxdLab) -> LxdLab:
    """The workers without anything of ours, with the address that DHCP gave them."""
    lab_of_containers.make_pristine()
    for worker in WORKERS:
        network(lab_of_containers, worker, DHCP)
    return lab_of_containers


def static(worker: str, more: str = "") -> str:
    address = f"{NEXT_HOPS[worker]}/24"
    return f"[Match]\nName=eth1\n\n[Network]\nAddress={address}\nLinkLocalAddressing=no\n{more}"


def network(cluster: LxdLab, worker: str, text: str) -> None:
    """Give a worker's eth1 a .network file, and wait for the address."""
    cluster.shell(worker, f"rm -rf {FILE}.d /run/systemd/network/eth1.network /etc/systemd/networkd.conf.d")
    cluster.on(worker, "tee", FILE, stdin=text)
    cluster.shell(worker, "systemctl restart systemd-networkd")
    wait_for(lambda: NEXT_HOPS[worker] in cluster.on(worker, "ip", "-br", "address", "show", "eth1"))
    wait_for(lambda: "configured" in cluster.on(worker, "networkctl", "list", "eth1", "--no-legend"))


def config(cluster: LxdLab, **data: str) -> Path:
    """The example's configuration, with more keys of the workers."""
    return cluster.config(hosts={one: {"data": {"internal_ips": NEXT_HOPS[one], **data}} for one in WORKERS})


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not come to be so"
        time.sleep(0.1)


def ours(cluster: LxdLab, worker: str = "worker-0") -> list[str]:
    return cluster.routes(worker, "proto", "201")


def is_set_up(cluster: LxdLab, worker: str = "worker-0") -> bool:
    return "routable configured" in " ".join(cluster.on(worker, "networkctl", "list", "eth1", "--no-legend").split())


def happens(cluster: LxdLab, event: str, worker: str = "worker-0") -> None:
    """Something happens to a worker's network; returns when systemd-networkd has done with it."""
    cluster.shell(worker, event)
    time.sleep(1.0)  # until it has begun
    wait_for(lambda: is_set_up(cluster, worker))
    wait_for(lambda: NEXT_HOPS[worker] in cluster.on(worker, "ip", "-br", "address", "show", "eth1"))


@pytest.mark.parametrize("foreign", ["yes", "no"])
@pytest.mark.parametrize("more", ["", "KeepConfiguration=yes\n", None], ids=["static", "static and kept", "DHCP"])
@pytest.mark.parametrize("event", [RECONFIGURE, BOUNCE], ids=["reconfigure", "bounce"])
def test_what_networkd_does_not_own_goes_whatever_its_settings_say(
    containers: LxdLab, foreign: str, more: str | None, event: str
) -> None:
    network(containers, "worker-0", DHCP if more is None else static("worker-0", more))
    assert containers.provision(inventory=config(containers)).exit_code == 0
    conf = f"[Network]\nManageForeignRoutes={foreign}\n"
    containers.shell("worker-0", "mkdir -p /etc/systemd/networkd.conf.d")
    containers.on("worker-0", "tee", "/etc/systemd/networkd.conf.d/10.conf", stdin=conf)
    containers.shell("worker-0", "systemctl restart systemd-networkd")
    wait_for(lambda: is_set_up(containers))
    containers.shell("worker-0", "systemctl reload routes.service")
    assert ours(containers) == containers.guides_routes("worker-0")
    happens(containers, event)
    assert ours(containers) == []
    found = containers.run("drift_check", inventory=config(containers))
    assert {"manager-removes-routes", "route-missing"} <= codes(found.hosts["worker-0"])


def codes(host: dict[str, list[dict[str, str]]]) -> set[str]:
    return {finding["code"] for finding in host["findings"]}


def test_networkd_keeps_what_it_owns(containers: LxdLab) -> None:
    for worker in WORKERS:
        network(containers, worker, static(worker))
    inventory = config(containers, persist="networkd")
    first = containers.provision(inventory=inventory)
    assert (first.exit_code, first.outcomes["worker-0"]) == (0, "changed"), first.text
    wanted = containers.guides_routes("worker-0")
    assert ours(containers) == wanted
    second = containers.provision(inventory=inventory)
    assert set(second.outcomes.values()) == {"ok"}, second.text
    checked = containers.run("drift_check", inventory=inventory)
    assert (checked.exit_code, codes(checked.hosts["worker-0"])) == (0, set()), checked.text

    for event in (
        RECONFIGURE,
        BOUNCE,
        "systemctl restart systemd-networkd",
        "networkctl reload",
        # Whoever changes a route beside systemd-networkd must not confuse it.
        f"ip route replace {wanted[0]} proto 201; {RECONFIGURE}",
        f"ip route del {wanted[0]}; systemctl reload routes.service; {BOUNCE}",
        "systemctl restart routes.service",
        f"touch {FILE}; networkctl reload",
    ):
        happens(containers, event)
        assert ours(containers) == wanted, event
    assert containers.answered(["worker-0"], WORKERS) == {("worker-0", "worker-1"): True}
    containers.lxd.reboot(["worker-0"])
    wait_for(lambda: is_set_up(containers))
    assert ours(containers) == wanted
    assert containers.run("drift_check", inventory=inventory).exit_code == 0
    assert set(containers.provision(inventory=inventory).outcomes.values()) == {"ok"}


@pytest.mark.parametrize("change", [f"rm -r {FILE}.d", f"sed -i 2,6d {DROP_IN}", f"chmod 664 {DROP_IN}"])
def test_a_drop_in_that_was_changed_is_drift_and_is_fixed(containers: LxdLab, change: str) -> None:
    network(containers, "worker-0", static("worker-0"))
    inventory = containers.config(hosts={"worker-0": {"data": {"internal_ips": "10.0.2.20", "persist": "networkd"}}})
    assert containers.provision(inventory=inventory).exit_code == 0
    happens(containers, f"{change}; networkctl reload")
    found = containers.run("drift_check", inventory=inventory)
    assert found.exit_code == 2
    assert "manager-lacks-routes" in codes(found.hosts["worker-0"])
    fixed = containers.run("drift_check", "--fix", inventory=inventory)
    assert (fixed.exit_code, fixed.outcomes["worker-0"]) == (0, "changed"), fixed.text
    happens(containers, BOUNCE)
    assert ours(containers) == containers.guides_routes("worker-0")


@pytest.mark.parametrize("more", ["", "KeepConfiguration=yes\n"], ids=["", "KeepConfiguration"])
def test_deprovisioning_takes_it_back_whole(containers: LxdLab, more: str) -> None:
    network(containers, "worker-0", static("worker-0", more))
    inventory = containers.config(hosts={"worker-0": {"data": {"internal_ips": "10.0.2.20", "persist": "networkd"}}})
    assert containers.provision(inventory=inventory).exit_code == 0
    removed = containers.deprovision(inventory=inventory)
    assert (removed.exit_code, removed.outcomes["worker-0"]) == (0, "changed"), removed.text
    assert containers.on("worker-0", "find", "/etc/systemd/network", "-name", "*.d") == ""
    for event in (RECONFIGURE, BOUNCE):
        happens(containers, event)
        assert ours(containers) == []
    assert containers.deprovision(inventory=inventory).outcomes["worker-0"] == "ok"


def test_the_setting_can_be_taken_back(containers: LxdLab) -> None:
    network(containers, "worker-0", static("worker-0"))
    inventory = containers.config(hosts={"worker-0": {"data": {"internal_ips": "10.0.2.20", "persist": "networkd"}}})
    assert containers.provision(inventory=inventory).exit_code == 0
    unit = containers.config(hosts={"worker-0": {"data": {"internal_ips": "10.0.2.20"}}})
    assert containers.run("drift_check", inventory=unit).exit_code == 2
    back = containers.provision(inventory=unit)
    assert (back.exit_code, back.outcomes["worker-0"]) == (0, "changed"), back.text
    assert ours(containers) == containers.guides_routes("worker-0")
    assert containers.provision(inventory=unit).outcomes["worker-0"] == "ok"


def test_a_file_that_netplan_wrote_gets_its_drop_in_in_etc(containers: LxdLab) -> None:
    network(containers, "worker-0", static("worker-0"))
    containers.shell("worker-0", f"mkdir -p /run/systemd/network; mv {FILE} /run/systemd/network/; networkctl reload")
    inventory = containers.config(hosts={"worker-0": {"data": {"internal_ips": "10.0.2.20", "persist": "networkd"}}})
    wait_for(lambda: is_set_up(containers))
    assert containers.provision(inventory=inventory).exit_code == 0
    assert containers.on("worker-0", "ls", DROP_IN) == f"{DROP_IN}\n"
    happens(containers, BOUNCE)
    assert ours(containers) == containers.guides_routes("worker-0")
    assert containers.deprovision(inventory=inventory).exit_code == 0


def test_an_old_networkd_is_not_given_routes_that_need_a_lease(containers: LxdLab) -> None:
    inventory = config(containers, persist="networkd")
    run = containers.provision(inventory=inventory)
    assert (run.exit_code, run.outcomes["worker-0"]) == (1, "failed")
    assert "persist: networkd: eth1 has its address from DHCP" in run.reason("worker-0")
    assert ours(containers) == []
    found = containers.run("drift_check", inventory=inventory)
    assert (found.exit_code, "plan-conflict" in codes(found.hosts["worker-0"])) == (2, True)


def test_what_networkd_refuses_is_put_back_as_it_was(containers: LxdLab) -> None:
    network(containers, "worker-0", static("worker-0"))
    inventory = containers.config(hosts={"worker-0": {"data": {"internal_ips": "10.0.2.20", "persist": "networkd"}}})
    # Something else beside it that makes it give the interface up as soon as it looks at it again.
    bad = "[Route]\nDestination=10.99.0.0/24\nGateway=192.0.2.1\nGatewayOnLink=no\n"
    containers.shell("worker-0", f"mkdir {FILE}.d")
    containers.on("worker-0", "tee", f"{FILE}.d/10.conf", stdin=bad)
    run = containers.provision(inventory=inventory)
    assert (run.exit_code, run.outcomes["worker-0"]) == (1, "failed")
    assert "systemd-networkd did not set eth1 up again" in run.reason("worker-0")
    assert "is as it was before" in run.reason("worker-0")
    assert containers.on("worker-0", "ls", f"{FILE}.d") == "10.conf\n"


def test_the_routes_of_a_managed_device_that_is_not_theirs_are_nobodys_business(containers: LxdLab) -> None:
    # eth1 is no longer systemd-networkd's, eth0 is.
    text = "[Match]\nName=eth1\n\n[Link]\nUnmanaged=yes\n"
    containers.on("worker-0", "tee", FILE, stdin=text)
    containers.shell("worker-0", "systemctl restart systemd-networkd; ip address replace 10.0.2.20/24 dev eth1")
    inventory = config(containers)
    assert containers.provision(inventory=inventory).exit_code == 0
    found = containers.run("drift_check", inventory=inventory)
    assert codes(found.hosts["worker-0"]) == set()
    assert codes(found.hosts["worker-1"]) == {"manager-removes-routes"}
