"""IP forwarding: on now, and on after a reboot.

Linux `ip-sysctl`: forwarding of IPv6 stops an interface from accepting router advertisements unless its `accept_ra`
is 2, so interfaces that live from them get that first.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

from podroutes.host.changes import Change, HostPlan, SetSysctl, WriteFile
from podroutes.host.managed_files import BEFORE_PATH, MARKER, SYSCTL_PATH
from podroutes.host.routes import RA
from podroutes.host.state import FileState, HostState
from podroutes.host.sysctls import parse_sysctl_lines, sysctl_key
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.plan.managed_files import difference_of, is_up_to_date, plan_file_removal

_LAYER: Final = "forwarding"
IPV4_FORWARD: Final = "net.ipv4.ip_forward"
IPV6_FORWARD: Final = "net.ipv6.conf.all.forwarding"
# Turning IPv4 forwarding off sets this to 1, whatever it was before forwarding was turned on (net/ipv4/devinet.c).
IPV4_REDIRECTS: Final = "net.ipv4.conf.all.accept_redirects"
# Writing the one is writing the other (net/ipv4/devinet.c).
_ALIASES: Final[Mapping[str, str]] = {"net.ipv4.conf.all.forwarding": IPV4_FORWARD}

_HEADER: Final = f"# {MARKER}; changes to this file are overwritten.\n"
_BEFORE_HEADER: Final = f"# {MARKER}: what these kernel parameters were before, to put them back.\n"


def desired_sysctls(plan: NetworkPlan, state: HostState) -> dict[str, str]:
    """The kernel parameters that a host should have, in the order in which to set them."""
    desired = {}
    if 6 in plan.families:
        desired = dict.fromkeys(_accept_ra_keys(state), "2")
        desired[IPV6_FORWARD] = "1"
    if 4 in plan.families:
        desired[IPV4_FORWARD] = "1"
    return desired


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
    desired = desired_sysctls(plan, state)
    changes: list[Change] = []
    for key, value in desired.items():
        now = state.sysctls.get(key, "")
        if now != value:
            reason, drift, finding = _why(key)
            changes.append(Change(_LAYER, "set", key, now, value, reason, (SetSysctl(key, value),), drift, finding))
    content = _HEADER + _lines(desired)
    own = state.files.get(SYSCTL_PATH)
    if not is_up_to_date(own, 0o644, content):
        reason, finding = "forwarding has to stay on after a reboot", difference_of(own, content)
        changes.append(_write(SYSCTL_PATH, own, content, reason, "forwarding-not-kept", finding))
    return HostPlan((*_record_before(changes, desired, state), *changes), unresolved=tuple(_overruled(desired, state)))


def _why(key: str) -> tuple[str, str, str]:
    """Why a parameter is set, what a drift check calls it if it is not, and what is wrong then."""
    if key.endswith("accept_ra"):
        reason = "a forwarding host accepts router advertisements only with 2"
        return reason, "advertisements-ignored", "router advertisements are ignored"
    reason = "a machine forwards packets to and from pods only with 1"
    return reason, "forwarding-off", f"IPv{6 if key == IPV6_FORWARD else 4} forwarding is off"


def _write(  # noqa: PLR0917  # the fields of a change, in their order
    path: str, file: FileState | None, content: str, reason: str, drift: str = "", finding: str = ""
) -> Change:
    before = "" if file is None else file.content
    return Change(_LAYER, "write", path, before, content, reason, (WriteFile(path, 0o644, content),), drift, finding)


def _record_before(changes: list[Change], desired: Mapping[str, str], state: HostState) -> Iterator[Change]:
    """Record the value of each parameter before its first change, so that it can be restored."""
    recorded = state.files.get(BEFORE_PATH)
    if not changes or (recorded is not None and not recorded.ours):
        return
    keys = list(desired)
    if recorded is not None:
        known = parse_sysctl_lines(recorded.content)
        keys = [change.subject for change in changes if change.action == "set" and change.subject not in known]
    if IPV4_FORWARD in keys:
        keys.append(IPV4_REDIRECTS)
    lines = _lines({key: state.sysctls[key] for key in keys if key in state.sysctls})
    if recorded is None or lines != "":
        before = "" if recorded is None else recorded.content
        content = (before or _BEFORE_HEADER) + lines
        yield _write(BEFORE_PATH, recorded, content, "to restore forwarding when it is deprovisioned")


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in values.items())


def _sets(key: str) -> str:
    """The parameter that a line of a sysctl.d file sets, by the name that this software uses for it."""
    for alias, name in _ALIASES.items():
        # Patterns leave out what is set by its own name elsewhere (sysctl.d(5)), which an alias is not.
        if key == alias or ("*" in key and fnmatchcase(alias, key)):
            return name
    return key


def _overruled(desired: Mapping[str, str], state: HostState) -> list[str]:
    """Files that sort after ours and set something else at boot."""
    name = SYSCTL_PATH.rpartition("/")[2]
    last = {
        key: setting
        for setting in state.boot_sysctls
        if setting.path.rpartition("/")[2] > name and (key := _sets(setting.key)) in desired
    }
    return [
        f"{setting.path} sets {key} to {setting.value} at boot, after {SYSCTL_PATH}, "
        f"with its line `{setting.line}`: remove that line, or have it say {desired[key]}"
        for key, setting in last.items()
        if setting.value != desired[key]
    ]


def plan_forwarding_removal(state: HostState) -> HostPlan:
    """Plan to restore what forwarding was, only where this software turned it on and no other file sets it at boot."""
    own, before = state.files.get(SYSCTL_PATH), state.files.get(BEFORE_PATH)
    changes: list[Change] = []
    if own is not None and own.ours:
        changes.append(plan_file_removal(state, SYSCTL_PATH))
    notes: list[str] = []
    if before is not None and before.ours:
        elsewhere = {_sets(setting.key): setting for setting in state.boot_sysctls if setting.path != SYSCTL_PATH}
        was = parse_sysctl_lines(before.content)
        redirects = was.pop(IPV4_REDIRECTS, None)
        # Forwarding goes off before accept_ra is restored, the other way round than it came on.
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
            changes.append(Change(_LAYER, "set", key, now, value, "it was so before", tuple(steps)))
        changes.append(plan_file_removal(state, BEFORE_PATH))
    return HostPlan(tuple(changes), notes=tuple(notes))
