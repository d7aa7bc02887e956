"""An inventory for Nornir that matches a lab."""

from collections.abc import Iterable
from pathlib import Path

from lab.layout import (
    CLUSTER_CIDR_IPV6,
    NODE_MASK,
    NODE_MASK_IPV6,
    NODE_NETWORK_IPV6,
    SERVICE_CIDR,
    Host,
    Layout,
)


def write_inventory(layout: Layout, folder: Path) -> list[Path]:
    """Write the inventory's files.

    Args:
        layout: The lab's size.
        folder: Where to; made if it is not there.

    Returns:
        The files.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "hosts.yaml": render_hosts(layout.hosts),
        "groups.yaml": "---\ncontrollers: {}\nworkers: {}\n",
        "defaults.yaml": render_defaults(layout),
        "config.yaml": render_config(folder),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


def render_hosts(hosts: Iterable[Host]) -> str:
    """The text of `hosts.yaml`.

    Args:
        hosts: All hosts.
    """
    lines = ["---"]
    for host in hosts:
        lines += [f"{host.name}:", f"  hostname: {host.address.ip}", "  groups:", f"    - {host.role}s"]
        data = []
        if host.role == "worker":
            data.append(f"    pod_index: {host.index}")
        if host.address_ipv6 is not None:
            data.append("    internal_ips:")
            data += [f"      - {_quoted(str(address.ip))}" for address in host.addresses]
        if data:
            lines += ["  data:", *data]
    return "\n".join(lines) + "\n"


def render_defaults(layout: Layout) -> str:
    """The text of `defaults.yaml`: how to log in, and the cluster's network plan.

    Args:
        layout: The lab's size.
    """
    lines = ["---", "platform: linux_exec", "username: ubuntu", "data:"]
    if layout.ipv6:
        lines += ["  cluster_cidr:", f"    - {layout.cluster_cidr}", f"    - {_quoted(str(CLUSTER_CIDR_IPV6))}"]
        lines += [f"  node_cidr_mask_size: {NODE_MASK}", f"  node_cidr_mask_size_ipv6: {NODE_MASK_IPV6}"]
    else:
        lines += [f"  cluster_cidr: {layout.cluster_cidr}", f"  node_cidr_mask_size: {NODE_MASK}"]
    lines.append(f"  service_cluster_ip_range: {SERVICE_CIDR}")
    if layout.ipv6:
        lines += ["  node_network:", f"    - {layout.network}", f"    - {_quoted(str(NODE_NETWORK_IPV6))}"]
    else:
        lines.append(f"  node_network: {layout.network}")
    return "\n".join(lines) + "\n"


def render_config(folder: Path) -> str:
    """The text of Nornir's `config.yaml`.

    Args:
        folder: Where the inventory's files are, as an absolute path.
    """
    return (
        "---\n"
        "inventory:\n"
        "  plugin: SimpleInventory\n"
        "  options:\n"
        f"    host_file: {_quoted(str(folder / 'hosts.yaml'))}\n"
        f"    group_file: {_quoted(str(folder / 'groups.yaml'))}\n"
        f"    defaults_file: {_quoted(str(folder / 'defaults.yaml'))}\n"
        "runner:\n"
        "  plugin: interruptible_threads\n"
        "  options:\n"
        "    num_workers: 50\n"
        "logging:\n"
        "  enabled: false\n"
    )


def _quoted(text: str) -> str:
    """A YAML string in single quotes: colons and blanks mean nothing in it."""
    return "'" + text.replace("'", "''") + "'"
