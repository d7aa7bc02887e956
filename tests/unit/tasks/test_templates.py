"""The files that are installed on hosts as they stand: sound, strict, and where the runbook expects them."""

import configparser
import ipaddress
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from podroutes.host_state import DATA_PATH, MARKER, SCRIPT_PATH
from tasks.routes_service import load_service_files

TEMPLATES = Path(__file__).parents[3] / "tasks" / "templates"
SCRIPT = TEMPLATES / "basic-kubernetes-routes.sh"
UNIT = TEMPLATES / "routes.service"
AWKS = [awk for awk in ("mawk", "gawk", "original-awk") if shutil.which(awk) is not None]


def run(*argv: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in argv], input=stdin, text=True, capture_output=True, check=False, timeout=30
    )


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")


def unit_settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read_string(UNIT.read_text())
    return parser


def planner() -> str:
    found = re.search(r"^readonly PLANNER='\n(.*?)^'$", SCRIPT.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def refused_lines(lines: Sequence[str], awk: str = "awk") -> set[int]:
    """Numbers, from 1, of the lines of a routes file that the planner refuses."""
    text = "".join(f"{line}\n" for line in lines)
    parts = "\n".join([*"\1\1\1\1", ""])
    done = run(awk, "-v", "action=check", "-v", "routes_file=F", "-v", "SEPARATOR=\1", planner(), stdin=text + parts)
    assert done.returncode == 0, done.stderr
    count = int(done.stdout.split()[0])
    return {int(line.split(":")[1]) for line in done.stdout.splitlines()[1 : count + 1]}


# --- the files ---


@needs("shellcheck")
def test_shellcheck_has_nothing_to_say() -> None:
    done = run("shellcheck", SCRIPT)
    assert (done.returncode, done.stdout) == (0, "")


def test_bash_can_read_the_script() -> None:
    assert run("bash", "-n", SCRIPT).returncode == 0
    assert SCRIPT.read_text().startswith("#!/bin/bash\n")


@needs("systemd-analyze")
def test_systemd_can_read_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(SCRIPT_PATH, "/bin/true"))
    done = run("systemd-analyze", "verify", "--man=no", copy)
    assert (done.returncode, done.stderr) == (0, "")


@needs("systemd-analyze")
def test_the_unit_stays_hardened(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text())
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", copy)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd cannot score a file")
    assert done.returncode == 0, done.stdout[-200:]


@pytest.mark.parametrize("path", [SCRIPT, UNIT], ids=lambda path: path.name)
def test_says_at_its_top_who_manages_it(path: Path) -> None:
    text = path.read_text()
    assert MARKER in "".join(text.splitlines(keepends=True)[:3])
    assert text.endswith("\n")
    assert "{{" not in text
    assert text.isascii()


def test_what_the_runbook_installs_is_these_files_byte_for_byte() -> None:
    files = load_service_files()
    assert (files.script.encode(), files.unit.encode()) == (SCRIPT.read_bytes(), UNIT.read_bytes())


def test_the_script_reads_what_the_runbook_writes() -> None:
    assert f"ROUTES_FILE=${{KUBERNETES_ROUTES_FILE:-{DATA_PATH}}}\n" in SCRIPT.read_text()


@pytest.mark.parametrize(("key", "action"), [("ExecStart", "add"), ("ExecReload", "add"), ("ExecStop", "del")])
def test_the_unit_runs_the_installed_script(key: str, action: str) -> None:
    assert unit_settings()["Service"][key] == f"{SCRIPT_PATH} {action}"


def test_the_unit_pulls_in_the_target_that_it_waits_for() -> None:
    unit = unit_settings()["Unit"]
    assert (unit["Wants"], unit["After"]) == ("network-online.target", "network-online.target")


def test_the_applied_set_outlives_a_stopped_unit() -> None:
    service = unit_settings()["Service"]
    assert f"/run/{service['RuntimeDirectory']}/applied" in SCRIPT.read_text()
    assert service["RuntimeDirectoryPreserve"] == "yes"


def test_never_onlink() -> None:
    """With it the kernel would take any next hop, one that nobody can reach too."""
    for line in SCRIPT.read_text().splitlines():
        assert "onlink" not in line or 'word == "onlink"' in line


