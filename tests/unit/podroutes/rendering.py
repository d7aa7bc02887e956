"""What the facts script prints, from a host's state; with it, parsers are tested forwards and backwards."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from podroutes.host_state import HostState, UnitState
from podroutes.network_managers import ManagedLink
from podroutes.routes import Route
from podroutes.values import Family

_ABSENT = UnitState("not-found", "inactive", "", needs_reload=False)
_PROTOCOLS = {0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp"}
_KINDS = {"blackhole": "6", "unreachable": "7", "prohibit": "8", "throw": "9"}
_SCOPES = {200: "site", 253: "link", 254: "host"}


def render_route(route: Route, *, numeric: bool) -> dict[str, Any]:
    """A route as `ip -j` prints it, with -N or without."""
    length = route.destination.max_prefixlen
    text = str(route.destination).removesuffix(f"/{length}")
    item: dict[str, Any] = {"dst": "default" if route.destination.prefixlen == 0 else text}
    if route.kind in _KINDS:
        item["type"] = _KINDS[route.kind] if numeric else route.kind
    if route.tos:
        item["tos"] = route.tos
    if route.via is not None:
        item["gateway"] = str(route.via)
    if route.dev is not None:
        item["dev"] = route.dev
    if route.protocol != 3:  # boot is what iproute2 leaves out
        item["protocol"] = str(route.protocol) if numeric else _PROTOCOLS.get(route.protocol, str(route.protocol))
    if route.metric != 0:
        item["metric"] = route.metric
    if route.scope != 0:
        item["scope"] = str(route.scope) if numeric else _SCOPES[route.scope]
    if route.source is not None:
        item["prefsrc"] = str(route.source)
    item["flags"] = [flag for flag, on in (("onlink", route.onlink), ("linkdown", route.linkdown)) if on]
    if route.next_hops:
        item["nexthops"] = [
            {"gateway": str(hop.via), "dev": hop.dev, "weight": hop.weight, "flags": ["onlink"] if hop.onlink else []}
            for hop in route.next_hops
        ]
    return item


def render_facts(state: HostState, nonce: str, families: Sequence[Family]) -> str:
    """The whole answer; parts that need no test of their own are as a plain Debian's."""
    parts = {
        "host": f"{state.host_name}\n{state.boot_id}\n{state.machine_id}\n",
        "network": (_routes(state, 4) if 4 in families else "")
        + json.dumps([_link(state, name) for name in state.links])
        + "\n"
        + "".join(
            json.dumps([{"dst": str(item.address), "gateway": str(item.via), "dev": item.dev}]) + "\n"
            for item in state.lookups.values()
        ),
        **({"route6": _routes(state, 6)} if 6 in families else {}),
        "route_text": state.route_text + "\n",
        "sysctl_files": "".join(f"{path}\n" for path in dict.fromkeys(item.path for item in state.boot_sysctls)),
        "settings": "".join(f"/proc/sys/{key.replace('.', '/')}:{value}\n" for key, value in state.sysctls.items())
        + "".join(f"{item.path}:{item.key} = {item.value}\n" for item in state.boot_sysctls)
        + "".join(_manager_lines(state.links[name].index, managed) for name, managed in state.managers.items()),
        "managers": "".join(_running(name, managed) for name, managed in state.managers.items()),
        "unit": _unit(state.unit),
        "links_to_unit": "/etc/systemd/system/a.wants/routes.service\n" if state.unit.enabled == "enabled" else "",
        "files": "".join(
            f"{path} {file.mode | (0o100000 if file.regular else 0o120000):x} {file.uid} {file.gid}\n"
            f"{base64.b64encode(file.content.encode()).decode()}\n"
            for path, file in state.files.items()
        ),
        "end": "",
    }
    return "".join(f"\n@{nonce} {name}\n{text}" for name, text in parts.items())


def _routes(state: HostState, family: Family) -> str:
    return json.dumps([render_route(route, numeric=True) for route in state.routes[family]]) + "\n"


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
    return (
        f"Result={unit.result}\nLoadState={unit.load}\nActiveState={unit.active}\n"
        f"DropInPaths={unit.drop_ins}\nUnitFileState={unit.enabled}\n"
        f"NeedDaemonReload={'yes' if unit.needs_reload else 'no'}\n"
    )
