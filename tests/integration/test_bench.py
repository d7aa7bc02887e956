"""The benchmark itself, on a small lab: it measures what was done, and notices what was not."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks import suite
from benchmarks.contenders import Command, Work
from benchmarks.contenders.floor import FLOOR
from benchmarks.delay.client import DelayProxy
from benchmarks.plan import Cell, Times
from benchmarks.results import Measurement
from benchmarks.single import count_descriptors, count_round_trips, measure_start_up
from benchmarks.sites import Site
from lab import Lab
from tests.integration.cluster import new_lab

HOSTS = 4
ONCE = Times(1, 1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with new_lab("-bench", controllers=1, workers=HOSTS - 1) as lab:
        yield lab


def find(measured: suite.Measured, contender: str, work: Work) -> Measurement:
    (found,) = [one for one in measured.measurements if (one.contender, one.work) == (contender, str(work))]
    return found


def test_the_product_side_by_side_with_the_floor_near_and_far(lab: Lab) -> None:
    descriptors: list[int] = []
    one_host: dict[str, int] = {}

    def more(site: Site, proxy: DelayProxy | None) -> None:
        if proxy is None:
            descriptors.append(count_descriptors(site))
        else:
            one_host.update(count_round_trips(site, proxy))

    contenders = {"floor": Times(1, 2), "product": Times(1, 2)}
    near = suite.measure_cell(lab, Cell(HOSTS, 0, contenders), print, more)
    far = suite.measure_cell(lab, Cell(HOSTS, 100, dict.fromkeys(contenders, ONCE)), print, more)

    assert near.failures == far.failures == []
    for contender, work in itertools.product(contenders, (Work.READ, Work.FIRST)):
        assert find(near, contender, work).seconds > 0
    assert len(find(near, "product", Work.READ).wall) == 2
    assert find(near, "product", Work.READ).round_trips == ()
    # Each host is as far away as it is said to be, for both of them.
    for contender in contenders:
        (trips,) = find(far, contender, Work.READ).round_trips
        assert trips >= 6
        assert find(far, contender, Work.READ).seconds > 0.1 * trips
    assert one_host["read"] <= 10
    assert one_host["again"] <= 10
    assert one_host["first"] <= 14
    (trips,) = find(far, "product", Work.READ).round_trips
    assert abs(trips - one_host["read"]) <= 1, "a busy computer may tear apart what was sent together"
    assert descriptors == [0]


def test_who_does_not_do_the_work_is_not_measured(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def lazy(site: Site) -> Command:
        return Command(("true",))

    def failing(site: Site) -> Command:
        return Command(("sh", "-c", "echo the reason; exit 3"))

    contenders = {
        "lazy": replace(FLOOR, name="lazy", works={Work.FIRST: lazy, Work.READ: lazy}),
        "failing": replace(FLOOR, name="failing", works={Work.FIRST: failing}),
    }
    monkeypatch.setattr(suite, "CONTENDERS", contenders)

    measured = suite.measure_cell(lab, Cell(HOSTS, 0, dict.fromkeys(contenders, ONCE)), print)

    assert measured.measurements == []
    assert "left" in measured.failures[0]
    assert "controller-0: routes differ" in measured.failures[0]
    assert "exit status 3:\nthe reason" in measured.failures[1]


def test_start_up_is_that_of_an_engineers_command(lab: Lab) -> None:
    measured = measure_start_up(lab)
    assert {name: len(seconds) for name, seconds in measured.items()} == {"help": 5, "empty limit": 5}
    assert min(measured["help"] + measured["empty limit"]) > 0
