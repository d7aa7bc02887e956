"""What was measured, as it is written to `results.json` and read from there."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Measurement:
    """A contender's work at one size and distance; a number for each run.

    Attributes:
        hosts: Number of hosts.
        trip_ms: Milliseconds that a round trip took in addition.
        contender: Its name.
        work: `first`, `again` or `read`.
        wall: Seconds.
        cpu: CPU seconds of the controller's processes.
        peak_rss: Largest memory of one process, in bytes.
        round_trips: Of one host, the most of all hosts; empty where no proxy counted them.
    """

    hosts: int
    trip_ms: int
    contender: str
    work: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    peak_rss: tuple[int, ...]
    round_trips: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it takes: the median."""
        return median(self.wall)

    @property
    def cpu_a_host(self) -> float:
        """CPU seconds a host: the least of all runs, since what disturbs only adds."""
        return min(self.cpu) / self.hosts


@dataclass(frozen=True)
class Results:
    """All that one invocation has measured.

    Attributes:
        date: When it began, in UTC.
        command: What was typed.
        machine: What it ran on, by the name of each property.
        versions: Of what was measured, by name.
        measurements: One for each contender, work, size and distance.
        one_host: Round trips of a run on a single host, by work.
        start_up: Seconds of each run, by what was started.
        descriptors_left: File descriptors that a drift check leaves open; None if not measured.
        failures: What could not be measured, and why, a line each.
    """

    date: str
    command: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    measurements: tuple[Measurement, ...] = ()
    one_host: Mapping[str, int] = field(default_factory=dict)
    start_up: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    descriptors_left: int | None = None
    failures: tuple[str, ...] = ()

    def find(self, hosts: int, trip_ms: int, contender: str, work: str) -> Measurement | None:
        """A measurement, if it was made.

        Args:
            hosts: Number of hosts.
            trip_ms: Added round-trip time in milliseconds.
            contender: Its name.
            work: Which.
        """
        wanted = (hosts, trip_ms, contender, work)
        return next((one for one in self.measurements if _key(one) == wanted), None)

    def peak_memory(self, hosts: int) -> int | None:
        """The most memory that a runbook took at a size, in bytes; None if not measured."""
        return max(
            (max(one.peak_rss) for one in self.measurements if (one.hosts, one.contender) == (hosts, "product")),
            default=None,
        )


def _key(one: Measurement) -> tuple[int, int, str, str]:
    return one.hosts, one.trip_ms, one.contender, one.work


def write_results(results: Results, path: Path) -> None:
    """Write all numbers as JSON.

    Args:
        results: What was measured.
        path: Of the file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema_version": SCHEMA_VERSION, **asdict(results)}, indent=1) + "\n")


def read_results(path: Path) -> Results:
    """Read what `write_results` wrote.

    Args:
        path: Of the file.

    Raises:
        ValueError: It is of another version.
    """
    content: dict[str, Any] = json.loads(path.read_text())
    if content.pop("schema_version", None) != SCHEMA_VERSION:
        raise ValueError(f"{path} is of another version: measure anew")
    content["measurements"] = tuple(Measurement(**_with_tuples(one)) for one in content["measurements"])
    content["start_up"] = _with_tuples(content["start_up"])
    return Results(**_with_tuples(content))


def _with_tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists alone."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
