"""From what the daemon lists to hosts of the inventory."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.plugins.inventory.instances import Rules, hosts_from, parse_node_networks
from podroutes.plugins.inventory.merged import DiscoveredHosts

NODES = ip_network("10.0.2.0/24")
RULES = Rules(
    patterns={"controllers": ("controller-*",), "workers": ("worker-*", "node*")},
    interface="eth1",
    node_networks=(NODES,),
    connection="lxd",
    host_file="hosts.yaml",
)


def instance(
    name: str,
    *addresses: str,
    status: str = "Running",
    config: dict[str, str] | None = None,
    devices: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An instance as the API lists it; addresses are eth1's."""
    eth1 = {"addresses": [{"family": "inet", "address": one, "netmask": "24", "scope": "global"} for one in addresses]}
    eth0 = {"addresses": [{"family": "inet", "address": "10.0.1.37", "netmask": "24", "scope": "global"}]}
    state = {"status": status, "network": {"lo": {"addresses": []}, "eth0": eth0, "eth1": eth1}}
    return {
        "name": name,
        "status": status,
        "type": "container",
        "state": state if status == "Running" else {"status": status, "network": None},
        "expanded_config": config or {},
        "expanded_devices": devices or {},
    }


def fixed(address: str) -> dict[str, Any]:
    return {"eth1": {"type": "nic", "name": "eth1", "network": "lxdbr1", "ipv4.address": address}}


def found(*instances: object, rules: Rules = RULES, overrides: dict[str, Any] | None = None) -> DiscoveredHosts:
    return hosts_from(instances, rules, "lxc remote local", overrides or {})


def data(*instances: object, rules: Rules = RULES) -> dict[str, Any]:
    result = found(*instances, rules=rules)
    assert result.problems == ()
    return {name: host["data"] for name, host in result.hosts.items()}


def problems(*instances: object, rules: Rules = RULES, overrides: dict[str, Any] | None = None) -> list[str]:
    return [str(problem) for problem in found(*instances, rules=rules, overrides=overrides).problems]


def test_the_guides_cluster() -> None:
    result = found(
        instance("haproxy"),
        instance("controller-0", "10.0.2.10"),
        instance("worker-10", "10.0.2.30"),
        instance("worker-2", "10.0.2.22"),
    )
    common = {"connection": "lxd", "interface": "eth1"}
    assert list(result.hosts) == ["controller-0", "worker-2", "worker-10"]
    assert result.hosts["controller-0"] == {
        "hostname": "controller-0",
        "groups": ["controllers"],
        "data": common | {"internal_ips": ["10.0.2.10"]},
    }
    assert result.hosts["worker-10"] == {
        "hostname": "worker-10",
        "groups": ["workers"],
        "data": common | {"internal_ips": ["10.0.2.30"], "pod_index": 10},
    }
    assert result.notes == (
        "haproxy: not taken for a machine of the cluster: its name fits none of controller-*, worker-*, node*",
    )


@pytest.mark.parametrize(
    ("name", "config", "group"),
    [
        ("worker-1", {}, "workers"),
        ("worker-1", {"user.group": "controllers"}, "controllers"),
        ("anything", {"user.group": "workers", "user.pod-index": "1"}, "workers"),
        ("worker-1", {"user.group": "none"}, None),
        ("builder", {}, None),
    ],
)
def test_what_an_instance_is(name: str, config: dict[str, str], group: str | None) -> None:
    result = found(instance(name, "10.0.2.21", config=config))
    assert {host: entry["groups"] for host, entry in result.hosts.items()} == ({} if group is None else {name: [group]})
    assert len(result.notes) == (1 if group is None else 0)


