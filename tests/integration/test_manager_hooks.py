"""`persist: networkmanager` and `persist: ifupdown`: with the managers themselves, in LXD.

docs/decisions/0017-network-managers.md has what was measured; worker-0 has NetworkManager, worker-1 has ifupdown.
"""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration import manager_packages
from tests.integration.cluster import Run, new_lab
from tests.integration.lxd_lab import NEXT_HOPS, LxdLab

NM, IFUPDOWN = "worker-0", "worker-1"
SETTINGS = {NM: "networkmanager", IFUPDOWN: "ifupdown"}
HOOKS = {
    NM: "/etc/NetworkManager/dispatcher.d/90-kubernetes-pod-routes",
    IFUPDOWN: "/etc/network/if-up.d/kubernetes-pod-routes",
}
KEPT = "/etc/kubernetes-routes/replaced"
SECONDS = 90.0

PROFILE = "/etc/NetworkManager/system-connections/eth1.nmconnection"
METHODS = {"static": f"method=manual\naddress1={NEXT_HOPS[NM]}/24\nnever-default=true\n", "DHCP": "method=auto\n"}
UP = "nmcli -w 60 connection up eth1"
AGAIN = {NM: UP, IFUPDOWN: "ifdown eth1; ifup eth1"}
SHORT = "ip link set eth1 down; sleep 0.3; ip link set eth1 up"
# As administrators set it up: the interface is no longer systemd-networkd's.
TAKE_FROM_NETWORKD = """
printf '[Match]\\nName=eth1\\n\\n[Link]\\nUnmanaged=yes\\n' >/etc/systemd/network/eth1.network
systemctl restart systemd-networkd
ip address flush dev eth1
"""
SET_UP = {
    NM: f"""
mkdir -p {PROFILE.rpartition("/")[0]} /etc/NetworkManager/conf.d
printf '[main]\\nplugins=keyfile\\n[keyfile]\\nunmanaged-devices=*,except:interface-name:eth1\\n' \
    >/etc/NetworkManager/conf.d/10.conf
touch {PROFILE}
chmod 600 {PROFILE}
systemctl enable --quiet --now NetworkManager
""",
    IFUPDOWN: f"""
printf 'auto lo\\niface lo inet loopback\\nauto eth1\\niface eth1 inet static\\n address {NEXT_HOPS[IFUPDOWN]}/24\\n' \
    >/etc/network/interfaces
systemctl enable --quiet --now networking
""",
}


@pytest.fixture(scope="module")
def lab_of_containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LxdLab]:
    with new_lab("-hooks", controllers=0, workers=0, node_network="10.0.2.0/24", containers=True) as lab:
        cluster = LxdLab(lab, tmp_path_factory.mktemp("hooks"))
        cluster.lxd.up(controllers=0, workers=2)
        for worker, script in SET_UP.items():
            manager_packages.install(cluster.lxd, worker)
            cluster.shell(worker, TAKE_FROM_NETWORKD + script)
        yield cluster


@pytest.fixture
def containers(lab_of_containers: LxdLab) -> LxdLab:
    """The workers without anything of ours, each with its address by its manager."""
    for worker, hook in HOOKS.items():
        lab_of_containers.shell(worker, f"rm -f {hook}")
    lab_of_containers.make_pristine()
    profile(lab_of_containers, "static")
    lab_of_containers.shell(IFUPDOWN, AGAIN[IFUPDOWN])
    return lab_of_containers


def profile(cluster: LxdLab, method: str) -> None:
    """Give NetworkManager's connection a static address, or one from DHCP."""
    head = "[connection]\nid=eth1\ntype=ethernet\ninterface-name=eth1\n[ipv6]\nmethod=disabled\n[ipv4]\n"
    cluster.on(NM, "tee", PROFILE, stdin=head + METHODS[method])
    cluster.shell(NM, f"nmcli connection reload; {UP}")


def config(cluster: LxdLab, *, persist: bool = True) -> Path:
    """The example's configuration, with or without the setting."""
    more = {worker: {"persist": setting} if persist else {} for worker, setting in SETTINGS.items()}
    return cluster.config(hosts={one: {"data": {"internal_ips": NEXT_HOPS[one], **more[one]}} for one in more})


def provisioned(cluster: LxdLab, *, persist: bool = True) -> Path:
    """Provision the workers; returns the configuration."""
    inventory = config(cluster, persist=persist)
    run = cluster.provision(inventory=inventory)
    assert (run.exit_code, set(run.outcomes.values())) == (0, {"changed"}), run.text
    return inventory


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.1)


def ours(cluster: LxdLab, worker: str) -> list[str]:
    return cluster.routes(worker, "proto", "201")


def has_address(cluster: LxdLab, worker: str) -> bool:
    return NEXT_HOPS[worker] in cluster.on(worker, "ip", "-br", "address", "show", "eth1")


