"""Reading a host.

The samples are what the script prints on Debian 12 with systemd, on a fresh host and on a provisioned one that
was altered by hand.
"""

import base64
import os
import re
import shutil
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.addresses import Family, parse_address
from podroutes.errors import FactsError
from podroutes.host.managed_files import (
    BEFORE_PATH,
    FILE_PATHS,
    REPLACED_SCRIPT_PATH,
    REPLACED_UNIT_PATH,
    SCRIPT_PATH,
    SYSCTL_PATH,
    TEMPORARY_PATHS,
    UNIT_PATH,
)
from podroutes.host.network_managers import ManagedLink
from podroutes.host.parse_facts import parse_facts, parse_files
from podroutes.host.parse_links import parse_links
from podroutes.host.parse_unit import parse_unit
from podroutes.host.reading_script import reading_script
from podroutes.host.state import FileState, HostState, SysctlSetting, UnitState
from podroutes.host.sysctls import parse_boot_sysctls, parse_sysctl_lines, parse_sysctls, sysctl_key

SAMPLES = Path(__file__).parent / "samples"
NONCE = "factsSAMPLE"
PATHS = [path for path in FILE_PATHS if "*" not in path]
PARTS = [
    "missing", "ip_version", "systemd_version", "flock_version", "host", "network", "route4", "route6", "route_text",
    "sysctl_files", "settings", "managers", "unit", "links_to_unit", "overridden", "leftovers", "files",
    "contents",
]  # fmt: skip


def sample(name: str) -> str:
    with (SAMPLES / f"facts-{name}.txt").open(encoding="utf-8", newline="") as file:
        return file.read()


def parsed(text: str) -> HostState:
    return parse_facts(text, NONCE, families=(4, 6))


def test_a_fresh_host() -> None:
    state = parsed(sample("fresh"))
    assert state.host_name == "worker-0"
    assert list(state.links) == ["lo", "eth0", "cnio0", "pod0"]
    eth0 = state.links["eth0"]
    assert (eth0.up, eth0.carrier, eth0.mtu) == (True, True, 1500)
    assert [f"{own.ip} in {own.network}" for own in eth0.addresses] == [
        "10.240.0.20 in 10.240.0.0/24",
        "fe80::aff:fef0:14 in fe80::/64",
    ]
    assert state.link_with(parse_address("10.240.0.20")) == eth0
    assert state.link_with(parse_address("10.240.0.21")) is None
    assert [str(route) for route in state.routes[4]] == [
        "10.200.0.0/24 dev cnio0 proto kernel scope link src 10.200.0.1",
        "10.240.0.0/24 dev eth0 proto kernel scope link src 10.240.0.20",
    ]
    # four of five addresses have no way: nothing was printed for them
    assert [(str(address), lookup.dev) for address, lookup in state.lookups.items()] == [("10.240.0.20", "lo")]
    assert (state.sysctls["net.ipv4.ip_forward"], state.sysctls["net.ipv6.conf.eth0.accept_ra"]) == ("0", "1")
    assert state.boot_sysctls == ()
    assert state.files == {}
    assert state.unit == UnitState("not-found", "inactive", "")
    assert state.managers == {}


