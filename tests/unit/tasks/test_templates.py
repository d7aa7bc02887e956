"""The files that are installed on hosts as they stand: sound, strict, and where the runbook expects them."""

import configparser
import ipaddress
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from podroutes.addresses import Family, IPNetwork, parse_network
from podroutes.host.managed_files import DATA_PATH, MARKER, SCRIPT_PATH
from podroutes.host.routes import ATTRIBUTES, DEFAULT_METRIC, ENCAPSULATIONS, PROTOCOL, STATE_WORDS, Route
from podroutes.plan.routes_service import render_data
from tasks.service_files import load_service_files
from tests.unit.podroutes.builders import dual_stack_cluster

TEMPLATES = Path(__file__).parents[3] / "tasks" / "templates"
SCRIPT = TEMPLATES / "basic-kubernetes-routes.sh"
UNIT = TEMPLATES / "routes.service"


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


def test_what_the_runbook_installs_is_these_files_with_what_the_planner_knows_filled_in() -> None:
    files = load_service_files()
    assert files.unit.encode() == UNIT.read_bytes()
    assert re.search(r"@[A-Z]", files.script) is None
    different = [
        filled
        for filled, line in zip(files.script.splitlines(), SCRIPT.read_text().splitlines(), strict=True)
        if filled != line
    ]
    assert different == [
        f"PROTOCOL={PROTOCOL} METRIC_IPV4={DEFAULT_METRIC[4]} METRIC_IPV6={DEFAULT_METRIC[6]}",
        f"STATE_WORDS='{' '.join(STATE_WORDS)}'",
        f"ATTRIBUTES='{' '.join(ATTRIBUTES)}'",
        f"ENCAPSULATIONS='{' '.join(ENCAPSULATIONS)}'",
    ]


def test_the_script_reads_what_the_runbook_writes() -> None:
    assert f"\nLIST=${{KUBERNETES_ROUTES_FILE:-{DATA_PATH}}}\n" in SCRIPT.read_text()


@pytest.mark.parametrize(("key", "action"), [("ExecStart", "add"), ("ExecReload", "add"), ("ExecStop", "del")])
def test_the_unit_runs_the_installed_script(key: str, action: str) -> None:
    assert unit_settings()["Service"][key] == f"{SCRIPT_PATH} {action}"


def test_the_unit_pulls_in_the_target_that_it_waits_for() -> None:
    unit = unit_settings()["Unit"]
    assert (unit["Wants"], unit["After"]) == ("network-online.target", "network-online.target")


def test_the_applied_set_outlives_a_restart_and_not_a_stop() -> None:
    service = unit_settings()["Service"]
    assert f"/run/{service['RuntimeDirectory']}/applied" in SCRIPT.read_text()
    assert service["RuntimeDirectoryPreserve"] == "restart"


def test_never_onlink() -> None:
    """With it the kernel would take any next hop, one that nobody can reach too."""
    listed = re.search(r"function ours\(\) \{\n(.*)\n", SCRIPT.read_text())
    assert listed is not None
    assert "onlink" not in listed[1]


@pytest.mark.parametrize("argv", [[], ["show"], ["add", "10.200.X.0/24"], [""]], ids=repr)
def test_wrong_usage(argv: list[str]) -> None:
    done = run("bash", SCRIPT, *argv)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "basic-kubernetes-routes.sh: usage: basic-kubernetes-routes.sh add|del|check\n"


# --- the list that the runbook writes and the script reads ---


def read_list(path: Path) -> subprocess.CompletedProcess[str]:
    """What the script's own reader makes of a list."""
    functions = re.findall(r"^(?:fail|read_list)\(\) \{\n.*?^\}\n", SCRIPT.read_text(), re.DOTALL | re.MULTILINE)
    return run("bash", "-euo", "pipefail", "-c", "\n".join([*functions, 'read_list "$1"']), SCRIPT.name, path)


networks = {
    4: st.tuples(st.integers(0, 2**24 - 1), st.integers(8, 32)).map(lambda drawn: (10 << 24 | drawn[0], drawn[1])),
    6: st.tuples(st.integers(0, 2**120 - 1), st.integers(8, 128)).map(lambda drawn: (0xFD << 120 | drawn[0], drawn[1])),
}
interfaces = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.@:+-]{0,14}", fullmatch=True)


@st.composite
def routes(draw: st.DrawFn, family: Family) -> Route:
    """One as a plan may have it."""
    destination = parse_network(str(ipaddress.ip_network(draw(networks[family]), strict=False)))
    via = draw(st.ip_addresses(v=family))
    return Route(destination, via, draw(interfaces), PROTOCOL, DEFAULT_METRIC[family])


def same_destination(route: Route) -> IPNetwork:
    return route.destination


@settings(max_examples=5, deadline=None)
@example([])  # a cluster of one worker
@given(st.lists(st.one_of(routes(4), routes(6)), max_size=30, unique_by=same_destination))
def test_the_script_accepts_whatever_the_runbook_writes(wanted: list[Route]) -> None:
    plan = dual_stack_cluster()
    data = render_data(plan, tuple(wanted), plan.nodes["worker-0"].pod_cidrs)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(data)
        file.flush()
        done = read_list(Path(file.name))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(data.splitlines(keepends=True)[1:])  # all but the comment


@pytest.mark.parametrize("bad", ["", "rout 10.200.1.0/24", "cluster 10.200.0.0/16\nroute 10.200.01.0/24"])
def test_what_it_can_not_read_is_78(tmp_path: Path, bad: str) -> None:
    (tmp_path / "routes").write_text(f"{bad}\n")
    assert read_list(tmp_path / "routes").returncode == 78
