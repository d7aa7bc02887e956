"""Reading a host: one script that collects everything, and the parser of what it prints.

The script frames each part with lines that hold a random word, so that whatever a login shell prints around them does
not matter, and a part that is missing or could not be read, or an answer that was cut off, is an error and never an
empty result.
"""

import base64
import hashlib
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.json import Decoder

from podroutes.addresses import Family, IPNetwork, parse_address, parse_interface_name
from podroutes.errors import FactsError
from podroutes.host.loaded_unit import COMPARED, UNSET
from podroutes.host.needs import NEEDS, check_needs
from podroutes.host.network_managers import DROP_IN_GLOB, STATE_FILES, STATE_LINES, is_drop_in, parse_managers
from podroutes.host.routes import parse_lookups, parse_routes
from podroutes.host.state import (
    ENABLING_LINKS,
    FILE_PATHS,
    TEMPORARY_PATHS,
    UNIT_NAME,
    FileState,
    HostState,
    InterfaceAddress,
    Link,
    SysctlSetting,
    UnitState,
    temporary_path,
)

# What is asked of systemd about our unit.
_PROPERTIES: Final = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "Result",
    "FragmentPath",
    "DropInPaths",
    *COMPARED,
    *UNSET,
)
# Of these, every systemd shows a line of every unit.
_ALWAYS_SHOWN: Final = frozenset({"LoadState", "ActiveState", "UnitFileState", "Result", "FragmentPath", "DropInPaths"})
_LOAD_STATES: Final = frozenset({"loaded", "not-found", "bad-setting", "error", "masked", "stub", "merged"})
_ACTIVE_STATES: Final = frozenset(
    {"active", "inactive", "failed", "activating", "deactivating", "reloading", "maintenance", "refreshing"}
)

# The directories of sysctl.d(5), strongest first: a file hides those of the same name further down.
_SYSCTL_DIRECTORIES: Final = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)

_DIGEST: Final = "sha256:"
# All that is read is printed at once: over a network, each of many small writes would be a packet of its own.
# Processes are what it costs on a host, `systemctl` ten times as much as others: what the shell can do, the shell does.
_SCRIPT: Final = r"""
export LC_ALL=C PATH="${PATH:-}:/usr/sbin:/usr/bin:/sbin:/bin"
# What is read with a command is its part's; that it failed, and what it said then, stands in a part of its own.
part() { name=$1; printf '\n@@@NONCE@ %s\n' "$1"; }
failed() { printf '\n@@@NONCE@ failed %s\nexit status %s: %s\n' "$name" "$1" "$2"; }
try() { said=$("$@" 2>&1 >&3) || failed $? "$said"; }
version() { part "$1"; shift; "$@" 2>&1 || :; }
read_host() {
exec 3>&1
part missing
for tool in @@TOOLS@; do command -v "$tool" >/dev/null || printf '%s\n' "$tool"; done
version ip_version ip -V
version systemd_version systemctl --version
version flock_version flock --version
part host
value=
read -r value 2>/dev/null </proc/sys/kernel/hostname
printf '%s\n' "$value"
part network
# One process for all of it; an address that no route leads to is an error that ends nothing, any other is one.
said=$(ip -j -N -force -batch - 2>&1 >&3 <<'@@NONCE@'
@@NETWORK@
@@NONCE@
)
status=$?
case "$status $said
" in
@@LISTINGS_FAILED@) failed "$status" "$said" ;;
0\ * | 1\ *"Command failed -:"*) ;;
*) failed "$status" "$said" ;;
esac
@@ROUTES@
part sysctl_files
printf '%s\n' @@SYSCTL_GLOBS@
part settings
read_settings() {
    grep -aHE '^-?[0-9]+$|'\
'^[[:space:]]*-?[[:space:]]*net[./]ipv[46][./](ip_forward|conf[./].*(forwarding|accept_ra))[[:space:]]*=|'\
'@@MANAGER_LINES@' @@SYSCTLS@ "$@"
}
# An interface may go while it is read, and files with it.
for attempt in 1 2 3; do
    set -- /dev/null
    for file in @@SYSCTL_GLOBS@ @@MANAGER_FILES@; do [ ! -f "$file" ] || set -- "$@" "$file"; done
    status=0
    lines=$(read_settings "$@" 2>/dev/null) || status=$?
    [ "$status" -gt 1 ] || break
    [ "$attempt" != 3 ] || failed "$status" "$(read_settings "$@" 2>&1 >/dev/null)"
done
printf '%s\n' "$lines"
part managers
for daemon in systemd-networkd NetworkManager; do
    # Links that systemd keeps for its journal, as long as a unit is active.
    if [ -h "/run/systemd/units/invocation:$daemon.service" ]; then printf '%s\n' "$daemon"; fi
done
if [ -r /run/network/ifstate ]; then
    while read -r line; do printf 'ifupdown %s\n' "$line"; done </run/network/ifstate
fi
part unit
shown=$(systemctl show --property=@@PROPERTIES@ @@UNIT@ 2>&1) || failed $? "$shown"
printf '%s\n' "$shown"
part links_to_unit
for link in @@ENABLING_LINKS@; do
    [ -h "$link" ] && printf '%s\n' "$link"
done
part overridden
case $shown in
*DropInPaths=/*)
    drop_ins=${shown#*DropInPaths=}
    set -- /dev/null
    for file in ${drop_ins%%
*}; do [ ! -f "$file" ] || set -- "$@" "$file"; done
    try sed -n 's/^[[:space:]]*\([A-Za-z]*\)[[:space:]]*=.*/\1/p' "$@"
    ;;
esac
part leftovers
for path in @@TEMPORARY@; do
    if [ -e "$path" ] || [ -h "$path" ]; then printf '%s\n' "$path"; fi
done
name=files
set --
for path in @@FILES@; do
    if [ -e "$path" ] || [ -h "$path" ]; then set -- "$@" "$path"; fi
done
files=
[ $# = 0 ] || files=$(stat --format='%n %f %u %g' -- "$@" 2>&1) || failed $? "$files"
set --
for path in @@FILES@; do
    if [ -f "$path" ] && [ ! -h "$path" ]; then set -- "$@" "$path"; fi
done
sums=
[ $# = 0 ] || sums=$(sha256sum -- "$@" 2>&1) || failed $? "$sums"
part files
all_known='@@KNOWN@'
while read -r path mode owner; do
    [ -n "$path" ] || continue
    printf '%s %s %s\n' "$path" "$mode" "$owner"
    # A regular file's content, unless the other side has it.
    case $mode in
    8???)
        for known in $all_known none; do
            case $sums in *"$known  $path"*) break ;; esac
        done
        if [ "$known" != none ]; then printf 'sha256:%s' "$known"; else try base64 --wrap=0 -- "$path"; fi
        ;;
    esac
    printf '\n'
done <<@@NONCE@
$files
@@NONCE@
part end
}
answer=$(read_host)
printf '%s\n' "$answer"
exit 0
"""