def has_all(cluster: LxdLab, worker: str) -> bool:
    return has_address(cluster, worker) and ours(cluster, worker) == cluster.guides_routes(worker)


def is_idle(cluster: LxdLab, worker: str) -> bool:
    return "routes.service" not in cluster.on(worker, "systemctl", "list-jobs", "--no-legend")


def codes(run: Run, worker: str) -> set[str]:
    return {finding["code"] for finding in run.hosts[worker]["findings"]}


def set_carrier(cluster: LxdLab, worker: str, state: str) -> None:
    """Plug the cable of a worker's eth1 in (`up`) or out (`down`)."""
    number = int(cluster.on(worker, "cat", "/sys/class/net/eth1/iflink"))
    links = json.loads(cluster.lab.operator(["ip", "-j", "link"]).stdout)
    (peer,) = (link["ifname"] for link in links if link["ifindex"] == number)
    assert cluster.lab.operator(["ip", "link", "set", peer, state]).returncode == 0


def comes_back(cluster: LxdLab, worker: str) -> None:
    """All routes are there at last, and the unit is as it was."""
    wait_until(lambda: has_all(cluster, worker))
    wait_until(lambda: is_idle(cluster, worker) and state_of_unit(cluster, worker) == "active")


def state_of_unit(cluster: LxdLab, worker: str) -> str:
    return cluster.on(worker, "systemctl", "is-active", "routes.service", check=False).strip()


@pytest.mark.parametrize("method", METHODS)
def test_routes_are_back_after_whatever_network_manager_does(containers: LxdLab, method: str) -> None:
    profile(containers, method)
    provisioned(containers)
    events = [
        UP,
        "nmcli device reapply eth1",
        "nmcli -w 60 device disconnect eth1; nmcli -w 60 device connect eth1",
        "systemctl restart NetworkManager",
    ]
    for event in events:
        containers.shell(NM, event)
        comes_back(containers, NM)
    # Longer, so that NetworkManager takes the address away.
    containers.shell(NM, "ip link set eth1 down")
    wait_until(lambda: not has_address(containers, NM))
    containers.shell(NM, "ip link set eth1 up")
    comes_back(containers, NM)
    set_carrier(containers, NM, "down")
    wait_until(lambda: not has_address(containers, NM))
    set_carrier(containers, NM, "up")
    comes_back(containers, NM)


@pytest.mark.parametrize("event", ["systemctl restart networking", AGAIN[IFUPDOWN], "ifdown -a; ifup -a"])
def test_routes_are_back_after_whatever_ifupdown_does(containers: LxdLab, event: str) -> None:
    provisioned(containers)
    containers.shell(IFUPDOWN, event)
    comes_back(containers, IFUPDOWN)


@pytest.mark.parametrize("worker", SETTINGS)
def test_without_the_setting_they_stay_away(containers: LxdLab, worker: str) -> None:
    inventory = provisioned(containers, persist=False)
    containers.shell(worker, AGAIN[worker])
    wait_until(lambda: has_address(containers, worker))
    assert ours(containers, worker) == []
    found = containers.run("drift_check", inventory=inventory)
    assert {"manager-removes-routes", "route-missing"} <= codes(found, worker)
    (notice,) = (one for one in found.hosts[worker]["findings"] if one["code"] == "manager-removes-routes")
    assert f"write persist: {SETTINGS[worker]} in the inventory" in notice["message"]


@pytest.mark.parametrize("worker", SETTINGS)
def test_what_no_event_reports_is_found_and_fixed(containers: LxdLab, worker: str) -> None:
    inventory = provisioned(containers)
    containers.shell(worker, SHORT)
    wait_until(lambda: has_address(containers, worker))
    assert ours(containers, worker) == []
    found = containers.run("drift_check", inventory=inventory)
    assert (found.exit_code, "route-missing" in codes(found, worker)) == (2, True)
    fixed = containers.run("drift_check", "--fix", inventory=inventory)
    assert (fixed.exit_code, fixed.outcomes[worker]) == (0, "changed"), fixed.text
    comes_back(containers, worker)


def test_they_are_there_after_a_reboot_and_nothing_is_left_to_do(containers: LxdLab) -> None:
    inventory = provisioned(containers)
    for again in (False, True):
        if again:
            containers.lxd.reboot(list(SETTINGS))
        for worker in SETTINGS:
            comes_back(containers, worker)
            assert containers.on(worker, "systemctl", "--failed", "--no-legend") == ""
        second = containers.provision(inventory=inventory)
        assert set(second.outcomes.values()) == {"ok"}, second.text
        checked = containers.run("drift_check", inventory=inventory)
        assert (checked.exit_code, [codes(checked, worker) for worker in SETTINGS]) == (0, [set(), set()])
    assert containers.answered(SETTINGS, SETTINGS) == {(NM, IFUPDOWN): True, (IFUPDOWN, NM): True}


