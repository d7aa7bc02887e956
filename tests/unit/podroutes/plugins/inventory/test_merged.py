"""What a program knows and what an engineer wrote, as one inventory."""

from typing import Any

import pytest

from podroutes.errors import Problem
from podroutes.plugins.inventory.merged import DiscoveredHosts, Files, MergedInventory

FOUND = DiscoveredHosts(
    "lxc remote local",
    {
        "worker-0": {"hostname": "worker-0", "groups": ["workers"], "data": {"pod_index": 0, "interface": "eth1"}},
        "worker-1": {"hostname": "worker-1", "groups": ["workers"], "data": {"pod_index": 1}},
    },
    ("haproxy: left out",),
    (Problem("a", "b", "c", "d"),),
)
OPTIONS = {"lxd": {"extras": {"remote": "far", "conn_timeout": 5.0}}}


def inventory(**files: dict[str, Any]) -> MergedInventory:
    return MergedInventory(
        FOUND, Files(files.get("hosts", {}), files.get("groups", {}), files.get("defaults", {})), OPTIONS
    )


def test_without_files_it_is_what_was_found() -> None:
    made = inventory()
    assert list(made.hosts) == ["worker-0", "worker-1"]
    assert made.hosts["worker-0"].data == {"pod_index": 0, "interface": "eth1"}
    assert list(made.groups) == ["workers"]
    assert made.children_of_group("workers") == set(made.hosts.values())
    assert made.hosts["worker-0"].get_connection_parameters("lxd").extras == {"remote": "far", "conn_timeout": 5.0}
    assert (made.source, made.notes, made.problems) == (FOUND.source, FOUND.notes, FOUND.problems)


def test_files_outrank_what_was_found_key_by_key() -> None:
    made = inventory(
        hosts={
            "worker-0": {"data": {"pod_index": 7}, "groups": []},
            "metal": {"hostname": "10.0.2.9", "groups": ["edge"]},
        },
        groups={"edge": {"groups": ["workers"], "username": "ubuntu"}},
        defaults={
            "data": {"cluster_cidr": "10.200.0.0/16"},
            "connection_options": {"lxd": {"extras": {"remote": "near"}}},
        },
    )
    assert made.hosts["worker-0"].data == {"pod_index": 7, "interface": "eth1"}
    assert [group.name for group in made.hosts["worker-0"].groups] == ["workers"]
    assert made.keys == {"worker-0": {"interface"}, "worker-1": {"pod_index"}}
    metal = made.hosts["metal"]
    assert (metal.hostname, metal.username, [group.name for group in metal.extended_groups()]) == (
        "10.0.2.9",
        "ubuntu",
        ["edge", "workers"],
    )
    assert metal.get("cluster_cidr") == "10.200.0.0/16"
    assert metal.get_connection_parameters("lxd").extras == {"remote": "near", "conn_timeout": 5.0}


def test_a_group_that_there_is_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        inventory(hosts={"worker-0": {"groups": ["nodes"]}})
