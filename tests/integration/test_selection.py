"""Which hosts a run is about; and runs that must not begin, which connect to nothing."""

import pytest

from tests.integration.cluster import Cluster

EX_USAGE = 64


@pytest.mark.parametrize(
    ("limits", "chosen"),
    [
        (["worker-1"], {"worker-1"}),
        (["workers"], {"worker-0", "worker-1", "worker-2"}),
        (["*-0"], {"controller-0", "worker-0"}),
        (
            ["controllers", "worker-[12]", "worker-1"],
            {"controller-0", "controller-1", "controller-2"} | {"worker-1", "worker-2"},
        ),
    ],
    ids=["a host's name", "a group's name", "a pattern", "several, with one host twice"],
)
def test_limit_chooses_hosts_and_no_other_is_connected_to(fresh: Cluster, limits: list[str], chosen: set[str]) -> None:
    before = fresh.connections()

    run = fresh.run("provision", "--dry-run", *(word for limit in limits for word in ("--limit", limit)))

    assert run.exit_code == 0
    assert set(run.hosts) == chosen
    assert fresh.connections() == {host: number + (host in chosen) for host, number in before.items()}


def test_wrong_usage_is_said_in_one_line_and_nothing_is_connected_to(cluster: Cluster) -> None:
    before = cluster.connections()

    everybody = ", ".join(cluster.hosts)
    nobody = cluster.run("provision", "--yes", "--limit", "worker-1", "--limit", "gateway-*")
    unknown = cluster.run("provision", "--dryrun")
    unwritable = cluster.run("provision", "--yes", "--json", "/nowhere/report.json")
    missing = cluster.run("provision", "--yes", inventory=cluster.folder / "nowhere.yaml")

    for run, said in (
        (nobody, f"--limit gateway-* matches no host and no group; hosts: {everybody}; groups: controllers, workers"),
        (unknown, "unrecognized arguments: --dryrun (provision.py --help lists the options)"),
        (unwritable, "--json /nowhere/report.json: there is no folder /nowhere"),
        (missing, f"{cluster.folder}/nowhere.yaml: No such file or directory; --config names Nornir's configuration"),
    ):
        assert (run.exit_code, run.stdout, run.stderr) == (EX_USAGE, "", f"provision.py: {said}\n")
    assert cluster.connections() == before


def test_a_wrong_inventory_is_listed_whole_and_nothing_is_connected_to(cluster: Cluster) -> None:
    before = cluster.connections()
    inventory = cluster.inventory()
    inventory.set_data("worker-1", pod_index=0)  # worker-0's
    inventory.set_data("worker-2", pod_index=900)
    inventory.set_data("controller-0", manage_route=False)  # a letter is missing
    inventory.hosts["controller-1"]["hostname"] = "10.240.0.012"
    inventory.defaults["data"]["service_cluster_ip_range"] = "10.200.0.0/24"

    run = cluster.provision(inventory=inventory)

    assert (run.exit_code, run.stdout) == (EX_USAGE, "")
    first, *problems = run.stderr.splitlines()
    assert first.endswith("problems in the inventory; nothing was touched:")
    for words in (
        ("hosts.yaml: worker-1: data.pod_index: ", "worker-0"),
        ("hosts.yaml: worker-2: data.pod_index: 900 is out of range",),
        ("hosts.yaml: controller-0: data.manage_route: unknown key; did you mean manage_routes?",),
        ("hosts.yaml: controller-1: hostname: ", "10.240.0.012"),
        ("10.200.0.0/24 overlaps service_cluster_ip_range",),
    ):
        assert any(all(word in line for word in words) for line in problems), (words, problems)
    assert cluster.connections() == before