@pytest.mark.parametrize(
    ("name", "config", "index"),
    [
        ("worker-0", {}, 0),
        ("worker-12", {}, 12),
        ("node7", {}, 7),
        ("worker-0", {"user.pod-index": "4"}, 4),
        ("worker-a", {"user.pod-index": "0"}, 0),
        ("worker-a", {}, None),
        ("worker-007", {}, None),  # is that 7? A person has to say it
        ("worker-1234567", {}, None),
    ],
)
def test_a_pod_index_is_the_number_at_the_end_of_the_name_or_its_own_key(
    name: str, config: dict[str, str], index: int | None
) -> None:
    assert data(instance(name, "10.0.2.21", config=config))[name].get("pod_index") == index


@pytest.mark.parametrize(
    ("addresses", "devices", "status", "chosen"),
    [
        (["10.0.2.20"], {}, "Running", "10.0.2.20"),
        (["192.168.9.9", "10.0.2.20"], {}, "Running", "10.0.2.20"),
        (["10.0.2.20", "10.0.2.100"], fixed("10.0.2.20"), "Running", "10.0.2.20"),  # the other floats
        (["10.0.2.77"], fixed("10.0.2.20"), "Running", "10.0.2.77"),  # what it has counts, not what it was given
        ([], fixed("10.0.2.20"), "Running", "10.0.2.20"),
        ([], fixed("10.0.2.20"), "Stopped", "10.0.2.20"),
        ([], {"nic": {"type": "nic", "name": "eth1", "ipv4.address": "10.0.2.20"}}, "Stopped", "10.0.2.20"),
        ([], {"eth1": {"type": "nic", "ipv4.address": "10.0.2.20"}}, "Frozen", "10.0.2.20"),
    ],
)
def test_the_internal_ip_is_the_one_address_in_the_node_network(
    addresses: list[str], devices: dict[str, Any], status: str, chosen: str
) -> None:
    assert data(instance("worker-0", *addresses, status=status, devices=devices))["worker-0"]["internal_ips"] == [
        chosen
    ]


@pytest.mark.parametrize(
    ("addresses", "devices", "status", "what"),
    [
        ([], {}, "Running", "eth1 has no IPv4 address in 10.0.2.0/24"),
        (["10.9.9.9"], {}, "Running", "eth1 has no IPv4 address in 10.0.2.0/24"),
        ([], {}, "Stopped", "eth1 has no IPv4 address in 10.0.2.0/24, and the instance is stopped"),
        (
            [],
            {"eth1": {"type": "nic", "ipv4.address": "none"}},
            "Stopped",
            "eth1 has no IPv4 address in 10.0.2.0/24, and the instance is stopped",
        ),
        (
            ["10.0.2.20", "10.0.2.21"],
            {},
            "Running",
            "eth1 has more than one IPv4 address in 10.0.2.0/24: 10.0.2.20, 10.0.2.21",
        ),
    ],
)
def test_a_worker_without_a_next_hop_is_a_problem_that_says_why(
    addresses: list[str], devices: dict[str, Any], status: str, what: str
) -> None:
    advice = "write the one that is its next hop as data.internal_ips in hosts.yaml"
    assert problems(instance("worker-0", *addresses, status=status, devices=devices)) == [
        f"lxc remote local: worker-0: data.internal_ips: {what}; {advice}"
    ]
    # Nothing goes through a controller.
    assert problems(instance("controller-0", *addresses, status=status, devices=devices)) == []
    for own in ({"internal_ips": "10.0.2.20"}, {"first_internal_ips": "10.0.2.20"}):
        overrides = {"worker-0": {"data": own}}
        assert problems(instance("worker-0", *addresses, status=status, devices=devices), overrides=overrides) == []


def test_both_families() -> None:
    nodes = (NODES, ip_network("fd00:2::/64"))
    rules = Rules(RULES.patterns, "eth1", nodes, "lxd", "hosts.yaml")
    one = instance("worker-0", "10.0.2.20", "fd00:2::20")
    one["state"]["network"]["eth1"]["addresses"].append({"family": "inet6", "address": "fe80::1", "scope": "link"})
    assert data(one, rules=rules)["worker-0"]["internal_ips"] == ["10.0.2.20", "fd00:2::20"]
    (problem,) = problems(instance("worker-0", "10.0.2.20"), rules=rules)
    assert "eth1 has no IPv6 address in fd00:2::/64" in problem


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"user.group": "worker"}, "user.group: 'worker' is no group: write controllers, workers or none"),
        ({"user.pod-index": "one"}, "user.pod-index: 'one' is no number: write 0, 1, 2 …"),
        ({"user.pod-index": "-1"}, "user.pod-index: '-1' is no number: write 0, 1, 2 …"),
    ],
)
def test_a_wrong_key_is_named(config: dict[str, str], problem: str) -> None:
    assert problems(instance("worker-0", "10.0.2.20", config=config)) == [f"lxc remote local: worker-0: {problem}"]


