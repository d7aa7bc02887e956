from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from podroutes.drift.findings import new_finding
from podroutes.outcomes import RunReport
from podroutes.report.prometheus import render
from podroutes.report.write import Past, write_reports
from tests.unit.podroutes.report.reports import (
    FOREIGN,
    MISSING,
    STARTED,
    changed,
    check,
    directions,
    drifted,
    fixed,
    ok,
    provisioning,
    unreachable,
)

ENDED = STARTED.timestamp() + 1.5


def samples(text: str) -> dict[str, float]:
    """By name and labels but the runbook's, such as `hosts{outcome=ok}`."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.timestamp is None
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "runbook")
            found[sample.name.removeprefix("pod_routes_") + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def rendered(report: RunReport) -> dict[str, float]:
    return samples(render(report, Past()))


def test_a_drift_check() -> None:
    cut = directions(("controller-0", "worker-1"), unknown=["worker-0"])
    found = rendered(check(ok("controller-0", FOREIGN), unreachable("worker-0"), drifted("worker-1"), between=cut))
    expected = {
        "hosts_checked": 2,
        "hosts_unknown": 1,
        "hosts{outcome=ok}": 1,
        "hosts{outcome=drift}": 1,
        "hosts{outcome=unreachable}": 1,
        "hosts{outcome=failed}": 0,
        "host_checked{host=controller-0}": 1,
        "host_checked{host=worker-0}": 0,
        "findings{code=foreign-route,host=controller-0,layer=kernel,severity=notice}": 1,
        "findings{code=route-missing,host=worker-1,layer=kernel,severity=drift}": 1,
        "findings{code=host-unreachable,host=worker-0,layer=host,severity=drift}": 1,
        "directions{state=ok}": 0,
        "directions{state=cut}": 1,
        "directions{state=unknown}": 3,
        "duration_seconds": 1.5,
        "last_run_timestamp_seconds": ENDED,
        "last_success_timestamp_seconds": 0,
        "changes": 0,
        "dry_run": 1,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_what_was_fixed_is_no_finding() -> None:
    found = rendered(fixed(changed("a", MISSING, FOREIGN)))
    assert [name for name in found if name.startswith("findings")] == [
        "findings{code=foreign-route,host=a,layer=kernel,severity=notice}"
    ]


def test_provisioning_counts_its_changes() -> None:
    found = rendered(provisioning(ok("a"), changed("b")))
    assert (found["changes"], found["dry_run"], found["hosts{outcome=changed}"]) == (1, 0, 1)


def test_the_last_success_moves_only_when_every_host_was_checked(tmp_path: Path) -> None:
    file = tmp_path / "pod_routes.prom"

    def success(report: RunReport) -> float:
        file.write_text(render(report, Past(previous=file)))
        return samples(file.read_text())["last_success_timestamp_seconds"]

    def later(minutes: int, report: RunReport) -> RunReport:
        return replace(report, started=STARTED + timedelta(minutes=minutes))

    assert success(check(unreachable("a"))) == 0
    assert success(check(ok("a"), drifted("b"))) == ENDED
    assert success(later(5, check(ok("a"), unreachable("b")))) == ENDED
    assert success(later(10, check(ok("a"), interrupted=True))) == ENDED
    assert success(later(15, check())) == ENDED
    assert success(later(20, check(ok("a")))) == ENDED + 1200
    # Another runbook's success is not this one's.
    assert success(later(25, provisioning(unreachable("a")))) == 0


@pytest.mark.parametrize("before", ["", "pod_routes_last_success_timestamp_seconds{runbook=", "\x00\x01", "é"])
def test_a_damaged_file_is_replaced_and_no_success_is_made_up(tmp_path: Path, before: str) -> None:
    file = tmp_path / "pod_routes.prom"
    file.write_bytes(before.encode("latin-1"))
    text = render(check(unreachable("a")), Past(previous=file))
    assert samples(text)["last_success_timestamp_seconds"] == 0


def test_odd_labels_are_escaped() -> None:
    name = 'odd "host"\\\nname'
    found = rendered(check(drifted(name, new_finding("route-missing", "x", "y"))))
    assert found[f"host_checked{{host={name}}}"] == 1


def test_the_exporter_may_read_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "pod_routes.prom"
    write_reports(check(ok("a")), {"prometheus": str(target)})
    assert target.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [target]
