from benchmarks.delay.client import Passed
from benchmarks.plan import Cell, Times
from benchmarks.suite import looks_after, most_round_trips


def test_the_host_with_most_counts_and_its_connections_add_up() -> None:
    passed = [Passed("a", 7, 1, 1), Passed("b", 5, 1, 1), Passed("b", 4, 1, 1)]
    assert most_round_trips(passed) == 9


def test_no_connection_is_no_trip() -> None:
    assert most_round_trips([]) == 0


def looks(name: str, *names: str) -> list[str]:
    cell = Cell(6, 0, dict.fromkeys(names, Times(1, 1)))
    return [f"{contender.name} {work}" for contender, work in looks_after(name, cell)]


def test_the_floor_and_the_product_take_turns_at_reading() -> None:
    assert looks("floor", "floor", "product") == []
    assert looks("product", "floor", "product") == ["floor read", "product again", "product read"]
    assert looks("pyinfra", "floor", "product", "pyinfra") == ["pyinfra again"]


def test_each_alone_reads_what_it_made() -> None:
    assert looks("floor", "floor", "pyinfra") == ["floor read"]
    assert looks("product", "product") == ["product again", "product read"]
