"""Parser of the answer of the script that reads a host; the parts of the answer are those of `scripts/read_host.sh`."""

import base64
import re
import stat
from collections.abc import Mapping, Sequence
from typing import Final

from podroutes.addresses import Family
from podroutes.errors import FactsError
from podroutes.host.managed_files import FILE_PATHS, TEMPORARY_PATHS, UNIT_NAME, path_regex
from podroutes.host.needs import check_needs
from podroutes.host.network_managers import parse_managers
from podroutes.host.parse_links import parse_links
from podroutes.host.parse_routes import parse_lookups, parse_routes
from podroutes.host.parse_unit import parse_unit
from podroutes.host.state import FileState, HostState
from podroutes.host.sysctls import SYSCTL_DIRECTORIES, parse_boot_sysctls, parse_sysctls

# The parts that every reading has.
_PARTS: Final = frozenset(
    {
        "missing", "ip_version", "systemd_version", "flock_version", "host", "network", "sysctl_files", "settings",
        "managers", "unit", "links_to_unit", "overridden", "leftovers", "files", "contents",
    }
)  # fmt: skip
_FORWARDING: Final[Mapping[Family, str]] = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
# The form of each line of a part.
_LINES: Final = {
    "sysctl_files": re.compile(rf"(?:{'|'.join(map(re.escape, SYSCTL_DIRECTORIES))})/[^/]+"),
    "settings": re.compile(r"/[^:]+:.*"),
    "managers": re.compile(r"systemd-networkd|NetworkManager|ifupdown .*"),
    "links_to_unit": re.compile(rf"/etc/systemd/system/[^/]+/{re.escape(UNIT_NAME)}"),
    "overridden": re.compile(r"[A-Za-z]+"),
    "leftovers": path_regex(TEMPORARY_PATHS),
}
_FILE: Final = path_regex(FILE_PATHS)
_DIGEST: Final = "sha256:"


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

    Raises:
        FactsError: A part is missing or is not what it should be.
    """
    parts = _split(text, nonce)
    _check_parts(parts, {*_PARTS, *(["route_text"] if route_text else []), *(f"route{family}" for family in families)})
    host_name = parts["host"].strip()
    if host_name == "" or "\n" in host_name:
        message = "the host's answer has no host name"
        raise FactsError(message)
    sysctls = parse_sysctls(parts["settings"])
    for family in families:
        if not sysctls.get(_FORWARDING[family], "").isdecimal():
            message = f"the host's answer has no {_FORWARDING[family]}"
            raise FactsError(message)
    addresses, _, lookups = parts["network"].strip().partition("\n")
    links = parse_links(addresses)
    return HostState(
        host_name=host_name,
        links=links,
        routes={family: parse_routes(parts[f"route{family}"], family) for family in families},
        lookups={lookup.address: lookup for lookup in parse_lookups(lookups)},
        route_text=parts.get("route_text", "").strip("\n"),
        sysctls=sysctls,
        boot_sysctls=parse_boot_sysctls(parts["sysctl_files"], parts["settings"]),
        files=parse_files(parts["files"], parts["contents"], known or {}),
        unit=parse_unit(
            parts["unit"],
            linked=parts["links_to_unit"].strip() != "",
            overridden=frozenset(parts["overridden"].split()),
        ),
        leftovers=tuple(parts["leftovers"].split()),
        managers=parse_managers(
            parts["managers"], parts["settings"], {link.index: name for name, link in links.items()}
        ),
    )


def _split(text: str, nonce: str) -> dict[str, str]:
    # What stands before the first frame is the login shell's.
    pieces = f"\n{text}".split(f"\n@{nonce} ")[1:]
    parts = (piece.partition("\n") for piece in pieces)
    return {name: body for name, newline, body in parts if newline}


def _check_parts(parts: Mapping[str, str], needed: set[str]) -> None:
    """Check that the answer is whole, that the host has what it needs, and that nothing has failed."""
    if "end" not in parts:
        message = "the host's answer ends too early: the script that reads it did not reach its end"
        raise FactsError(message)
    if missing := sorted(needed - parts.keys()):
        message = f"the host's answer has no part {', '.join(missing)}"
        raise FactsError(message)
    check_needs(parts["missing"], parts)
    for name, said in parts.items():
        if name.startswith("failed "):
            reason = next((line.strip() for line in said.splitlines() if line.strip()), "it said nothing")
            message = f"reading the host failed in its part {name.removeprefix('failed ')}: {reason}"
            raise FactsError(message)
    for name, pattern in _LINES.items():
        lines = [line for line in parts[name].split("\n") if line != ""]
        wrong = next((line for line in lines if pattern.fullmatch(line) is None), None)
        if wrong is not None or (not lines and name == "sysctl_files"):
            message = f"the host's answer has an unexpected line in its part {name}: {wrong or 'nothing'}"
            raise FactsError(message.splitlines()[0])


def parse_files(listing: str, contents: str, known: Mapping[str, str]) -> dict[str, FileState]:
    """Parse what stands in the files of ours.

    Args:
        listing: Lines with path, mode in hex, owner and group.
        contents: Of regular files, lines with path and content in base64, or its digest.
        known: Contents by digest.

    Returns:
        The files by path.

    Raises:
        FactsError: It is not that, or the content of a regular file is not there.
    """
    try:
        texts = {}
        for path, body in _rows(contents):
            if body.startswith(_DIGEST):
                texts[path] = known[body.removeprefix(_DIGEST)]
            else:
                texts[path] = base64.b64decode(body, validate=True).decode(errors="replace")
        files = {}
        for path, mode, uid, gid in _rows(listing):
            if _FILE.fullmatch(path) is None:
                raise ValueError(path)
            number = int(mode, 16)
            regular = stat.S_ISREG(number)
            content = texts.pop(path) if regular else ""
            files[path] = FileState(content, stat.S_IMODE(number), int(uid), int(gid), regular)
        if texts:
            raise ValueError(texts)
    except (ValueError, OverflowError, KeyError) as error:
        message = "the host's answer about its files can't be understood"
        raise FactsError(message) from error
    return files


def _rows(text: str) -> list[list[str]]:
    *lines, end = text.split("\n")
    if end != "":
        raise ValueError(end)
    return [line.split(" ") for line in lines if line != ""]