def digest(content: str) -> str:
    """What a file's content is known by: SHA-256 in hex."""
    return hashlib.sha256(content.encode()).hexdigest()


def facts_script(
    nonce: str,
    *,
    families: Sequence[Family],
    lookups: Iterable[str],
    known: Iterable[str] = (),
    route_text: bool = True,
) -> str:
    """The script that reads everything about a host; it changes nothing.

    Args:
        nonce: A random word of letters and digits, new for each run.
        families: The families whose routes matter.
        lookups: What to ask the kernel about: lines `route get ADDRESS` for `ip -batch`.
        known: Digests of files' contents that need not be sent.
        route_text: Whether to read `ip route` as people do.

    Returns:
        POSIX shell, for a user that may read everything.
    """
    script = _script_without_names(tuple(families), route_text=route_text)
    for name, text in (("LOOKUPS", "\n".join(lookups)), ("KNOWN", " ".join(known)), ("NONCE", nonce)):
        script = script.replace(f"@@{name}@", text)
    return script


@lru_cache(8)
def _script_without_names(families: tuple[Family, ...], *, route_text: bool) -> str:
    """The script, as far as it is the same for all hosts."""
    sysctls = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/accept_redirects"]
    if 6 in families:
        sysctls += ["/proc/sys/net/ipv6/conf/*/forwarding", "/proc/sys/net/ipv6/conf/*/accept_ra"]
    network = ["address show", "@@LOOKUPS@"]
    # `ip` names the line that failed; of those before the lookups, none may.
    listings = range(1, len(network))
    listed = [f"part route{family}\ntry ip -N -o -{family} route show table main" for family in families]
    listed += ["part route_text\ntry ip route show"] if route_text else []
    texts = {
        "TOOLS": " ".join(need.command for need in NEEDS),
        "LISTINGS_FAILED": " | ".join(f'*" -:{number}\n"*' for number in listings),
        "ROUTES": "\n".join(listed),
        "NETWORK": "\n".join(network),
        "SYSCTLS": " ".join(sysctls),
        "SYSCTL_GLOBS": " ".join(f"{directory}/*.conf" for directory in _SYSCTL_DIRECTORIES),
        "MANAGER_LINES": "|".join(STATE_LINES),
        "MANAGER_FILES": " ".join(STATE_FILES),
        "UNIT": UNIT_NAME,
        "PROPERTIES": ",".join(_PROPERTIES),
        "ENABLING_LINKS": " ".join(ENABLING_LINKS),
        "TEMPORARY": " ".join((*TEMPORARY_PATHS, temporary_path(DROP_IN_GLOB))),
        "FILES": " ".join((*FILE_PATHS, DROP_IN_GLOB)),
    }
    script = _SCRIPT
    for name, text in texts.items():
        script = script.replace(f"@@{name}@", text)
    return script.lstrip()