@pytest.mark.parametrize("argv", [[], ["show"], ["add", "10.200.X.0/24"], [""]], ids=repr)
def test_wrong_usage(argv: list[str]) -> None:
    done = run("bash", SCRIPT, *argv)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "basic-kubernetes-routes.sh: usage: basic-kubernetes-routes.sh add|del|check\n"


# --- the parser, against Python's own ---

GOOD = ["cluster 10.0.0.0/8", "cluster fd00::/16"]


def is_good_route(destination: str, via: str) -> bool:
    try:
        network, hop = ipaddress.ip_network(destination), ipaddress.ip_address(via)
    except ValueError:
        return False
    if network.version != hop.version or "/" not in destination:
        return False
    if hop.is_multicast or hop.is_loopback or hop.is_unspecified:
        return False
    if hop.version == 4 and (hop.packed[0] in (0, 127) or hop.packed[0] >= 224):
        return False
    range_ = ipaddress.ip_network("10.0.0.0/8" if network.version == 4 else "fd00::/16")
    return network.subnet_of(range_)  # type: ignore[arg-type]  # both are of one family


ipv4_text = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.from_regex(r"10\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,4}", fullmatch=True),
    st.from_regex(r"[0-9.]{1,12}", fullmatch=True),
)
ipv6_text = st.one_of(
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
    st.from_regex(r"fd00(:[0-9a-f]{0,5}){1,8}", fullmatch=True),
    st.from_regex(r"fd00::[0-9a-f:]{0,12}", fullmatch=True),
    st.from_regex(r"fd00::(10|256|010)\.200\.1\.[0-9]{1,3}", fullmatch=True),
)
network_text = st.one_of(
    st.integers(0, 2**24 - 1).map(lambda n: f"{ipaddress.IPv4Address((10 << 24) | n)}/32"),
    st.tuples(st.integers(0, 2**24 - 1), st.integers(8, 32)).map(
        lambda pair: str(ipaddress.ip_network(((10 << 24) | pair[0], pair[1]), strict=False))
    ),
    st.tuples(st.integers(0, 2**112 - 1), st.integers(16, 128)).map(
        lambda pair: str(ipaddress.ip_network(((0xFD00 << 112) | pair[0], pair[1]), strict=False))
    ),
    st.tuples(st.one_of(ipv4_text, ipv6_text), st.from_regex(r"(/[0-9]{0,3})?", fullmatch=True)).map("".join),
)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(network_text, st.one_of(ipv4_text, ipv6_text)), min_size=20, max_size=40))
@example([("10.200.010.0/24", "10.240.0.21"), ("10.200.1.0/24", "010.240.0.21"), ("10.200.1.1/24", "10.240.0.21")])
@example([("fd00::/16", "fd00:1:2:3:4:5:6::"), ("fd00:1::/32", "fd00:1:2:3::4:5:6:7"), ("fd00:2::/32", "fd00:::1")])
@example([("10.0.0.0/8", "fd00::1"), ("fd00:1::/32", "::1"), ("fd00:2::/32", "::"), ("fd00:3::/32", "ff02::1")])
def test_accepts_a_route_exactly_when_python_does(pairs: list[tuple[str, str]]) -> None:
    lines = [*GOOD]
    wanted, seen = set(), set()
    for destination, via in pairs:
        lines.append(f"route {destination} via {via} dev eth0")
        # A second route to one network is bad too; the test is about addresses.
        if not is_good_route(destination, via) or (network := ipaddress.ip_network(destination)) in seen:
            wanted.add(len(lines))
        else:
            seen.add(network)
    assert refused_lines(lines) == wanted


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_reads_the_planner_alike(awk: str) -> None:
    lines = [
        *GOOD,
        "route 10.200.1.0/24 via 10.240.0.21 dev eth0",
        "route 10.200.010.0/24 via 10.240.0.21 dev eth0",
        "route FD00:200:0:1:0::/64 via fd00::10.240.0.21 dev eth0",
        "route fd00:200:0:1::/64 via fd00:240::21 dev eth0",
        "rout 10.200.2.0/24 via 10.240.0.22 dev eth0",
        "\troute  10.200.2.0/24\tvia 10.240.0.22 dev br-0.100 # a comment",
        "route 10.200.3.0/24 via 10.240.0.22 dev eth0\r",
        "route 10.200.4.0/24 via 10.240.0.22 dev eth0é",
    ]
    assert refused_lines(lines, awk) == {4, 6, 7, 9, 10}
