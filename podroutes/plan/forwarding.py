"""IP forwarding: on now, and on after a reboot.

Linux `ip-sysctl`: forwarding of IPv6 stops an interface from accepting router advertisements unless its `accept_ra`
is 2, so interfaces that live from them get that first.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from podroutes.host.changes import Change, HostPlan, RemoveFile, SetSysctl, Step, WriteFile
from podroutes.host.facts import parse_sysctl_lines, sysctl_key
from podroutes.host.routes import RA
from podroutes.host.state import BEFORE_PATH, MARKER, SYSCTL_PATH, HostState
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.plan.managed_files import difference_of, is_up_to_date

IPV4_FORWARD: Final = "net.ipv4.ip_forward"
IPV6_FORWARD: Final = "net.ipv6.conf.all.forwarding"
# Turning IPv4 forwarding off sets this to 1, whatever it was before forwarding was turned on (net/ipv4/devinet.c).
IPV4_REDIRECTS: Final = "net.ipv4.conf.all.accept_redirects"
# Writing the one is writing the other (net/ipv4/devinet.c).
_ALIASES: Final[Mapping[str, str]] = {"net.ipv4.conf.all.forwarding": IPV4_FORWARD}

_HEADER: Final = f"# {MARKER}; changes to this file are overwritten.\n"
_BEFORE_HEADER: Final = f"# {MARKER}: what these kernel parameters were before, to put them back.\n"


def expected_contents(plan: NetworkPlan) -> tuple[str, ...]:
    """What stands in the files of forwarding on most hosts, so that they need not send it."""
    forward = [key for family, key in ((6, IPV6_FORWARD), (4, IPV4_FORWARD)) if family in plan.families]
    redirects = [f"{IPV4_REDIRECTS} = {value}\n" for value in "01"] if 4 in plan.families else [""]
    was_off = _lines(dict.fromkeys(forward, "0"))
    return (_HEADER + _lines(dict.fromkeys(forward, "1")), *(_BEFORE_HEADER + was_off + line for line in redirects))


def desired_sysctls(plan: NetworkPlan, state: HostState) -> dict[str, str]:
    """The kernel parameters that a host should have, in the order in which to set them."""
    wanted = {}
    if 6 in plan.families:
        wanted = dict.fromkeys(_accept_ra_keys(state), "2")
        wanted[IPV6_FORWARD] = "1"
    if 4 in plan.families:
        wanted[IPV4_FORWARD] = "1"
    return wanted


def _accept_ra_keys(state: HostState) -> list[str]:
    """`accept_ra` of each interface that has routes from router advertisements, or was given it before."""
    own = state.files.get(SYSCTL_PATH)
    kept = parse_sysctl_lines(own.content) if own is not None and own.ours else {}
    advertised = {route.dev for route in state.routes.get(6, ()) if route.protocol == RA}
    keys = []
    for name in sorted(state.links):
        key = sysctl_key(f"net/ipv6/conf/{name}/accept_ra")
        # 0 means that the kernel leaves advertisements to somebody else, systemd-networkd say.
        if key in state.sysctls and (key in kept or (name in advertised and state.sysctls[key] == "1")):
            keys.append(key)
    return keys


def plan_forwarding(plan: NetworkPlan, state: HostState) -> HostPlan:
    """Plan IP forwarding of the cluster's families on one host."""
    wanted = desired_sysctls(plan, state)
    content = _HEADER + _lines(wanted)
    changes: list[Change] = []
    for key, value in wanted.items():
        now = state.sysctls.get(key, "")
        if now != value:
            step = SetSysctl(key, value)
            why, drift = _why(key)
            changes.append(Change("forwarding", "set", key, now, value, why, (step,), drift))
    own = state.files.get(SYSCTL_PATH)
    if not is_up_to_date(own, 0o644, content):
        changes.append(
            Change(
                "forwarding",
                "write",
                SYSCTL_PATH,
                own.content if own is not None else "",
                content,
                "forwarding has to stay on after a reboot",
                (WriteFile(SYSCTL_PATH, 0o644, content),),
                "forwarding-not-kept",
                difference_of(own, content),
            )
        )
    return HostPlan(tuple(_remember(changes, wanted, state)), unmet=tuple(_overruled(wanted, state)))


