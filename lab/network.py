"""The lab's network: a namespace for each host and pod, and a bridge in the operator's that joins the hosts."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.kernel import write_sysctls
from lab.layout import Host, Layout
from lab.paths import NETNS, HostPaths, LabPaths
from lab.process import run

BRIDGE = "lab0"
POD_BRIDGE = "cnio0"
_WORKERS = 4

# A new namespace may inherit what the computer has; a fresh machine has this.
_FRESH_SYSCTLS = {
    "ipv4/ip_forward": "0",
    "ipv6/conf/all/forwarding": "0",
    "ipv6/conf/default/forwarding": "0",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    # What manages the network would give a static address back after a link went down and up.
    "ipv6/conf/all/keep_addr_on_down": "1",
    "ipv6/conf/default/keep_addr_on_down": "1",
    # Until a second after it is up, a link-local address that is still being looked for elsewhere finds no neighbours.
    "ipv6/conf/all/accept_dad": "0",
    "ipv6/conf/default/accept_dad": "0",
}


def operator_lines(layout: Layout) -> list[str]:
    """Commands for `ip -batch` in the operator's namespace that make the bridge.

    Args:
        layout: The lab's.
    """
    return [
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        *(f"address add {address} dev {BRIDGE}{_nodad(str(address))}" for address in layout.gateway),
        f"link set {BRIDGE} up",
    ]


def cable_lines(host: Host, netns: str) -> list[str]:
    """Commands in the operator's namespace that join a host to the bridge.

    Args:
        host: The host.
        netns: The name of its namespace.
    """
    return [
        f"link add {host.port} type veth peer name eth0 address {host.mac} netns {netns}",
        f"link set {host.port} addrgenmode none",
        f"link set {host.port} master {BRIDGE} up",
    ]


def host_lines(host: Host, pod_netns: str | None) -> list[str]:
    """Commands in a host's namespace that give it its addresses and, to a worker, its pod bridge.

    Args:
        host: The host.
        pod_netns: The name of its pod's namespace; None where there is none.
    """
    lines = [
        "link set lo up",
        *(f"address add {address} dev eth0{_nodad(str(address))}" for address in host.addresses),
        "link set eth0 up",
    ]
    if pod_netns is not None:
        lines += [
            f"link add {POD_BRIDGE} type bridge",
            f"link add pod0 type veth peer name eth0 netns {pod_netns}",
            f"link set pod0 master {POD_BRIDGE} up",
            *(f"address add {cidr[1]}/{cidr.prefixlen} dev {POD_BRIDGE}{_nodad(str(cidr))}" for cidr in host.pod_cidrs),
            f"link set {POD_BRIDGE} up",
        ]
    return lines


def pod_lines(host: Host) -> list[str]:
    """Commands in a pod's namespace.

    Args:
        host: The pod's worker.
    """
    return [
        "link set lo up",
        *(f"address add {cidr[2]}/{cidr.prefixlen} dev eth0{_nodad(str(cidr))}" for cidr in host.pod_cidrs),
        "link set eth0 up",
        *(f"route add default via {cidr[1]}" for cidr in host.pod_cidrs),
    ]


def namespaces(paths: LabPaths) -> list[str]:
    """Names of all network namespaces of a lab that there are.

    Args:
        paths: The lab's.
    """
    if not NETNS.is_dir():
        return []
    return sorted(path.name for path in NETNS.iterdir() if path.name.startswith(f"{paths.name}."))


def make_operator(layout: Layout, paths: LabPaths) -> None:
    """Make the operator's namespace and the bridge, unless they are there and complete.

    Args:
        layout: The lab's.
        paths: The lab's.
    """
    if paths.operator_netns in namespaces(paths):
        if run(["ip", "-n", paths.operator_netns, "link", "show", "dev", BRIDGE, "up"], check=False).returncode == 0:
            return
        run(["ip", "netns", "delete", paths.operator_netns])
    run(["ip", "netns", "add", paths.operator_netns])
    write_sysctls(paths.operator_netns, _FRESH_SYSCTLS)
    batch(paths.operator_netns, operator_lines(layout))


def make_hosts(hosts: Sequence[Host], layout: Layout, paths: LabPaths) -> None:
    """Make the networks of hosts again, as after a reboot: the contents of their namespaces are gone.

    Args:
        hosts: Hosts that do not run.
        layout: The lab's.
        paths: The lab's.
    """
    remove_hosts(hosts, paths)
    names = [(host, paths.host(host.name)) for host in hosts]
    add = [f"netns add {name}" for host, of in names for name in _names(host, of, layout)]
    run(["ip", "-batch", "-"], stdin="\n".join(add) + "\n")
    for host, of in names:
        for name in _names(host, of, layout):
            write_sysctls(name, _FRESH_SYSCTLS)
    batch(paths.operator_netns, [line for host, of in names for line in cable_lines(host, str(NETNS / of.netns))])

    def make(host: Host) -> None:
        of = paths.host(host.name)
        pod = of.pod_netns if _has_pod(host, layout) else None
        batch(of.netns, host_lines(host, None if pod is None else str(NETNS / pod)))
        if pod is not None:
            batch(pod, pod_lines(host))

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(make, hosts))


def remove_hosts(hosts: Iterable[Host], paths: LabPaths) -> None:
    """Remove the networks of hosts, where they exist.

    Args:
        hosts: Hosts that do not run.
        paths: The lab's.
    """
    present = set(namespaces(paths))
    # The kernel removes the devices of a namespace some time after it; a new cable needs the name at once.
    if paths.operator_netns in present:
        ports = set(cables(paths))
        batch(paths.operator_netns, [f"link delete {host.port}" for host in hosts if host.port in ports])
    gone = [name for host in hosts for name in (paths.host(host.name).pod_netns, paths.host(host.name).netns)]
    remove([name for name in gone if name in present])


def remove(names: Sequence[str]) -> None:
    """Remove network namespaces.

    Args:
        names: Of namespaces that there are.
    """
    if names:
        run(["ip", "-batch", "-"], stdin="".join(f"netns delete {name}\n" for name in names))


def cables(paths: LabPaths) -> list[str]:
    """Names of the bridge's ports.

    Args:
        paths: The lab's.
    """
    return links(paths.operator_netns, "master", BRIDGE)


def links(netns: str, *which: str) -> list[str]:
    """Names of the network devices in a namespace; none if one of them is not there.

    Args:
        netns: Name of the namespace.
        which: Words for `ip link show`; all devices by default.
    """
    listed = run(["ip", "-n", netns, "-brief", "link", "show", *which], check=False)
    return [line.split()[0].split("@")[0] for line in listed.stdout.splitlines()]


def is_complete(host: Host, layout: Layout, paths: LabPaths, present: set[str], ports: set[str]) -> bool:
    """Whether a host's namespaces and cable are there.

    Args:
        host: The host.
        layout: The lab's.
        paths: The lab's.
        present: Names of the lab's namespaces.
        ports: Names of the bridge's ports.
    """
    return host.port in ports and set(_names(host, paths.host(host.name), layout)) <= present


def _has_pod(host: Host, layout: Layout) -> bool:
    return layout.pods and host.pod_cidr is not None


def _names(host: Host, of: HostPaths, layout: Layout) -> list[str]:
    return [of.netns, of.pod_netns] if _has_pod(host, layout) else [of.netns]


def _nodad(address: str) -> str:
    """No waiting for duplicate address detection: the lab gives each address once."""
    return " nodad" if ":" in address else ""


def batch(netns: str, lines: Sequence[str]) -> None:
    """Run commands of `ip` in a network namespace.

    Args:
        netns: Name of the namespace.
        lines: Commands for `ip -batch`.
    """
    if lines:
        run(["ip", "-n", netns, "-batch", "-"], stdin="\n".join(lines) + "\n")
