"""The model of the kernel's routing table that the planner is tested with, against the kernel itself.

In a network namespace of its own: two interfaces on the node network, and a bridge's in the place of the pods'.
"""

import os
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from podroutes.addresses import FAMILIES, Family
from podroutes.host.parse_routes import parse_routes
from podroutes.host.routes import Route
from tests.unit.podroutes.builders import ipv4_cluster, ipv6_cluster, link, state
from tests.unit.podroutes.healthy import planned_routes
from tests.unit.podroutes.plan.kernel_table import NEXT_HOP_OBJECTS, KernelTable
from tests.unit.podroutes.plan.test_routes import ON_LINK_BESIDE_A_NEXT_HOP, commands, tables

SETUP = """
link set lo up
link add eth0 type veth peer name peth0
link add eth1 type veth peer name peth1
link add cnio0 type veth peer name pcnio0
link set eth0 up
link set peth0 up
link set eth1 up
link set peth1 up
link set cnio0 up
link set pcnio0 up
address add 10.240.0.1/24 dev eth0
address add 10.240.0.2/24 dev eth1
address add fd00:240::1/64 dev eth0 nodad
address add fd00:240::2/64 dev eth1 nodad
""" + "".join(f"nexthop add id {id_} via {via} dev {dev}\n" for id_, via, dev in NEXT_HOP_OBJECTS.values())


class Namespace:
    """A network namespace, and what its main table holds beyond what it began with."""

    def __init__(self, name: str) -> None:
        self.name = name
        # Link-local routes come when an interface has found its neighbours; none are of the cluster's.
        self.ip("-batch", "-", lines=SETUP)

    def ip(self, *arguments: str, lines: str = "") -> str:
        command = ["ip", "netns", "exec", self.name, "ip", *arguments]
        result = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
        assert result.returncode == 0, (lines, result.stderr)
        return result.stdout

    def routes(self, family: Family) -> list[Route]:
        text = self.ip("-N", "-o", f"-{family}", "route", "show", "table", "main")
        kept = ("10.240.", "fd00:240:", "fe80:")
        return [route for route in parse_routes(text, family) if not str(route.destination).startswith(kept)]

    def run(self, line: str, family: Family) -> None:
        self.ip(f"-{family}", "-batch", "-", lines=f"{line}\n")

    def clear(self) -> None:
        for family in FAMILIES:
            for route in self.routes(family):
                self.run(f"route del {route.del_selector}", family)


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    name = f"pod-routes-model-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield Namespace(name)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def place(route: Route) -> tuple[str, str, int]:
    return (str(route.destination), route.tos, route.metric)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@example(case=(6, ON_LINK_BESIDE_A_NEXT_HOP))
@given(case=st.sampled_from(FAMILIES).flatmap(lambda family: st.tuples(st.just(family), tables(family))))
def test_the_kernel_does_what_the_model_does(namespace: Namespace, case: tuple[Family, list[Route]]) -> None:
    family, routes = case
    namespace.clear()
    model = KernelTable([])

    def run(line: str) -> None:
        model.run(line)
        namespace.run(line, family)
        real = [str(route) for route in sorted(namespace.routes(family), key=place)]
        assert real == [str(route) for route in sorted(model.routes, key=place)], line

    for route in routes:
        run(f"route append {route.selector}")
    plan = ipv4_cluster() if family == 4 else ipv6_cluster()
    eth0 = link("eth0", "10.240.0.20/24", "fd00:240::20/64")
    lines = commands(planned_routes(plan, plan.nodes["worker-0"], state(eth0, routes=namespace.routes(family))).changes)
    for do, _ in lines:
        run(do)
    for _, undo in reversed(lines):
        run(undo)
