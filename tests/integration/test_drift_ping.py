"""Which pods are cut off: what the tables say is what pings between pods show, and --ping finds the rest."""

from collections.abc import Iterable, Iterator

import pytest

from lab.layout import Host
from tests.integration.cluster import Cluster, Run

Way = tuple[str, str]

# Scripts by host; what they cut is not written here: the pods' own pings say.
FAULTS: dict[str, dict[str, str]] = {
    "a worker does not forward, another takes a detour through it, a third into nowhere": {
        "worker-1": "sysctl -q -w net.ipv4.ip_forward=0",
        "worker-0": "ip route replace 10.200.2.0/24 via 10.240.0.21 proto 201",
        "controller-1": "ip route replace 10.200.0.0/24 via 10.240.0.200 proto 201",
        "controller-2": "sysctl -q -w net.ipv4.ip_forward=0",
    },
    "detours that arrive, a circle, and a device that leads nowhere": {
        "worker-0": "ip route replace 10.200.1.0/24 via 10.240.0.22 proto 201",
        "controller-0": "ip route replace 10.200.2.0/24 via 10.240.0.20 proto 201;"
        "ip link add eth1 type bridge; ip link set eth1 up;"
        "ip route replace 10.200.0.0/24 via 10.240.0.20 dev eth1 onlink proto 201",
        "controller-1": "ip route replace 10.200.0.0/24 via 10.240.0.12 proto 201",
        "controller-2": "ip route replace 10.200.0.0/24 via 10.240.0.11 proto 201",
    },
    "pods sent away by their own host, or nearly": {
        "worker-2": "ip route prepend 10.200.2.0/24 via 10.240.0.22 dev eth0",
        "worker-0": "ip route append 10.200.0.0/24 via 10.240.0.20 dev eth0",
        "worker-1": "ip route add 10.200.1.0/24 via 10.240.0.20 metric 50 proto static",
        "controller-0": "ip route add blackhole 10.200.0.0/24 metric 50",
        "controller-1": "ip route add 10.200.1.0/28 via 10.240.0.254",
        "controller-2": "ip route add blackhole 10.200.1.0/24 table 100; ip rule add to 10.200.1.0/24 lookup 100",
    },
}


def states(run: Run) -> dict[Way, str]:
    return {(one["source"], one["target"]): one["state"] for one in run.report["directions"]}


def ways_of(run: Run) -> dict[Way, tuple[str, str, str]]:
    return {
        (one["source"], one["target"]): (one["state"], one["cause"], one["ping"]) for one in run.report["directions"]
    }


def expected_of_pings(cluster: Cluster, open_ways: dict[Way, str]) -> dict[Way, bool]:
    """Whether each ping from a pod, or a controller, has to be answered: there and, between pods, back."""
    workers = {worker.name for worker in cluster.workers}
    return {
        (source, target): state == "ok" and (source not in workers or open_ways[target, source] == "ok")
        for (source, target), state in open_ways.items()
    }


def pings_between_pods(cluster: Cluster) -> dict[Way, bool]:
    [matrix] = cluster.pings()
    return {
        (source.removeprefix("pod of "), target): answer
        for source, row in zip(matrix.sources, matrix.answers, strict=True)
        for target, answer in zip(matrix.targets, row, strict=True)
        if answer is not None
    }


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_what_is_cut_is_what_pods_do_not_reach(provisioned: Cluster, faults: dict[str, str]) -> None:
    provisioned.everywhere(lambda host: provisioned.shell(host, faults[host]), faults)

    run = provisioned.run("drift_check")

    assert run.exit_code == 2
    directions = states(run)
    assert "cut" in directions.values()
    assert expected_of_pings(provisioned, directions) == pings_between_pods(provisioned)
    for one in run.report["directions"]:
        assert (one["state"] == "cut") == (one["reason"] != "")
        if one["state"] == "cut":
            assert f"  {one['source']} → {one['target']}: {one['reason']}\n" in run.stdout
    _assert_matrix_is_printed(run, [host.name for host in provisioned.lab.hosts], provisioned.workers)
    # Before the fixture looks at workers' own pod CIDRs.
    flush = "ip route flush root 10.200.0.0/16 proto boot; ip route flush root 10.200.0.0/16 proto static"
    provisioned.everywhere(lambda host: provisioned.shell(host, flush))