@pytest.mark.parametrize("worker", SETTINGS)
def test_a_unit_that_was_stopped_stays_so(containers: LxdLab, worker: str) -> None:
    provisioned(containers)
    containers.shell(worker, "systemctl stop routes.service")
    containers.shell(worker, AGAIN[worker])  # and is no error
    containers.shell(worker, f"{HOOKS[worker]} eth1 up")
    wait_until(lambda: is_idle(containers, worker))
    assert state_of_unit(containers, worker) == "inactive"
    assert ours(containers, worker) == []


@pytest.mark.parametrize("worker", SETTINGS)
def test_many_events_are_a_few_reloads_and_no_failure(containers: LxdLab, worker: str) -> None:
    provisioned(containers)
    containers.shell(worker, f"for n in $(seq 20); do {AGAIN[worker]}; done")
    comes_back(containers, worker)
    assert containers.on(worker, "systemctl", "--failed", "--no-legend") == ""
    assert containers.on(worker, "sh", "-c", "ps ax -o comm= | grep -c '^systemctl$'", check=False) == "0\n"


@pytest.mark.parametrize("change", ["rm {}", "echo >>{}", "chmod 644 {}"])
def test_a_hook_that_was_changed_is_drift_and_is_fixed(containers: LxdLab, change: str) -> None:
    inventory = provisioned(containers)
    for worker, hook in HOOKS.items():
        containers.shell(worker, change.format(hook))
    found = containers.run("drift_check", inventory=inventory)
    assert (found.exit_code, [codes(found, worker) for worker in HOOKS]) == (2, [{"manager-lacks-routes"}] * 2)
    fixed = containers.run("drift_check", "--fix", inventory=inventory)
    assert (fixed.exit_code, set(fixed.outcomes.values())) == (0, {"changed"}), fixed.text
    for worker in HOOKS:
        containers.shell(worker, AGAIN[worker])
        comes_back(containers, worker)


@pytest.mark.parametrize("taken_back", [True, False], ids=["the setting alone", "all of it"])
@pytest.mark.parametrize("before", ["", "#!/bin/sh\n# somebody's\n"], ids=["nothing", "somebody's"])
def test_it_is_taken_back_whole(containers: LxdLab, before: str, taken_back: bool) -> None:
    for worker, hook in HOOKS.items() if before else ():
        containers.on(worker, "tee", hook, stdin=before)
        containers.shell(worker, f"chmod 700 {hook}")
    inventory = provisioned(containers)
    if taken_back:
        run = containers.provision(inventory=config(containers, persist=False))
    else:
        run = containers.deprovision(inventory=inventory)
    assert (run.exit_code, set(run.outcomes.values())) == (0, {"changed"}), run.text
    for worker, hook in HOOKS.items():
        there = containers.on(worker, "find", hook.rpartition("/")[0], "-name", "*kubernetes*", "-printf", "%p %m")
        assert there == (f"{hook} 700" if before else "")
        assert not before or containers.on(worker, "cat", hook) == before
        assert containers.on(worker, "find", "/etc/kubernetes-routes", "-path", f"{KEPT}*", check=False) == ""
        containers.shell(worker, AGAIN[worker])
        wait_until(partial(is_idle, containers, worker))
        assert ours(containers, worker) == []
    if not taken_back:
        assert set(containers.deprovision(inventory=inventory).outcomes.values()) == {"ok"}


def test_a_device_of_another_manager_is_refused_and_nothing_is_changed(containers: LxdLab) -> None:
    settings = dict(zip(SETTINGS, reversed(SETTINGS.values()), strict=True))
    data = {one: {"data": {"internal_ips": NEXT_HOPS[one], "persist": settings[one]}} for one in SETTINGS}
    run = containers.provision(inventory=containers.config(hosts=data))
    assert (run.exit_code, set(run.outcomes.values())) == (1, {"failed"}), run.text
    assert "ifupdown does not set up eth1, NetworkManager does" in run.reason(NM)
    assert "NetworkManager does not set up eth1, ifupdown does" in run.reason(IFUPDOWN)
    assert [ours(containers, worker) for worker in SETTINGS] == [[], []]


def test_without_the_unit_the_inventory_is_refused(containers: LxdLab) -> None:
    data = {"internal_ips": NEXT_HOPS[NM], "persist": "networkmanager", "routes_service": False}
    run = containers.provision(inventory=containers.config(hosts={NM: {"data": data}}))
    assert run.exit_code == 64
    assert "worker-0" in run.text
    assert "data.persist: networkmanager needs routes.service, and routes_service is false" in run.text
