"""Reading a host.

The samples are what the script prints on Debian 12 with systemd, on a fresh host and on a provisioned one that
was altered by hand.
"""

import base64
import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podroutes.errors import FactsError
from podroutes.facts import (
    FILE_PATHS,
    facts_script,
    parse_boot_sysctls,
    parse_facts,
    parse_files,
    parse_links,
    parse_sysctl_lines,
    parse_sysctls,
    parse_unit,
    sysctl_key,
)
from podroutes.host_state import (
    BEFORE_PATH,
    REPLACED_SCRIPT_PATH,
    REPLACED_UNIT_PATH,
    SCRIPT_PATH,
    SYSCTL_PATH,
    FileState,
    HostState,
    SysctlSetting,
    UnitState,
)
from podroutes.network_managers import ManagedLink
from podroutes.values import parse_address

SAMPLES = Path(__file__).parent / "samples"
NONCE = "factsSAMPLE"


def sample(name: str) -> str:
    with (SAMPLES / f"facts-{name}.txt").open(encoding="utf-8", newline="") as file:
        return file.read()


def parsed(text: str) -> HostState:
    return parse_facts(text, NONCE, families=(4, 6))


def test_a_fresh_host() -> None:
    state = parsed(sample("fresh"))
    assert (state.host_name, state.boot_id) == ("worker-0", "17843325-31ae-4535-a5ca-4b7294ddde85")
    assert state.machine_id == "cf33554bd5924fc8b1070b87cf9b3c9b"
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
    assert state.unit == UnitState("not-found", "inactive", "", needs_reload=False, result="success")
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
        SysctlSetting("/etc/sysctl.d/10-site.conf", "net.ipv4.conf.all.forwarding", "0"),
        SysctlSetting("/etc/sysctl.d/10-site.conf", "net/ipv6/conf/eth0.7/accept_ra", "2"),
        SysctlSetting(SYSCTL_PATH, "net.ipv4.ip_forward", "1"),
    )
    assert state.boot_value("net.ipv4.ip_forward") == state.boot_sysctls[-1]
    assert state.boot_value("net.ipv6.conf.all.forwarding") is None
    assert state.unit == UnitState(
        "loaded", "active", "enabled", needs_reload=True,
        drop_ins="/etc/systemd/system/routes.service.d/site.conf", result="success",
    )  # fmt: skip
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
    assert set(state.files) == set(FILE_PATHS)
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


@pytest.mark.parametrize("part", ["host", "network", "route6", "route_text", "settings", "managers", "unit", "files"])
def test_a_part_that_is_missing_is_an_error(part: str) -> None:
    text = sample("fresh").replace(f"@{NONCE} {part}\n", f"@{NONCE} {part}x\n")
    with pytest.raises(FactsError, match=f"^the host's answer has no part {part}$"):
        parsed(text)


def without(*parts: str) -> Callable[[str], str]:
    def cut(text: str) -> str:
        for part in parts:
            text = re.sub(rf"(?ms)^@{NONCE} {part}\n.*?(?=^@{NONCE} )", "", text)
        return text

    return cut


def test_parts_that_only_add_may_be_missing() -> None:
    state = parsed(without("sysctl_files", "links_to_unit")(sample("provisioned")))
    assert state.boot_sysctls == ()


def test_routes_and_lookups_are_told_apart_where_there_are_none_of_either() -> None:
    text = sample("provisioned")
    before, frame, rest = text.partition(f"@{NONCE} network\n")
    network, next_frame, after = rest.partition(f"\n@{NONCE} route6\n")
    routes, links, lookups = network.split("\n", 2)
    whole = parsed(text)

    def read(*lines: str) -> HostState:
        return parsed(f"{before}{frame}{''.join(f'{line}{chr(10)}' for line in lines)}{next_frame}{after}")

    assert read(routes, links).lookups == {}
    assert read(routes, links).routes == whole.routes
    assert (read(links, lookups).routes[4], read(links, lookups).lookups) == ((), whole.lookups)
    assert read("[]", links).routes[4] == ()
    for lines in ([], [""], [routes], [routes, lookups]):
        with pytest.raises(FactsError, match=r"^`ip -j address` printed what can't be understood: "):
            read(*lines)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("worker-0\n", "\n", "the host did not tell its name, boot id and machine id"),
        ("cf33554bd5924fc8b1070b87cf9b3c9b\n", "", None),  # a host without /etc/machine-id is a host
        ('"ifname":"eth0"', '"ifname":"e t"', "`ip -j address` printed what can't be understood: "),
        ('"local":"10.240.0.20"', '"local":"10.240.0.256"', "`ip -j address` printed what can't be understood: "),
        ('"local":"10.240.0.20"', '"local":"fe80::1%;x"', "`ip -j address` printed what can't be understood: "),
        ('"prefixlen":24', '"prefixlen":129', "`ip -j address` printed what can't be understood: "),
        ('"prefixlen":24', '"prefixlen":33', "`ip -j address` printed what can't be understood: "),
        ('[{"dst":"10.200.0.0/24"', '[{"dst":"10.200.0.0/024"', "`ip -j route` printed what can't be understood: "),
        ('[{"type":"local"', '[[{"type":"local"', "`ip -j route get` printed what can't be understood: "),
        ("LoadState=not-found\n", "",
         "`systemctl show` printed a unit without its LoadState; does this host run systemd?"),
    ],
)  # fmt: skip
def test_what_can_not_be_understood_is_one_line(old: str, new: str, message: str | None) -> None:
    text = sample("fresh").replace(old, new)
    assert text != sample("fresh")
    if message is None:
        assert parsed(text).machine_id == ""
        return
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
    "text",
    [
        "/etc/passwd 81a4 0 0\n\n",
        f"{SYSCTL_PATH} 81a4 0\n\n",
        f"{SYSCTL_PATH} \n\n",
        f"{SYSCTL_PATH} zzzz 0 0\n\n",
        f"{SYSCTL_PATH} 81a4 0 0\n%%%\n",
        f"{SYSCTL_PATH} 81a4 0 0\nabc\n",
        f"{SYSCTL_PATH} -1 0 0\n\n",
        f"{SYSCTL_PATH} {'f' * 40} 0 0\n\n",
        f"{SYSCTL_PATH} 81a4 root root\n\n",
    ],
)
def test_what_is_no_answer_about_files(text: str) -> None:
    with pytest.raises(FactsError, match=r"^the host's answer about its files can't be understood$"):
        parse_files(text)