def _assert_matrix_is_printed(run: Run, sources: Iterable[str], targets: list[Host]) -> None:
    lines = run.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("FROM, TO PODS OF"))
    assert lines[start].split()[4:] == [target.name for target in targets]
    cells = {"ok": "ok", "cut": "CUT"}
    for number, source in enumerate(sources, start + 1):
        expected = [cells.get(states(run).get((source, target.name), ""), "·") for target in targets]
        assert lines[number].split() == [source, *expected]


def test_after_fixing_everything_is_open_again(provisioned: Cluster) -> None:
    provisioned.shell("worker-0", "ip route del 10.200.1.0/24")
    provisioned.shell("controller-0", "ip route del 10.200.2.0/24")
    assert {way for way, answered in pings_between_pods(provisioned).items() if not answered} == {
        ("worker-0", "worker-1"),
        ("worker-1", "worker-0"),
        ("controller-0", "worker-2"),
    }

    run = provisioned.run("drift_check", "--fix", "--ping")

    assert run.exit_code == 0
    assert run.hosts_that_are("changed") == {"worker-0", "controller-0"}
    # What was so before is printed on the way, and what is so now is in the report.
    assert "  worker-0 → worker-1: worker-0 has no route to 10.200.1.0/24\n" in run.stdout
    assert {one["state"] for one in run.report["directions"]} == {"ok"}
    workers = {worker.name for worker in provisioned.workers}
    assert {one["ping"] for one in run.report["directions"] if one["source"] in workers} == {"answered"}
    provisioned.assert_pods_are_reached()


# A bridge's ports that are isolated from each other: as a security group between two machines would have it.
def _isolate(cluster: Cluster, *hosts: str, on: bool) -> None:
    for host in hosts:
        link = ["link", "set", "dev", cluster.lab.layout.host(host).port, "type", "bridge_slave"]
        done = cluster.lab.operator(["ip", *link, "isolated", "on" if on else "off"])
        assert done.returncode == 0, done.stderr


def _mtu(cluster: Cluster, host: str, mtu: int) -> None:
    done = cluster.lab.operator(["ip", "link", "set", "dev", cluster.lab.layout.host(host).port, "mtu", str(mtu)])
    assert done.returncode == 0, done.stderr


@pytest.fixture
def network(provisioned: Cluster) -> Iterator[Cluster]:
    """The cluster, whose network is put right afterwards."""
    yield provisioned
    _isolate(provisioned, "worker-0", "worker-1", on=False)
    _mtu(provisioned, "worker-2", 1500)


