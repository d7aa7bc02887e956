"""Measuring contenders side by side on one cluster."""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contenders import Contender, Work
from benchmarks.contenders.ansible import ANSIBLE_5, ANSIBLE_50
from benchmarks.contenders.floor import FLOOR
from benchmarks.contenders.product import PRODUCT
from benchmarks.contenders.pyinfra import PYINFRA
from benchmarks.contenders.seed import SEED
from benchmarks.delay.client import DelayProxy, Passed
from benchmarks.hosts import check, reset
from benchmarks.plan import CONTROLLERS, Cell
from benchmarks.results import Measurement
from benchmarks.runs import RunFailedError, Sample, run
from benchmarks.sites import Site, reachable
from lab import Lab

CONTENDERS: Mapping[str, Contender] = {
    contender.name: contender for contender in (FLOOR, PRODUCT, PYINFRA, ANSIBLE_50, ANSIBLE_5, SEED)
}
# Room for four hundred hosts; the guide's addresses are in it.
_NODE_NETWORK = "10.240.0.0/22"


@dataclass
class _Series:
    """The runs of one work."""

    samples: list[Sample] = field(default_factory=list)
    round_trips: list[int] = field(default_factory=list)


@dataclass
class Measured:
    """What came of a cell.

    Attributes:
        measurements: One for each contender and work that was measured.
        failures: Why the others were not, a line each.
    """

    measurements: list[Measurement] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def grow(lab: Lab, hosts: int) -> None:
    """Start the lab, or add hosts to it.

    Args:
        lab: The lab.
        hosts: How many it is to have.
    """
    lab.up(controllers=CONTROLLERS, workers=hosts - CONTROLLERS, node_network=_NODE_NETWORK)


def measure_cell(
    lab: Lab,
    cell: Cell,
    say: Callable[[str], None],
    more: Callable[[Site, DelayProxy | None], None] = lambda site, proxy: None,
) -> Measured:
    """Measure all of a cell's contenders, in turns.

    Args:
        lab: Of the cell's size.
        cell: What to measure.
        say: What to do with a line of progress.
        more: Called at the end, while hosts can be reached.

    Returns:
        The numbers; a contender that fails is left out from then on.
    """
    series: dict[tuple[str, Work], _Series] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        site = Site(lab, lab.layout, cell.trip_ms / 1000, Path(folder))
        with reachable(site) as proxy:
            for number in range(max(times.rounds for times in cell.contenders.values())):
                for name, times in cell.contenders.items():
                    if number >= times.rounds or name in failures:
                        continue
                    try:
                        _round(site, proxy, CONTENDERS[name], looks_after(name, cell) * times.looks, series)
                    except RunFailedError as error:
                        failures[name] = f"{name}, {cell.hosts} hosts, {cell.trip_ms} ms: {error}"
                        say(failures[name])
                    else:
                        say(_progress(cell, name, series))
            more(site, proxy)
    return Measured([_measurement(cell, *key, one) for key, one in series.items()], list(failures.values()))


def _round(
    site: Site,
    proxy: DelayProxy | None,
    contender: Contender,
    looks: Sequence[tuple[Contender, Work]],
    series: dict[tuple[str, Work], _Series],
) -> None:
    reset(site.lab, site.hosts)
    for who, work in [(contender, Work.FIRST), *looks]:
        command = who.works[work](site)
        if proxy is not None:
            proxy.report()
        sample = run(site.lab, command.argv, environment=command.environment)
        passed = proxy.report() if proxy is not None else None
        # What does not do the work is not fast at it.
        if work == Work.FIRST and (problems := check(site.lab, site.hosts, persistent=contender.persistent)):
            raise RunFailedError(f"it left {len(problems)} things wrong: {problems[0]}")
        one = series.setdefault((who.name, work), _Series())
        one.samples.append(sample)
        if passed is not None:
            one.round_trips.append(most_round_trips(passed))


def looks_after(name: str, cell: Cell) -> list[tuple[Contender, Work]]:
    """What is measured after a contender's first run.

    The floor's reading and the product's are compared above all, so they take turns, on hosts as the product leaves
    them: a computer that is slower for a minute is slower for both.

    Args:
        name: The contender's.
        cell: Who is in it.
    """
    both = FLOOR.name in cell.contenders and PRODUCT.name in cell.contenders
    if name == FLOOR.name and both:
        return []
    own: list[tuple[Contender, Work]] = [
        (CONTENDERS[name], work) for work in CONTENDERS[name].works if work != Work.FIRST
    ]
    return [(FLOOR, Work.READ), *own] if name == PRODUCT.name and both else own


def most_round_trips(passed: Iterable[Passed]) -> int:
    """Round trips of the host that had the most, all its connections together; 0 without any connection.

    Args:
        passed: Connections.
    """
    by_host: dict[str, int] = {}
    for one in passed:
        by_host[one.name] = by_host.get(one.name, 0) + one.round_trips
    return max(by_host.values(), default=0)


def _measurement(cell: Cell, contender: str, work: Work, series: _Series) -> Measurement:
    return Measurement(
        hosts=cell.hosts,
        trip_ms=cell.trip_ms,
        contender=contender,
        work=str(work),
        wall=tuple(round(sample.wall, 4) for sample in series.samples),
        cpu=tuple(round(sample.cpu, 4) for sample in series.samples),
        peak_rss=tuple(sample.peak_rss for sample in series.samples),
        round_trips=tuple(series.round_trips),
    )


def _progress(cell: Cell, name: str, series: Mapping[tuple[str, Work], _Series]) -> str:
    last = ", ".join(
        f"{work} {one.samples[-1].wall:.2f} s" for (contender, work), one in series.items() if contender == name
    )
    return f"{cell.hosts} hosts, {cell.trip_ms} ms, {name}: {last}"