@given(st.text() | st.from_regex(r"[a-z\[\{\]\}=: \n0-9\"]*"))
def test_any_text_is_understood_or_a_facts_error(text: str) -> None:
    for parse in (parse_links, partial(parse_unit, linked=False), parse_files):
        with suppress(FactsError):
            parse(text)
    parse_sysctls(text)
    parse_sysctl_lines(text)
    parse_boot_sysctls(text, text)
    framed = sample("fresh").replace("LoadState=not-found", text)
    with suppress(FactsError):
        parsed(framed)


file_states = st.dictionaries(
    st.sampled_from(FILE_PATHS),
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
    text = "".join(
        f"{path} {file.mode | 0o100000:x} {file.uid} {file.gid}\n{base64.b64encode(file.content.encode()).decode()}\n"
        for path, file in files.items()
    )
    assert parse_files(text) == files


words = st.text(st.characters(categories=["L", "N"]), max_size=8)


@given(st.builds(UnitState, words, words, words, st.booleans(), words, words))
def test_a_unit_survives_the_way(unit: UnitState) -> None:
    text = (
        f"Result={unit.result}\nLoadState={unit.load}\nActiveState={unit.active}\nDropInPaths={unit.drop_ins}\n"
        f"UnitFileState={unit.enabled}\nNeedDaemonReload={'yes' if unit.needs_reload else 'no'}\n"
    )
    assert parse_unit(text, linked=False) == unit


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
    assert parse_unit(f"LoadState=loaded\nUnitFileState={shown}\n", linked=linked).enabled == enabled


# --- the script ---


def test_the_script_runs_here_to_its_end_and_frames_every_part() -> None:
    text = facts_script(NONCE, families=(4, 6), lookups=["route get 127.0.0.1", "route get ::1"])
    result = subprocess.run(["sh"], input=text, capture_output=True, text=True, check=True)
    assert re.findall(rf"^@{NONCE} (\w+)$", result.stdout, re.MULTILINE) == [
        "host", "network", "route6", "route_text", "sysctl_files", "settings", "managers",
        "unit", "links_to_unit", "files", "end",
    ]  # fmt: skip
    # systemd may not be what runs here; the rest is any Linux's
    unit = parsed(sample("fresh")).unit
    block = sample("fresh").partition(f"@{NONCE} unit\n")[2].partition(f"@{NONCE} files")[0]
    patched = re.sub(rf"(?s)(@{NONCE} unit\n).*?(@{NONCE} files\n)", lambda m: m[1] + block + m[2], result.stdout)
    state = parsed(patched)
    assert (state.unit, state.host_name) == (unit, Path("/proc/sys/kernel/hostname").read_text().strip())
    assert parse_address("127.0.0.1") in state.lookups
    assert "lo" in state.links


@pytest.mark.parametrize(
    ("families", "there", "absent"), [((4,), "\nroute show", "-6 route"), ((6,), "-6 route", "\nroute show")]
)
def test_only_the_clusters_families_are_read(families: tuple[int, ...], there: str, absent: str) -> None:
    text = facts_script(NONCE, families=families, lookups=[])  # type: ignore[arg-type]
    assert there in text
    assert absent not in text
    assert ("/proc/sys/net/ipv6/conf/*/accept_ra" in text) == (6 in families)
    assert "@@" not in text
