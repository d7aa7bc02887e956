"""What a cloud has and what it should have in; the exact changes, lists and refusals out."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from podroutes.host.changes import Change
from podroutes.host.cloud import AddressPair, CloudState, HostRoute, parse_ports, parse_routers, parse_subnets
from podroutes.inventory.key_types import SubnetNames
from podroutes.inventory.network_plan import Cloud, NetworkPlan
from podroutes.plan.cloud import CloudPlan, lease_note, pairs_to_take_back, plan_cloud
from tests.unit.podroutes.builders import IPV4, controller, dual_stack_cluster, ipv4_cluster, plan_of, worker

CLOUD = Cloud(name="cloud", cloud="kubernetes", network="the-network", subnet=SubnetNames(["kubernetes"]))
ROUTER = replace(CLOUD, router="kubernetes", route_target="router")
MAC = "02:00:0a:f0:00:14"
TO_0, TO_1, TO_2 = (f"10.200.{x}.0/24 10.240.0.2{x}" for x in range(3))
ALL = (TO_0, TO_1, TO_2)
SIX = ("fd00:200::/64 fd00:240::20", "fd00:200:0:1::/64 fd00:240::21", "fd00:200:0:2::/64 fd00:240::22")
PAIRS = {f"worker-{x}": [f"10.200.{x}.0/24"] for x in range(3)}
FOREIGN = ("192.168.100.0/24 10.240.0.1", "0.0.0.0/0 10.240.0.1", "10.0.0.0/8 10.240.0.99", "10.201.0.0/24 10.240.0.9")


def as_routes(texts: Sequence[str]) -> list[dict[str, str]]:
    return [dict(zip(("destination", "nexthop"), text.split(), strict=True)) for text in texts]


def port(name: str, *addresses: str, pairs: Sequence[Any] = (), **more: Any) -> dict[str, Any]:  # noqa: ANN401
    listed = [{"ip_address": one, "mac_address": MAC} if isinstance(one, str) else one for one in pairs]
    fixed = [{"subnet_id": "six" if ":" in one else "four", "ip_address": one} for one in addresses]
    return {
        "id": f"id-{name}",
        "name": name,
        "mac_address": MAC,
        "fixed_ips": fixed,
        "allowed_address_pairs": listed,
        "port_security_enabled": True,
    } | more


def workers_ports(pairs: dict[str, list[Any]] | None = None, **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    given_pairs = pairs or {}
    return [
        port(f"worker-{x}", f"10.240.0.2{x}", f"fd00:240::2{x}", pairs=given_pairs.get(f"worker-{x}", ()), **more)
        for x in range(3)
    ]


def state(
    *routes: str,
    ports: Sequence[dict[str, Any]] | None = None,
    pairs: dict[str, list[Any]] | None = None,
    six: Sequence[str] | None = None,
    router: Sequence[str] | None = None,
    **subnet: Any,  # noqa: ANN401  # fields of the subnet
) -> CloudState:
    four = {
        "id": "four",
        "name": "kubernetes",
        "network_id": "n",
        "cidr": "10.240.0.0/24",
        "enable_dhcp": True,
        "host_routes": as_routes(routes),
    } | subnet
    subnets = [four]
    if six is not None:
        subnets.append(four | {"id": "six", "name": "six", "cidr": "fd00:240::/64", "host_routes": as_routes(six)})
    routers = [] if router is None else [{"id": "r", "name": "kubernetes", "routes": as_routes(router)}]
    return CloudState(
        "n",
        {one.family: one for one in parse_subnets(subnets)},
        parse_ports(workers_ports(pairs) if ports is None else ports),
        next(iter(parse_routers(routers)), None),
    )


def summary(changes: Sequence[Change]) -> list[str]:
    return [f"{change.action} {change.subject}: {change.reason}" for change in changes]


def texts(routes: Sequence[HostRoute]) -> list[str]:
    return sorted(f"{route.destination} {route.nexthop}" for route in routes)


def routes_after(found: CloudState, planned: CloudPlan) -> list[str]:
    """What the IPv4 subnet has after the plan was carried out."""
    return texts(planned.host_routes.get("four", found.subnets[4].host_routes))


def pairs_after(planned: CloudPlan, name: str) -> list[tuple[str, str | None]] | None:
    desired = planned.pairs.get(f"id-{name}")
    return None if desired is None else [(pair.ip_address, pair.mac_address) for pair in desired]


def conflicts_of(found: CloudState, cloud: Cloud = CLOUD, plan: NetworkPlan | None = None) -> tuple[str, ...]:
    planned = plan_cloud(plan or ipv4_cluster(), cloud, found)
    if planned.host_plan.conflicts:
        assert planned == CloudPlan(planned.host_plan)
        assert planned.host_plan.changes == ()
    return planned.host_plan.conflicts


def crowded(workers: int, **network: Any) -> tuple[NetworkPlan, CloudState]:  # noqa: ANN401
    """A cluster of many workers, and a cloud with a port for each."""
    entries = [worker(x, f"10.240.0.{20 + x}") for x in range(workers)]
    plan = plan_of(IPV4, *entries)
    ports = [port(f"worker-{x}", f"10.240.0.{20 + x}") for x in range(workers)]
    return plan, state(ports=ports, **network)


class TestRoutes:
    def test_the_first_run_adds_pairs_first_and_then_all_routes_in_one_list(self) -> None:
        planned = plan_cloud(ipv4_cluster(), CLOUD, state())
        drops = "port security drops pod traffic without it"
        assert summary(planned.host_plan.changes) == [
            *(f"add port worker-{x}: 10.200.{x}.0/24: {drops}" for x in range(3)),
            *(f"add subnet kubernetes: 10.200.{x}.0/24: missing" for x in range(3)),
        ]
        assert {change.layer for change in planned.host_plan.changes[:3]} == {"ports"}
        assert {change.layer for change in planned.host_plan.changes[3:]} == {"subnet"}
        assert [change.after for change in planned.host_plan.changes[3:]] == [
            f"destination='10.200.{x}.0/24', gateway='10.240.0.2{x}'" for x in range(3)
        ]
        assert texts(planned.host_routes["four"]) == list(ALL)
        assert [pairs_after(planned, f"worker-{x}") for x in range(3)] == [
            [(f"10.200.{x}.0/24", None)] for x in range(3)
        ]

    @pytest.mark.parametrize("order", [ALL, ALL[::-1], (TO_1, TO_0, TO_2)])
    def test_nothing_where_all_is_there_in_whatever_order(self, order: tuple[str, ...]) -> None:
        assert plan_cloud(ipv4_cluster(), CLOUD, state(*order, pairs=PAIRS)) == CloudPlan()

    @pytest.mark.parametrize(
        ("present", "changes", "drift"),
        [
            ([TO_0, TO_2], ["add subnet kubernetes: 10.200.1.0/24: missing"], ["cloud-route-missing"]),
            (
                [TO_0, "10.200.1.0/24 10.240.0.22", TO_2],
                ["replace subnet kubernetes: 10.200.1.0/24: wrong next hop"],
                ["cloud-route-wrong"],
            ),
            (
                [TO_0, "10.200.1.0/24 10.240.0.22", "10.200.1.0/24 10.240.0.20", TO_2],
                ["replace subnet kubernetes: 10.200.1.0/24: wrong next hop"],
                ["cloud-route-wrong"],
            ),
            (
                [*ALL, "10.200.1.0/24 10.240.0.22"],
                ["remove subnet kubernetes: 10.200.1.0/24: a second next hop"],
                ["cloud-route-stale"],
            ),
            (
                [*ALL, "10.200.9.0/24 10.240.0.29"],
                ["remove subnet kubernetes: 10.200.9.0/24: no worker has this pod CIDR"],
                ["cloud-route-stale"],
            ),
            (
                [*ALL, "10.200.1.128/25 10.240.0.22"],
                ["remove subnet kubernetes: 10.200.1.128/25: no worker has this pod CIDR"],
                ["cloud-route-stale"],
            ),
        ],
    )
    def test_each_kind_of_drift(self, present: list[str], changes: list[str], drift: list[str]) -> None:
        found = state(*present, *FOREIGN, pairs=PAIRS)
        planned = plan_cloud(ipv4_cluster(), CLOUD, found)
        assert summary(planned.host_plan.changes) == changes
        assert [change.drift for change in planned.host_plan.changes] == drift
        assert routes_after(found, planned) == sorted([*ALL, *FOREIGN])
        assert planned.pairs == {}

    def test_a_route_for_the_whole_range_is_what_other_ways_of_networking_put_there(self) -> None:
        found = state("10.200.0.0/16 10.240.0.7", pairs=PAIRS)
        assert routes_after(found, plan_cloud(ipv4_cluster(), CLOUD, found)) == sorted(
            [*ALL, "10.200.0.0/16 10.240.0.7"]
        )
        assert plan_cloud(ipv4_cluster(), CLOUD, found, remove=True).host_routes == {}

    def test_but_where_one_worker_has_the_whole_range_its_route_is_ours(self) -> None:
        plan = plan_of(IPV4 | {"cluster_cidr": "10.200.0.0/24"}, worker(0))
        ports = [port("worker-0", "10.240.0.20", pairs=["10.200.0.0/24"])]
        assert plan_cloud(plan, CLOUD, state(TO_0, ports=ports)) == CloudPlan()
        wrong = plan_cloud(plan, CLOUD, state("10.200.0.0/24 10.240.0.9", ports=ports))
        assert summary(wrong.host_plan.changes) == ["replace subnet kubernetes: 10.200.0.0/24: wrong next hop"]
        assert texts(wrong.host_routes["four"]) == [TO_0]
        removed = plan_cloud(plan, CLOUD, state(TO_0, ports=ports), remove=True)
        assert (removed.host_routes, removed.pairs) == ({"four": ()}, {"id-worker-0": ()})

    def test_foreign_routes_go_back_as_they_were_written(self) -> None:
        cloud = replace(CLOUD, subnet=("kubernetes", "six"))
        planned = plan_cloud(dual_stack_cluster(), cloud, state(*ALL, six=["2001:0DB8:0::/48 FD00:240::0009"]))
        written = [route.as_json() for route in planned.host_routes["six"]]
        assert {"destination": "2001:0DB8:0::/48", "nexthop": "FD00:240::0009"} in written
        assert texts(planned.host_routes["six"]) == sorted(["2001:db8::/48 fd00:240::9", *SIX])

    @pytest.mark.parametrize(("name", "label"), [("kubernetes", "kubernetes"), ("", "four")])
    def test_a_subnet_is_told_by_its_name_or_else_its_id(self, name: str, label: str) -> None:
        (change,) = plan_cloud(ipv4_cluster(), CLOUD, state(TO_0, TO_1, pairs=PAIRS, name=name)).host_plan.changes
        assert change.subject == f"subnet {label}: 10.200.2.0/24"

    def test_both_families_have_a_subnet_each(self) -> None:
        cloud = replace(CLOUD, subnet=("kubernetes", "six"))
        planned = plan_cloud(dual_stack_cluster(), cloud, state(TO_0, six=()))
        assert texts(planned.host_routes["four"]) == list(ALL)
        assert texts(planned.host_routes["six"]) == sorted(SIX)
        assert pairs_after(planned, "worker-1") == [("10.200.1.0/24", None), ("fd00:200:0:1::/64", None)]
        only_six = plan_cloud(dual_stack_cluster(), cloud, state(*ALL, six=()))
        assert set(only_six.host_routes) == {"six"}


class TestRouter:
    def test_routes_go_to_the_router_and_ours_leave_the_subnet(self) -> None:
        found = state(*ALL, *FOREIGN, pairs=PAIRS, router=[TO_1, "192.168.7.0/24 10.240.0.1"])
        planned = plan_cloud(ipv4_cluster(), ROUTER, found)
        assert texts(planned.router_add) == [TO_0, TO_2]
        assert planned.router_remove == ()
        assert planned.router_id == "r"
        assert texts(planned.host_routes["four"]) == sorted(FOREIGN)

    def test_and_back_again(self) -> None:
        found = state(*FOREIGN, pairs=PAIRS, router=[*ALL, "192.168.7.0/24 10.240.0.1"])
        planned = plan_cloud(ipv4_cluster(), replace(ROUTER, route_target="subnet"), found)
        assert planned.router_add == ()
        assert texts(planned.router_remove) == list(ALL)
        assert texts(planned.host_routes["four"]) == sorted([*ALL, *FOREIGN])

    def test_what_is_wrong_or_stale_there_is_replaced(self) -> None:
        found = state(pairs=PAIRS, router=[TO_0, "10.200.1.0/24 10.240.0.20", TO_2, "10.200.7.0/24 10.240.0.27"])
        planned = plan_cloud(ipv4_cluster(), ROUTER, found)
        assert summary(planned.host_plan.changes) == [
            "replace router kubernetes: 10.200.1.0/24: wrong next hop",
            "remove router kubernetes: 10.200.7.0/24: no worker has this pod CIDR",
        ]
        assert texts(planned.router_add) == [TO_1]
        assert texts(planned.router_remove) == ["10.200.1.0/24 10.240.0.20", "10.200.7.0/24 10.240.0.27"]

    def test_nothing_where_all_is_there(self) -> None:
        planned = plan_cloud(ipv4_cluster(), ROUTER, state(pairs=PAIRS, router=ALL))
        assert planned.host_plan == CloudPlan().host_plan
        assert not planned.differs

    def test_the_subnets_limit_and_dhcp_do_not_matter_there(self) -> None:
        plan, found = crowded(25, router=(), enable_dhcp=False)
        assert conflicts_of(found, ROUTER, plan) == ()


class TestPairs:
    def test_foreign_pairs_are_kept_as_they_are(self) -> None:
        foreign = [
            {"ip_address": "192.168.0.7", "mac_address": MAC},
            {"ip_address": "2001:0DB8::1", "mac_address": MAC},
            {"ip_address": "10.9.0.1/24", "mac_address": MAC},
            {"ip_address": "10.200.0.0/16", "mac_address": MAC},
        ]
        planned = plan_cloud(ipv4_cluster(), CLOUD, state(*ALL, pairs=PAIRS | {"worker-0": foreign}))
        assert [pair.as_json() for pair in planned.pairs["id-worker-0"]] == [*foreign, {"ip_address": "10.200.0.0/24"}]
        assert set(planned.pairs) == {"id-worker-0"}

    def test_a_stale_pair_is_removed_wherever_it_is(self) -> None:
        ports = [*workers_ports(PAIRS), port("old", "10.240.0.29", pairs=["10.200.9.0/24"])]
        planned = plan_cloud(ipv4_cluster(), CLOUD, state(*ALL, ports=ports))
        assert summary(planned.host_plan.changes) == [
            "remove port old: 10.200.9.0/24: this port has no such pod CIDR",
        ]
        assert [change.drift for change in planned.host_plan.changes] == ["address-pair-stale"]
        assert planned.pairs == {"id-old": ()}

    def test_a_pair_moves_with_its_pod_cidr(self) -> None:
        pairs = PAIRS | {"worker-0": ["10.200.1.0/24"], "worker-1": ["10.200.0.0/24"]}
        planned = plan_cloud(ipv4_cluster(), CLOUD, state(*ALL, pairs=dict(pairs)))
        assert pairs_after(planned, "worker-0") == [("10.200.0.0/24", None)]
        assert pairs_after(planned, "worker-1") == [("10.200.1.0/24", None)]

    def test_a_pair_for_another_machines_mac_address_lets_nothing_of_this_port_through(self) -> None:
        other = {"ip_address": "10.200.0.0/24", "mac_address": "fa:16:3e:00:00:01"}
        planned = plan_cloud(ipv4_cluster(), CLOUD, state(*ALL, pairs=PAIRS | {"worker-0": [other]}))
        assert summary(planned.host_plan.changes) == [
            "add port worker-0: 10.200.0.0/24: port security drops pod traffic without it"
        ]
        assert [pair.as_json() for pair in planned.pairs["id-worker-0"]] == [other, {"ip_address": "10.200.0.0/24"}]

    def test_mac_addresses_are_compared_as_such(self) -> None:
        own = {"ip_address": "10.200.0.0/24", "mac_address": MAC.upper()}
        assert plan_cloud(ipv4_cluster(), CLOUD, state(*ALL, pairs=PAIRS | {"worker-0": [own]})) == CloudPlan()

    def test_a_port_with_port_security_off_is_left_alone_and_said(self) -> None:
        ports = workers_ports(PAIRS)
        ports[1] |= {"port_security_enabled": False, "allowed_address_pairs": []}
        planned = plan_cloud(ipv4_cluster(), CLOUD, state(*ALL, ports=ports))
        assert not planned.differs
        assert planned.host_plan.notes == (
            "port worker-1 has port security off: pod traffic passes, no address pair is needed",
        )

    @pytest.mark.parametrize("missing", ["port_security_enabled", "allowed_address_pairs"])
    def test_a_cloud_without_that_extension_says_nothing_of_it(self, missing: str) -> None:
        planned = plan_cloud(ipv4_cluster(), CLOUD, state(*ALL, ports=workers_ports(**{missing: None})))
        assert len(planned.pairs) == 3

    def test_too_many_pairs_are_foretold(self) -> None:
        many = [f"10.9.{x}.0/24" for x in range(10)]
        planned = plan_cloud(ipv4_cluster(), CLOUD, state(*ALL, pairs=PAIRS | {"worker-0": many}))
        assert planned.host_plan.notes == (
            (
                "port worker-0 would have 11 address pairs, more than Neutron's usual 10: if it refuses, remove "
                "foreign pairs or ask the operator"
            ),
        )

    @pytest.mark.parametrize("remove", [False, True])
    def test_turned_off_none_is_touched(self, remove: bool) -> None:
        off = replace(CLOUD, allowed_address_pairs=False)
        found = state(*ALL, pairs={"worker-0": ["10.200.0.0/24"], "worker-1": ["10.200.9.0/24"]})
        planned = plan_cloud(ipv4_cluster(), off, found, remove=remove)
        assert planned.pairs == {}
        assert {change.layer for change in planned.host_plan.changes} == ({"subnet"} if remove else set())


class TestRemoval:
    def test_exactly_ours_is_taken_back(self) -> None:
        foreign_pair = {"ip_address": "192.168.0.7", "mac_address": MAC}
        pairs: dict[str, list[Any]] = PAIRS | {"worker-0": ["10.200.0.0/24", foreign_pair]}
        found = state(*ALL, *FOREIGN, pairs=pairs, router=[TO_0, "192.168.7.0/24 10.240.0.1"])
        planned = plan_cloud(ipv4_cluster(), replace(CLOUD, router="kubernetes"), found, remove=True)
        assert routes_after(found, planned) == sorted(FOREIGN)
        assert [pair.as_json() for pair in planned.pairs["id-worker-0"]] == [foreign_pair]
        assert planned.pairs["id-worker-1"] == ()
        assert texts(planned.router_remove) == [TO_0]
        assert {change.reason for change in planned.host_plan.changes} == {"ours: it lies inside the cluster's range"}
        assert [change.layer for change in planned.host_plan.changes[:4]] == ["subnet"] * 4

    def test_nothing_where_nothing_is_ours(self) -> None:
        assert plan_cloud(ipv4_cluster(), CLOUD, state(*FOREIGN), remove=True) == CloudPlan()

    def test_what_keeps_provisioning_from_its_work_does_not_keep_it_from_being_taken_back(self) -> None:
        found = state(*ALL, enable_dhcp=False, cidr="10.240.0.0/16", ports=[])
        assert texts(plan_cloud(ipv4_cluster(), CLOUD, found, remove=True).host_routes["four"]) == []


class TestConflicts:
    def test_another_cidr(self) -> None:
        assert conflicts_of(state(cidr="10.240.0.0/16")) == (
            "subnet kubernetes is 10.240.0.0/16, not the inventory's node_network 10.240.0.0/24: fix one",
        )

    def test_dhcp_off(self) -> None:
        assert conflicts_of(state(enable_dhcp=False)) == (
            (
                "subnet kubernetes has DHCP off, so machines never learn its host routes: turn it on, or write "
                "route_target: router"
            ),
        )

    def test_no_subnet_of_a_family(self) -> None:
        assert conflicts_of(state(), plan=dual_stack_cluster()) == (
            "none of the subnets kubernetes is an IPv6 one; name one below data.subnet",
        )

    def test_a_next_hop_that_no_port_has(self) -> None:
        ports = workers_ports()[:2]
        assert conflicts_of(state(ports=ports)) == (
            (
                "no port on subnet kubernetes has 10.240.0.22, the internal IP of worker-2: check its internal_ips, or "
                "create the port"
            ),
        )

    def test_a_next_hop_that_only_a_port_of_another_subnet_has(self) -> None:
        ports = workers_ports()
        ports[2]["fixed_ips"][0]["subnet_id"] = "another"
        (conflict,) = conflicts_of(state(ports=ports))
        assert conflict.startswith("no port on subnet kubernetes has 10.240.0.22")

    @pytest.mark.parametrize(("workers", "foreign"), [(21, 0), (17, 4), (30, 1)])
    def test_more_host_routes_than_the_limit(self, workers: int, foreign: int) -> None:
        plan, found = crowded(workers, host_routes=as_routes(FOREIGN[:foreign]))
        total = workers + foreign
        assert conflicts_of(found, plan=plan) == (
            (
                f"subnet kubernetes would have {total} host routes, {total - 20} more than its limit of 20: use "
                "route_target: router, larger node CIDRs (a smaller node_cidr_mask_size) on fewer workers, or have the "
                "operator raise max_subnet_host_routes and write the new limit in the inventory"
            ),
        )

    @pytest.mark.parametrize(("workers", "limit"), [(20, 20), (60, 60)])
    def test_exactly_the_limit_is_fine(self, workers: int, limit: int) -> None:
        plan, found = crowded(workers)
        assert conflicts_of(found, replace(CLOUD, max_subnet_host_routes=limit), plan) == ()

    def test_every_conflict_at_once(self) -> None:
        assert len(conflicts_of(state(cidr="10.240.0.0/16", enable_dhcp=False, ports=[]))) == 5


class TestTakingPairsBack:
    def test_the_pairs_of_workers_without_their_route_go_and_rivals_stay(self) -> None:
        plan, before = ipv4_cluster(), state(TO_0)
        rival = {"ip_address": "192.168.0.7", "mac_address": MAC}
        now = state(TO_0, pairs=PAIRS | {"worker-1": ["10.200.1.0/24", rival]})
        back = pairs_to_take_back(plan, CLOUD, before, now)
        assert {port: [pair.as_json() for pair in pairs] for port, pairs in back.items()} == {
            "id-worker-1": [rival],
            "id-worker-2": [],
        }

    def test_what_was_there_before_stays(self) -> None:
        plan = ipv4_cluster()
        before = state(pairs={"worker-1": ["10.200.1.0/24"]})
        back = pairs_to_take_back(plan, CLOUD, before, state(pairs=PAIRS))
        assert set(back) == {"id-worker-0", "id-worker-2"}

    def test_routes_of_the_router_count_where_they_go_there(self) -> None:
        before, now = state(*ALL, router=()), state(*ALL, pairs=PAIRS, router=[TO_1])
        assert set(pairs_to_take_back(ipv4_cluster(), ROUTER, before, now)) == {"id-worker-0", "id-worker-2"}


class TestLeaseNote:
    def test_said_plainly(self) -> None:
        assert lease_note(ipv4_cluster(), CLOUD) == (
            "machines learn the subnet's routes at their next DHCP renewal; until then they use the kernel routes "
            "that this software sets"
        )
        assert lease_note(ipv4_cluster(), ROUTER) == (
            "the router sends on what machines send to it; nothing has to be renewed"
        )

    @pytest.mark.parametrize("key", ["manage_routes", "routes_service"])
    def test_and_whom_the_kernel_routes_do_not_serve(self, key: str) -> None:
        switched: dict[str, Any] = {key: False}
        plan = plan_of(IPV4, controller(0), worker(0), worker(1, **switched))
        assert "worker-1" in lease_note(plan, CLOUD)
        assert "controller-0" not in lease_note(plan, CLOUD)


_DESTINATIONS = st.sampled_from([f"10.200.{x}.0/24" for x in range(6)] + [text.split()[0] for text in FOREIGN])
_HOPS = st.sampled_from([f"10.240.0.{x}" for x in (1, 20, 21, 22, 29)])
_ROUTES = st.lists(st.builds("{} {}".format, _DESTINATIONS, _HOPS), unique=True, max_size=12)
_PAIR = st.sampled_from(["10.200.0.0/24", "10.200.1.0/24", "10.200.7.0/24", "192.168.0.7", "10.200.0.0/16"])
_PAIR_LISTS = st.fixed_dictionaries({f"worker-{x}": st.lists(_PAIR, unique=True, max_size=4) for x in range(3)})


def _apply(found: CloudState, planned: CloudPlan) -> CloudState:
    """What the cloud has after a plan, as Neutron does it: whole lists, pairs with the port's own MAC address."""
    subnets = {
        family: replace(subnet, host_routes=planned.host_routes.get(subnet.id, subnet.host_routes))
        for family, subnet in found.subnets.items()
    }
    ports = tuple(
        replace(
            one,
            allowed_address_pairs=tuple(
                AddressPair(ip_address=pair.ip_address, mac_address=pair.mac_address or MAC)
                for pair in planned.pairs.get(one.id, one.allowed_address_pairs)
            ),
        )
        for one in found.ports
    )
    router = found.router
    if router is not None:
        kept = tuple(route for route in router.routes if route not in planned.router_remove)
        router = replace(router, routes=(*kept, *planned.router_add))
    return CloudState(found.network_id, subnets, ports, router)


