from pathlib import Path
from typing import Any

import pytest
from nornir.core.inventory import Inventory
from nornir.plugins.inventory import SimpleInventory
from ruamel.yaml import YAML

from lab.inventory import write_inventory
from lab.layout import Layout


def _load(folder: Path) -> Inventory:
    """Loaded by Nornir itself, from the paths that the written configuration names."""
    config = YAML(typ="safe").load((folder / "config.yaml").read_text())
    assert config["inventory"]["plugin"] == "SimpleInventory"
    return SimpleInventory(**config["inventory"]["options"]).load()


def test_nornir_reads_the_default_lab(tmp_path: Path) -> None:
    write_inventory(Layout(), tmp_path)
    inventory = _load(tmp_path)
    hosts = {
        name: (host.hostname, [group.name for group in host.groups], host.data)
        for name, host in inventory.hosts.items()
    }
    assert hosts == {
        "controller-0": ("10.240.0.10", ["controllers"], {}),
        "controller-1": ("10.240.0.11", ["controllers"], {}),
        "controller-2": ("10.240.0.12", ["controllers"], {}),
        "worker-0": ("10.240.0.20", ["workers"], {"pod_index": 0}),
        "worker-1": ("10.240.0.21", ["workers"], {"pod_index": 1}),
        "worker-2": ("10.240.0.22", ["workers"], {"pod_index": 2}),
    }
    assert (inventory.defaults.platform, inventory.defaults.username) == ("linux_exec", "ubuntu")
    assert inventory.defaults.data == {
        "cluster_cidr": "10.200.0.0/16",
        "node_cidr_mask_size": 24,
        "service_cluster_ip_range": "10.32.0.0/24",
        "node_network": "10.240.0.0/24",
    }


def test_nornir_reads_a_lab_with_both_families(tmp_path: Path) -> None:
    write_inventory(Layout(controllers=1, workers=1, ipv6=True), tmp_path)
    inventory = _load(tmp_path)
    assert inventory.hosts["controller-0"].data == {"internal_ips": ["10.240.0.10", "fd00:240::10"]}
    assert inventory.hosts["worker-0"].data == {"pod_index": 0, "internal_ips": ["10.240.0.20", "fd00:240::20"]}
    assert inventory.defaults.data == {
        "cluster_cidr": ["10.200.0.0/16", "fd00:200::/48"],
        "node_cidr_mask_size": 24,
        "node_cidr_mask_size_ipv6": 64,
        "service_cluster_ip_range": "10.32.0.0/24",
        "node_network": ["10.240.0.0/24", "fd00:240::/64"],
    }


@pytest.mark.parametrize(
    ("size", "cluster", "node"),
    [
        ({"workers": 100}, "10.200.0.0/16", "10.240.0.0/24"),
        ({"workers": 300, "node_network": "10.240.0.0/22"}, "10.200.0.0/15", "10.240.0.0/22"),
    ],
)
def test_networks_follow_the_size(size: dict[str, Any], cluster: str, node: str, tmp_path: Path) -> None:
    write_inventory(Layout(**size), tmp_path)
    inventory = _load(tmp_path)
    assert inventory.defaults.data["cluster_cidr"] == cluster
    assert inventory.defaults.data["node_network"] == node
    assert len(inventory.hosts) == 3 + size["workers"]


def test_a_folder_with_an_odd_name_is_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "it's: here #1"
    assert all(path.is_file() for path in write_inventory(Layout(), folder))
    assert len(_load(folder).hosts) == 6


def test_the_runner_and_logging(tmp_path: Path) -> None:
    write_inventory(Layout(), tmp_path)
    config = YAML(typ="safe").load((tmp_path / "config.yaml").read_text())
    assert config["runner"] == {"plugin": "interruptible_threads", "options": {"num_workers": 50}}
    assert config["logging"] == {"enabled": False}