def test_a_provisioned_host_that_was_altered() -> None:
    state = parsed(sample("provisioned"))
    assert [str(route) for route in state.routes[4]] == [
        "0.0.0.0/0 via 10.240.0.1 dev eth0 proto dhcp metric 100",
        "10.77.0.0/24 via inet6 fd00:240::1 dev eth0 proto boot",
        "10.200.0.0/24 dev cnio0 proto kernel scope link src 10.200.0.1",
        "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201",
        "10.200.1.0/24 via 10.240.0.99 dev eth0 proto boot",
        "10.200.2.0/24 via 10.240.0.22 dev eth0 proto 201",
        (
            "10.200.9.0/24 proto static nexthop via inet 10.240.0.21 dev eth0 weight 1 "
            "nexthop via inet 10.240.0.22 dev eth0 weight 3"
        ),
        "blackhole 10.200.10.0/24 proto boot metric 7",
        "10.240.0.0/24 dev eth0 proto kernel scope link src 10.240.0.20",
    ]
    assert str(state.routes[6][0]) == "fd00:200:0:1::/64 via fd00:240::21 dev eth0 proto 201 metric 1024"
    assert {str(address): f"{lookup.via} {lookup.dev}" for address, lookup in state.lookups.items()} == {
        "10.200.1.1": "10.240.0.21 eth0",
        "10.200.2.1": "10.240.0.22 eth0",
        "10.77.0.1": "fd00:240::1 eth0",
        "10.240.0.20": "None lo",
        "fd00:200:0:1::1": "fd00:240::21 eth0",
    }
    assert state.route_text.splitlines()[0] == "default via 10.240.0.1 dev eth0 proto dhcp metric 100 "
    assert state.links["eth0"].mtu == 1450
    assert state.sysctls["net.ipv4.ip_forward"] == "1"
    assert state.boot_sysctls == (
        SysctlSetting(
            "/etc/sysctl.d/10-site.conf", "net.ipv4.conf.all.forwarding", "0", "net.ipv4.conf.all.forwarding=0"
        ),
        SysctlSetting(
            "/etc/sysctl.d/10-site.conf", "net/ipv6/conf/eth0.7/accept_ra", "2", "-net/ipv6/conf/eth0.7/accept_ra = 2"
        ),
        SysctlSetting(SYSCTL_PATH, "net.ipv4.ip_forward", "1", "net.ipv4.ip_forward = 1"),
    )
    unit = state.unit
    assert (unit.load, unit.active, unit.enabled) == ("loaded", "active", "enabled")
    assert (unit.drop_ins, unit.overridden) == ("/etc/systemd/system/routes.service.d/site.conf", frozenset({"Nice"}))
    assert (unit.properties["FragmentPath"], unit.properties["Type"]) == ((UNIT_PATH,), ("oneshot",))
    assert state.managers == {
        "eth0": ManagedLink(
            "systemd-networkd",
            "/run/systemd/network/10-netplan-eth0.network",
            (
                "/run/systemd/network/10-netplan-eth0.network.d/10.conf",
                "/etc/systemd/network/10-netplan-eth0.network.d/90-kubernetes-pod-routes.conf",
            ),
            leased=True,
        )
    }
    assert set(state.files) == set(PATHS)
    assert state.files[SCRIPT_PATH] == FileState("#!/bin/sh\n# Managed by pod-routes; edited\n", 0o755, 0, 0)
    assert state.files[SCRIPT_PATH].ours
    assert state.files[BEFORE_PATH].content.endswith(
        "net.ipv4.ip_forward = 0\nnet.ipv4.conf.all.accept_redirects = 1\n"
    )
    # somebody's, in Latin-1, and a masked unit
    assert state.files[REPLACED_SCRIPT_PATH] == FileState("caf\ufffd\n", 0o711, 65534, 65533)
    assert state.files[REPLACED_UNIT_PATH] == FileState("", 0o777, 0, 0, regular=False)
    assert not state.files[REPLACED_UNIT_PATH].ours


@pytest.mark.parametrize("name", ["fresh", "provisioned"])
def test_an_answer_that_was_cut_off_is_never_taken_for_a_host(name: str) -> None:
    text = sample(name)
    end = text.index(f"@{NONCE} end\n")
    for length in [*range(0, end, 97), end, end + 5]:
        with pytest.raises(FactsError, match="ends too early"):
            parsed(text[:length])
    assert parsed(text[: end + len(f"@{NONCE} end\n")]) == parsed(text)


@pytest.mark.parametrize("name", ["fresh", "provisioned"])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_missing_is_an_error(name: str, part: str) -> None:
    text = sample(name).replace(f"@{NONCE} {part}\n", f"@{NONCE} {part}x\n")
    with pytest.raises(FactsError, match=f"^the host's answer has no part {part}$"):
        parsed(text)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_could_not_be_read_is_an_error_whatever_it_has(part: str) -> None:
    words = f"@{NONCE} failed {part}\nexit status 2: stat: cannot statx '/x': Input/output error\n"
    text = sample("provisioned").replace(f"@{NONCE} end\n", f"{words}\n@{NONCE} end\n")
    with pytest.raises(FactsError) as raised:
        parsed(text)
    assert str(raised.value) == (
        f"reading the host failed in its part {part}: exit status 2: stat: cannot statx '/x': Input/output error"
    )


# What a program may print instead of what is asked for.
GARBAGE = st.sampled_from(
    ["x\n", "stat: No space left on device\n", "{}\n", "[]\n", "\x00\n", "sh: 1: ip: not found\n", "a=b\n", "@x\n"]
) | st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip() != "")


