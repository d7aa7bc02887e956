"""Parser of a host's interfaces and their addresses."""

from ipaddress import ip_network
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.json import Decoder

from podroutes.addresses import parse_address, parse_interface_name
from podroutes.errors import FactsError
from podroutes.host.state import InterfaceAddress, Link


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


def _address(local: str, length: int, *, dynamic: bool) -> InterfaceAddress:
    address = parse_address(local)
    return InterfaceAddress(address, ip_network((address, length), strict=False), dynamic)