def _why(key: str) -> tuple[str, str]:
    """Why it is set, and what a drift check calls it if it is not."""
    if key.endswith("accept_ra"):
        return "a forwarding host accepts router advertisements only with 2", "advertisements-ignored"
    return "a machine forwards packets to and from pods only with 1", "forwarding-off"


def _remember(changes: list[Change], wanted: Mapping[str, str], state: HostState) -> list[Change]:
    """Note down what was there before the first change of each parameter, so that it can be put back."""
    noted = state.files.get(BEFORE_PATH)
    if not changes or (noted is not None and not noted.ours):
        return changes
    keys = list(wanted)
    if noted is not None:
        known = parse_sysctl_lines(noted.content)
        keys = [change.subject for change in changes if change.action == "set" and change.subject not in known]
    if IPV4_FORWARD in keys:
        keys.append(IPV4_REDIRECTS)
    lines = _lines({key: state.sysctls[key] for key in keys if key in state.sysctls})
    if noted is not None and lines == "":
        return changes
    before = "" if noted is None else noted.content
    content = (before or _BEFORE_HEADER) + lines
    note = Change(
        "forwarding",
        "write",
        BEFORE_PATH,
        before,
        content,
        "to put forwarding back when it is deprovisioned",
        (WriteFile(BEFORE_PATH, 0o644, content),),
    )
    return [note, *changes]


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in values.items())


def _sets(key: str) -> str:
    """The parameter that a line of a sysctl.d file sets, by the name that this software uses for it."""
    for alias, name in _ALIASES.items():
        # Patterns leave out what is set by its own name elsewhere (sysctl.d(5)), which an alias is not.
        if key == alias or ("*" in key and fnmatchcase(alias, key)):
            return name
    return key


def _overruled(wanted: Mapping[str, str], state: HostState) -> list[str]:
    """Files that sort after ours and set something else at boot."""
    name = SYSCTL_PATH.rpartition("/")[2]
    last = {
        key: setting
        for setting in state.boot_sysctls
        if setting.path.rpartition("/")[2] > name and (key := _sets(setting.key)) in wanted
    }
    return [
        f"{setting.path} sets {key} to {setting.value} at boot, after {SYSCTL_PATH}, "
        f"with its line `{setting.line}`: remove that line, or have it say {wanted[key]}"
        for key, setting in last.items()
        if setting.value != wanted[key]
    ]


def plan_forwarding_removal(state: HostState) -> HostPlan:
    """Plan to put forwarding back to what it was; only where this software turned it on, and nobody else wants it."""
    own, before = state.files.get(SYSCTL_PATH), state.files.get(BEFORE_PATH)
    changes: list[Change] = []
    if own is not None and own.ours:
        changes.append(_removal(SYSCTL_PATH, own.content))
    notes: list[str] = []
    if before is not None and before.ours:
        elsewhere = {_sets(setting.key): setting for setting in state.boot_sysctls if setting.path != SYSCTL_PATH}
        was = parse_sysctl_lines(before.content)
        redirects = was.pop(IPV4_REDIRECTS, None)
        # Forwarding goes off before accept_ra goes back, the other way round than it came on.
        for key, value in reversed(was.items()):
            now = state.sysctls.get(key)
            if now is None or now == value:
                continue
            if key in elsewhere and elsewhere[key].value == now:
                notes.append(f"{key} stays {now}: {elsewhere[key].path} sets it at boot")
                continue
            steps = [SetSysctl(key, value)]
            if key == IPV4_FORWARD and redirects is not None:
                steps.append(SetSysctl(IPV4_REDIRECTS, redirects))
            changes.append(Change("forwarding", "set", key, now, value, "it was so before", tuple(steps)))
        changes.append(_removal(BEFORE_PATH, before.content))
    return HostPlan(tuple(changes), notes=tuple(notes))


def _removal(path: str, content: str) -> Change:
    step: Step = RemoveFile(path)
    return Change("forwarding", "remove", path, content, "", "this software put it there", (step,))