@given(st.sampled_from(sorted(set(PARTS) - {"host", "route_text"})), GARBAGE)
def test_a_part_that_holds_something_else_is_never_taken_for_a_host(part: str, garbage: str) -> None:
    """A name, and routes for people to read, may be any text."""
    before, frame, rest = sample("provisioned").partition(f"@{NONCE} {part}\n")
    _, next_frame, after = rest.partition(f"\n@{NONCE} ")
    try:
        state = parsed(f"{before}{frame}{garbage}{next_frame}{after}")
    except FactsError:
        return
    # A word may be a drop-in's setting.
    assert part == "overridden"
    assert state.unit.active == "active"


@pytest.mark.parametrize(
    ("part", "said", "message"),
    [
        ("missing", "flock\n", "needs flock (package util-linux)"),
        ("missing", "ip\nstat\n", "needs ip (package iproute2); needs stat (package coreutils)"),
        (
            "ip_version",
            "ip utility, iproute2-ss190107\n",
            "needs iproute2 5.3 or newer for `ip -j -N`: this host has iproute2-ss190107",
        ),
        (
            "systemd_version",
            "systemd 219\n+PAM\n",
            "needs systemd 244 or newer for Restart= of a oneshot service: this host has systemd 219",
        ),
        (
            "flock_version",
            "flock: unrecognized option '--version'\nBusyBox v1.35.0\n",
            (
                "needs flock of util-linux 2.23 or newer for --conflict-exit-code: "
                "this host has flock: unrecognized option '--version'"
            ),
        ),
    ],
)
def test_what_a_host_lacks_is_named(part: str, said: str, message: str) -> None:
    before, frame, rest = sample("fresh").partition(f"@{NONCE} {part}\n")
    _, next_frame, after = rest.partition(f"\n@{NONCE} ")
    # Whatever fails because of it is not what matters.
    failed = f"\n@{NONCE} failed network\nexit status 127: ip: not found\n"
    with pytest.raises(FactsError) as raised:
        parsed(f"{before}{frame}{said}{failed}{next_frame}{after}")
    assert str(raised.value) == message


def test_what_an_interrupted_write_has_left() -> None:
    drop_in = "/etc/systemd/network/10-eth0.network.d/.90-kubernetes-pod-routes.conf.new"
    paths = (TEMPORARY_PATHS[0], TEMPORARY_PATHS[3], drop_in)
    lines = "".join(f"{path}\n" for path in paths)
    text = sample("fresh").replace(f"@{NONCE} leftovers\n", f"@{NONCE} leftovers\n{lines}")
    assert parsed(text).leftovers == paths
    with pytest.raises(FactsError, match="an unexpected line in its part leftovers: /etc/passwd"):
        parsed(text.replace(paths[0], "/etc/passwd"))


@pytest.mark.parametrize("said", ["Cannot open netlink socket: Too many open files\n", "exit status 137\n"])
@pytest.mark.parametrize("part", ["route4", "route6"])
def test_a_listing_of_routes_that_failed_is_no_empty_table(part: str, said: str) -> None:
    text = re.sub(rf"(?s)(@{NONCE} {part}\n).*?(?=\n@{NONCE} )", lambda match: match[1] + said, sample("fresh"))
    with pytest.raises(FactsError, match=rf"^`ip route` printed what can't be understood: '{said.strip()}'"):
        parsed(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("worker-0\n", "\n", "the host's answer has no host name"),
        ("/proc/sys/net/ipv4/ip_forward:0\n", "", "the host's answer has no net.ipv4.ip_forward"),
        ("/ipv6/conf/all/forwarding:", "/x:", "the host's answer has no net.ipv6.conf.all.forwarding"),
        ("ActiveState=inactive", "ActiveState=", "`systemctl show` printed a unit that is 'not-found' and ''"),
        ('"ifname":"eth0"', '"ifname":"e t"', "`ip -j address` printed what can't be understood: "),
        ('"local":"10.240.0.20"', '"local":"10.240.0.256"', "`ip -j address` printed what can't be understood: "),
        ('"local":"10.240.0.20"', '"local":"fe80::1%;x"', "`ip -j address` printed what can't be understood: "),
        ('"prefixlen":24', '"prefixlen":129', "`ip -j address` printed what can't be understood: "),
        ('"prefixlen":24', '"prefixlen":33', "`ip -j address` printed what can't be understood: "),
        ("\n10.200.0.0/24 dev cnio0 proto 2 ", "\n10.200.0.0/024 dev cnio0 proto 2 ",
         "`ip route` printed what can't be understood: "),
        ('[{"type":"local"', '[[{"type":"local"', "`ip -j route get` printed what can't be understood: "),
        ("LoadState=not-found\n", "",
         "`systemctl show` printed a unit without its LoadState; does this host run systemd?"),
    ],
)  # fmt: skip
def test_what_can_not_be_understood_is_one_line(old: str, new: str, message: str) -> None:
    text = sample("fresh").replace(old, new)
    assert text != sample("fresh")
    with pytest.raises(FactsError) as raised:
        parsed(text)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "noise",
    ["", "\r\n", "motd\r\n\r\n", "@facts end\n", f"x@{NONCE} end\n", "{}\n[]\n", "\x1b[31m", "@factsOTHER host\nx\n"],
)
def test_what_a_login_shell_prints_before_does_not_matter(noise: str) -> None:
    assert parsed(noise + sample("fresh")) == parsed(sample("fresh"))


