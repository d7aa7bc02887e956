"""The planner, the drift check and the script on the hosts judge every table of routes alike."""

import ipaddress
import re
import subprocess
from pathlib import Path

import pytest

from podroutes.drift.detection import find_drift
from podroutes.host.routes import DEFAULT_METRIC
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.plan.routes_service import ServiceFiles, render_data
from tasks.provision import provisioning
from tasks.service_files import fill
from tests.route_cases import CASES, NODE, PLAN, RouteCase, lines_of, ours_of, state_of
from tests.unit.podroutes.builders import dual_stack_cluster
from tests.unit.podroutes.healthy import planned_routes

TEMPLATE = Path(__file__).parents[3] / "tasks" / "templates" / "basic-kubernetes-routes.sh"
# Prints what a case has. Of `route show table main root NETWORK`, what lies in the cluster's range.
FAKE_IP = """#!/bin/sh
case "$*" in
    *"address show") echo '2: eth0    inet 10.240.0.20/24 scope 0 eth0' ;;
    *"-4 "*root*) cat "${0%/*}/inside4" ;;
    *"-6 "*root*) cat "${0%/*}/inside6" ;;
    *"-4 "*) cat "${0%/*}/table4" ;;
    *"-6 "*) cat "${0%/*}/table6" ;;
esac
"""
Verdict = tuple[list[str], list[str], bool]


def planned(case: RouteCase, plan: NetworkPlan = PLAN) -> Verdict:
    """What the planner makes of a case: changes, pod CIDRs that go another way in part, whether it refuses."""
    found = planned_routes(plan, NODE, state_of(lines_of(case, plan)))
    parts = [match[1] for text in found.unresolved if (match := re.match(r"part of (\S+) ", text))]
    return (sorted(f"{change.action} {change.subject}" for change in found.changes), parts, found.conflicts != ())


def checked(case: RouteCase, folder: Path, plan: NetworkPlan = PLAN) -> tuple[Verdict, int]:
    """What the script's `check` makes of it, and its exit status."""
    lines = lines_of(case, plan)
    for family, there in lines.items():
        (folder / f"table{family}").write_text("".join(f"{line}\n" for line in there))
        (folder / f"inside{family}").write_text("".join(f"{line}\n" for line in there if is_inside(line)))
    (folder / "routes").write_text(render_data(plan, ours_of(plan), NODE.pod_cidrs))
    (folder / "ip").write_text(FAKE_IP)
    (folder / "ip").chmod(0o755)
    script = folder / "script"
    script.write_text(fill(TEMPLATE.read_text()).replace(" PATH=", f" PATH={folder}:"))
    done = subprocess.run(
        ["bash", script, "check"], capture_output=True, text=True, check=False,
        env={"KUBERNETES_ROUTES_FILE": f"{folder}/routes", "KUBERNETES_ROUTES_STATE": f"{folder}/applied"},
    )  # fmt: skip
    assert done.stderr == ""
    said = done.stdout.splitlines()
    parts = list(dict.fromkeys(match[1] for line in said if (match := re.match(r"part of (\S+) goes", line))))
    actions = {"missing": "add", "wrong": "replace", "beside ours": "remove", "duplicate": "remove", "stale": "remove",
               "leads own pods away": "remove"}  # fmt: skip
    changes = []
    for line in said:
        why, _, rest = line.partition(": ")
        if why in actions:
            words = [word for word in rest.split() if re.match(r"[0-9a-f.:]+/", word)]
            changes.append(f"{actions[why]} {words[0]}")
    refused = any("not understood is" in line or "is on that network itself" in line for line in said)
    return (sorted(changes), parts, refused), done.returncode


def is_inside(line: str) -> bool:
    words = line.split()
    network = ipaddress.ip_network(words[1] if re.fullmatch("[0-9]", words[0]) else words[0])
    return PLAN.owns(network)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_planner_drift_check_and_script_agree(case: RouteCase, tmp_path: Path) -> None:
    expected = (sorted(case.changes), list(case.part), case.refused)
    verdict, status = checked(case, tmp_path)
    if case.refused:
        assert (planned(case)[2], verdict[2]) == (True, True)
    else:
        assert (planned(case), verdict) == (expected, expected)
    is_wrong = bool(case.changes or case.part or case.refused or case.down)
    assert status == int(is_wrong)
    kernel = [
        finding
        for finding in find_drift(provisioning(PLAN, ServiceFiles("", "")), NODE, state_of(lines_of(case)))
        if finding.is_drift
        and (finding.code.startswith("route-") or finding.code in ("plan-conflict", "own-cidr-hijack"))
    ]
    assert (kernel != []) == is_wrong


@pytest.mark.parametrize("metric", [0, 50])
def test_the_metric_stands_in_one_place(metric: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed there, what is in the place of ours is another route, to the planner and to the script."""
    monkeypatch.setitem(DEFAULT_METRIC, 4, metric)
    plan = dual_stack_cluster()
    for at in (0, 50):
        case = RouteCase("", ("10.200.1.0/24",), (f"10.200.1.0/24 via 10.240.0.21 dev eth0 metric {at}",))
        expected = [f"{'replace' if at == metric else 'add'} 10.200.1.0/24"]
        verdict: Verdict = (expected, [], False)
        assert (planned(case, plan), checked(case, tmp_path, plan)[0]) == (verdict, verdict)
