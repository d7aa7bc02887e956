import copy
import pickle
import re
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.addresses import (
    contains,
    family_of,
    is_host_name,
    is_link_local_with_zone,
    overlap,
    parse_address,
    parse_interface_name,
    parse_network,
    sort_key,
)

SHELL_UNSAFE = re.compile(r"[^A-Za-z0-9_.:/@+-]")


@pytest.mark.parametrize("text", ["10.240.0.20", "0.0.0.0", "255.255.255.255", "fd00::20", "::", "::ffff:10.0.0.1"])
def test_addresses_are_parsed(text: str) -> None:
    assert parse_address(text) == ip_address(text)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("10.240.0.256", "'10.240.0.256' is not an address"),
        ("10.240.0", "'10.240.0' is not an address"),
        ("10.240.0.020", ("'10.240.0.020' is not an address: a number starts with 0, which `ip` reads as octal; "
         "write it without leading zeros")),
        ("010.240.0.20", ("'010.240.0.20' is not an address: a number starts with 0, which `ip` reads as octal; "
         "write it without leading zeros")),
        (" 10.240.0.20", "' 10.240.0.20' is not an address: it has spaces around it"),
        ("10.240.0.20\n", "'10.240.0.20\\n' is not an address: it has spaces around it"),
        ("10.240.0.20/24", "'10.240.0.20/24' is not an address: write it without the mask"),
        ("", "'' is not an address"),
        ("fe80::1%eth0", "'fe80::1%eth0' is not an address: it has a zone; write it without %eth0"),
        ("fe80::1%;reboot", "'fe80::1%;reboot' is not an address: it has a zone; write it without %;reboot"),
        (20, "20 is not an address; write it as text, such as 10.240.0.20"),
        (True, "True is not an address; write it as text, such as 10.240.0.20"),
        (None, "None is not an address; write it as text, such as 10.240.0.20"),
        (b"\x0a\xf0\x00\x14", "b'\\n\\xf0\\x00\\x14' is not an address; write it as text, such as 10.240.0.20"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_a_hint(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_address(value)


@pytest.mark.parametrize("text", ["10.200.0.0/16", "0.0.0.0/0", "10.200.0.1/32", "fd00:200::/48", "::/0"])
def test_networks_are_parsed(text: str) -> None:
    assert parse_network(text) == ip_network(text)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("10.200.0.0", "'10.200.0.0' has no mask; write a network such as 10.200.0.0/16"),
        ("", "'' has no mask; write a network such as 10.200.0.0/16"),
        ("10.200.0.1/16", ("'10.200.0.1/16' is not a network: it has host bits set; write 10.200.0.0/16, "
         "or another mask")),
        ("10.200.010.0/24", ("'10.200.010.0/24' is not a network: a number starts with 0, which `ip` reads as octal; "
         "write it without leading zeros")),
        ("10.200.0.0/33", "'10.200.0.0/33' is not a network"),
        ("10.200.0.0/255.255.0.0", "'10.200.0.0/255.255.0.0' is not a network: write the mask as a number of bits"),
        ("10.200.0.0/016", "'10.200.0.0/016' is not a network: write the mask as a number of bits"),
        ("10.200.0.0/16 ", "'10.200.0.0/16 ' is not a network: it has spaces around it"),
        ("fd00::%eth0/64", "'fd00::%eth0/64' is not a network: it has a zone; write it without %eth0"),
        ("fd00::%;reboot/64", "'fd00::%;reboot/64' is not a network: it has a zone; write it without %;reboot"),
        (10.2, "10.2 is not a network; write it as text, such as 10.200.0.0/16"),
        (["10.200.0.0/16"], "['10.200.0.0/16'] is not a network; write it as text, such as 10.200.0.0/16"),
    ],
)  # fmt: skip
def test_what_is_no_network_is_refused_with_a_hint(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_network(value)


@given(st.text() | st.from_regex(r"(10\.240\.0\.20|fe80::1)([%/ ;$`\n].*)?", fullmatch=True))
def test_what_is_accepted_is_safe_in_a_shell(text: str) -> None:
    for parse in (parse_address, parse_network, parse_interface_name):
        try:
            value = parse(text)
        except ValueError:
            continue
        assert SHELL_UNSAFE.search(str(value)) is None


@given(st.ip_addresses())
def test_an_address_survives_its_text(address: object) -> None:
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("name", ["eth0", "ens3", "eth0.7", "veth1a2b3c4", "br-lan", "wg+0", "e", "a" * 15, "eth0:1"])
def test_interface_names(name: str) -> None:
    assert parse_interface_name(name) == name


@pytest.mark.parametrize(
    "value",
    ["", " ", "eth 0", "eth0\n", "-eth0", "eth0;reboot", "$(reboot)", "`x`", "e|x", "e&x", "e>x", "eth/0", "..",
     "a" * 16, "é0", None, 0, b"eth0"],
)  # fmt: skip
def test_what_is_no_interface_name(value: object) -> None:
    with pytest.raises(ValueError, match=r"is not an interface name; write one such as eth0"):
        parse_interface_name(value)


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("worker-0", True),
        ("worker_0.example.org", True),
        ("0", True),
        ("a" * 253, True),
        ("a" * 254, False),
        ("-oProxyCommand=reboot", False),
        ("-", False),
        ("worker-", False),
        ("worker 0", False),
        ("worker-0\n", False),
        ("worker/0", False),
        ("wörker", False),
        ("", False),
    ],
)
def test_host_names(name: str, valid: bool) -> None:
    assert is_host_name(name) == valid


