"""Faults: what can go wrong on a host, each a small function in one table, and how to undo some of them.

The product fixes what concerns routes. It cannot fix a host that it cannot reach: for those there are `REPAIRS`.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from typing import Any, Protocol

from lab import cgroup, template
from lab.errors import LabError
from lab.fault import Fault, other_address, parse_address, parse_network
from lab.layout import Host, Layout
from lab.paths import LabPaths
from lab.process import run

OWN_PROTOCOL = "201"
UNIT = "/etc/systemd/system/routes.service"
_FOREIGN_INDEX = 250
_STALE_INDEX = 240


class Place(Protocol):
    """A place that hosts are in: the lab, or the lab's LXD."""

    @property
    def layout(self) -> Layout:
        """The lab's size."""

    @property
    def hosts(self) -> Sequence[Host]:
        """All its hosts."""

    def exec(self, host: str, argv: Sequence[str], *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as root on a host."""


class Machine(Place, Protocol):
    """A place whose hosts can also be cut off or powered down."""

    @property
    def paths(self) -> LabPaths:
        """Names and paths of the lab."""

    def stop(self, host: Host) -> None:
        """Cut a host's power."""


def _drop_route(place: Place, host: Host, cidr: str | None = None) -> str:
    route = _route(place, host, cidr)
    _run(place, host, ["ip", *_family(route["dst"]), "route", "delete", *_spec(route)])
    return f"removed the route {route['dst']} via {route['gateway']}"


def _wrong_next_hop(place: Place, host: Host, cidr: str | None = None, via: str | None = None) -> str:
    route = _route(place, host, cidr)
    wrong = parse_address(via) if via is not None else _other_hop(place, host, route)
    _run(place, host, ["ip", *_family(route["dst"]), "route", "replace", route["dst"], "via", wrong])
    return f"{route['dst']} now goes via {wrong} instead of {route['gateway']}"


def _forwarding_off(place: Place, host: Host) -> str:
    keys = ["net.ipv4.ip_forward"]
    if place.layout.ipv6:
        keys.append("net.ipv6.conf.all.forwarding")
    for key in keys:
        _run(place, host, ["sysctl", "-q", "-w", f"{key}=0"])
    return f"{' and '.join(keys)} set to 0"


def _unit_edited(place: Place, host: Host, file: str = UNIT) -> str:
    _need_file(place, host, file)
    _run(place, host, ["sh", "-c", 'echo "# edited by hand" >>"$1"', "sh", file])
    return f"appended a comment to {file}"


def _unit_disabled(place: Place, host: Host) -> str:
    _need_file(place, host, UNIT)
    _run(place, host, ["systemctl", "disable", "--quiet", "routes.service"])
    return "routes.service is disabled: it will not start at the next boot"


def _link_bounced(place: Place, host: Host) -> str:
    before = len(_routes(place, host))
    _run(place, host, ["ip", "link", "set", host.interface, "down"])
    _run(place, host, ["ip", "link", "set", host.interface, "up"])
    return f"{host.interface} went down and up: {before - len(_routes(place, host))} routes are gone"


def _own_cidr_route(place: Place, host: Host) -> str:
    if host.pod_cidr is None:
        raise LabError(f"{host.name} has no pod network of its own: use a worker")
    # The order that a boot gives when the route is there before the bridge has its address.
    _run(
        place, host, ["ip", "route", "prepend", str(host.pod_cidr), "via", str(host.address.ip), "dev", host.interface]
    )
    return f"its own pod network {host.pod_cidr} is now routed via {host.address.ip}"


def _foreign_route(place: Place, host: Host, cidr: str | None = None, via: str | None = None) -> str:
    wanted = parse_network(cidr) if cidr is not None else _pod_network(place, _FOREIGN_INDEX)
    hop = parse_address(via) if via is not None else str(place.layout.gateway[wanted.version == 6].ip)
    _run(place, host, ["ip", *_family(str(wanted)), "route", "add", str(wanted), "via", hop, "proto", "static"])
    return f"added the route {wanted} via {hop} proto static, as another administrator would"


def _duplicate_route(place: Place, host: Host, cidr: str | None = None, via: str | None = None) -> str:
    route = _route(place, host, cidr)
    hop = parse_address(via) if via is not None else _other_hop(place, host, route)
    _run(place, host, ["ip", *_family(route["dst"]), "route", "add", route["dst"], "via", hop, "metric", "50"])
    return f"{route['dst']} has a second route, via {hop} metric 50"


def _stale_route(place: Place, host: Host) -> str:
    cidr = _pod_network(place, _STALE_INDEX)
    unused = place.layout.network[-2]
    command = ["ip", "route", "add", str(cidr), "via", str(unused), "proto", OWN_PROTOCOL]
    _run(place, host, command)
    return f"added the route {cidr} via {unused} proto {OWN_PROTOCOL}, as if left by a removed worker"


def _sshd_stopped(machine: Machine, host: Host) -> str:
    _run(machine, host, ["systemctl", "stop", "ssh.service"])
    return "the SSH server is stopped: connections are refused"


def _sudo_refused(machine: Machine, host: Host) -> str:
    _run(machine, host, ["rm", "-f", f"/{template.SUDOERS}"])
    return f"{template.USER} may not use sudo any more"


def _host_key_changed(machine: Machine, host: Host) -> str:
    key = f"/etc/ssh/{template.HOST_KEY}"
    # Not a reload, which ends while nobody listens; sessions go on.
    script = f'rm -f {key} {key}.pub && ssh-keygen -q -t ed25519 -N "" -f {key} && systemctl restart ssh.service'
    _run(machine, host, ["sh", "-c", script])
    return "it has another SSH host key than known_hosts has"


def _frozen(machine: Machine, host: Host) -> str:
    cgroup.freeze(machine.paths.host(host.name).cgroup)
    return "every process is stopped: TCP connects, and nothing answers"


def _cable_pulled(machine: Machine, host: Host) -> str:
    run(["ip", "-n", machine.paths.operator_netns, "link", "set", host.port, "down"])
    return "its cable is pulled: nothing reaches it, connections time out"


def _host_down(machine: Machine, host: Host) -> str:
    machine.stop(host)
    return "its power is cut"


COMMAND_FAULTS = (
    Fault("drop-route", ("CIDR",), "remove a route (the first own one)", _drop_route),
    Fault("wrong-next-hop", ("CIDR", "VIA"), "point a route at another host", _wrong_next_hop),
    Fault("forwarding-off", (), "turn IP forwarding off", _forwarding_off),
    Fault("unit-edited", ("FILE",), f"edit {UNIT} by hand, or another file", _unit_edited),
    Fault("unit-disabled", (), "disable routes.service", _unit_disabled),
    Fault("link-bounced", (), "set the interface down and up: its routes are gone", _link_bounced),
    Fault("own-cidr-route", (), "send a worker's own pod network out of the worker", _own_cidr_route),
    Fault("foreign-route", ("CIDR", "VIA"), "add a foreign route (proto static)", _foreign_route),
    Fault("duplicate-route", ("CIDR", "VIA"), "add a second route to a pod network, metric 50", _duplicate_route),
    Fault("stale-route", (), "add a route of our own to a worker that was removed", _stale_route),
)
"""Faults that are made by a command on the host alone, so that containers can have them, too."""

FAULTS = (
    *COMMAND_FAULTS,
    Fault("sshd-stopped", (), "stop the SSH server [repair]", _sshd_stopped),
    Fault("sudo-refused", (), "refuse sudo to the user [repair]", _sudo_refused),
    Fault("host-key-changed", (), "give the SSH server another host key [repair]", _host_key_changed),
    Fault("frozen", (), "stop every process of the host [repair]", _frozen),
    Fault("cable-pulled", (), "cut the host from the network [repair]", _cable_pulled),
    Fault("host-down", (), "cut the host's power [repair]", _host_down),
)


def _repair_cable(machine: Machine, host: Host) -> str | None:
    port = json.loads(run(["ip", "-n", machine.paths.operator_netns, "-j", "link", "show", "dev", host.port]).stdout)
    if "UP" in port[0]["flags"]:
        return None
    run(["ip", "-n", machine.paths.operator_netns, "link", "set", host.port, "up"])
    return "plugged the cable in"


def _repair_host_key(machine: Machine, host: Host) -> str | None:
    own = (machine.paths.host(host.name).identity / template.HOST_KEY).read_text()
    path = f"/etc/ssh/{template.HOST_KEY}"
    if machine.exec(host.name, ["cat", path]).stdout == own:
        return None
    script = f"umask 077 && cat >{path} && ssh-keygen -y -f {path} >{path}.pub && systemctl restart ssh.service"
    _run(machine, host, ["sh", "-c", script], stdin=own)
    return "gave the SSH server its host key back"


def _repair_sudo(machine: Machine, host: Host) -> str | None:
    own = (machine.paths.template(host.release) / template.SUDOERS).read_text()
    path = f"/{template.SUDOERS}"
    if machine.exec(host.name, ["cat", path]).stdout == own:
        return None
    _run(machine, host, ["sh", "-c", f"umask 0227 && cat >{path}.new && mv {path}.new {path}"], stdin=own)
    return f"{template.USER} may use sudo again"


def _repair_sshd(machine: Machine, host: Host) -> str | None:
    if machine.exec(host.name, ["systemctl", "is-active", "--quiet", "ssh.service"]).returncode == 0:
        return None
    _run(machine, host, ["systemctl", "start", "ssh.service"])
    return "started the SSH server"


REPAIRS: tuple[Callable[[Machine, Host], str | None], ...] = (
    _repair_cable,
    _repair_host_key,
    _repair_sudo,
    _repair_sshd,
)


def _run(place: Place, host: Host, argv: list[str], *, stdin: str | None = None) -> str:
    done = place.exec(host.name, argv, stdin=stdin)
    if done.returncode != 0:
        output = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LabError(f"{host.name}: `{' '.join(argv)}` failed: {output}", status=1)
    return done.stdout


def _routes(place: Place, host: Host) -> list[dict[str, Any]]:
    """All routes that have a next hop."""
    listed: list[dict[str, Any]] = []
    for family in ("-4", "-6"):
        listed += json.loads(_run(place, host, ["ip", "-j", family, "route", "show", "type", "unicast"]) or "[]")
    return [route for route in listed if "gateway" in route]


def _own_routes(place: Place, host: Host) -> list[dict[str, Any]]:
    """The product's routes; if there are none, anybody's routes to other workers' pods."""
    routes = _routes(place, host)
    pods = {str(cidr) for other in place.hosts if other != host for cidr in other.pod_cidrs}
    own = [route for route in routes if route.get("protocol") == OWN_PROTOCOL]
    return own or [route for route in routes if route["dst"] in pods]


def _route(place: Place, host: Host, cidr: str | None) -> dict[str, Any]:
    routes = _own_routes(place, host)
    if cidr is not None:
        wanted = str(parse_network(cidr))
        routes = [route for route in routes if route["dst"] == wanted]
    if not routes:
        which = "route into the pod network" if cidr is None else f"route to {cidr}"
        raise LabError(f"{host.name} has no {which}: provision it first")
    return routes[0]


def _spec(route: dict[str, Any]) -> list[str]:
    metric = ["metric", str(route["metric"])] if "metric" in route else []
    return [route["dst"], "via", route["gateway"], "dev", route["dev"], *metric]


def _other_hop(place: Place, host: Host, route: dict[str, Any]) -> str:
    """An address that is neither the route's next hop nor the host's own."""
    own = (str(address.ip) for address in host.addresses)
    return other_address(place.hosts, place.layout, [route["gateway"], *own])


def _pod_network(place: Place, index: int) -> IPv4Network:
    """A pod network that no worker has."""
    cluster = place.layout.cluster_cidr
    index = max(index, place.layout.workers)
    chosen = IPv4Network((int(cluster[0]) + (index << 8), 24))
    if not chosen.subnet_of(cluster):
        raise LabError("every pod network belongs to a worker: name another network as argument")
    return chosen


def _family(text: str) -> list[str]:
    return ["-6" if ":" in text else "-4"]


def _need_file(place: Place, host: Host, file: str) -> None:
    if place.exec(host.name, ["test", "-f", file]).returncode != 0:
        raise LabError(f"{host.name} has no {file}: provision it first")
