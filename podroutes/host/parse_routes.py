"""Parsers of what `ip` prints of routes.

Routes are read as the text of `ip route show`, which `ip` takes again: its JSON leaves out what is needed to restore a
route (`lock` of an mtu, an encapsulation).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Decoder

from podroutes.addresses import Family, IPAddress, IPNetwork, parse_address, parse_interface_name, parse_network
from podroutes.errors import FactsError
from podroutes.host.routes import (
    ATTRIBUTES,
    BOOT,
    ENCAPSULATIONS,
    MULTIPATH,
    PROTOCOL_NUMBERS,
    SCOPE_NUMBERS,
    STATE_WORDS,
    Lookup,
    NextHop,
    Route,
)

# Route types (linux/rtnetlink.h) that -N turns into numbers.
_KINDS: Final[Mapping[str, str]] = {
    "1": "unicast", "2": "local", "3": "broadcast", "4": "anycast", "5": "multicast", "6": "blackhole",
    "7": "unreachable", "8": "prohibit", "9": "throw",
}  # fmt: skip
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_TOS: Final = re.compile(r"0x[0-9a-f]{1,2}|[a-zA-Z0-9]{1,20}")
_PROTOCOL_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
# `ip -batch` and the shell take each of these as it is.
_SAFE: Final = re.compile(r"[A-Za-z0-9_.:/@+,=%\[\]-]+")


def parse_routes(text: str, family: Family) -> tuple[Route, ...]:
    """Parse what `ip -N -o -4|-6 route show table main` prints.

    Returns:
        The routes in the kernel's order.

    Raises:
        FactsError: A line is no route.
    """
    return tuple([_route(line.strip(), family) for line in text.split("\n") if line.strip() != ""])


# In a large cluster, all machines have nearly the same routes: this takes four fifths of the time off.
@lru_cache(1 << 14)
def _route(line: str, family: Family) -> Route:
    words = line.replace("\\", " ").split()
    try:
        if unsafe := [word for word in words if _SAFE.fullmatch(word) is None]:
            message = f"{unsafe[0][:50]!r} is no word of a route"
            raise ValueError(message)
        return _read_route(words[::-1], family)
    except (ValueError, IndexError) as error:
        reason = "it ends too early" if isinstance(error, IndexError) else _first_line(error)
        message = f"`ip route` printed what can't be understood: {line[:200]!r}: {reason}"
        raise FactsError(message) from error


# What follows takes words from the end of a list, which has them backwards.


def _read_route(words: list[str], family: Family) -> Route:
    kind = words.pop() if words[-1] in _KINDS or words[-1] in _KINDS.values() else "unicast"
    fields: dict[str, Any] = {"via": None, "dev": None, "protocol": BOOT, "metric": 0, "kind": _KINDS.get(kind, kind)}
    fields["destination"] = _destination(words.pop(), family)
    options: list[str] = []
    unknown: list[str] = []
    hops: list[NextHop] = []
    while words:
        word = words.pop()
        if word == "nexthop":
            hops.append(_read_hop(words, family, unknown))
        elif word in _FIELDS:
            name, read = _FIELDS[word]
            fields[name] = read(words, family)
        elif word in ATTRIBUTES:
            options += _read_attribute(word, words)
        elif word == "encap":
            is_known = bool(words) and words[-1] in ENCAPSULATIONS
            (options if is_known else unknown).append(_read_encapsulation(words))
        elif word == "error":
            words.pop()  # why its packets are refused, which its type says too
        elif word == "linkdown":
            fields["linkdown"] = True
        elif word not in STATE_WORDS:
            unknown.append(word)
    if hops:
        fields["kind"] = MULTIPATH
    if family == 6:
        fields.pop("scope", None)
    networks = (fields["destination"], fields.get("sources"))
    if any(network is not None and network.version != family for network in networks):
        message = f"a route of another family among those of IPv{family}"
        raise ValueError(message)
    return Route(**fields, next_hops=tuple(hops), options=tuple(options), unknown=tuple(unknown))


def _read_hop(words: list[str], family: Family, unknown: list[str]) -> NextHop:
    """Read one next hop of several; adds what is not understood of it."""
    fields: dict[str, Any] = {"via": None, "dev": None}
    while words and words[-1] != "nexthop":
        word = words.pop()
        if word == "weight":
            fields["weight"] = _number(words.pop(), 256)
        elif word in ("via", "dev", "onlink"):
            fields[word] = _FIELDS[word][1](words, family)
        elif word not in STATE_WORDS:
            unknown.append(word)
    return NextHop(**fields)


def _read_attribute(word: str, words: list[str]) -> list[str]:
    value = words.pop()
    if value == "lock":
        # rto_min is always locked; `ip` says so and does not take it.
        value = words.pop() if word == "rto_min" else f"lock {words.pop()}"
    return [] if (word, value) == ("pref", "medium") else [f"{word} {value}"]


def _read_encapsulation(words: list[str]) -> str:
    found = ["encap"]
    while words and words[-1] not in ("via", "dev"):
        found.append(words.pop())
    return " ".join(found)


def _destination(text: str, family: Family) -> IPNetwork:
    if text == "default":
        text = "0.0.0.0/0" if family == 4 else "::/0"
    if "/" not in text:
        text += "/32" if family == 4 else "/128"
    return parse_network(text)


def _next_hop(words: list[str], family: Family) -> IPAddress:
    word = words.pop()
    if word in ("inet", "inet6"):
        family, word = (6 if word == "inet6" else 4), words.pop()
    address = parse_address(word)
    if address.version != family:
        message = f"{address} is no IPv{family} address"
        raise ValueError(message)
    return address


def _tos(text: str) -> str:
    if _TOS.fullmatch(text) is None:
        message = f"{text!r} is no type of service"
        raise ValueError(message)
    return text


def _number(text: str, most: int = 2**32 - 1) -> int:
    if _NUMBER.fullmatch(text) is None or int(text) > most:
        message = f"{text!r} is no number up to {most}"
        raise ValueError(message)
    return int(text)


def _protocol(text: str) -> int:
    """The number of a protocol; 0 for an unknown name, as `proto unspec` selects a route whatever its protocol."""
    if text.isdecimal():
        return _number(text, 255)
    if _PROTOCOL_NAME.fullmatch(text) is None:
        message = f"{text!r} is no routing protocol"
        raise ValueError(message)
    return PROTOCOL_NUMBERS.get(text, 0)


def _scope(text: str) -> int:
    return SCOPE_NUMBERS[text] if text in SCOPE_NUMBERS else _number(text, 255)


# Each word with the field that it fills and what reads its value.
_FIELDS: Final[Mapping[str, tuple[str, Callable[[list[str], Family], object]]]] = {
    "via": ("via", _next_hop),
    "dev": ("dev", lambda words, _: parse_interface_name(words.pop())),
    "proto": ("protocol", lambda words, _: _protocol(words.pop())),
    "metric": ("metric", lambda words, _: _number(words.pop())),
    "scope": ("scope", lambda words, _: _scope(words.pop())),
    "src": ("source", lambda words, _: parse_address(words.pop())),
    "tos": ("tos", lambda words, _: _tos(words.pop())),
    "from": ("sources", lambda words, family: _destination(words.pop(), family)),
    "nhid": ("nhid", lambda words, _: _number(words.pop())),
    "expires": ("expires", lambda words, _: _number(words.pop().removesuffix("sec")) >= 0),
    "onlink": ("onlink", lambda _words, _family: True),
}


class _IpVia(Struct):
    """A next hop of the other family."""

    host: str


class _IpLookup(Struct):
    """One element of `ip -j route get`."""

    dst: str
    gateway: str | None = None
    via: _IpVia | None = None
    dev: str | None = None


_LOOKUPS: Final = Decoder(list[_IpLookup])


def parse_lookups(text: str) -> tuple[Lookup, ...]:
    """Parse what `ip -j -force -batch -` prints for several `route get`.

    Args:
        text: JSON, a list on each line; nothing at all for an address that no route leads to.

    Returns:
        A lookup for each address that a route leads to.

    Raises:
        FactsError: A line is no such list.
    """
    try:
        # json_writer.c ends each list with the line.
        return tuple([_lookup(item) for items in _LOOKUPS.decode_lines(text) for item in items])
    except (ValueError, RecursionError) as error:
        message = f"`ip -j route get` printed what can't be understood: {_first_line(error)}"
        raise FactsError(message) from error


def _lookup(item: _IpLookup) -> Lookup:
    via = item.gateway if item.via is None else item.via.host
    return Lookup(
        parse_address(item.dst),
        None if via is None else parse_address(via),
        None if item.dev is None else parse_interface_name(item.dev),
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
