"""Tables of routes, and what is to be done about them: the same for the planner and for the script on the hosts.

Of worker-0 in a cluster with both families. A case has, beside its name:

    lacking     destinations to which the route of ours is not there
    more        what is there besides, as `ip -N -o route show` prints it
    changes     `add`, `replace` or `remove`, and the destination
    part        pod CIDRs of which a part goes another way, which is not ours to change
    down        whether a device has no carrier
    refused     whether nothing is changed, since what is there can't be put back, or contradicts the plan
    shown_only  whether no `ip route` can make it, or none here
"""

import json
from pathlib import Path

from msgspec import Struct, convert
from msgspec.structs import replace

from podroutes.addresses import FAMILIES, Family
from podroutes.host.parse_routes import parse_routes
from podroutes.host.routes import Lookup, Route
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.desired_routes import desired_routes
from tests.unit.podroutes.builders import dual_stack_cluster, link, state
from tests.unit.podroutes.rendering import render_route


class RouteCase(Struct, frozen=True, forbid_unknown_fields=True):
    """One case."""

    name: str
    lacking: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    part: tuple[str, ...] = ()
    down: bool = False
    refused: bool = False
    shown_only: bool = False

    def __str__(self) -> str:
        """Its name, for pytest."""
        return self.name


CASES = convert(json.loads(Path(__file__).with_suffix(".json").read_text()), tuple[RouteCase, ...])
PLAN: NetworkPlan = dual_stack_cluster()
NODE: Node = PLAN.nodes["worker-0"]
LINKS = (link("eth0", "10.240.0.20/24", "fd00:240::20/64"), link("eth1", "10.241.0.20/24"))
# What `ip` needs before it takes the cases' routes.
NEXT_HOP_OBJECTS = """\
nexthop add id 12 via 10.240.0.21 dev eth0
nexthop add id 14 via 10.240.0.99 dev eth0
nexthop add id 16 via fd00:240::21 dev eth0
nexthop add id 18 via fd00:240::99 dev eth0
nexthop add id 20 group 12/14
nexthop add id 21 group 16/18
nexthop add id 30 blackhole
"""


def lines_of(case: RouteCase, plan: NetworkPlan = PLAN) -> dict[Family, list[str]]:
    """The main tables of a case, as `ip -N -o route show` prints them."""
    ours = [render_route(route, numeric=True) for route in ours_of(plan) if str(route.destination) not in case.lacking]
    lines: dict[Family, list[str]] = {family: [] for family in FAMILIES}
    for line in [*ours, *case.more]:
        lines[6 if ":" in line.split(" via")[0].split(" dev")[0] else 4].append(line)
    return lines


def ours_of(plan: NetworkPlan = PLAN) -> tuple[Route, ...]:
    """The routes that the host should have."""
    return desired_routes(plan, NODE, state(*LINKS)).routes


def state_of(lines: dict[Family, list[str]]) -> HostState:
    """The host with such tables, where the kernel sends packets as the tables of ours say."""
    routes = [route for family in FAMILIES for route in parse_routes("\n".join(lines[family]), family)]
    devices = {route.destination: route.dev for route in ours_of()}
    lookups = [Lookup(one.probe, one.next_hop, devices[one.destination]) for one in PLAN.routes_for(NODE)]
    return replace(state(*LINKS, routes=routes), lookups={lookup.address: lookup for lookup in lookups})
