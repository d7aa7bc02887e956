"""Every Python snippet of the documentation runs as it stands, and a second time."""

import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from lab import enter
from tests.integration.cluster import ROOT, Cluster
from tests.integration.inventories import Inventory

_SNIPPET = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_NETMIKO = {"ssh_strict": True, "system_host_keys": True, "use_keys": True, "allow_agent": True}


def snippets() -> dict[str, str]:
    """All snippets, by file and number."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return {
        f"{file.relative_to(ROOT)} {number}": textwrap.dedent(match[2])
        for file in files
        for number, match in enumerate(_SNIPPET.finditer(file.read_text()), 1)
    }


SNIPPETS = snippets()
RUNBOOK = SNIPPETS["docs/adding-a-task.md 1"]
CAPABILITY = SNIPPETS["docs/adding-a-task.md 2"]


def run(cluster: Cluster, script: str, inventory: Inventory | None = None) -> str:
    """What a script prints that an engineer runs beside the inventory."""
    chosen = cluster.inventory() if inventory is None else inventory
    environment = enter.operator_environment(cluster.lab.paths)
    key = str(Path(environment["HOME"]) / ".ssh/id_ed25519")
    chosen.groups["workers"]["connection_options"] = {
        "netmiko": {"platform": "linux", "extras": _NETMIKO | {"key_file": key}}
    }
    folder = cluster.write(chosen).parent
    (folder / "own_runbook.py").write_text(script)
    done = subprocess.run(
        enter.operator_argv(cluster.lab.paths, ["python", "own_runbook.py"]),
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return _ANSI.sub("", done.stdout)


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_runs_twice(fresh: Cluster, name: str) -> None:
    for _ in range(2):
        printed = run(fresh, SNIPPETS[name])
        assert "ERROR" not in printed, printed
        assert "worker-2" in printed


def test_a_runbook_of_ones_own_changes_hosts_once(fresh: Cluster) -> None:
    first = run(fresh, RUNBOOK)
    assert len(RUNBOOK.splitlines()) <= 15
    assert "routes: add 10.200.1.0/24 (missing)" in first
    for worker in fresh.workers:
        assert fresh.our_routes(worker.name) == fresh.desired_routes(worker.name)
    assert fresh.our_routes("controller-0") == []
    assert "routes: add" not in run(fresh, RUNBOOK)


def test_a_capability_of_ones_own_is_applied_and_verified(fresh: Cluster) -> None:
    fresh.on("worker-1", "sysctl", "-w", "net.ipv4.conf.all.accept_redirects=1", "net.ipv4.ip_forward=1")
    assert "a redirect would overrule a pod route" in run(fresh, CAPABILITY)
    assert fresh.on("worker-1", "sysctl", "-n", "net.ipv4.conf.all.accept_redirects") == "0\n"
    assert "a redirect would overrule" not in run(fresh, CAPABILITY)


def test_print_result_shows_why_a_host_failed(fresh: Cluster) -> None:
    shadowed = r"^part of 10\.200\.2\.0/24 \(worker-2's pods\) goes another way: .*changes"
    fresh.on("worker-1", "ip", "route", "add", "unreachable", "10.200.2.0/28")
    inventory = fresh.inventory()
    inventory.hosts["worker-2"]["hostname"] = "10.240.0.99"
    inventory.set_data("worker-2", internal_ips="10.240.0.22")
    inventory.set_timeouts()
    printed = run(fresh, RUNBOOK, inventory)
    assert re.search(shadowed, printed, re.MULTILINE), printed
    assert re.search(r"^.*10\.240\.0\.99.*no answer.* \(0 changes", printed, re.MULTILINE), printed
    assert fresh.our_routes("worker-0") == fresh.desired_routes("worker-0")