def test_an_answer_through_a_terminal_is_refused_rather_than_half_read() -> None:
    with pytest.raises(FactsError):
        parsed(sample("fresh").replace("\n", "\r\n"))


# --- parts ---


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        ("net.ipv6.conf.eth0/7.accept_ra", "net/ipv6/conf/eth0.7/accept_ra"),
        ("net/ipv6/conf/eth0.7/accept_ra", "net/ipv6/conf/eth0.7/accept_ra"),
        ("vm", "vm"),
        ("", ""),
    ],
)
def test_a_kernel_parameter_has_one_name(name: str, key: str) -> None:
    assert sysctl_key(name) == key
    assert sysctl_key(key) == key


def test_sysctls_of_the_kernel() -> None:
    text = "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv6/conf/eth0.7/accept_ra:2\ngrep: x: denied\nnoise\n"
    assert parse_sysctls(text) == {"net.ipv4.ip_forward": "1", "net/ipv6/conf/eth0.7/accept_ra": "2"}


def test_lines_of_a_sysctl_file() -> None:
    text = "# a = 1\n; a = 1\n\nnet.ipv4.ip_forward=1\n - net/ipv6/conf/all/forwarding = 0 \nnothing\na = b = c\n"
    assert parse_sysctl_lines(text) == {
        "net.ipv4.ip_forward": "1",
        "net.ipv6.conf.all.forwarding": "0",
        "a": "b = c",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, []),
        ({"/etc/sysctl.d/*.conf": ""}, []),
        # by name, whatever the directory
        (
            {"/etc/sysctl.d/99-z.conf": "1", "/usr/lib/sysctl.d/50-a.conf": "2", "/run/sysctl.d/70-m.conf": "3"},
            ["/usr/lib/sysctl.d/50-a.conf 2", "/run/sysctl.d/70-m.conf 3", "/etc/sysctl.d/99-z.conf 1"],
        ),
        # of one name, the strongest directory's alone
        (
            {"/run/sysctl.d/99-z.conf": "1", "/usr/lib/sysctl.d/99-z.conf": "2", "/lib/sysctl.d/99-z.conf": "3"},
            ["/run/sysctl.d/99-z.conf 1"],
        ),
        ({"/lib/sysctl.d/99-z.conf": "1", "/etc/sysctl.d/99-z.conf": "2"}, ["/etc/sysctl.d/99-z.conf 2"]),
        # an empty file, or a link to /dev/null, hides one as well
        ({"/etc/sysctl.d/99-z.conf": "", "/usr/lib/sysctl.d/99-z.conf": "2"}, []),
        ({"/etc/sysctl.d/99-a:b.conf": "1"}, ["/etc/sysctl.d/99-a:b.conf 1"]),
        ({"/etc/elsewhere/99-z.conf": "1"}, []),
    ],
)
def test_what_is_set_at_boot_and_in_which_order(files: dict[str, str], expected: list[str]) -> None:
    listing = "\n".join(files)
    lines = "\n".join(f"{path}:net.ipv4.ip_forward = {value}" for path, value in files.items() if value)
    assert [f"{setting.path} {setting.value}" for setting in parse_boot_sysctls(listing, lines)] == expected


def test_lines_of_one_file_stay_in_their_order() -> None:
    path = "/etc/sysctl.d/99-z.conf"
    settings = parse_boot_sysctls(path, f"{path}:net.ipv4.ip_forward=1\n{path}:-net/ipv4/ip_forward = 0\n")
    assert [setting.value for setting in settings] == ["1", "0"]