# Those that every reading has.
_PARTS: Final = frozenset(
    {
        "missing",
        "ip_version",
        "systemd_version",
        "flock_version",
        "host",
        "network",
        "sysctl_files",
        "settings",
        "managers",
        "unit",
        "links_to_unit",
        "overridden",
        "leftovers",
        "files",
    }
)


def parse_facts(
    text: str,
    nonce: str,
    *,
    families: Sequence[Family],
    known: Mapping[str, str] | None = None,
    route_text: bool = True,
) -> HostState:
    """Parse what the script printed.

    Args:
        text: Its standard output, with whatever a login shell added before.
        nonce: The word that the script was made with.
        families: The families that it was made with.
        known: The contents of the digests that it was made with.
        route_text: Whether it was to read `ip route`.

    Returns:
        The host's state.

    Raises:
        FactsError: A part is missing or is not what it should be.
    """
    parts = _split(text, nonce)
    if "end" not in parts:
        message = "the host's answer ends too early: the script that reads it did not reach its end"
        raise FactsError(message)
    needed = {*_PARTS, *(["route_text"] if route_text else []), *(f"route{family}" for family in families)}
    if missing := sorted(needed - parts.keys()):
        message = f"the host's answer has no part {', '.join(missing)}"
        raise FactsError(message)
    check_needs(parts["missing"], parts)
    for name, said in parts.items():
        if name.startswith("failed "):
            message = f"reading the host failed in its part {name.removeprefix('failed ')}: {_first_line(said)}"
            raise FactsError(message)
    host_name = parts["host"].strip()
    if host_name == "" or "\n" in host_name:
        message = "the host did not tell its name"
        raise FactsError(message)
    settings = _checked_settings(parts["settings"], families)
    listing = "\n".join(_lines(parts["sysctl_files"], "sysctl_files", _SYSCTL_FILE, least=1))
    links, _, lookups = parts["network"].strip().partition("\n")
    interfaces = parse_links(links)
    return HostState(
        host_name=host_name,
        links=interfaces,
        routes={family: parse_routes(parts[f"route{family}"], family) for family in families},
        lookups={lookup.address: lookup for lookup in parse_lookups(lookups)},
        route_text=parts.get("route_text", "").strip("\n"),
        sysctls=settings,
        boot_sysctls=parse_boot_sysctls(listing, parts["settings"]),
        files=parse_files(parts["files"], known),
        unit=parse_unit(
            parts["unit"],
            linked=bool(_lines(parts["links_to_unit"], "links_to_unit", _LINK)),
            overridden=frozenset(_lines(parts["overridden"], "overridden", _SETTING)),
        ),
        leftovers=tuple(_lines(parts["leftovers"], "leftovers", _LEFTOVER)),
        managers=parse_managers(
            "\n".join(_lines(parts["managers"], "managers", _MANAGER)),
            parts["settings"],
            {link.index: name for name, link in interfaces.items()},
        ),
    )


def _split(text: str, nonce: str) -> dict[str, str]:
    # What stands before the first frame is the login shell's.
    pieces = f"\n{text}".split(f"\n@{nonce} ")[1:]
    parts = (piece.partition("\n") for piece in pieces)
    return {name: body for name, newline, body in parts if newline}


def _first_line(said: str) -> str:
    """The exit status, and the first thing that was said."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[0] if lines else "it said nothing"


def _checked_settings(lines: str, families: Sequence[Family]) -> dict[str, str]:
    """The kernel's parameters, with those of them that every host has."""
    values = parse_sysctls("\n".join(_lines(lines, "settings", _SETTING_LINE)))
    keys = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
    for key in (keys[family] for family in families):
        if not values.get(key, "").isdecimal():
            message = f"the host did not tell its {key}"
            raise FactsError(message)
    return values