def test_a_name_that_fits_both_is_not_guessed_at() -> None:
    rules = Rules({"controllers": ("*",), "workers": ("w*",)}, "eth1", (NODES,), "lxd", "hosts.yaml")
    assert problems(instance("worker-0", "10.0.2.20"), rules=rules) == [
        "lxc remote local: worker-0: user.group: patterns of controllers and workers fit its name: set user.group on it"
    ]


class TestOverrides:
    def test_groups_of_the_file_make_an_instance_a_machine_of_the_cluster(self) -> None:
        overrides = {"builder": {"groups": ["workers", "edge"], "data": {"pod_index": 5}}}
        result = found(instance("builder", "10.0.2.25"), overrides=overrides)
        assert result.hosts["builder"]["groups"] == ["workers", "edge"]
        assert "pod_index" not in result.hosts["builder"]["data"]
        assert (result.notes, result.problems) == ((), ())

    def test_a_name_that_no_instance_has_is_a_slip_unless_ssh_reaches_it(self) -> None:
        overrides = {"worker-9": {"data": {"pod_index": 9}}, "metal": {"hostname": "10.0.2.9", "groups": ["workers"]}}
        advice = "a machine that ssh reaches needs its hostname here"
        assert problems(instance("worker-0", "10.0.2.20"), overrides=overrides) == [
            f"hosts.yaml: worker-9: there is no instance of this name (lxc remote local has: worker-0); {advice}"
        ]


@pytest.mark.parametrize("answer", [None, 7, {}, {"name": "a b"}, {"name": "x", "state": []}, {"name": "x" * 64}])
def test_an_instance_that_is_not_understood_is_a_problem(answer: object) -> None:
    (problem,) = problems(answer)
    assert problem.endswith("the daemon's answer about it is not understood")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["worker-0", "controller-1", "x"]) | st.text(max_size=5)},
            optional={
                "status": st.text(max_size=5) | json_values,
                "state": json_values | st.fixed_dictionaries({"network": json_values}),
                "expanded_config": json_values
                | st.dictionaries(st.sampled_from(["user.group", "user.pod-index"]), st.text(max_size=4)),
                "expanded_devices": json_values,
            },
        )
        | json_values,
        max_size=4,
    )
)
def test_whatever_a_daemon_says_ends_in_hosts_notes_and_problems(answer: list[Any]) -> None:
    result = found(*answer)
    for host in result.hosts.values():
        assert host["data"].get("pod_index", 0) >= 0
        assert all(ip in NODES for ip in map(ip_address, host["data"].get("internal_ips", [])))


@pytest.mark.parametrize(
    ("content", "networks"),
    [
        ({"data": {"node_network": "10.0.2.0/24"}}, (NODES,)),
        ({"data": {"node_network": ["10.0.2.0/24", "fd00:2::/64"]}}, (NODES, ip_network("fd00:2::/64"))),
        ({"data": {"node_network": "10.0.2.0/24, fd00:2::/64"}}, (NODES, ip_network("fd00:2::/64"))),
        ({"data": {"node_network": "10.0.2.1/24"}}, ()),
        ({"data": {"node_network": 7}}, ()),
        ({"data": []}, ()),
        ({}, ()),
    ],
)
def test_node_networks_as_far_as_they_are_right(content: dict[str, Any], networks: tuple[Any, ...]) -> None:
    assert parse_node_networks(content) == networks
