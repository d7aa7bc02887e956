"""Results as a mode would leave them, with made-up numbers."""

from collections.abc import Callable

from benchmarks.plan import Mode, cells
from benchmarks.results import Measurement, Results
from benchmarks.suite import CONTENDERS

Seconds = Callable[[str, str, int], float]


def made_results(mode: Mode, seconds: Seconds = lambda contender, work, hosts: 1.0) -> Results:
    """Results of all that a mode measures.

    Args:
        mode: Which.
        seconds: Of each run, by contender, work and number of hosts.
    """
    measurements = []
    for cell in cells(mode):
        for contender in cell.contenders:
            for work in CONTENDERS[contender].works:
                wall = seconds(contender, str(work), cell.hosts)
                memory = 60_000_000 + 50_000 * cell.hosts
                trips = (7,) if cell.trip_ms else ()
                measurements.append(
                    Measurement(cell.hosts, cell.trip_ms, contender, str(work), (wall,), (wall / 2,), (memory,), trips)
                )
    return Results(
        date="2026-01-01 00:00 UTC",
        command="make bench",
        machine={"processor": "Some CPU", "cores": "2", "load when it began": "0.01"},
        versions={"pod-routes": "abc"},
        measurements=tuple(measurements),
        one_host={"first": 10, "again": 7, "read": 7},
        start_up={"help": (0.1, 0.2, 0.3), "empty limit": (0.7, 0.5, 0.9)},
        descriptors_left=0,
    )
