"""Everything that can differ, each kind with a stable code; the documentation's pages are made from this table."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

# Where a difference is: in what the kernel does now, in what is kept on the host for its next boot, in the cloud's API;
# or the host could not be looked at.
DriftLayer = Literal["kernel", "persisted", "cloud", "host"]
Severity = Literal["drift", "notice"]

PROVISION: Final = "python runbooks/provision.py --limit HOST"


class DriftClass(Struct, frozen=True):
    """A kind of difference.

    Attributes:
        code: Its stable name.
        layer: Where it is.
        title: What it is, in a line.
        breaks: What it breaks, in a sentence.
        fix: The command that fixes it, or what a person has to do.
        detail: How it comes about and what the kernel or systemd does then.
        severity: `drift` makes the check end with 2; a `notice` is told, and leaves the host ok.
    """

    code: str
    layer: DriftLayer
    title: str
    breaks: str
    fix: str
    detail: str
    severity: Severity = "drift"


_CLASSES: Final = (
    DriftClass(
        "route-missing",
        "kernel",
        "a pod CIDR has no route",
        "This host and its pods can't reach that worker's pods.",
        PROVISION,
        "Setting a link down drops its static routes for good, and a oneshot unit does not put them back.",
    ),
    DriftClass(
        "route-wrong-next-hop",
        "kernel",
        "a pod CIDR is routed through another machine",
        "Packets to that worker's pods go to a machine that does not have them. Another worker may still forward them, "
        "so pings can succeed.",
        PROVISION,
        "`ip route add` with another next hop fails and keeps the old route; scripts that ignore errors hide it.",
    ),
    DriftClass(
        "route-wrong-device",
        "kernel",
        "a pod CIDR is routed through another interface",
        "Packets to that worker's pods leave on a network on which it is not.",
        PROVISION,
        "It comes from a renamed interface, or from a script with a fixed device.",
    ),
    DriftClass(
        "route-not-ours",
        "kernel",
        "a pod CIDR has the right route, but not ours",
        "Nothing now; when its worker goes, nobody removes it.",
        PROVISION,
        "It lacks our protocol number: a script or a person made it, or it was there before this software.",
    ),
    DriftClass(
        "route-attributes",
        "kernel",
        "a route of ours has attributes that are not ours",
        "Packets to that worker's pods are sent otherwise than planned: too small ones, say, or from another address.",
        PROVISION,
        "Somebody replaced it by one with an mtu, a src or a next hop object (nhid), and kept our protocol number.",
    ),
    DriftClass(
        "route-duplicate",
        "kernel",
        "a pod CIDR has a second route",
        "If the right one goes, or the order changes, packets go the other way.",
        PROVISION,
        "Routes with different metrics, or appended ones, live side by side.",
    ),
    DriftClass(
        "route-stale",
        "kernel",
        "a route of ours leads to a pod CIDR that no worker has",
        "Packets to addresses that are given out anew would go to the wrong machine.",
        PROVISION,
        "It is left when a worker goes while a host can't be reached.",
    ),
    DriftClass(
        "route-shadowed",
        "kernel",
        "the kernel sends packets another way although the route is right",
        "Packets to that worker's pods, or some of them, go elsewhere.",
        "Remove the more specific route, the one with a tos or the policy rule that is in front of it; it is not ours.",
        "A more specific route, one for some packets only (tos, from), a policy rule or another table is looked at "
        "first; `ip route get` tells.",
    ),
    DriftClass(
        "own-cidr-hijack",
        "kernel",
        "a worker has a route to its own pod CIDR through a next hop",
        "Its own pods become unreachable, from itself and from everywhere.",
        PROVISION,
        "The kernel accepts it while the pod bridge has no address, and prefers it to the connected route later.",
    ),
    DriftClass(
        "route-linkdown",
        "kernel",
        "the device of a pod route has no carrier",
        "Nothing leaves this host to other machines' pods.",
        "Look at the interface's cable, bridge or virtual switch.",
        "Loss of carrier only marks routes `linkdown`; they come back with it.",
    ),
    DriftClass(
        "foreign-route",
        "kernel",
        "a route inside the cluster's range is not ours",
        "Nothing that is known: no packets to workers' pods go another way because of it.",
        "Remove it if nobody wants it: `ip route del` with what the finding shows.",
        "Ours carry protocol 201; this one does not, so it is left alone.",
        "notice",
    ),
    DriftClass(
        "forwarding-off",
        "kernel",
        "IP forwarding is off now",
        "Pods on other machines can't be reached from this host's pods, and those on it not from others; "
        "from the host itself it still works.",
        PROVISION,
        "`sysctl -w` is gone after a reboot; a CNI bridge turns it on at the first pod, which hides it.",
    ),
    DriftClass(
        "advertisements-ignored",
        "kernel",
        "an interface no longer accepts router advertisements",
        "The IPv6 routes that routers advertise, the default route among them, run out and go.",
        PROVISION,
        "With IPv6 forwarding on, the kernel accepts advertisements only where accept_ra is 2.",
    ),
    DriftClass(
        "forwarding-not-kept",
        "persisted",
        "IP forwarding will be off after a reboot",
        "Nothing now; pod traffic through this host stops at its next reboot.",
        PROVISION,
        "The file in sysctl.d that keeps it on is missing, edited or somebody else's.",
    ),
    DriftClass(
        "forwarding-overruled",
        "persisted",
        "another file sets a kernel parameter of forwarding otherwise at boot",
        "Nothing now; pod traffic through this host, or what it learns from routers, stops at its next reboot.",
        "Remove the line that the finding names from the file that it names, or give it the value that it names; "
        "provisioning changes no file of others.",
        "Of the files in sysctl.d, the one whose name sorts last wins (sysctl.d(5)).",
    ),
    DriftClass(
        "leftover-file",
        "persisted",
        "a write that was interrupted has left a file",
        "Nothing; it lies beside the file that was to be written.",
        PROVISION,
        "Files are written under another name first. A power cut between that and the renaming leaves it there.",
    ),
    DriftClass(
        "unit-missing",
        "persisted",
        "routes.service, its script or its list is not there",
        "Nothing now; this host's pod routes are gone after its next reboot.",
        PROVISION,
        "The files are what brings the routes back at boot.",
    ),
    DriftClass(
        "unit-edited",
        "persisted",
        "routes.service or its list differs from what was installed",
        "At its next start it may do something else.",
        PROVISION,
        "Content, mode and owner are compared, and what systemd has loaded with what the file says.",
    ),
    DriftClass(
        "unit-drop-in",
        "persisted",
        "routes.service has a drop-in that is not ours",
        "Nothing that is known; at its next start it may do something else.",
        "Look at `systemctl cat routes.service`; `systemctl revert routes.service` removes it.",
        "`systemctl edit` makes one. It is an administrator's, so it is left alone.",
        "notice",
    ),
    DriftClass(
        "unit-unwanted",
        "persisted",
        "routes.service is there, and the inventory wants none",
        "Nothing now; it sets routes at boot that nobody keeps right.",
        PROVISION,
        "It was there before the inventory said `routes_service: false`.",
    ),
    DriftClass(
        "script-edited",
        "persisted",
        "the script of routes.service differs from what was installed",
        "At its next start it may do something else, as root.",
        PROVISION,
        "Content, mode and owner are compared.",
    ),
    DriftClass(
        "unit-disabled",
        "persisted",
        "routes.service is not enabled",
        "Nothing now; this host's pod routes are gone after its next reboot.",
        PROVISION,
        "`systemctl enable` makes the link that starts it at boot.",
    ),
    DriftClass(
        "unit-failed",
        "persisted",
        "routes.service is not active",
        "Its routes may be missing, and stopping it takes none back.",
        PROVISION,
        "`systemctl status routes.service` and `journalctl -u routes.service` on the host say why.",
    ),
    DriftClass(
        "unit-without-routes",
        "persisted",
        "routes.service is active, and its routes are not there",
        "This host and its pods can't reach other workers' pods, while systemd says that all is well.",
        PROVISION,
        "A oneshot unit stays active whatever becomes of what it did.",
    ),
    DriftClass(
        "manager-removes-routes",
        "persisted",
        "a network manager will take our routes away with the addresses of their device",
        "Nothing now; all pod routes of this host go when the manager sets their device up anew.",
        "Write `persist: networkd`, `persist: networkmanager` or `persist: ifupdown` in the inventory, as the finding "
        "says; until then, `systemctl reload routes.service` brings them back.",
        "The kernel drops routes with the address that they use. systemd-networkd's own ManageForeignRoutes=no and "
        "KeepConfiguration=yes do not help where it takes the address away.",
        "notice",
    ),
    DriftClass(
        "manager-lacks-routes",
        "persisted",
        "our file for the network manager is not what the inventory wants",
        "Nothing now; when the network manager sets the device up anew, routes are missing or wrong.",
        PROVISION,
        "With `persist: networkd` the routes stand in a drop-in beside the device's .network file, with another "
        "manager a hook has routes.service set them again. It is missing, edited, not read yet or beside another file, "
        "or the inventory no longer wants it.",
    ),
    DriftClass(
        "packets-dropped",
        "kernel",
        "pings between pod gateways are not answered although both ends route and forward",
        "Pods on these two machines can't reach each other.",
        "Look at firewalls, security groups and allowed address pairs between the two machines.",
        "Only --ping finds it. Reverse path filtering with a missing return route drops one direction, too.",
    ),
    DriftClass(
        "packets-too-large",
        "kernel",
        "packets as large as pods may send are dropped on the way",
        "Small requests work, large answers hang.",
        "Give the pods' bridge the MTU of the machines' network, or that network a larger one.",
        "Only --ping finds it: it pings with the bridge's full MTU and forbids fragments.",
    ),
    DriftClass(
        "plan-conflict",
        "host",
        "what is on the host contradicts the plan",
        "This host can't be given its routes, or not all of them.",
        "Do what the finding says, on the host or in the inventory.",
        "The internal IP is on no interface, the device is down, and the like: nothing is changed. Where only some "
        "next hops are not on the link, all other routes are given.",
    ),
    DriftClass(
        "cloud-route-missing",
        "cloud",
        "a pod CIDR is not among the cloud's routes",
        "Machines that rely on the cloud's routes can't reach that worker's pods.",
        PROVISION,
        "Whoever writes a subnet's host routes replaces the whole list.",
    ),
    DriftClass(
        "cloud-route-wrong",
        "cloud",
        "a pod CIDR has another next hop among the cloud's routes",
        "Machines that rely on the cloud's routes send packets to the wrong worker.",
        PROVISION,
        "Neutron accepts any address as next hop.",
    ),
    DriftClass(
        "cloud-route-stale",
        "cloud",
        "the cloud has a route to a pod CIDR that no worker has",
        "Packets to addresses that are given out anew would go to the wrong machine.",
        PROVISION,
        "Destinations inside the cluster's range are ours.",
    ),
    DriftClass(
        "cloud-conflict",
        "cloud",
        "what the cloud has contradicts the plan",
        "The cloud can't be given its routes.",
        "Do what the finding says, in the cloud or in the inventory.",
        "Too many host routes, DHCP that is off, a next hop without a port, another subnet's CIDR, and the like.",
    ),
    DriftClass(
        "address-pair-missing",
        "cloud",
        "a worker's port does not let its pods' traffic through",
        "Port security drops every packet from and to that worker's pods, although all routes are right.",
        PROVISION,
        "allowed_address_pairs of the port that holds the worker's internal IP must have its pod CIDR.",
    ),
    DriftClass(
        "address-pair-stale",
        "cloud",
        "a port may send from a pod CIDR that is not its worker's",
        "Nothing that is seen; port security no longer stops that machine from using others' addresses.",
        PROVISION,
        "It is left when a worker's pod CIDR moves.",
    ),
    DriftClass(
        "host-unreachable",
        "host",
        "the host can't be reached",
        "Nothing is known of it: it is not clean.",
        "Look at the reason; try ssh to the same address.",
        "No answer, an unknown or changed host key, a login that was refused.",
    ),
    DriftClass(
        "result-unknown",
        "host",
        "the host was reached and could not be checked",
        "Nothing is known of it: it is not clean.",
        "Look at the reason; -v shows more.",
        "sudo was refused, a command failed or did not end in time, or its answer could not be understood.",
    ),
)

DRIFT_CLASSES: Final[Mapping[str, DriftClass]] = {one.code: one for one in _CLASSES}
