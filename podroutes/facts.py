"""Reading a host: one script that collects everything, and the parser of what it prints.

The script frames each part with lines that hold a random word, so that whatever a login shell prints around them does
not matter, and a part that is missing, or an answer that was cut off, is an error and never an empty result.
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

from podroutes.errors import FactsError
from podroutes.host_state import (
    BEFORE_PATH,
    DATA_PATH,
    REPLACED_SCRIPT_PATH,
    REPLACED_UNIT_PATH,
    SCRIPT_PATH,
    SYSCTL_PATH,
    UNIT_NAME,
    UNIT_PATH,
    FileState,
    HostState,
    InterfaceAddress,
    Link,
    SysctlSetting,
    UnitState,
)
from podroutes.network_managers import DROP_IN_GLOB, STATE_FILES, STATE_LINES, is_drop_in, parse_managers
from podroutes.routes import parse_lookups, parse_routes
from podroutes.values import Family, IPNetwork, parse_address, parse_interface_name

FILE_PATHS: Final = (
    SCRIPT_PATH,
    UNIT_PATH,
    DATA_PATH,
    BEFORE_PATH,
    SYSCTL_PATH,
    REPLACED_SCRIPT_PATH,
    REPLACED_UNIT_PATH,
)
# What `systemctl enable` leaves, whatever target or unit it is for.
_ENABLING_LINKS: Final = (f"/etc/systemd/system/*.wants/{UNIT_NAME}", f"/etc/systemd/system/*.requires/{UNIT_NAME}")

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
part() { printf '\n@@@NONCE@ %s\n' "$1"; }
read_host() {
part host
for file in /proc/sys/kernel/hostname /proc/sys/kernel/random/boot_id /etc/machine-id; do
    value=
    read -r value 2>/dev/null <"$file"
    printf '%s\n' "$value"
done
part network
# One process for all of it; an address that no route leads to is an error that ends nothing.
ip -j -N -force -batch - 2>/dev/null <<'@@NONCE@'
@@NETWORK@
@@NONCE@
@@ROUTES@
part sysctl_files
printf '%s\n' @@SYSCTL_GLOBS@
part settings
grep -sHE '^-?[0-9]+$|'\
'^[[:space:]]*-?[[:space:]]*net[./]ipv[46][./](ip_forward|conf[./].*(forwarding|accept_ra))[[:space:]]*=|'\
'@@MANAGER_LINES@' @@SYSCTLS@ @@SYSCTL_GLOBS@ @@MANAGER_FILES@
part managers
for daemon in systemd-networkd NetworkManager; do
    # Links that systemd keeps for its journal, as long as a unit is active.
    if [ -h "/run/systemd/units/invocation:$daemon.service" ]; then printf '%s\n' "$daemon"; fi
done
if [ -r /run/network/ifstate ]; then
    while read -r line; do printf 'ifupdown %s\n' "$line"; done </run/network/ifstate
fi
part unit
systemctl show --property=LoadState,ActiveState,UnitFileState,NeedDaemonReload,DropInPaths,Result @@UNIT@
part links_to_unit
for link in @@ENABLING_LINKS@; do
    [ -h "$link" ] && printf '%s\n' "$link"
done
part files
files=$(stat --format='%n %f %u %g' -- @@FILES@ 2>/dev/null)
all_known='@@KNOWN@'
sums=$(sha256sum -- @@FILES@ 2>/dev/null)
while read -r path mode owner; do
    [ -n "$path" ] || continue
    printf '%s %s %s\n' "$path" "$mode" "$owner"
    # A regular file's content, unless the other side has it.
    case $mode in
    8???)
        for known in $all_known none; do
            case $sums in *"$known  $path"*) break ;; esac
        done
        if [ "$known" != none ]; then printf 'sha256:%s' "$known"; else base64 --wrap=0 -- "$path"; fi
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
    # What an `ip` without IPv4 routes prints nothing for comes before what it always prints something for.
    network = ["route show table main"] if 4 in families else []
    network += ["address show", "@@LOOKUPS@"]
    listed = ["part route6\nip -j -N -6 route show table main"] if 6 in families else []
    listed += ["part route_text\nip route show"] if route_text else []
    texts = {
        "ROUTES": "\n".join(listed),
        "NETWORK": "\n".join(network),
        "SYSCTLS": " ".join(sysctls),
        "SYSCTL_GLOBS": " ".join(f"{directory}/*.conf" for directory in _SYSCTL_DIRECTORIES),
        "MANAGER_LINES": "|".join(STATE_LINES),
        "MANAGER_FILES": " ".join(STATE_FILES),
        "UNIT": UNIT_NAME,
        "ENABLING_LINKS": " ".join(_ENABLING_LINKS),
        "FILES": " ".join((*FILE_PATHS, DROP_IN_GLOB)),
    }
    script = _SCRIPT
    for name, text in texts.items():
        script = script.replace(f"@@{name}@", text)
    return script.lstrip()


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
    needed = {"host", "network", "settings", "managers", "unit", "files"} | ({"route_text"} if route_text else set())
    needed |= {"route6"} if 6 in families else set()
    if missing := sorted(needed - parts.keys()):
        message = f"the host's answer has no part {', '.join(missing)}"
        raise FactsError(message)
    identity = parts["host"].split("\n")
    if len(identity) < 3 or not all(identity[:2]):
        message = "the host did not tell its name, boot id and machine id"
        raise FactsError(message)
    ipv4_routes, links, lookups = _split_network(parts["network"])
    routes: dict[Family, str] = {4: ipv4_routes, 6: parts.get("route6", "")}
    interfaces = parse_links(links)
    return HostState(
        host_name=identity[0].strip(),
        boot_id=identity[1].strip(),
        machine_id=identity[2].strip(),
        links=interfaces,
        routes={family: parse_routes(routes[family], family) for family in families},
        lookups={lookup.address: lookup for lookup in parse_lookups(lookups)},
        route_text=parts.get("route_text", "").strip("\n"),
        sysctls=parse_sysctls(parts["settings"]),
        boot_sysctls=parse_boot_sysctls(parts.get("sysctl_files", ""), parts["settings"]),
        files=parse_files(parts["files"], known),
        unit=parse_unit(parts["unit"], linked=parts.get("links_to_unit", "").strip() != ""),
        managers=parse_managers(
            parts["managers"], parts["settings"], {link.index: name for name, link in interfaces.items()}
        ),
    )


def _split(text: str, nonce: str) -> dict[str, str]:
    # What stands before the first frame is the login shell's.
    pieces = f"\n{text}".split(f"\n@{nonce} ")[1:]
    parts = (piece.partition("\n") for piece in pieces)
    return {name: body for name, newline, body in parts if newline}


def _split_network(text: str) -> tuple[str, str, str]:
    """What `ip` printed of routes, of addresses and of lookups; it prints a line for each, or none where there is none.

    Addresses are never none: a host has `lo`. Nothing else there has a key `ifname`.
    """
    lines = text.strip().split("\n")
    at = next((number for number, line in enumerate(lines) if '"ifname":' in line), None)
    if at is None:
        return "", "", ""
    return "\n".join(lines[:at]), lines[at], "\n".join(lines[at + 1 :])


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
        return {item.ifname: _link(item) for item in _LINKS.decode(text)}
    except (ValueError, RecursionError) as error:
        message = f"`ip -j address` printed what can't be understood: {str(error).splitlines()[0]}"
        raise FactsError(message) from error


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
            key, _, value = line.removeprefix(f"{source}:").partition("=")
            settings.append(SysctlSetting(source, sysctl_key(key.strip().removeprefix("-").strip()), value.strip()))
    return tuple(sorted(settings, key=lambda setting: setting.path.rpartition("/")[2]))


def _rank(directory: str) -> int:
    return _SYSCTL_DIRECTORIES.index(directory)


def parse_unit(text: str, *, linked: bool) -> UnitState:
    """Parse what `systemctl show` prints for our unit: lines `Property=value`.

    Args:
        text: The lines.
        linked: Whether the links on disk enable it. `show` tells what systemd has read, which may be long ago.

    Returns:
        The unit.

    Raises:
        FactsError: There is no LoadState.
    """
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if "LoadState" not in values:
        message = "`systemctl show` printed a unit without its LoadState; does this host run systemd?"
        raise FactsError(message)
    enabled = values.get("UnitFileState", "")
    if linked and not enabled.startswith("masked"):
        enabled = "enabled"
    elif not linked and enabled == "enabled":
        enabled = "disabled"
    return UnitState(
        load=values["LoadState"],
        active=values.get("ActiveState", ""),
        enabled=enabled,
        needs_reload=values.get("NeedDaemonReload") == "yes",
        drop_ins=values.get("DropInPaths", ""),
        result=values.get("Result", ""),
    )


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
        for head, body in zip(lines[::2], lines[1::2], strict=False):
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
