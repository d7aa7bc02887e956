from benchmarks.delay.client import Passed
from benchmarks.suite import most_round_trips


def test_the_host_with_most_counts_and_its_connections_add_up() -> None:
    passed = [Passed("a", 7, 1, 1), Passed("b", 5, 1, 1), Passed("b", 4, 1, 1)]
    assert most_round_trips(passed) == 9


def test_no_connection_is_no_trip() -> None:
    assert most_round_trips([]) == 0