def test_pings_find_what_no_table_tells(network: Cluster) -> None:
    _isolate(network, "worker-0", "worker-1", on=True)
    _mtu(network, "worker-2", 1400)
    before = network.take_snapshots(own_layer=True)

    run = network.run("drift_check", "--ping")

    assert run.exit_code == 2
    dropped, too_large = ("cut", "dropped on the way", "no answer"), ("cut", "too large", "small packets only")
    expected = dict.fromkeys(states(run), ("ok", "", ""))
    expected |= {("worker-0", "worker-1"): dropped, ("worker-1", "worker-0"): dropped}
    for other in ("worker-0", "worker-1"):
        expected |= {(other, "worker-2"): too_large, ("worker-2", other): too_large}
    assert ways_of(run) == expected
    found = {
        host: [(one["code"], one["layer"], one["subject"]) for one in run.hosts[host]["findings"]]
        for host in network.hosts
    }
    assert found == {
        **{f"controller-{number}": [] for number in range(3)},
        "worker-0": [
            ("packets-dropped", "kernel", "worker-0 → worker-1"),
            ("packets-too-large", "kernel", "worker-0 → worker-2"),
        ],
        "worker-1": [
            ("packets-dropped", "kernel", "worker-1 → worker-0"),
            ("packets-too-large", "kernel", "worker-1 → worker-2"),
        ],
        "worker-2": [
            ("packets-too-large", "kernel", "worker-2 → worker-0"),
            ("packets-too-large", "kernel", "worker-2 → worker-1"),
        ],
    }
    assert run.hosts_that_are("drift") == {"worker-0", "worker-1", "worker-2"}
    assert "pings answered: 0 of 6\n" in run.stdout
    # And it is so: pods' small packets arrive where the gateways' did.
    pings = pings_between_pods(network)
    assert {way for way, answered in pings.items() if not answered} == {
        ("worker-0", "worker-1"),
        ("worker-1", "worker-0"),
    }
    network.assert_unchanged(before)

    # No provisioning fixes a network.
    fixed = network.run("drift_check", "--ping", "--fix", "--limit", "workers")
    assert fixed.exit_code == 1
    assert fixed.hosts_that_are("failed") == {"worker-0", "worker-1", "worker-2"}
    assert "dropped on the way" in fixed.reason("worker-0")
    network.assert_unchanged(before)


def test_causes_are_told_apart_and_nothing_is_left_behind(provisioned: Cluster) -> None:
    provisioned.shell("worker-0", "ip route del 10.200.1.0/24")
    provisioned.shell("worker-2", "sysctl -q -w net.ipv4.ip_forward=0")
    # Between addresses of pods, and of pods alone: the tables are right.
    provisioned.shell("worker-1", "ip rule add from 10.200.1.0/24 to 10.200.2.0/24 blackhole")
    before = provisioned.take_snapshots(own_layer=True)

    run = provisioned.run("drift_check", "--ping")

    assert run.exit_code == 2
    ways = ways_of(run)
    assert ways["worker-0", "worker-1"] == ("cut", "no route", "no answer")
    # What worker-1 sends arrives; that worker-0 can't answer is worker-0's finding.
    assert ways["worker-1", "worker-0"] == ("ok", "", "no answer")
    # Gateways are the hosts' own: they answer without anything being forwarded.
    assert ways["worker-0", "worker-2"] == ("cut", "forwarding off", "answered")
    assert ways["worker-2", "worker-0"] == ("cut", "forwarding off", "answered")
    assert ways["worker-1", "worker-2"] == ("cut", "forwarding off", "no answer")
    assert {code for host in provisioned.hosts for code in _codes(run, host)} == {
        "forwarding-off",
        "route-missing",
        "unit-without-routes",
    }
    assert "pings answered: 2 of 6; 2 of them by a gateway itself, whose pods are not reached\n" in run.stdout
    provisioned.assert_unchanged(before)
    left = provisioned.everywhere(lambda host: provisioned.on(host, "pgrep", "-l", "ping", check=False))
    assert set(left.values()) == {""}

    # With both of those fixed, what is left is the rule's.
    fixed = provisioned.run("drift_check", "--ping", "--fix")
    assert fixed.exit_code == 1
    assert ways_of(fixed)["worker-1", "worker-2"] == ("cut", "dropped on the way", "no answer")
    assert ways_of(fixed)["worker-2", "worker-1"] == ("cut", "dropped on the way", "no answer")
    assert ways_of(fixed)["worker-0", "worker-1"] == ("ok", "", "answered")
    assert fixed.outcomes["worker-0"] == "changed"
    assert fixed.outcomes["worker-2"] == "failed"
    assert "still: worker-2 → worker-1: packets are dropped on the way" in fixed.reason("worker-2")


def _codes(run: Run, host: str) -> list[str]:
    return [finding["code"] for finding in run.hosts[host]["findings"]]