@pytest.mark.parametrize(
    ("listing", "contents"),
    [
        ("/etc/passwd 81a4 0 0\n", "/etc/passwd \n"),
        (f"{SYSCTL_PATH} 81a4 0\n", f"{SYSCTL_PATH} \n"),
        (f"{SYSCTL_PATH} \n", f"{SYSCTL_PATH} \n"),
        (f"{SYSCTL_PATH} zzzz 0 0\n", f"{SYSCTL_PATH} \n"),
        (f"{SYSCTL_PATH} -1 0 0\n", ""),
        (f"{SYSCTL_PATH} {'f' * 40} 0 0\n", ""),
        (f"{SYSCTL_PATH} 81a4 root root\n", f"{SYSCTL_PATH} \n"),
        (f"{SYSCTL_PATH} 81a4 0 0\n", f"{SYSCTL_PATH} %%%\n"),
        (f"{SYSCTL_PATH} 81a4 0 0\n", f"{SYSCTL_PATH} abc\n"),
        (f"{SYSCTL_PATH} 81a4 0 0\n", f"{SYSCTL_PATH}\n"),
        # a digest that nobody knows; a regular file without its content; a content of no file; cut off
        (f"{SYSCTL_PATH} 81a4 0 0\n", f"{SYSCTL_PATH} sha256:00\n"),
        (f"{SYSCTL_PATH} 81a4 0 0\n", ""),
        ("", f"{SYSCTL_PATH} \n"),
        (f"{SYSCTL_PATH} 81a4 0 0\n", f"{SYSCTL_PATH} "),
    ],
)
def test_what_is_no_answer_about_files(listing: str, contents: str) -> None:
    with pytest.raises(FactsError, match=r"^the host's answer about its files can't be understood$"):
        parse_files(listing, contents, {})


def test_a_content_that_is_known_comes_as_its_digest() -> None:
    files = parse_files(f"{SYSCTL_PATH} 81a4 0 0\n", f"{SYSCTL_PATH} sha256:ab12\n", {"ab12": "ours\n"})
    assert files == {SYSCTL_PATH: FileState("ours\n", 0o644, 0, 0)}


@given(st.text() | st.from_regex(r"[a-z\[\{\]\}=: \n0-9\"]*"))
def test_any_text_is_understood_or_a_facts_error(text: str) -> None:
    for parse in (parse_links, partial(parse_unit, linked=False), partial(parse_files, contents=text, known={})):
        with suppress(FactsError):
            parse(text)
    parse_sysctls(text)
    parse_sysctl_lines(text)
    parse_boot_sysctls(text, text)
    framed = sample("fresh").replace("LoadState=not-found", text)
    with suppress(FactsError):
        parsed(framed)


file_states = st.dictionaries(
    st.sampled_from(PATHS),
    st.builds(
        FileState,
        st.text(st.characters(codec="utf-8")),
        st.integers(0, 0o7777),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
    ),
)


@given(file_states)
def test_files_survive_the_way(files: dict[str, FileState]) -> None:
    listing = "".join(f"{path} {file.mode | 0o100000:x} {file.uid} {file.gid}\n" for path, file in files.items())
    contents = "".join(f"{path} {base64.b64encode(file.content.encode()).decode()}\n" for path, file in files.items())
    assert parse_files(listing, contents, {}) == files


words = st.text(st.characters(categories=["L", "N"]), max_size=8)
SHOWN = "LoadState={}\nActiveState=active\nUnitFileState={}\nFragmentPath=\nDropInPaths={}\n"


@given(words, words.map("/etc/systemd/system/routes.service.d/{}.conf".format), st.frozensets(words))
def test_a_unit_survives_the_way(enabled: str, drop_ins: str, overridden: frozenset[str]) -> None:
    unit = parse_unit(SHOWN.format("not-found", enabled, drop_ins), linked=False, overridden=overridden)
    assert unit == UnitState(
        "not-found", "active", enabled if enabled != "enabled" else "disabled", drop_ins, {}, overridden
    )


def test_a_drop_in_for_all_services_is_the_distributions() -> None:
    both = "/usr/lib/systemd/system/service.d/10-abort.conf /run/systemd/system/routes.service.d/x.conf"
    unit = parse_unit(SHOWN.format("loaded", "enabled", both), linked=True)
    assert unit.drop_ins == "/run/systemd/system/routes.service.d/x.conf"


def test_a_property_may_have_several_lines() -> None:
    text = SHOWN.format("loaded", "enabled", "") + "ExecStart={ a }\nExecStart={ b }\nUser=\nNice=5\n"
    properties = parse_unit(text, linked=True).properties
    assert properties == {"FragmentPath": ("",), "ExecStart": ("{ a }", "{ b }"), "User": ("",)}