def _lines(text: str, part: str, pattern: re.Pattern[str], least: int = 0) -> list[str]:
    """The lines of a part in which each has one form."""
    found = [line for line in text.split("\n") if line != ""]
    wrong = next((line for line in found if pattern.fullmatch(line) is None), None)
    if wrong is not None or len(found) < least:
        message = f"the host's answer has something else than was asked for in its part {part}: {wrong or 'nothing'}"
        raise FactsError(message.splitlines()[0])
    return found


_LINK: Final = re.compile(rf"/etc/systemd/system/[^/]+/{re.escape(UNIT_NAME)}")
_SETTING: Final = re.compile(r"[A-Za-z]+")
_MANAGER: Final = re.compile(r"systemd-networkd|NetworkManager|ifupdown .*")
_LEFTOVER: Final = re.compile(
    "|".join([*map(re.escape, TEMPORARY_PATHS), re.escape(temporary_path(DROP_IN_GLOB)).replace(r"\*", "[^/ ]+")])
)
_SYSCTL_FILE: Final = re.compile(rf"(?:{'|'.join(map(re.escape, _SYSCTL_DIRECTORIES))})/[^/]+")
_SETTING_LINE: Final = re.compile(r"/[^:]+:.*")


class _IpAddressInfo(Struct):
    family: str
    local: str | None = None
    prefixlen: Annotated[int, Meta(ge=0, le=128)] = 0
    dynamic: bool = False


class _IpLink(Struct):
    """One element of `ip -j address show`."""

    ifname: str
    ifindex: int = 0
    flags: list[str] = []
    mtu: int = 0
    addr_info: list[_IpAddressInfo] = []


_LINKS: Final = Decoder(list[_IpLink])


def parse_links(text: str) -> dict[str, Link]:
    """Parse what `ip -j address show` prints.

    Returns:
        The interfaces by name.

    Raises:
        FactsError: It is not that.
    """
    try:
        links = {item.ifname: _link(item) for item in _LINKS.decode(text)}
    except (ValueError, RecursionError) as error:
        message = f"`ip -j address` printed what can't be understood: {str(error).splitlines()[0]}"
        raise FactsError(message) from error
    if not links:
        message = "`ip -j address` printed no interface, and every host has one, `lo`"
        raise FactsError(message)
    return links


def _link(item: _IpLink) -> Link:
    addresses = tuple(
        _address(info.local, info.prefixlen, dynamic=info.dynamic)
        for info in item.addr_info
        if info.family in ("inet", "inet6") and info.local is not None
    )
    name = parse_interface_name(item.ifname)
    return Link(name, "UP" in item.flags, "LOWER_UP" in item.flags, item.mtu, addresses, item.ifindex)


# The host is read again after a change; `lo` is everybody's.
@lru_cache(1 << 12)
def _address(local: str, length: int, *, dynamic: bool) -> InterfaceAddress:
    address = parse_address(local)
    host_bits = address.max_prefixlen - length
    if host_bits < 0:
        message = f"{local} has a mask of {length} bits"
        raise ValueError(message)
    network = _network(address.version, int(address) >> host_bits << host_bits, length)
    return InterfaceAddress(address, network, dynamic)


# Most hosts are on the same networks, and every link has fe80::/64.
@lru_cache(1 << 12)
def _network(version: int, start: int, length: int) -> IPNetwork:
    return IPv4Network((start, length)) if version == 4 else IPv6Network((start, length))


def parse_sysctls(text: str) -> dict[str, str]:
    """Parse lines `/proc/sys/net/ipv4/ip_forward:1`.

    Returns:
        Values by key, in `net.ipv4.ip_forward`'s form. An interface's dots stay in its part of the key as slashes
        (`net/ipv6/conf/eth0.7/accept_ra`), as sysctl.d(5) has it.
    """
    values = {}
    for line in text.splitlines():
        path, colon, value = line.partition(":")
        if colon and path.startswith("/proc/sys/"):
            values[sysctl_key(path.removeprefix("/proc/sys/"))] = value.strip()
    return values


def parse_sysctl_lines(text: str) -> dict[str, str]:
    """Parse lines `net.ipv4.ip_forward = 1` of a sysctl.d file; comments and other lines are left out.

    Returns:
        Values by key.
    """
    values = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            values[sysctl_key(key.strip().removeprefix("-").strip())] = value.strip()
    return values


