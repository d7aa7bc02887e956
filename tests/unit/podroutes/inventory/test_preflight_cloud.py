"""A cloud among the hosts of an inventory: its keys, exact problem lines, and what the plan has of it."""

from typing import Any

import pytest

from podroutes.errors import InventoryError
from podroutes.inventory.key_types import SubnetNames
from podroutes.inventory.network_plan import Cloud
from tests.unit.podroutes.builders import IPV4, controller, host, plan_of, worker

WHOLE: dict[str, Any] = {"cloud": "kubernetes", "network": "the-network", "subnet": "kubernetes"}
SUBNET = "must be a subnet's name or id, or a list of two for both families"


def problems_of(groups: tuple[str, ...] = ("openstack",), **data: Any) -> list[str]:  # noqa: ANN401  # as YAML has them
    inherited = data.pop("group_data", {})
    with pytest.raises(InventoryError) as raised:
        plan_of(IPV4, host("cloud", None, groups, inherited, **data), controller(0), worker(0))
    return [str(problem).removeprefix("hosts.yaml: ") for problem in raised.value.problems]


def cloud_of(**data: Any) -> Cloud:  # noqa: ANN401  # likewise
    return plan_of(IPV4, host("cloud", None, ["openstack"], **data), worker(0)).clouds["cloud"]


def test_what_is_left_out_is_as_most_want_it() -> None:
    assert cloud_of(**WHOLE) == Cloud(
        name="cloud", cloud="kubernetes", network="the-network", subnet=SubnetNames(["kubernetes"])
    )
    assert (cloud_of(**WHOLE).route_target, cloud_of(**WHOLE).max_subnet_host_routes) == ("subnet", 20)


def test_everything_that_can_be_said() -> None:
    more: dict[str, Any] = {
        "subnet": ["kubernetes", "six"],
        "router": "kubernetes",
        "route_target": "router",
        "allowed_address_pairs": False,
        "max_subnet_host_routes": 60,
        "manage_routes": False,
        "owner": "me",
    }
    read = WHOLE | more | {"name": "cloud", "subnet": SubnetNames(["kubernetes", "six"])}
    read.pop("owner")
    expected = Cloud(**read)
    assert cloud_of(**WHOLE | more) == expected


def test_a_cloud_is_no_machine_and_is_routed_to_by_none() -> None:
    plan = plan_of(IPV4, host("cloud", None, ["openstack"], **WHOLE), controller(0), worker(0))
    assert list(plan.nodes) == ["controller-0", "worker-0"]
    assert plan.managed == {"cloud", "controller-0", "worker-0"}


def test_keys_may_stand_on_the_group() -> None:
    entry = host("cloud", None, ["openstack"], {"openstack": {"network": "the-network"}}, cloud="a", subnet="b")
    assert plan_of(IPV4, entry, worker(0)).clouds["cloud"].network == "the-network"


def test_two_clouds_have_their_keys_each() -> None:
    clouds = [host(name, None, ["openstack"], **WHOLE | {"cloud": name}) for name in ("here", "there")]
    plan = plan_of(IPV4, *clouds, worker(0))
    assert [cloud.cloud for cloud in plan.clouds.values()] == ["here", "there"]


@pytest.mark.parametrize(
    "inherited", [{"interface": "eth1"}, {"routes_service": False}, {"node_network": "10.0.0.0/24"}]
)
def test_what_it_inherits_of_machines_keys_is_not_its_concern(inherited: dict[str, Any]) -> None:
    entry = host("cloud", None, ["openstack"], defaults=inherited, **WHOLE)
    assert "cloud" in plan_of(IPV4, entry, worker(0)).clouds


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (
            {},
            ["cloud: data.cloud: is missing", "cloud: data.network: is missing", "cloud: data.subnet: is missing"],
        ),
        (
            WHOLE | {"subnets": "x"},
            ["cloud: data.subnets: unknown key; did you mean subnet? A key of your own would be x_subnets"],
        ),
        (WHOLE | {"pod_index": 0}, ["cloud: data.pod_index: is not for a cloud; write it on machines"]),
        (
            WHOLE | {"route_target": "router"},
            ["cloud: data.router: is missing; route_target: router needs its name or id"],
        ),
        (WHOLE | {"route_target": "port"}, ["cloud: data.route_target: must be 'subnet' or 'router'"]),
        (WHOLE | {"subnet": []}, [f"cloud: data.subnet: {SUBNET}"]),
        (WHOLE | {"subnet": ["a", "b", "c"]}, [f"cloud: data.subnet: {SUBNET}"]),
        (WHOLE | {"subnet": {"name": "a"}}, ["cloud: data.subnet: must be text; put it in quotes"]),
        (WHOLE | {"subnet": ["a", "a"]}, ["cloud: data.subnet: names a twice; write one subnet of each family"]),
        (WHOLE | {"subnet": 7}, ["cloud: data.subnet: must be text; put it in quotes"]),
        (WHOLE | {"subnet": ""}, ["cloud: data.subnet: must not be empty"]),
        (WHOLE | {"cloud": None}, ["cloud: data.cloud: must be text; put it in quotes"]),
        (WHOLE | {"network": "a\nb"}, ["cloud: data.network: must be one line"]),
        (WHOLE | {"network": "a" * 256}, ["cloud: data.network: must have at most 255 characters"]),
        (
            WHOLE | {"allowed_address_pairs": "no"},
            ["cloud: data.allowed_address_pairs: must be true or false, without quotes"],
        ),
        (WHOLE | {"manage_routes": 0}, ["cloud: data.manage_routes: must be true or false, without quotes"]),
        (
            WHOLE | {"max_subnet_host_routes": "60"},
            ["cloud: data.max_subnet_host_routes: must be a whole number, without quotes"],
        ),
        (
            WHOLE | {"max_subnet_host_routes": 0},
            ["cloud: data.max_subnet_host_routes: must be at least 1"],
        ),
    ],
)
def test_each_wrong_key_is_one_line(data: dict[str, Any], problems: list[str]) -> None:
    assert problems_of(**data) == problems


def test_a_misspelt_key_of_the_group_is_one_line_too() -> None:
    group = {"openstack": {"netwrok": "the-network"}}
    assert problems_of(group_data=group, **WHOLE) == [
        "groups.yaml: openstack: data.netwrok: unknown key; did you mean network? A key of your own would be x_netwrok"
    ]


@pytest.mark.parametrize("group", ["workers", "controllers"])
def test_a_cloud_that_is_said_to_be_a_machine(group: str) -> None:
    assert problems_of((group, "openstack"), **WHOLE) == [
        f"cloud: groups: is in openstack and in {group}; a cloud is no machine, take it out of one"
    ]


def test_the_clouds_keys_on_a_machine_are_the_engineers_own() -> None:
    assert list(plan_of(IPV4, worker(0, subnet="10.9.0.0/24", cloud=7)).nodes) == ["worker-0"]
