from pathlib import Path

import pytest

from benchmarks.plan import Mode
from benchmarks.results import Measurement, read_results, write_results
from tests.unit.benchmarks.made import made_results


def measurement(wall: tuple[float, ...], cpu: tuple[float, ...]) -> Measurement:
    return Measurement(10, 0, "product", "first", wall, cpu, (1,) * len(wall))


@pytest.mark.parametrize(
    ("wall", "seconds"), [((2.0,), 2.0), ((9.0, 1.0, 2.0), 2.0), ((1.0, 2.0), 1.5), ((1.0, 1.0, 50.0), 1.0)]
)
def test_time_is_the_median(wall: tuple[float, ...], seconds: float) -> None:
    assert measurement(wall, wall).seconds == seconds


def test_cpu_is_the_least_and_for_each_host() -> None:
    assert measurement((1.0, 1.0), (3.0, 2.0)).cpu_a_host == 0.2


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    results = made_results(Mode.DEFAULT)
    path = tmp_path / "new" / "results.json"
    write_results(results, path)
    assert read_results(path) == results


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('{"schema_version": 0}')
    with pytest.raises(ValueError, match="measure anew"):
        read_results(path)


def test_finds_a_measurement_by_all_of_its_key() -> None:
    results = made_results(Mode.QUICK)
    found = results.find(24, 0, "pyinfra", "again")
    assert found is not None
    assert (found.hosts, found.trip_ms, found.contender, found.work) == (24, 0, "pyinfra", "again")
    assert results.find(24, 100, "pyinfra", "again") is None


def test_peak_memory_is_the_products_own() -> None:
    results = made_results(Mode.QUICK)
    assert results.peak_memory(24) == 60_000_000 + 50_000 * 24
    assert results.peak_memory(400) is None