def _foreign(found: CloudState) -> tuple[list[str], list[str]]:
    routes = [text for text in texts(found.subnets[4].host_routes) if not text.startswith("10.200.")]
    pairs = [
        f"{one.name} {pair.ip_address}"
        for one in found.ports
        for pair in one.allowed_address_pairs
        if not pair.ip_address.endswith(".0/24")
    ]
    return routes, pairs


@given(_ROUTES, _PAIR_LISTS, _ROUTES, st.sampled_from([CLOUD, ROUTER, replace(ROUTER, route_target="subnet")]))
def test_whatever_is_there_one_round_is_enough_and_foreign_things_stay(
    routes: list[str], pairs: dict[str, list[Any]], router: list[str], cloud: Cloud
) -> None:
    plan = ipv4_cluster()
    found = state(*routes, pairs=pairs, router=router if cloud.router else None)
    planned = plan_cloud(plan, cloud, found)
    assert planned.differs == (planned.host_plan.changes != ())
    after = _apply(found, planned)
    assert not plan_cloud(plan, cloud, after).differs
    assert _foreign(after) == _foreign(found)
    gone = _apply(after, plan_cloud(plan, cloud, after, remove=True))
    assert _foreign(gone) == _foreign(found)
    assert not plan_cloud(plan, cloud, gone, remove=True).differs
    assert not any(text.startswith("10.200.") for text in texts(gone.subnets[4].host_routes))
