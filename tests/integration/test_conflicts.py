"""What on a host contradicts the plan and is not ours to change: that host alone fails, with the reason."""

from tests.integration.cluster import SYSCTL, Cluster

# In the place of ours, which takes it over.
FOREIGN = "10.200.1.0/24 via 10.240.0.99 dev eth0 proto static mtu lock 600 advmss 500"
# What somebody else has done to each host, and how they undo it.
OTHERS = {
    "worker-0": (
        "ip link add br9 type bridge; ip address add 10.200.1.1/24 dev br9; ip link set br9 up",
        "ip link delete br9",
    ),
    "worker-1": (
        "echo 'net.ipv4.ip_forward = 0' >/etc/sysctl.d/99-hardening.conf",
        "rm /etc/sysctl.d/99-hardening.conf",
    ),
    "worker-2": (
        "ip route add 10.200.0.0/16 via 10.240.0.1 table 100; ip rule add to 10.200.0.0/16 lookup 100",
        "ip rule del to 10.200.0.0/16 lookup 100; ip route del 10.200.0.0/16 table 100",
    ),
    "controller-0": (
        "ip route add 10.200.1.0/25 via 10.240.0.1 proto static",
        "ip route del 10.200.1.0/25",
    ),
    "controller-1": (
        # The kernel will refuse the last of the three routes: "Nexthop has invalid gateway".
        f"ip route add broadcast 10.240.0.22 dev eth0 scope link; ip route add {FOREIGN}",
        "ip route del broadcast 10.240.0.22 dev eth0",
    ),
}


def test_conflicts_fail_their_host_with_the_reason_and_go_when_the_cause_goes(fresh: Cluster) -> None:
    for host, (cause, _) in OTHERS.items():
        fresh.shell(host, cause)
    before = fresh.take_snapshots()

    run = fresh.provision()

    assert run.exit_code == 1
    assert run.hosts_that_are("failed") == set(OTHERS)
    assert run.hosts_that_are("changed") == {"controller-2"}
    assert "FAILED: controller-0, controller-1, worker-0, worker-1, worker-2" in run.stdout

    # The bridge has worker-1's pod CIDR: routes of the kernel's own are never touched, and so nothing is.
    assert "10.200.1.0/24, the pod CIDR of worker-1, is connected here on br9" in run.reason("worker-0")
    fresh.assert_unchanged({"worker-0": before["worker-0"]})

    # Somebody's later file would turn forwarding off at boot: all is done that can be.
    reason = run.reason("worker-1")
    assert "/etc/sysctl.d/99-hardening.conf sets net.ipv4.ip_forward to 0 at boot" in reason
    assert "with its line `net.ipv4.ip_forward = 0`: remove that line" in reason
    assert fresh.our_routes("worker-1") == fresh.desired_routes("worker-1")
    assert fresh.on("worker-1", "systemctl", "is-active", "routes.service") == "active\n"
    assert fresh.on("worker-1", "sysctl", "-n", "net.ipv4.ip_forward") == "1\n"
    assert fresh.on("worker-1", "cat", SYSCTL).endswith("net.ipv4.ip_forward = 1\n")

    # The right routes are there, and something else is in front of them.
    for host, reason in (
        (
            "worker-2",
            "sends packets for 10.200.0.1 (worker-0's pods) via 10.240.0.1 dev eth0: a policy rule or another",
        ),
        ("controller-0", "part of 10.200.1.0/24 (worker-1's pods) goes another way: 10.200.1.0/25 via 10.240.0.1"),
    ):
        assert reason in run.reason(host)
        assert fresh.our_routes(host) == fresh.desired_routes(host)

    # The kernel refused one route of three: none was kept.
    assert "change 3 routes: Error: Nexthop has invalid gateway." in run.reason("controller-1")
    assert "none of the route changes was kept" in run.reason("controller-1")
    assert fresh.our_routes("controller-1") == []
    assert fresh.routes("controller-1", "10.200.1.0/24") == [FOREIGN]

    for host, (_, undo) in OTHERS.items():
        fresh.shell(host, undo)
    fixed = fresh.provision()
    assert fixed.exit_code == 0, fixed.text
    assert fixed.hosts_that_are("changed") == {"worker-0", "controller-1"}
    fresh.assert_pods_are_reached()


