from ipaddress import IPv4Network

from lab.lxd.nodes import node
from lab.lxd.resources import body

NETWORK = IPv4Network("10.0.2.0/24")


def test_a_nodes_address_is_written_into_its_devices() -> None:
    made = body(node("worker-1", NETWORK))
    assert made["name"] == "worker-1"
    assert made["devices"] == {"eth1": {"type": "nic", "network": "lab0", "name": "eth1", "ipv4.address": "10.0.2.21"}}


def test_the_load_balancer_is_not_on_the_node_network() -> None:
    assert body(node("haproxy", NETWORK))["devices"] == {}
