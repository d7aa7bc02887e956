"""Typed values: text from an inventory, a host or an API goes through one of these before it is used."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network
Family = Literal[4, 6]

FAMILIES: Final[tuple[Family, ...]] = (4, 6)

# The kernel's own rule (dev_valid_name) allows more; this is what people and programs use, and is safe in a shell.
INTERFACE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:+-]{0,14}")
NO_INTERFACE_NAME: Final = (
    "{!r} is not an interface name; write one such as eth0 (15 letters, digits and _ . @ : + - at most)"
)
# A host name's labels (RFC 1123), dots and underscores allowed, as inventory names are free text otherwise.
_ZONE = re.compile(r"[A-Za-z0-9._-]{1,15}")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")
# ipaddress takes netmasks, host masks and leading zeros as well.
_MASK_SIZE = re.compile(r"0|[1-9][0-9]{0,2}")
_LEADING_ZERO = re.compile(r"(^|\.)0\d")


def family_of(value: IPAddress | IPNetwork) -> Family:
    """The family, 4 or 6, of an address or a network."""
    return 4 if value.version == 4 else 6


def parse_address(text: object) -> IPAddress:
    """Parse one IPv4 or IPv6 address, strictly.

    Raises:
        ValueError: It is none; the message says what to write instead. Leading zeros are refused, since `ip` reads
            them as octal; zones (`%eth0`) too, since any character may follow the `%`.
    """
    if not isinstance(text, str):
        message = f"{text!r} is not an address; write it as text, such as 10.240.0.20"
        raise ValueError(message)
    if "%" in text:
        message = f"{text!r} is not an address: {_zone_hint(text)}"
        raise ValueError(message)
    try:
        return ip_address(text)
    except ValueError as error:
        hint = _hint(text) or (": write it without the mask" if "/" in text else "")
        message = f"{text!r} is not an address{hint}"
        raise ValueError(message) from error


def parse_network(text: object) -> IPNetwork:
    """Parse one IPv4 or IPv6 network in CIDR notation, strictly: with its mask, without host bits.

    Raises:
        ValueError: It is none; the message says what to write instead.
    """
    if not isinstance(text, str):
        message = f"{text!r} is not a network; write it as text, such as 10.200.0.0/16"
        raise ValueError(message)
    if "/" not in text:
        message = f"{text!r} has no mask; write a network such as 10.200.0.0/16"
        raise ValueError(message)
    if "%" in text:
        message = f"{text!r} is not a network: {_zone_hint(text)}"
        raise ValueError(message)
    if _MASK_SIZE.fullmatch(text.strip().rpartition("/")[2]) is None:
        message = f"{text!r} is not a network: write the mask as a number of bits"
        raise ValueError(message)
    try:
        return ip_network(text)
    except ValueError as error:
        message = f"{text!r} is not a network{_hint(text) or _host_bits_hint(text)}"
        raise ValueError(message) from error


def _hint(text: str) -> str:
    if _LEADING_ZERO.search(text) and ":" not in text:
        return ": a number starts with 0, which `ip` reads as octal; write it without leading zeros"
    if text != text.strip():
        return ": it has spaces around it"
    return ""


def _zone_hint(text: str) -> str:
    zone = text.partition("%")[2].partition("/")[0]
    return f"it has a zone; write it without %{zone}"


def _host_bits_hint(text: str) -> str:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return ""
    return f": it has host bits set; write {network}, or another mask"


def parse_interface_name(text: object) -> str:
    """Check that a text can be the name of a network interface.

    Returns:
        The name, unchanged.

    Raises:
        ValueError: It can't be.
    """
    if isinstance(text, str) and INTERFACE_NAME.fullmatch(text) is not None:
        return text
    raise ValueError(NO_INTERFACE_NAME.format(text))


def is_host_name(text: str) -> bool:
    """Whether a text can name a host: letters, digits, dots, dashes and underscores."""
    return _HOST_NAME.fullmatch(text) is not None


def is_link_local_with_zone(text: str) -> bool:
    """Whether a text is an address such as `fe80::1%eth0`, which reaches a neighbour and is nobody's internal IP."""
    address, _, zone = text.partition("%")
    try:
        return _ZONE.fullmatch(zone) is not None and ip_address(address).is_link_local and ":" in address
    except ValueError:
        return False


def contains(outer: IPNetwork, inner: IPNetwork | IPAddress) -> bool:
    """Whether a network holds another network or an address; never across families."""
    if isinstance(outer, IPv4Network):
        if isinstance(inner, IPv4Network):
            return inner.subnet_of(outer)
        return isinstance(inner, IPv4Address) and inner in outer
    if isinstance(inner, IPv6Network):
        return inner.subnet_of(outer)
    return isinstance(inner, IPv6Address) and inner in outer


def overlap(one: IPNetwork, other: IPNetwork) -> bool:
    """Whether two networks share an address; never across families."""
    return one.version == other.version and one.overlaps(other)


def sort_key(value: IPAddress | IPNetwork) -> tuple[int, int, int]:
    """A key that sorts addresses and networks by family, address and mask."""
    if isinstance(value, (IPv4Network, IPv6Network)):
        return (value.version, int(value.network_address), value.prefixlen)
    return (value.version, int(value), 0)
