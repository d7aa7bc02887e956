"""What can drift on a host, each kind made for real, with what a check has to find and whether --fix fixes it."""

from dataclasses import dataclass

from tests.integration.cluster import DATA, SCRIPT, SYSCTL, UNIT, Cluster
from tests.integration.inventories import Inventory

Found = tuple[str, str]
SERVICE = "routes.service"
DROP_IN = "/etc/systemd/network/eth0.network.d/90-kubernetes-pod-routes.conf"
OTHERS_CIDR = (
    "10.200.1.0/24, the pod CIDR of worker-1, is connected here on br9: "
    "this host's own bridge has another worker's pod CIDR"
)
LEFTOVER = "/etc/systemd/system/.routes.service.new"
GONE = ("unit-without-routes", SERVICE)


@dataclass(frozen=True)
class Drift:
    """Something that drifts.

    Attributes:
        make: A script that a host's root runs.
        found: Code and subject of each finding, in the report's order.
        left: Codes of the findings that --fix leaves, since they are somebody else's; the host has failed then.
        undo: A script that takes back what --fix leaves.
        data: Keys of the host in the inventory.
    """

    make: str
    found: tuple[Found, ...]
    left: tuple[str, ...] = ()
    undo: str = ""
    data: tuple[tuple[str, object], ...] = ()

    @property
    def codes(self) -> set[str]:
        """Codes of the findings."""
        return {code for code, _ in self.found}


def pods(*indices: int) -> tuple[str, ...]:
    return tuple(f"10.200.{index}.0/24" for index in indices)