def sysctl_key(name: str) -> str:
    """The one form of a kernel parameter's name that this software uses: dots, or slashes where a part has dots.

    sysctl.d(5): if the first separator is a slash, dots are part of names; if it is a dot, the two are exchanged.
    """
    first = re.search(r"[./]", name)
    slashed = name if first is None or first[0] == "/" else name.translate(str.maketrans("./", "/."))
    return slashed if "." in slashed else slashed.replace("/", ".")


def parse_boot_sysctls(listing: str, lines: str) -> tuple[SysctlSetting, ...]:
    """Find out what sysctl.d files set at boot, and in which order (sysctl.d(5)).

    Args:
        listing: Paths of all files, one a line; a pattern that matched nothing stands for itself.
        lines: Lines `PATH:KEY = VALUE` of those that matter.

    Returns:
        The settings in the order in which they are applied: by file name, whatever its directory.
    """
    chosen: dict[str, str] = {}
    for path in listing.splitlines():
        directory, _, name = path.rpartition("/")
        if "*" not in name and directory in _SYSCTL_DIRECTORIES:
            known = chosen.get(name)
            if known is None or _rank(directory) < _rank(known.rpartition("/")[0]):
                chosen[name] = path
    settings = []
    for line in lines.splitlines():
        source = next((path for path in chosen.values() if line.startswith(f"{path}:")), None)
        if source is not None:
            text = line.removeprefix(f"{source}:").strip()
            key, _, value = text.partition("=")
            name = sysctl_key(key.strip().removeprefix("-").strip())
            settings.append(SysctlSetting(source, name, value.strip(), text))
    return tuple(sorted(settings, key=lambda setting: setting.path.rpartition("/")[2]))


def _rank(directory: str) -> int:
    return _SYSCTL_DIRECTORIES.index(directory)


def parse_unit(text: str, *, linked: bool, overridden: frozenset[str] = frozenset()) -> UnitState:
    """Parse what `systemctl show` prints for our unit: lines `Property=value`.

    Args:
        text: The lines.
        linked: Whether the links on disk enable it. `show` tells what systemd has read, which may be long ago.
        overridden: Settings that its drop-ins have.

    Returns:
        The unit.

    Raises:
        FactsError: What every systemd says of every unit is not there.
    """
    values: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            values[name] = (*values.get(name, ()), value)
    if missing := sorted(_ALWAYS_SHOWN - values.keys()):
        message = f"`systemctl show` printed a unit without its {missing[0]}; does this host run systemd?"
        raise FactsError(message)
    load, active = values["LoadState"][-1], values["ActiveState"][-1]
    if load not in _LOAD_STATES or active not in _ACTIVE_STATES:
        message = f"`systemctl show` printed a unit that is {load!r} and {active!r}, which are no states of one"
        raise FactsError(message)
    enabled = values["UnitFileState"][-1]
    if linked and not enabled.startswith("masked"):
        enabled = "enabled"
    elif not linked and enabled == "enabled":
        enabled = "disabled"
    return UnitState(
        load=load,
        active=active,
        enabled=enabled,
        # Not those for all services, as some distributions have them.
        drop_ins=" ".join(path for path in values["DropInPaths"][-1].split() if f"/{UNIT_NAME}.d/" in path),
        result=values["Result"][-1],
        properties={name: shown for name, shown in values.items() if name in _LOADED} if load == "loaded" else {},
        overridden=overridden,
    )


_LOADED: Final = frozenset({"FragmentPath", *COMPARED, *UNSET})


def parse_files(text: str, known: Mapping[str, str] | None = None) -> dict[str, FileState]:
    """Parse pairs of lines: path, mode in hex, owner, group; then the content in base64, or its digest.

    Args:
        text: The lines.
        known: Contents by digest; none by default.

    Returns:
        The files by path.

    Raises:
        FactsError: It is not that.
    """
    files = {}
    lines = text.split("\n")
    try:
        if lines.pop() != "":
            raise ValueError(text)
        for head, body in zip(lines[::2], lines[1::2], strict=True):
            path, mode, uid, gid = head.split(" ")
            if path not in FILE_PATHS and not is_drop_in(path):
                raise ValueError(path)
            number = int(mode, 16)
            if body.startswith(_DIGEST):
                content = (known or {})[body.removeprefix(_DIGEST)]
            else:
                content = base64.b64decode(body, validate=True).decode(errors="replace")
            files[path] = FileState(content, stat.S_IMODE(number), int(uid), int(gid), stat.S_ISREG(number))
    except (ValueError, OverflowError, KeyError) as error:
        message = "the host's answer about its files can't be understood"
        raise FactsError(message) from error
    return files
