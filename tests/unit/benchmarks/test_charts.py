from benchmarks.charts import chart_lines
from benchmarks.plan import Mode
from tests.unit.benchmarks.made import made_results


def test_a_line_has_the_near_sizes_that_were_measured() -> None:
    results = made_results(Mode.DEFAULT, lambda contender, work, hosts: float(hosts))
    first, drift = chart_lines(results, "product")
    assert (first.label, first.hosts, first.values) == (
        "pod-routes: first run",
        (6, 24, 100, 400),
        (6.0, 24.0, 100.0, 400.0),
    )
    assert (drift.label, drift.dashed) == ("pod-routes: drift check", True)


def test_cpu_is_in_milliseconds_a_host() -> None:
    results = made_results(Mode.QUICK, lambda contender, work, hosts: float(hosts))
    assert chart_lines(results, "floor", of_cpu=True)[0].values == (500.0, 500.0, 500.0)


def test_no_line_without_a_measurement() -> None:
    assert chart_lines(made_results(Mode.QUICK), "ansible-50") == []