# Each batch is what happens to several hosts at once.
BATCHES: list[dict[str, Drift]] = [
    {
        "controller-0": Drift("ip route del 10.200.0.0/24", (("route-missing", "10.200.0.0/24"), GONE)),
        "controller-1": Drift(
            "ip route del 10.200.1.0/24; ip route add 10.200.1.0/24 via 10.240.0.21",
            (("route-not-ours", "10.200.1.0/24"),),
        ),
        "controller-2": Drift(
            "ip route add 10.200.250.0/24 via 10.240.0.1 proto static",
            (("foreign-route", "10.200.250.0/24 via 10.240.0.1 dev eth0 proto static"),),
            left=("foreign-route",),
            undo="ip route del 10.200.250.0/24",
        ),
        "worker-0": Drift(
            # The order that a boot gives when the route is there before the bridge has its address.
            "ip route prepend 10.200.0.0/24 via 10.240.0.20 dev eth0",
            (("own-cidr-hijack", "10.200.0.0/24"),),
        ),
        "worker-1": Drift(
            "ip route replace 10.200.2.0/24 via 10.240.0.20 proto 201",
            (("route-wrong-next-hop", "10.200.2.0/24"), GONE),
        ),
        "worker-2": Drift(
            "ip link add eth1 type bridge; ip link set eth1 up;"
            "ip route replace 10.200.1.0/24 via 10.240.0.21 dev eth1 onlink proto 201",
            (("route-wrong-device", "10.200.1.0/24"), GONE),
            undo="ip link delete eth1",
        ),
    },
    {
        "controller-0": Drift("sysctl -q -w net.ipv4.ip_forward=0", (("forwarding-off", "net.ipv4.ip_forward"),)),
        "controller-1": Drift(
            "ip route add 10.200.0.0/16 via 10.240.0.1 table 100; ip rule add to 10.200.2.0/24 lookup 100",
            (("route-shadowed", "10.200.2.0/24"),),
            left=("route-shadowed",),
            undo="ip rule del to 10.200.2.0/24 lookup 100; ip route flush table 100",
        ),
        "controller-2": Drift(
            f"rm {SYSCTL}; echo net.ipv4.conf.all.forwarding=0 >/etc/sysctl.d/99-hardening.conf",
            (("forwarding-not-kept", SYSCTL), ("forwarding-overruled", "/etc/sysctl.d/99-hardening.conf")),
            left=("forwarding-overruled",),
            undo="rm /etc/sysctl.d/99-hardening.conf",
        ),
        "worker-0": Drift(
            "ip route add 10.200.240.0/24 via 10.240.0.254 proto 201", (("route-stale", "10.200.240.0/24"),)
        ),
        "worker-1": Drift(
            "ip route add 10.200.0.0/24 via 10.240.0.22 metric 50", (("route-duplicate", "10.200.0.0/24"),)
        ),
        "worker-2": Drift(
            # The other end of the cable is down.
            "ip link add eth1 type veth peer name eth1peer; ip link set eth1 up;"
            "ip address add 10.240.0.222/24 dev eth1;"
            "for i in 0 1; do ip route replace 10.200.$i.0/24 via 10.240.0.2$i dev eth1 proto 201; done;"
            f"sed -i s/eth0/eth1/ {DATA}",
            (("route-linkdown", "10.200.0.0/24"), ("route-linkdown", "10.200.1.0/24")),
            left=("route-linkdown",),
            undo=f"ip link delete eth1; sed -i s/eth1/eth0/ {DATA}; systemctl reload {SERVICE}",
            data=(("interface", "eth1"),),
        ),
    },
    {
        "controller-0": Drift(f"rm {UNIT}; : >{LEFTOVER}", (("leftover-file", LEFTOVER), ("unit-missing", UNIT))),
        "controller-1": Drift(f"echo '# edited' >>{UNIT}", (("unit-edited", UNIT),)),
        "controller-2": Drift(f"systemctl disable --quiet {SERVICE}", (("unit-disabled", SERVICE),)),
        "worker-0": Drift(
            f"systemctl stop {SERVICE}",
            (*(("route-missing", cidr) for cidr in pods(1, 2)), ("unit-failed", SERVICE)),
        ),
        "worker-1": Drift(f"echo 'exit 0' >>{SCRIPT}", (("script-edited", SCRIPT),)),
        "worker-2": Drift(f"sed -i /10.200.1.0/d {DATA}", (("unit-edited", DATA),)),
    },
    {
        "controller-0": Drift(
            "printf '[Match]\\nName=eth0\\n[Network]\\nKeepConfiguration=yes\\nIPv6AcceptRA=no\\n' "
            ">/etc/systemd/network/eth0.network;"
            "rm /etc/systemd/system/systemd-networkd.service; systemctl daemon-reload;"
            "systemctl start systemd-networkd.service;"
            "/lib/systemd/systemd-networkd-wait-online --interface=eth0 --timeout=20",
            (("manager-removes-routes", "systemd-networkd.service"),),
            left=("manager-removes-routes",),
            # systemd-networkd takes advertisements itself, and more.
            undo="rm /etc/systemd/network/eth0.network;"
            "sysctl -q -w net.ipv4.conf.eth0.promote_secondaries=0 net.ipv6.conf.eth0.accept_ra=1;"
            "systemctl stop systemd-networkd.service systemd-networkd.socket network.target;"
            "rm -rf /var/lib/systemd/network; rmdir /var/lib/systemd || true;"
            "ln -s /dev/null /etc/systemd/system/systemd-networkd.service; systemctl daemon-reload",
        ),
        "controller-1": Drift(
            f"mkdir {UNIT}.d; printf '[Service]\\nNice=1\\n' >{UNIT}.d/nice.conf; systemctl daemon-reload",
            (("unit-drop-in", SERVICE),),
            left=("unit-drop-in",),
            undo=f"rm -r {UNIT}.d; systemctl daemon-reload",
        ),
        "controller-2": Drift(
            "ip link add br9 type bridge; ip address add 10.200.1.1/24 dev br9; ip link set br9 up",
            (("plan-conflict", OTHERS_CIDR),),
            left=("plan-conflict",),
            undo="ip link delete br9",
        ),
        "worker-0": Drift(
            "ip route add 10.200.1.77 via 10.240.0.22 proto 12; ip route add blackhole 10.200.1.128/25 proto 12",
            (("route-shadowed", "10.200.1.0/24"),),
            left=("route-shadowed",),
            undo="ip route del 10.200.1.77; ip route del 10.200.1.128/25",
        ),
        "worker-1": Drift(
            # What systemd has loaded is an edit that is no longer there; the file's time says nothing of it.
            f"cp -a {UNIT} /root/unit; sed -i 's/ add$/ check/' {UNIT}; systemctl daemon-reload; mv /root/unit {UNIT};"
            f"mkdir -p {DROP_IN.rpartition('/')[0]}; echo '# Managed by pod-routes' >{DROP_IN}",
            (("manager-lacks-routes", DROP_IN), ("unit-edited", SERVICE)),
        ),
        "worker-2": Drift("true", (("unit-unwanted", SERVICE),), data=(("routes_service", False),)),
    },
    {
        "controller-0": Drift(
            "ip route replace 10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 mtu lock 600",
            (("route-attributes", "10.200.1.0/24"),),
        ),
        "controller-1": Drift(
            "ip nexthop add id 12 via 10.240.0.21 dev eth0;"
            "ip route del 10.200.1.0/24; ip route add 10.200.1.0/24 nhid 12 proto 11",
            (("route-not-ours", "10.200.1.0/24"),),
            undo="ip nexthop del id 12",
        ),
        "controller-2": Drift(
            "ip route add 10.200.1.0/24 tos 0x10 via 10.240.0.22 proto static",
            (("route-shadowed", "10.200.1.0/24"),),
            left=("route-shadowed",),
            undo="ip route del 10.200.1.0/24 tos 0x10",
        ),
        "worker-0": Drift(
            "for i in 1 2 3 4 5 6 7 8; do ip route add 10.200.24$i.0/29 via 10.240.0.1 proto static; done",
            (("foreign-route", "10.200.0.0/16"),),
            left=("foreign-route",),
            undo="ip route flush root 10.200.128.0/17 proto static",
        ),
        "worker-1": Drift(
            "ip route add 10.200.1.128/25 via 10.240.0.20 proto static",
            (("route-shadowed", "10.200.1.0/24"),),
            left=("route-shadowed",),
            undo="ip route del 10.200.1.128/25",
        ),
        "worker-2": Drift(
            "ip route add 10.200.1.0/24 via 10.240.0.20 proto static metric 50; ip route del 10.200.0.0/24",
            (("route-missing", "10.200.0.0/24"), ("route-duplicate", "10.200.1.0/24"), GONE),
        ),
    },
]


def inject(cluster: Cluster, batch: dict[str, Drift]) -> Inventory:
    """Make all of a batch happen, at once; returns the inventory that goes with it."""
    cluster.everywhere(lambda host: cluster.shell(host, batch[host].make), batch)
    inventory = cluster.inventory()
    for host, drift in batch.items():
        inventory.set_data(host, **dict(drift.data))
    return inventory
