"""What has to be reached, and whether it is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from benchmarks.plan import LARGEST, SIZES, TRIPS_MS
from benchmarks.results import Measurement, Results

_KB = 1000
MB = 1_000_000


@dataclass(frozen=True)
class Verdict:
    """A value beside its limit.

    Attributes:
        value: Measured; None if not.
        limit: It must not be above that; None where nothing is asked.
    """

    value: float | None
    limit: float | None

    @property
    def is_met(self) -> bool | None:
        """Whether it is; None if it was not measured, or nothing is asked."""
        return None if self.value is None or self.limit is None else self.value <= self.limit


@dataclass(frozen=True)
class Ratio:
    """A cost divided by another's, in the same invocation at the same size and distance; a target of the product's.

    Attributes:
        title: What is divided by what.
        work: Of the product.
        other: Whose.
        other_work: Its work.
        limit: At most; None where it is only shown.
        of_cpu: CPU a host is compared, and not time.
        whose: Instead of the product's.
    """

    title: str
    work: str
    other: str
    other_work: str
    limit: float | None
    of_cpu: bool = False
    whose: str = "product"

    def verdict(self, results: Results, hosts: int, trip_ms: int) -> Verdict:
        """The ratio at a size and distance.

        Args:
            results: What was measured.
            hosts: Number of hosts.
            trip_ms: Added round-trip time in milliseconds.
        """
        ours = results.find(hosts, trip_ms, self.whose, self.work)
        theirs = results.find(hosts, trip_ms, self.other, self.other_work)
        if ours is None or theirs is None:
            return Verdict(None, self.limit)
        return Verdict(self._cost(ours) / self._cost(theirs), self.limit)

    def _cost(self, one: Measurement) -> float:
        return one.cpu_a_host if self.of_cpu else one.seconds


# Others do other work; how they compare is shown, and nothing is asked of it.
RATIOS = (
    Ratio("first provisioning ÷ floor's change", "first", "floor", "first", None),
    Ratio("first provisioning ÷ pyinfra", "first", "pyinfra", "first", None),
    Ratio("first provisioning ÷ Ansible, 50 forks", "first", "ansible-50", "first", None),
    Ratio("nothing to change ÷ floor's read", "again", "floor", "read", 1.3),
    Ratio("nothing to change ÷ pyinfra", "again", "pyinfra", "again", None),
    Ratio("nothing to change ÷ Ansible, 50 forks", "again", "ansible-50", "again", None),
    Ratio("drift check ÷ floor's read", "read", "floor", "read", 1.3),
    Ratio("drift check ÷ pyinfra", "read", "pyinfra", "again", None),
    Ratio("drift check ÷ Ansible, 50 forks", "read", "ansible-50", "again", None),
    Ratio("CPU a host: first provisioning ÷ floor's change", "first", "floor", "first", 1.5, of_cpu=True),
    Ratio("CPU a host: nothing to change ÷ floor's read", "again", "floor", "read", 1.5, of_cpu=True),
    Ratio("CPU a host: drift check ÷ floor's read", "read", "floor", "read", 1.5, of_cpu=True),
    # What nobody can do in less on this computer, whose hosts take most of the time.
    Ratio("the floor itself: change ÷ pyinfra", "first", "pyinfra", "first", None, whose="floor"),
    Ratio("the floor itself: read ÷ pyinfra", "read", "pyinfra", "again", None, whose="floor"),
    Ratio("the floor itself: change ÷ Ansible, 50 forks", "first", "ansible-50", "first", None, whose="floor"),
    Ratio("the floor itself: read ÷ Ansible, 50 forks", "read", "ansible-50", "again", None, whose="floor"),
)


@dataclass(frozen=True)
class Single:
    """A target that is a number by itself.

    Attributes:
        title: What is measured.
        limit: At most.
        unit: Of both.
        measure: Finds the value; None if it was not measured.
    """

    title: str
    limit: float
    unit: str
    measure: Callable[[Results], float | None]

    def verdict(self, results: Results) -> Verdict:
        """Its value.

        Args:
            results: What was measured.
        """
        return Verdict(self.measure(results), self.limit)


def memory_growth(results: Results) -> float | None:
    """Bytes a host by which memory grows from 100 hosts to 400; None if either was not measured."""
    small, large = results.peak_memory(SIZES[-1]), results.peak_memory(LARGEST)
    return None if small is None or large is None else (large - small) / (LARGEST - SIZES[-1])


def _start_up(name: str) -> Callable[[Results], float | None]:
    return lambda results: median(results.start_up[name]) if name in results.start_up else None


def _scaled(value: float | None, by: int) -> float | None:
    return None if value is None else value / by


SINGLES = (
    Single("round trips of a drift check, one host", 10, "", lambda results: results.one_host.get("read")),
    Single("round trips of a first provisioning, one host", 14, "", lambda results: results.one_host.get("first")),
    Single("peak memory at 400 hosts", 200, "MB", lambda results: _scaled(results.peak_memory(LARGEST), MB)),
    Single("memory growth, 100 to 400 hosts", 100, "KB a host", lambda results: _scaled(memory_growth(results), _KB)),
    Single("file descriptors left open", 0, "", lambda results: results.descriptors_left),
    Single("`drift_check.py --help`", 0.4, "s", _start_up("help")),
    Single("`drift_check.py --limit no-such`", 0.6, "s", _start_up("empty limit")),
)


def verdicts(results: Results) -> Iterable[Verdict]:
    """Every value that something is asked of.

    Args:
        results: What was measured.
    """
    for ratio in RATIOS:
        for hosts in SIZES:
            for trip_ms in TRIPS_MS:
                yield ratio.verdict(results, hosts, trip_ms)
    for single in SINGLES:
        yield single.verdict(results)