@pytest.mark.parametrize(
    ("shown", "linked", "enabled"),
    [
        # systemd says what it has read; links may be newer
        ("enabled", True, "enabled"),
        ("enabled", False, "disabled"),
        ("disabled", True, "enabled"),
        ("disabled", False, "disabled"),
        ("static", False, "static"),
        ("", False, ""),
        # what masks a unit is stronger than links to it
        ("masked", True, "masked"),
        ("masked-runtime", True, "masked-runtime"),
        ("masked", False, "masked"),
        # until the next boot only
        ("enabled-runtime", False, "enabled-runtime"),
    ],
)
def test_links_on_disk_say_whether_a_unit_is_enabled(shown: str, linked: bool, enabled: str) -> None:
    assert parse_unit(SHOWN.format("loaded", shown, ""), linked=linked).enabled == enabled


# --- the script ---


def test_the_script_runs_here_to_its_end_and_frames_every_part() -> None:
    text = reading_script(NONCE, families=(4, 6), lookups=["route get 127.0.0.1", "route get ::1"])
    result = subprocess.run(["sh"], input=text, capture_output=True, text=True, check=True)
    frames = re.findall(rf"^@{NONCE} (.+)$", result.stdout, re.MULTILINE)
    # systemd may not be what runs here
    assert [frame for frame in frames if frame != "failed unit"] == [*PARTS, "end"]
    # systemd may not be what runs here; the rest is any Linux's
    unit = parsed(sample("fresh")).unit
    block = sample("fresh").partition(f"@{NONCE} unit\n")[2].partition(f"@{NONCE} links_to_unit")[0]
    patched = re.sub(
        rf"(?s)(@{NONCE} unit\n).*?(@{NONCE} links_to_unit\n)", lambda m: m[1] + block + m[2], result.stdout
    )
    state = parsed(patched)
    assert (state.unit, state.host_name) == (unit, Path("/proc/sys/kernel/hostname").read_text().strip())
    assert parse_address("127.0.0.1") in state.lookups
    assert "lo" in state.links


@pytest.mark.parametrize(
    ("program", "part"),
    [
        ("stat", "files"),
        ("sha256sum", "contents"),
        ("base64", "contents"),
        ("grep", "settings"),
        ("systemctl", "unit"),
        ("ip", "network"),
        ("sed", "overridden"),
    ],
)
@pytest.mark.parametrize("status", [1, 2, 127, 137])
def test_a_program_that_fails_is_an_error_that_names_it(tmp_path: Path, program: str, part: str, status: int) -> None:
    if program == "grep" and status == 1:
        pytest.skip("it found nothing, which is an answer")
    real = shutil.which(program)
    assert real is not None
    stand_ins = {
        # systemd may not be what runs here
        "systemctl": "case $1 in show) cat $0.txt ;; *) printf 'systemd 252\\n' ;; esac\n",
        program: f'case $1 in -V | --version) exec {real} "$@" ;; esac\n'
        f"echo {program}: Input/output error >&2; exit {status}\n",
    }
    (tmp_path / "bin").mkdir()
    for name, text in stand_ins.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / "bin" / name).chmod(0o755)
    drop_in = tmp_path / "etc/systemd/system/routes.service.d/x.conf"
    shown = SHOWN.format("loaded", "enabled", drop_in)
    (tmp_path / "bin/systemctl.txt").write_text(shown)
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nNice=1\n")
    script = reading_script(NONCE, families=(4,), lookups=["route get 127.0.0.1", "route get 240.0.0.1"])
    script = script.replace("/etc/systemd/system/routes.service ", f"{drop_in.parent.parent}/routes.service ")
    (drop_in.parent.parent / "routes.service").write_text("x\n")
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    result = subprocess.run(["sh"], input=script, capture_output=True, text=True, env=environment, check=True)
    with pytest.raises(FactsError) as raised:
        parse_facts(result.stdout, NONCE, families=(4,))
    said = f"exit status {status}: {program}: Input/output error"
    assert str(raised.value) == f"reading the host failed in its part {part}: {said}"


@pytest.mark.parametrize(("families", "line"), [((4,), "families=4"), ((6,), "families=6"), ((4, 6), "families='4 6'")])
def test_only_the_clusters_families_are_read(families: tuple[Family, ...], line: str) -> None:
    text = reading_script(NONCE, families=families, lookups=[])
    assert f"\n{line}\n" in text
    assert ("/proc/sys/net/ipv6/conf/*/accept_ra" in text) == (6 in families)
