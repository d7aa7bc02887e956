"""Everything that can differ, each kind with a stable code; the documentation's pages are made from this table."""

from collections.abc import Mapping
from functools import partial
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
        layer: Where it is.
        code: Its stable name.
        title: What it is, in a line.
        breaks: What it breaks, in a sentence.
        detail: How it comes about and what the kernel or systemd does then.
        fix: The command that fixes it, or what a person has to do.
        severity: `drift` makes the check end with 2; a `notice` is reported, and leaves the host ok.
    """

    layer: DriftLayer
    code: str
    title: str
    breaks: str
    detail: str
    fix: str = PROVISION
    severity: Severity = "drift"


_kernel = partial(DriftClass, "kernel")
_persisted = partial(DriftClass, "persisted")
_cloud = partial(DriftClass, "cloud")
_host = partial(DriftClass, "host")

_CLASSES: Final = (
    _kernel(
        "route-missing",
        "the host has no route to a pod CIDR",
        "This host and its pods can't reach that worker's pods.",
        "Setting a link down drops its static routes for good, and a oneshot unit does not restore them.",
    ),
    _kernel(
        "route-wrong-next-hop",
        "a pod CIDR is routed through another machine",
        "Packets to that worker's pods go to a machine that does not have them. If that forwards them, pings succeed.",
        "`ip route add` with another next hop fails and keeps the old route; scripts that ignore errors hide it.",
    ),
    _kernel(
        "route-wrong-device",
        "a pod CIDR is routed through another interface",
        "Packets to that worker's pods leave on a network that the worker is not on.",
        "The interface was renamed, or a script has a fixed device.",
    ),
    _kernel(
        "route-not-ours",
        "a pod CIDR has the right route, but not ours",
        "Nothing now; when its worker is removed, nobody removes the route.",
        "It lacks our protocol number: a script or a person made it, or it was there before this software.",
    ),
    _kernel(
        "route-attributes",
        "a route of ours has attributes that are not ours",
        "Packets to that worker's pods are sent otherwise than planned: too small, or from another address.",
        "Somebody replaced it by one with an mtu, a src or a next hop object (nhid), and kept our protocol number.",
    ),
    _kernel(
        "route-duplicate",
        "a pod CIDR has a second route",
        "If the right one goes, or the order changes, packets go the other way.",
        "Routes with different metrics, or appended ones, live side by side.",
    ),
    _kernel(
        "route-stale",
        "a route of ours leads to a pod CIDR that no worker has",
        "When these addresses are assigned again, packets to them go to the wrong machine.",
        "It is left when a worker is removed while this host is unreachable.",
    ),
    _kernel(
        "route-shadowed",
        "the kernel sends packets another way although the route is right",
        "Packets to that worker's pods, or some of them, go elsewhere.",
        "The kernel looks first at a more specific route, one for some packets only (tos, from), a policy rule or "
        "another table; `ip route get` shows what it uses.",
        "Remove the more specific route, the one with a tos or the policy rule that is in front of it; it is not ours.",
    ),
    _kernel(
        "own-cidr-hijack",
        "a worker has a route to its own pod CIDR through a next hop",
        "Its own pods become unreachable, from itself and from everywhere.",
        "The kernel accepts it while the pod bridge has no address, and prefers it to the connected route later.",
    ),
    _kernel(
        "route-linkdown",
        "the device of a pod route has no carrier",
        "Nothing leaves this host to other machines' pods.",
        "Loss of carrier only marks routes `linkdown`; they come back with it.",
        "Check the interface's cable, bridge or virtual switch.",
    ),
    _kernel(
        "foreign-route",
        "a route inside the cluster's range is not ours",
        "Nothing that is known: no packets to workers' pods go another way because of it.",
        "Ours carry protocol 201; this one does not, so it is left alone.",
        "Remove it if nobody needs it: `ip route del` with what the finding shows.",
        "notice",
    ),
    _kernel(
        "forwarding-off",
        "IP forwarding is off",
        "This host's pods can't reach pods on other machines, nor these them; from the host itself it still works.",
        "`sysctl -w` is gone after a reboot; a CNI bridge turns it on at the first pod, which hides it.",
    ),
    _kernel(
        "advertisements-ignored",
        "an interface no longer accepts router advertisements",
        "The IPv6 routes that routers advertise, the default route among them, expire.",
        "With IPv6 forwarding on, the kernel accepts advertisements only where accept_ra is 2.",
    ),
    _persisted(
        "forwarding-not-kept",
        "IP forwarding will be off after a reboot",
        "Nothing now; pod traffic through this host stops at its next reboot.",
        "The file in sysctl.d that keeps it on is missing, edited or somebody else's.",
    ),
    _persisted(
        "forwarding-overruled",
        "another file overrides a kernel parameter of forwarding at boot",
        "Nothing now; pod traffic through this host, or what it learns from routers, stops at its next reboot.",
        "Of the files in sysctl.d, the one whose name sorts last wins (sysctl.d(5)).",
        "Remove the line that the finding names from the file that it names, or give it the value that it names; "
        "provisioning changes no file of others.",
    ),
    _persisted(
        "leftover-file",
        "a write that was interrupted has left a file",
        "Nothing; it lies beside the file that was to be written.",
        "Files are written under another name and then renamed. A power cut between the two leaves it there.",
    ),
    _persisted(
        "unit-missing",
        "routes.service, its script or its list is not there",
        "Nothing now; this host's pod routes are gone after its next reboot.",
        "These files bring the routes back at boot.",
    ),
    _persisted(
        "unit-edited",
        "routes.service or its list differs from what was installed",
        "At its next start it may do something else.",
        "Content, mode and owner are compared, and what systemd has loaded with what the file says.",
    ),
    _persisted(
        "unit-drop-in",
        "routes.service has a drop-in that is not ours",
        "Nothing that is known; at its next start it may do something else.",
        "`systemctl edit` makes one. It is an administrator's, so it is left alone.",
        "Look at `systemctl cat routes.service`; `systemctl revert routes.service` removes it.",
        "notice",
    ),
    _persisted(
        "unit-unwanted",
        "routes.service is there although the inventory disables it",
        "Nothing now; at boot it sets routes that nobody keeps up to date.",
        "It was there before the inventory said `routes_service: false`.",
    ),
    _persisted(
        "script-edited",
        "the script of routes.service differs from what was installed",
        "At its next start it may do something else, as root.",
        "Content, mode and owner are compared.",
    ),
    _persisted(
        "unit-disabled",
        "routes.service is not enabled",
        "Nothing now; this host's pod routes are gone after its next reboot.",
        "`systemctl enable` makes the link that starts it at boot.",
    ),
    _persisted(
        "unit-failed",
        "routes.service is not active",
        "Its routes may be missing, and stopping it removes none.",
        "`systemctl status routes.service` and `journalctl -u routes.service` on the host say why.",
    ),
    _persisted(
        "unit-without-routes",
        "routes.service is active, and its routes are not there",
        "This host and its pods can't reach other workers' pods, while systemd says that all is well.",
        "A oneshot unit stays active whatever becomes of what it did.",
    ),
    _persisted(
        "manager-removes-routes",
        "a network manager will remove our routes together with the addresses of their device",
        "Nothing now; all pod routes of this host go when the manager sets their device up anew.",
        "The kernel drops routes with the address that they use. systemd-networkd's own ManageForeignRoutes=no and "
        "KeepConfiguration=yes do not help where it removes the address.",
        "Write `persist: networkd`, `persist: networkmanager` or `persist: ifupdown` in the inventory, as the finding "
        "says; until then, `systemctl reload routes.service` brings them back.",
        "notice",
    ),
    _persisted(
        "manager-lacks-routes",
        "our file for the network manager is not what the inventory says",
        "Nothing now; when the network manager sets the device up anew, routes are missing or wrong.",
        "With `persist: networkd` the routes stand in a drop-in beside the device's .network file; with another "
        "manager, a hook has routes.service set them again. The file is missing, edited, not read yet or beside "
        "another file, or the inventory no longer asks for it.",
    ),
    _kernel(
        "packets-dropped",
        "pings between pod gateways are not answered although both ends route and forward",
        "Pods on these two machines can't reach each other.",
        "Only --ping finds it. Reverse path filtering with a missing return route drops one direction, too.",
        "Check firewalls, security groups and allowed address pairs between the two machines.",
    ),
    _kernel(
        "packets-too-large",
        "packets as large as pods may send are dropped on the way",
        "Small requests work, large answers hang.",
        "Only --ping finds it: it pings with the bridge's full MTU and forbids fragments.",
        "Give the pods' bridge the MTU of the machines' network, or that network a larger one.",
    ),
    _host(
        "plan-conflict",
        "what is on the host contradicts the plan",
        "This host can't be given its routes, or not all of them.",
        "The internal IP is on no interface, the device is down, and the like: nothing is changed. Where only some "
        "next hops are not on the link, all other routes are set.",
        "Do what the finding says, on the host or in the inventory.",
    ),
    _cloud(
        "cloud-route-missing",
        "the cloud has no route to a pod CIDR",
        "Machines that rely on the cloud's routes can't reach that worker's pods.",
        "Whoever writes a subnet's host routes replaces the whole list.",
    ),
    _cloud(
        "cloud-route-wrong",
        "the cloud's route to a pod CIDR has another next hop",
        "Machines that rely on the cloud's routes send packets to the wrong worker.",
        "Neutron accepts any address as next hop.",
    ),
    _cloud(
        "cloud-route-stale",
        "the cloud has a route to a pod CIDR that no worker has",
        "When these addresses are assigned again, packets to them go to the wrong machine.",
        "Destinations inside the cluster's range are ours.",
    ),
    _cloud(
        "cloud-conflict",
        "what the cloud has contradicts the plan",
        "The cloud can't be given its routes.",
        "Too many host routes, DHCP that is off, a next hop without a port, another subnet's CIDR, and the like.",
        "Do what the finding says, in the cloud or in the inventory.",
    ),
    _cloud(
        "address-pair-missing",
        "a worker's port does not let its pods' traffic through",
        "Port security drops every packet from and to that worker's pods, although all routes are right.",
        "allowed_address_pairs of the port that holds the worker's internal IP must have its pod CIDR.",
    ),
    _cloud(
        "address-pair-stale",
        "a port may send from a pod CIDR that is not its worker's",
        "Nothing visible; port security no longer stops that machine from using others' addresses.",
        "It is left when a worker's pod CIDR moves.",
    ),
    _host(
        "host-unreachable",
        "the host can't be reached",
        "Nothing is known of it, so it does not count as clean.",
        "No answer, an unknown or changed host key, a login that was refused.",
        "Look at the reason; try ssh to the same address.",
    ),
    _host(
        "result-unknown",
        "the host was reached and could not be checked",
        "Nothing is known of it, so it does not count as clean.",
        "sudo was refused, a command failed or did not end in time, or its answer could not be understood.",
        "Look at the reason; -v shows more.",
    ),
)

DRIFT_CLASSES: Final[Mapping[str, DriftClass]] = {one.code: one for one in _CLASSES}
# These say that a host was not checked; a host that was checked has neither.
COVERAGE_CODES: Final = frozenset({"host-unreachable", "result-unknown"})