def test_two_workers_that_are_each_other_are_noticed_before_anything_is_touched(fresh: Cluster) -> None:
    inventory = fresh.inventory()
    addresses = [inventory.hosts[name]["hostname"] for name in ("worker-1", "worker-0")]
    for name, address in zip(("worker-0", "worker-1"), addresses, strict=True):
        inventory.hosts[name]["hostname"] = address
    before = fresh.take_snapshots(["worker-0", "worker-1"])

    run = fresh.provision("--limit", "workers", inventory=inventory)

    assert run.exit_code == 1
    assert run.outcomes == {"worker-0": "failed", "worker-1": "failed", "worker-2": "changed"}
    assert "this host's own bridge has another worker's pod CIDR" in run.reason("worker-0")
    fresh.assert_unchanged(before)


def test_routes_of_others_outlive_everything_and_are_mentioned(fresh: Cluster) -> None:
    foreign = [
        "10.200.250.0/24 via 10.240.0.1 proto static",  # inside the cluster's range
        "10.200.128.0/17 via 10.240.0.1 proto bird",  # a supernet there
        "10.199.0.0/16 via 10.240.0.1 proto 201",  # our protocol number, outside of our range
        "10.77.0.0/16 via 10.240.0.1 proto ra metric 1024",
        "blackhole 10.78.0.0/16",
        "10.200.1.0/24 via 10.240.0.1 proto static table 100",  # a wanted destination, in a table that is not ours
        "10.200.3.0/24 via 10.240.0.1 proto 201 table 100",
        "10.200.1.0/24 via 10.240.0.21 proto dhcp metric 100",  # from DHCP, and the same as ours
    ]
    for host in ("controller-0", "worker-0"):
        fresh.shell(
            host, "\n".join(f"ip route add {route}" for route in foreign) + "\nip rule add from 192.0.2.0/24 lookup 100"
        )
    before = fresh.take_snapshots()

    provisioned = fresh.provision()
    deprovisioned = fresh.deprovision()

    assert (provisioned.exit_code, deprovisioned.exit_code) == (0, 0), provisioned.text
    for route in ("10.200.250.0/24 via 10.240.0.1", "10.200.128.0/17 via 10.240.0.1"):
        assert f"note: controller-0, worker-0: left alone, not ours: {route}" in provisioned.stdout
    for host, snapshot in fresh.take_snapshots().items():
        assert snapshot.kernel["routes"] == before[host].kernel["routes"]
        assert snapshot.kernel["rules"] == before[host].kernel["rules"]


def test_a_worker_in_another_subnet_keeps_no_route_from_the_others(fresh: Cluster) -> None:
    inventory = fresh.inventory()
    inventory.defaults["data"]["node_network"] = "10.240.0.0/16"
    inventory.set_data("worker-2", internal_ips=["10.240.1.22"])

    run = fresh.run("provision", inventory=inventory)

    others = set(fresh.hosts) - {"worker-2"}
    assert run.exit_code == 1
    assert run.outcomes == dict.fromkeys(fresh.hosts, "failed")
    for host in others:
        assert run.reason(host) == (
            "next hop 10.240.1.22 (worker-2) is not on eth0's link (10.240.0.0/24): "
            "pod routes need all machines on one network"
        )
        expected = [route for route in fresh.desired_routes(host) if not route.startswith("10.200.2.0/24")]
        assert fresh.our_routes(host) == expected
    assert fresh.our_routes("worker-2") == []

    check = fresh.run("drift_check", inventory=inventory)
    assert check.exit_code == 2
    for host in others:
        assert [finding["code"] for finding in check.hosts[host]["findings"]] == ["plan-conflict"]
