"""Drift: whatever goes wrong with what is ours on a host, the next run repairs that, on that host, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.integration.cluster import DATA, SCRIPT, SYSCTL, UNIT, Change, Cluster

RELOADED = ("routes_service", "reload", "routes.service")
ENABLED = ("routes_service", "enable", "routes.service")
STARTED = ("routes_service", "start", "routes.service")
UNTOUCHED = "controller-2"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        name: What.
        make: Makes it happen on a host.
        repair: The changes that the next run has to make, in their order.
    """

    name: str
    make: Callable[[Cluster, str], object]
    repair: tuple[Change, ...]


def lab_fault(name: str, *repair: Change) -> Fault:
    return Fault(name, lambda cluster, host: cluster.lab.break_(host, name), repair)


def by_hand(name: str, script: str, *repair: Change) -> Fault:
    return Fault(name, lambda cluster, host: cluster.shell(host, script), repair)


def added(*indices: int) -> tuple[Change, ...]:
    return tuple(("routes", "add", f"10.200.{index}.0/24") for index in indices)


def replaced(index: int) -> Change:
    return ("routes", "replace", f"10.200.{index}.0/24")


def removed(index: int) -> Change:
    return ("routes", "remove", f"10.200.{index}.0/24")


def written(path: str) -> Change:
    return ("forwarding" if path == SYSCTL else "routes_service", "write", path)


# Each batch breaks several hosts at once, each in its own way, and leaves one alone.
BATCHES: list[dict[str, Fault]] = [
    {
        "controller-0": lab_fault("drop-route", *added(0)),
        "controller-1": lab_fault("forwarding-off", ("forwarding", "set", "net.ipv4.ip_forward")),
        "worker-0": lab_fault("own-cidr-route", removed(0)),
        "worker-1": lab_fault("wrong-next-hop", replaced(0)),
        "worker-2": lab_fault("link-bounced", *added(0, 1)),
    },
    {
        "controller-0": lab_fault("unit-edited", written(UNIT), RELOADED),
        "controller-1": lab_fault("unit-disabled", ENABLED),
        "worker-0": lab_fault("stale-route", removed(240)),
        "worker-1": lab_fault("duplicate-route", removed(0)),
        "worker-2": by_hand("unit stopped", "systemctl stop routes.service", *added(0, 1), STARTED),
    },
    {
        "controller-0": by_hand("script edited", f"echo 'exit 1' >>{SCRIPT}", written(SCRIPT), RELOADED),
        "controller-1": by_hand("routes' file edited", f"sed -i /10.200.1.0/d {DATA}", written(DATA), RELOADED),
        "worker-0": by_hand("routes' file removed", f"rm {DATA}", written(DATA), RELOADED),
        "worker-1": by_hand("unit's mode changed", f"chmod 0600 {UNIT}", written(UNIT), RELOADED),
        "worker-2": by_hand("unit masked by a link", f"ln -sf /dev/null {UNIT}", written(UNIT), RELOADED),
    },
    {
        "controller-0": by_hand(
            "unit failed",
            "echo garbage >/run/kubernetes-routes/applied; systemctl stop routes.service",
            STARTED,
        ),
        "controller-1": by_hand("sysctl.d file edited", f"echo net.ipv4.ip_forward=0 >{SYSCTL}", written(SYSCTL)),
        "worker-0": by_hand(
            "wrong device",
            "ip link add eth1 type bridge; ip link set eth1 up;"
            "ip route replace 10.200.1.0/24 via 10.240.0.21 dev eth1 onlink proto 201",
            replaced(1),
        ),
        "worker-1": by_hand(
            "second route of the same metric",
            "ip route append 10.200.2.0/24 via 10.240.0.20 proto static",
            removed(2),
        ),
        "worker-2": by_hand(
            "several next hops",
            "ip route replace 10.200.0.0/24 nexthop via 10.240.0.20 nexthop via 10.240.0.21",
            replaced(0),
        ),
    },
    {
        "controller-0": by_hand("script's owner changed", f"chown ubuntu {SCRIPT}", written(SCRIPT), RELOADED),
        "controller-1": by_hand("sysctl.d file removed", f"rm {SYSCTL}", written(SYSCTL)),
        "worker-0": by_hand("blackhole", "ip route replace blackhole 10.200.2.0/24", replaced(2)),
        "worker-1": by_hand(
            "our own route twice, by metric",
            "ip route add 10.200.0.0/24 via 10.240.0.20 metric 50 proto 201",
            removed(0),
        ),
        "worker-2": by_hand(
            "script replaced by a link to itself",
            f"mv {SCRIPT} /root/s; ln -s /root/s {SCRIPT}",
            written(SCRIPT),
            RELOADED,
        ),
    },
    {
        "controller-0": by_hand(
            "unit's link removed",
            "rm /etc/systemd/system/multi-user.target.wants/routes.service",
            ENABLED,
        ),
        "worker-0": by_hand(
            "own pod CIDR through another worker, by metric",
            "ip route add 10.200.0.0/24 via 10.240.0.21 metric 50 proto static",
            removed(0),
        ),
        "worker-1": by_hand("all routes flushed", "ip route flush proto 201", *added(0, 2)),
        "worker-2": by_hand("routes' file unreadable", f"chmod 0000 {DATA}", written(DATA), RELOADED),
    },
]


@pytest.mark.parametrize("faults", BATCHES, ids=lambda faults: ", ".join(fault.name for fault in faults.values()))
def test_repairs(provisioned: Cluster, faults: dict[str, Fault]) -> None:
    before = provisioned.take_snapshots(own_layer=True)
    for host, fault in faults.items():
        fault.make(provisioned, host)

    run = provisioned.provision()

    assert run.exit_code == 0, run.text
    assert {host: tuple(run.changes(host)) for host in faults} == {host: fault.repair for host, fault in faults.items()}
    assert run.hosts_that_are("ok") == set(provisioned.hosts) - set(faults)
    for host in provisioned.hosts:
        assert provisioned.our_routes(host) == provisioned.desired_routes(host)
    # Left behind by faults: a device of somebody else's, and what stood in the place of our files, which is kept.
    provisioned.shell("worker-0", "ip link delete eth1 2>/dev/null || true")
    provisioned.shell("worker-2", "rm -rf /root/s /etc/kubernetes-routes/replaced")
    provisioned.assert_unchanged(before, reboots=True)

    assert provisioned.provision().hosts_that_are("ok") == set(provisioned.hosts)


def test_a_fault_on_one_host_is_shown_by_a_dry_run_and_left_as_it_is(provisioned: Cluster) -> None:
    provisioned.lab.break_("worker-1", "wrong-next-hop")
    broken = provisioned.take_snapshots()

    run = provisioned.provision("--dry-run", "--diff")

    assert run.exit_code == 0
    assert run.hosts_that_are("changed") == {"worker-1"}
    assert run.changes("worker-1") == [replaced(0)]
    assert "wrong next hop" in run.stdout
    provisioned.assert_unchanged(broken)