@pytest.mark.parametrize(
    ("outer", "inner", "inside"),
    [
        ("10.200.0.0/16", "10.200.7.0/24", True),
        ("10.200.0.0/16", "10.200.0.0/16", True),
        ("10.200.0.0/16", "10.0.0.0/8", False),
        ("10.200.0.0/16", "10.201.0.0/24", False),
        ("0.0.0.0/0", "::/0", False),
        ("::/0", "10.200.0.0/16", False),
        ("fd00::/48", "fd00:0:0:7::/64", True),
    ],
)
def test_contains_and_overlap_of_networks(outer: str, inner: str, inside: bool) -> None:
    one, other = ip_network(outer), ip_network(inner)
    assert contains(one, other) == inside
    nested = inside or (one.version == other.version and contains(other, one))
    assert overlap(one, other) == overlap(other, one) == nested


@pytest.mark.parametrize(
    ("network", "address", "inside"),
    [
        ("10.240.0.0/24", "10.240.0.255", True),
        ("10.240.0.0/24", "10.240.1.0", False),
        ("0.0.0.0/0", "::1", False),
        ("::/0", "10.0.0.1", False),
        ("fd00::/64", "fd00::1", True),
    ],
)
def test_contains_of_addresses(network: str, address: str, inside: bool) -> None:
    assert contains(ip_network(network), ip_address(address)) == inside


def test_sorting_is_by_family_address_and_mask() -> None:
    texts = ["fd00::/64", "10.200.10.0/24", "10.200.9.0/24", "10.200.0.0/24", "10.200.0.0/16"]
    networks = sorted((ip_network(text) for text in texts), key=sort_key)
    assert [str(network) for network in networks] == [
        "10.200.0.0/16", "10.200.0.0/24", "10.200.9.0/24", "10.200.10.0/24", "fd00::/64",
    ]  # fmt: skip
    assert [family_of(network) for network in networks] == [4, 4, 4, 4, 6]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (parse_address("10.240.0.20"), ip_address("10.240.0.20")),
        (parse_network("10.200.1.0/24"), ip_network("10.200.1.0/24")),
        (parse_address("fd00::1"), ip_address("fd00::1")),
        (parse_network("fd00:200::/64"), ip_network("fd00:200::/64")),
    ],
)
def test_what_is_parsed_is_what_ipaddress_makes_of_it(value: object, plain: object) -> None:
    assert (value, hash(value), str(value), repr(value), f"{value}") == (
        plain, hash(plain), str(plain), repr(plain), f"{plain}",
    )  # fmt: skip
    assert {plain: 1}[value] == 1
    assert pickle.loads(pickle.dumps(value)) == plain  # noqa: S301  # our own bytes
    assert copy.deepcopy(value) == plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fe80::1%eth0", True),
        ("FE80::aff:fef0:14%br-lan.7", True),
        ("fe80::1", False),
        ("fe80::1%", False),
        ("fe80::1%eth0;reboot", False),
        ("fd00::1%eth0", False),
        ("169.254.0.1%eth0", False),
        ("name%eth0", False),
    ],
)
def test_an_address_on_a_link_needs_its_zone(text: str, expected: bool) -> None:
    assert is_link_local_with_zone(text) is expected
