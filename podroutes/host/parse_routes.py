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
    try:
        return _read_route(_Words(line.replace("\\", " ").split()), family)
    except ValueError as error:
        message = f"`ip route` printed what can't be understood: {line[:200]!r}: {_first_line(error)}"
        raise FactsError(message) from error


class _Words:
    """The words of a line, taken one after the other."""

    def __init__(self, words: list[str]) -> None:
        for word in words:
            if _SAFE.fullmatch(word) is None:
                message = f"{word[:50]!r} is no word of a route"
                raise ValueError(message)
        self._words = words
        self._taken = 0

    @property
    def next(self) -> str:
        """The next word, which stays; empty at the end."""
        return self._words[self._taken] if self._taken < len(self._words) else ""

    def take(self) -> str:
        """The next word; there has to be one."""
        word = self.next
        if not word:
            message = "it ends too early"
            raise ValueError(message)
        self._taken += 1
        return word


def _read_route(words: _Words, family: Family) -> Route:
    kind = words.take() if words.next in _KINDS or words.next in _KINDS.values() else "unicast"
    fields: dict[str, Any] = {"via": None, "dev": None, "protocol": BOOT, "metric": 0, "kind": _KINDS.get(kind, kind)}
    fields["destination"] = _destination(words.take(), family)
    options: list[str] = []
    unknown: list[str] = []
    hops: list[NextHop] = []
    while word := words.next:
        words.take()
        if word == "nexthop":
            hops.append(_read_hop(words, family, unknown))
        elif word in _FIELDS:
            name, read = _FIELDS[word]
            fields[name] = read(words, family)
        elif word in ATTRIBUTES:
            options += _read_attribute(word, words)
        elif word == "encap":
            text, known = _read_encapsulation(words)
            (options if known else unknown).append(text)
        elif word == "error":
            words.take()  # why its packets are refused, which its type says too
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


def _read_hop(words: _Words, family: Family, unknown: list[str]) -> NextHop:
    """Read one next hop of several; adds what is not understood of it."""
    fields: dict[str, Any] = {"via": None, "dev": None}
    while words.next not in ("", "nexthop"):
        word = words.take()
        if word == "weight":
            fields["weight"] = _number(words.take(), 256)
        elif word in ("via", "dev", "onlink"):
            fields[word] = _FIELDS[word][1](words, family)
        elif word not in STATE_WORDS:
            unknown.append(word)
    return NextHop(**fields)


def _read_attribute(word: str, words: _Words) -> list[str]:
    lock = words.take() if words.next == "lock" else ""
    value = words.take()
    if (word, value) == ("pref", "medium"):
        return []
    # rto_min is always locked; `ip` says so and does not take it.
    return [f"{word} lock {value}" if lock and word != "rto_min" else f"{word} {value}"]


def _read_encapsulation(words: _Words) -> tuple[str, bool]:
    """Its text, and whether `ip` takes it."""
    found = ["encap"]
    while words.next not in ("", "via", "dev"):
        found.append(words.take())
    return " ".join(found), len(found) > 1 and found[1] in ENCAPSULATIONS


def _destination(text: str, family: Family) -> IPNetwork:
    if text == "default":
        text = "0.0.0.0/0" if family == 4 else "::/0"
    if "/" not in text:
        text += "/32" if family == 4 else "/128"
    return parse_network(text)


def _next_hop(words: _Words, family: Family) -> IPAddress:
    if words.next in ("inet", "inet6"):
        family = 6 if words.take() == "inet6" else 4
    address = parse_address(words.take())
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
_FIELDS: Final[Mapping[str, tuple[str, Callable[[_Words, Family], object]]]] = {
    "via": ("via", _next_hop),
    "dev": ("dev", lambda words, _: parse_interface_name(words.take())),
    "proto": ("protocol", lambda words, _: _protocol(words.take())),
    "metric": ("metric", lambda words, _: _number(words.take())),
    "scope": ("scope", lambda words, _: _scope(words.take())),
    "src": ("source", lambda words, _: parse_address(words.take())),
    "tos": ("tos", lambda words, _: _tos(words.take())),
    "from": ("sources", lambda words, family: _destination(words.take(), family)),
    "nhid": ("nhid", lambda words, _: _number(words.take())),
    "expires": ("expires", lambda words, _: _number(words.take().removesuffix("sec")) >= 0),
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
