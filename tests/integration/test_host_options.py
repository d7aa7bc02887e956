"""What the inventory may say about a single machine."""

from tests.integration.cluster import DATA, SCRIPT, SYSCTL, UNIT, Cluster


def test_a_machine_that_is_not_managed_is_never_connected_to_and_others_route_to_its_pods(fresh: Cluster) -> None:
    inventory = fresh.inventory()
    inventory.set_data("worker-2", manage_routes=False)
    before, connections = fresh.take_snapshots(["worker-2"]), fresh.connections()

    run = fresh.provision(inventory=inventory)

    assert run.exit_code == 0
    assert set(run.hosts) == set(fresh.hosts) - {"worker-2"}
    assert "not managed, by the inventory: worker-2" in run.stdout
    assert fresh.connections()["worker-2"] == connections["worker-2"]
    fresh.assert_unchanged(before)
    assert fresh.our_routes("controller-0") == fresh.desired_routes("controller-0")

    alone = fresh.provision("--limit", "worker-2", inventory=inventory)
    assert alone.exit_code == 64
    assert "none of the chosen hosts is managed (manage_routes: false): worker-2" in alone.stderr


def test_without_routes_service_routes_are_there_until_the_next_boot(fresh: Cluster) -> None:
    inventory = fresh.inventory()
    inventory.set_data("worker-0", routes_service=False)
    inventory.set_data("worker-1", routes_service=False)
    assert fresh.provision("--limit", "worker-1").exit_code == 0  # this one has had the service

    run = fresh.provision(inventory=inventory)

    assert run.exit_code == 0, run.text
    assert fresh.provision(inventory=inventory).hosts_that_are("ok") == set(fresh.hosts)
    for host in ("worker-0", "worker-1"):
        assert fresh.our_routes(host) == fresh.desired_routes(host)
        files = fresh.take_snapshots([host])[host].files
        assert {SCRIPT, UNIT, DATA} & files.keys() == set()
        assert SYSCTL in files
    fresh.assert_pods_are_reached()
    fresh.lab.reboot(["worker-0"])
    assert fresh.our_routes("worker-0") == []
    assert fresh.on("worker-0", "sysctl", "-n", "net.ipv4.ip_forward") == "1\n"


def test_interface_overrides_the_one_that_has_the_internal_ip(fresh: Cluster) -> None:
    inventory = fresh.inventory()
    inventory.set_data("worker-0", interface="eth1")
    inventory.set_data("worker-1", interface="eth7")
    # A second card in the same network.
    fresh.shell(
        "worker-0",
        "ip link add eth1 link eth0 type macvlan mode bridge; ip address add 10.240.0.120/24 dev eth1 metric 9;"
        "ip link set eth1 up",
    )

    run = fresh.provision(inventory=inventory)

    assert run.exit_code == 1
    assert run.outcomes["worker-1"] == "failed"
    assert "there is no interface eth7, which the inventory names (data.interface)" in run.reason("worker-1")
    assert run.outcomes["worker-0"] == "changed", run.text
    assert fresh.our_routes("worker-0") == [
        route.replace("dev eth0", "dev eth1") for route in fresh.desired_routes("worker-0")
    ]
    assert fresh.provision("--limit", "worker-0", inventory=inventory).outcomes == {"worker-0": "ok"}
