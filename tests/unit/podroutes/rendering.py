"""What the facts script prints, from a host's state; with it, parsers are tested forwards and backwards."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from podroutes.addresses import Family, IPAddress
from podroutes.host.network_managers import ManagedLink
from podroutes.host.routes import Route
from podroutes.host.state import HostState, UnitState

# Of a host that has what it needs.
READY = {
    "missing": "",
    "ip_version": "ip utility, iproute2-6.1.0, libbpf 1.1.0\n",
    "systemd_version": "systemd 252 (252.39-1~deb12u2)\n+PAM +AUDIT\n",
    "flock_version": "flock from util-linux 2.38.1\n",
}
_PROTOCOLS = {0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp"}
_KINDS = {"blackhole": "6", "unreachable": "7", "prohibit": "8", "throw": "9"}
_SCOPES = {200: "site", 253: "link", 254: "host"}


def render_route(route: Route, *, numeric: bool) -> str:
    """A route as `ip -o route show` prints it, with -N or without."""
    length = route.destination.max_prefixlen
    text = str(route.destination).removesuffix(f"/{length}")
    words = []
    if route.kind in _KINDS:
        words.append(_KINDS[route.kind] if numeric else route.kind)
    words.append("default" if route.destination.prefixlen == 0 else text)
    words += [] if route.sources is None else ["from", str(route.sources)]
    words += ["tos", route.tos] if route.tos else []
    words += [] if route.nhid is None else ["nhid", str(route.nhid)]
    words += _way(route.via, route.dev, route.destination.version)
    if route.protocol != 3:  # boot is what iproute2 leaves out
        words += ["proto", str(route.protocol) if numeric else _PROTOCOLS.get(route.protocol, str(route.protocol))]
    words += ["scope", str(route.scope) if numeric else _SCOPES[route.scope]] if route.scope != 0 else []
    words += [] if route.source is None else ["src", str(route.source)]
    words += ["metric", str(route.metric)] if route.metric != 0 else []
    words += [flag for flag, on in (("onlink", route.onlink), ("linkdown", route.linkdown)) if on]
    words += ["expires", "87sec"] if route.expires else []
    words += [option.replace("rto_min ", "rto_min lock ") for option in route.options]
    if route.destination.version == 6 and not any(option.startswith("pref ") for option in route.options):
        words += ["pref", "medium"]
    for hop in route.next_hops:
        words += ["\\\tnexthop", *_way(hop.via, hop.dev, route.destination.version), "weight", str(hop.weight)]
        words += ["onlink"] if hop.onlink else []
    return " ".join([*words, *route.unknown]) + " "


def _way(via: IPAddress | None, dev: str | None, version: int) -> list[str]:
    words = (
        []
        if via is None
        else ["via", *([] if via.version == version else [f"inet{'6' * (via.version == 6)}"]), str(via)]
    )
    return words if dev is None else [*words, "dev", dev]


def render_facts(state: HostState, nonce: str, families: Sequence[Family]) -> str:
    """The whole answer; parts that need no test of their own are as a plain Debian's."""
    parts = {
        **READY,
        "host": f"{state.host_name}\n",
        "network": json.dumps([_link(state, name) for name in state.links])
        + "\n"
        + "".join(
            json.dumps([{"dst": str(item.address), "gateway": str(item.via), "dev": item.dev}]) + "\n"
            for item in state.lookups.values()
        ),
        **{f"route{family}": _routes(state, family) for family in families},
        "route_text": state.route_text + "\n",
        "sysctl_files": "/etc/sysctl.d/*.conf\n"
        + "".join(f"{path}\n" for path in dict.fromkeys(item.path for item in state.boot_sysctls)),
        "settings": "".join(f"/proc/sys/{key.replace('.', '/')}:{value}\n" for key, value in state.sysctls.items())
        + "".join(f"{item.path}:{item.line}\n" for item in state.boot_sysctls)
        + "".join(_manager_lines(state.links[name].index, managed) for name, managed in state.managers.items()),
        "managers": "".join(_running(name, managed) for name, managed in state.managers.items()),
        "unit": _unit(state.unit),
        "overridden": "".join(f"{name}\n" for name in sorted(state.unit.overridden)),
        "leftovers": "".join(f"{path}\n" for path in state.leftovers),
        "links_to_unit": "/etc/systemd/system/a.wants/routes.service\n" if state.unit.enabled == "enabled" else "",
        "files": "".join(
            f"{path} {file.mode | (0o100000 if file.regular else 0o120000):x} {file.uid} {file.gid}\n"
            for path, file in state.files.items()
        ),
        "contents": "".join(
            f"{path} {base64.b64encode(file.content.encode()).decode()}\n"
            for path, file in state.files.items()
            if file.regular
        ),
        "end": "",
    }
    return "".join(f"\n@{nonce} {name}\n{text}" for name, text in parts.items())


def _routes(state: HostState, family: Family) -> str:
    return "".join(render_route(route, numeric=True) + "\n" for route in state.routes[family])


def _link(state: HostState, name: str) -> dict[str, Any]:
    link = state.links[name]
    flags = [flag for flag, on in (("UP", link.up), ("LOWER_UP", link.carrier)) if on]
    addresses = [
        {
            "family": "inet" if own.ip.version == 4 else "inet6",
            "local": str(own.ip),
            "prefixlen": own.network.prefixlen,
            **({"dynamic": True} if own.dynamic else {}),
        }
        for own in link.addresses
    ]
    return {"ifindex": link.index, "ifname": name, "flags": flags, "mtu": link.mtu, "addr_info": addresses}


def _running(name: str, managed: ManagedLink) -> str:
    return f"ifupdown {name}={name}\n" if managed.manager == "ifupdown" else f"{managed.manager}\n"


def _manager_lines(index: int, managed: ManagedLink) -> str:
    if managed.manager == "NetworkManager":
        return f"/run/NetworkManager/devices/{index}:managed=true\n"
    if managed.manager == "ifupdown":
        return ""
    lines = [
        f"ADMIN_STATE={'configured' if managed.settled else 'configuring'}",
        f"NETWORK_FILE={managed.network_file}",
    ]
    lines += [] if managed.drop_ins is None else [f'NETWORK_FILE_DROPINS="{":".join(managed.drop_ins)}"']
    lines += ["DHCP_LEASE=/run/systemd/netif/leases/2"] if managed.leased else []
    return "".join(f"/run/systemd/netif/links/{index}:{line}\n" for line in lines)


def _unit(unit: UnitState) -> str:
    own = {
        "LoadState": unit.load,
        "ActiveState": unit.active,
        "DropInPaths": unit.drop_ins,
        "UnitFileState": unit.enabled,
        "FragmentPath": "",
    }
    shown = {name: (value,) for name, value in own.items()} | dict(unit.properties)
    return "".join(f"{name}={value}\n" for name, values in shown.items() for value in values)
