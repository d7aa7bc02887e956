from lab.layout import Layout
from lab.network import cable_lines, host_lines, operator_lines, pod_lines


def test_operator_has_the_bridge_and_no_default_route() -> None:
    lines = operator_lines(Layout())
    assert "address add 10.240.0.1/24 dev lab0" in lines
    assert not any("route" in line for line in lines)


def test_cable_has_the_host_at_its_other_end() -> None:
    assert cable_lines(Layout().host("worker-1"), "/run/netns/x.worker-1") == [
        "link add to-worker-1 type veth peer name eth0 address 02:00:0a:f0:00:15 netns /run/netns/x.worker-1",
        "link set to-worker-1 addrgenmode none",
        "link set to-worker-1 master lab0 up",
    ]


def test_controller_has_no_pod_bridge() -> None:
    assert host_lines(Layout().host("controller-0"), None) == [
        "link set lo up",
        "address add 10.240.0.10/24 dev eth0",
        "link set eth0 up",
    ]


def test_worker_has_the_first_address_of_its_pod_network() -> None:
    lines = host_lines(Layout(ipv6=True).host("worker-2"), "/run/netns/x.worker-2.pod")
    assert "address add 10.200.2.1/24 dev cnio0" in lines
    assert "address add fd00:200:0:2::1/64 dev cnio0 nodad" in lines
    assert not any("default" in line for line in lines)


def test_pod_goes_out_through_its_worker() -> None:
    assert pod_lines(Layout(ipv6=True).host("worker-2")) == [
        "link set lo up",
        "address add 10.200.2.2/24 dev eth0",
        "address add fd00:200:0:2::2/64 dev eth0 nodad",
        "link set eth0 up",
        "route add default via 10.200.2.1",
        "route add default via fd00:200:0:2::1",
    ]
