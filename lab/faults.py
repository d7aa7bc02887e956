"""Faults: what can go wrong on a host, each a small function in one table, and how to undo some of them.

The product repairs what concerns routes. It cannot repair a host that it cannot reach: for those there are `MENDS`.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Protocol

from lab import cgroup, template
from lab.errors import LabError
from lab.layout import Host, Layout
from lab.machines import Lab
from lab.process import run

OWN_PROTOCOL = "201"
UNIT = "/etc/systemd/system/routes.service"
_FOREIGN_INDEX = 250
_STALE_INDEX = 240


class Place(Protocol):
    """Where a host is: the lab, or the lab's LXD."""

    @property
    def layout(self) -> Layout:
        """The lab's size."""

    @property
    def hosts(self) -> Sequence[Host]:
        """All that are there."""

    def exec(self, host: str, argv: Sequence[str], *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as root on a host."""


@dataclass(frozen=True)
class Fault:
    """One thing that can be made to go wrong.

    Attributes:
        name: What it is called on the command line.
        arguments: Names of the arguments that it can be given, none of which is required.
        explanation: One line.
        make: Makes it; given where the host is, the host and the arguments, returns one line that says what was done.
    """

    name: str
    arguments: tuple[str, ...]
    explanation: str
    make: Callable[..., str]

    @property
    def usage(self) -> str:
        """The name and its arguments."""
        return " ".join([self.name, *(f"[{argument}]" for argument in self.arguments)])


def find_fault(name: str, arguments: int, faults: "Sequence[Fault] | None" = None) -> Fault:
    """Find a fault by its name.

    Args:
        name: The name.
        arguments: How many arguments it is to be given.
        faults: Those that there are; `FAULTS` by default.

    Raises:
        LabError: There is none of that name, or it takes fewer arguments.
    """
    known = FAULTS if faults is None else faults
    for fault in known:
        if fault.name == name:
            if arguments > len(fault.arguments):
                raise LabError(f"too many arguments: {fault.usage}")
            return fault
    raise LabError(f"there is no fault {name!r}: {', '.join(fault.name for fault in known)}")


def _drop_route(place: Place, host: Host, cidr: str | None = None) -> str:
    route = _route(place, host, cidr)
    _run(place, host, ["ip", *_family(route["dst"]), "route", "delete", *_spec(route)])
    return f"removed the route {route['dst']} via {route['gateway']}"


def _wrong_next_hop(place: Place, host: Host, cidr: str | None = None, via: str | None = None) -> str:
    route = _route(place, host, cidr)
    wrong = _address(via) if via is not None else _other_hop(place, host, route)
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
    return f"its own pod network {host.pod_cidr} now goes out via {host.address.ip}"


def _foreign_route(place: Place, host: Host, cidr: str | None = None, via: str | None = None) -> str:
    wanted = _network(cidr) if cidr is not None else _pod_network(place, _FOREIGN_INDEX)
    hop = _address(via) if via is not None else str(place.layout.gateway[wanted.version == 6].ip)
    _run(place, host, ["ip", *_family(str(wanted)), "route", "add", str(wanted), "via", hop, "proto", "static"])
    return f"added the route {wanted} via {hop} proto static, as somebody else would"


def _duplicate_route(place: Place, host: Host, cidr: str | None = None, via: str | None = None) -> str:
    route = _route(place, host, cidr)
    hop = _address(via) if via is not None else _other_hop(place, host, route)
    _run(place, host, ["ip", *_family(route["dst"]), "route", "add", route["dst"], "via", hop, "metric", "50"])
    return f"{route['dst']} has a second route, via {hop} metric 50"


def _stale_route(place: Place, host: Host) -> str:
    cidr = _pod_network(place, _STALE_INDEX)
    nobody = place.layout.network[-2]
    command = ["ip", "route", "add", str(cidr), "via", str(nobody), "proto", OWN_PROTOCOL]
    _run(place, host, command)
    return f"added the route {cidr} via {nobody} proto {OWN_PROTOCOL}, as of a worker that is no more"


def _sshd_stopped(lab: Lab, host: Host) -> str:
    _run(lab, host, ["systemctl", "stop", "ssh.service"])
    return "the SSH server is stopped: connections are refused"


def _sudo_refused(lab: Lab, host: Host) -> str:
    _run(lab, host, ["rm", "-f", f"/{template.SUDOERS}"])
    return f"{template.USER} may not use sudo any more"


def _host_key_changed(lab: Lab, host: Host) -> str:
    key = f"/etc/ssh/{template.HOST_KEY}"
    # Not a reload, which ends while nobody listens; sessions go on.
    script = f'rm -f {key} {key}.pub && ssh-keygen -q -t ed25519 -N "" -f {key} && systemctl restart ssh.service'
    _run(lab, host, ["sh", "-c", script])
    return "it has another SSH host key than known_hosts says"


def _frozen(lab: Lab, host: Host) -> str:
    cgroup.freeze(lab.paths.host(host.name).cgroup, frozen=True)
    return "every process is stopped: TCP connects, and nothing answers"


def _cable_pulled(lab: Lab, host: Host) -> str:
    run(["ip", "-n", lab.paths.operator_netns, "link", "set", host.port, "down"])
    return "its cable is pulled: nothing reaches it, connections time out"


def _host_down(lab: Lab, host: Host) -> str:
    lab.stop(host)
    return "its power is cut"


FAULTS = (
    Fault("drop-route", ("CIDR",), "remove a route (the first own one)", _drop_route),
    Fault("wrong-next-hop", ("CIDR", "VIA"), "point a route at another host", _wrong_next_hop),
    Fault("forwarding-off", (), "turn IP forwarding off until somebody turns it on", _forwarding_off),
    Fault("unit-edited", ("FILE",), f"edit {UNIT} by hand, or another file", _unit_edited),
    Fault("unit-disabled", (), "disable routes.service", _unit_disabled),
    Fault("link-bounced", (), "set the interface down and up: its routes are gone", _link_bounced),
    Fault("own-cidr-route", (), "send a worker's own pod network out of the worker", _own_cidr_route),
    Fault("foreign-route", ("CIDR", "VIA"), "add somebody else's route (proto static)", _foreign_route),
    Fault("duplicate-route", ("CIDR", "VIA"), "add a second route to a pod network, metric 50", _duplicate_route),
    Fault("stale-route", (), "add an own route to a worker that is no more", _stale_route),
    Fault("sshd-stopped", (), "stop the SSH server [mend]", _sshd_stopped),
    Fault("sudo-refused", (), "take sudo away from the user [mend]", _sudo_refused),
    Fault("host-key-changed", (), "give the SSH server another host key [mend]", _host_key_changed),
    Fault("frozen", (), "stop every process of the host [mend]", _frozen),
    Fault("cable-pulled", (), "cut the host from the network [mend]", _cable_pulled),
    Fault("host-down", (), "cut the host's power [mend]", _host_down),
)


def _mend_cable(lab: Lab, host: Host) -> str | None:
    port = json.loads(run(["ip", "-n", lab.paths.operator_netns, "-j", "link", "show", "dev", host.port]).stdout)
    if "UP" in port[0]["flags"]:
        return None
    run(["ip", "-n", lab.paths.operator_netns, "link", "set", host.port, "up"])
    return "plugged the cable in"


def _mend_host_key(lab: Lab, host: Host) -> str | None:
    own = (lab.paths.host(host.name).identity / template.HOST_KEY).read_text()
    path = f"/etc/ssh/{template.HOST_KEY}"
    if lab.exec(host.name, ["cat", path]).stdout == own:
        return None
    script = f"umask 077 && cat >{path} && ssh-keygen -y -f {path} >{path}.pub && systemctl restart ssh.service"
    _run(lab, host, ["sh", "-c", script], stdin=own)
    return "gave the SSH server its host key back"


def _mend_sudo(lab: Lab, host: Host) -> str | None:
    own = (lab.paths.template(host.release) / template.SUDOERS).read_text()
    path = f"/{template.SUDOERS}"
    if lab.exec(host.name, ["cat", path]).stdout == own:
        return None
    _run(lab, host, ["sh", "-c", f"umask 0227 && cat >{path}.new && mv {path}.new {path}"], stdin=own)
    return f"{template.USER} may use sudo again"


def _mend_sshd(lab: Lab, host: Host) -> str | None:
    if lab.exec(host.name, ["systemctl", "is-active", "--quiet", "ssh.service"]).returncode == 0:
        return None
    _run(lab, host, ["systemctl", "start", "ssh.service"])
    return "started the SSH server"


MENDS: tuple[Callable[[Lab, Host], str | None], ...] = (_mend_cable, _mend_host_key, _mend_sudo, _mend_sshd)


def _run(place: Place, host: Host, argv: list[str], *, stdin: str | None = None) -> str:
    done = place.exec(host.name, argv, stdin=stdin)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LabError(f"{host.name}: `{' '.join(argv)}` failed: {said}", status=1)
    return done.stdout


def _routes(place: Place, host: Host) -> list[dict[str, Any]]:
    """All routes that have a next hop."""
    listed: list[dict[str, Any]] = []
    for family in ("-4", "-6"):
        listed += json.loads(_run(place, host, ["ip", "-j", family, "route", "show", "type", "unicast"]) or "[]")
    return [route for route in listed if "gateway" in route]


def _own_routes(place: Place, host: Host) -> list[dict[str, Any]]:
    """Routes that the product has set; where there are none, those to other workers' pods that anybody has set."""
    routes = _routes(place, host)
    pods = {str(cidr) for other in place.hosts if other != host for cidr in other.pod_cidrs}
    own = [route for route in routes if route.get("protocol") == OWN_PROTOCOL]
    return own or [route for route in routes if route["dst"] in pods]


def _route(place: Place, host: Host, cidr: str | None) -> dict[str, Any]:
    routes = _own_routes(place, host)
    if cidr is not None:
        wanted = str(_network(cidr))
        routes = [route for route in routes if route["dst"] == wanted]
    if not routes:
        which = "route into the pod network" if cidr is None else f"route to {cidr}"
        raise LabError(f"{host.name} has no {which}: provision it first")
    return routes[0]


def _spec(route: dict[str, Any]) -> list[str]:
    metric = ["metric", str(route["metric"])] if "metric" in route else []
    return [route["dst"], "via", route["gateway"], "dev", route["dev"], *metric]


def _other_hop(place: Place, host: Host, route: dict[str, Any]) -> str:
    """A host's address that is neither the route's next hop nor the host's own."""
    version = ip_address(route["gateway"]).version
    present = {route["gateway"], *(str(address.ip) for address in host.addresses)}
    for other in reversed(place.hosts):
        for address in other.addresses:
            if address.version == version and str(address.ip) not in present:
                return str(address.ip)
    return next(str(address.ip) for address in place.layout.gateway if address.version == version)


def _pod_network(place: Place, index: int) -> IPv4Network:
    """A pod network that no worker has."""
    cluster = place.layout.cluster_cidr
    index = max(index, place.layout.workers)
    chosen = IPv4Network((int(cluster[0]) + (index << 8), 24))
    if not chosen.subnet_of(cluster):
        raise LabError("every pod network belongs to a worker: name another network as argument")
    return chosen


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise LabError(f"{text!r} is no network: {error}") from error


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise LabError(f"{text!r} is no address: {error}") from error


def _family(text: str) -> list[str]:
    return ["-6" if ":" in text else "-4"]


def _need_file(place: Place, host: Host, file: str) -> None:
    if place.exec(host.name, ["test", "-f", file]).returncode != 0:
        raise LabError(f"{host.name} has no {file}: provision it first")
