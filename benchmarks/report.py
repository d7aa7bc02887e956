"""`docs/benchmarks/README.md`: what was measured, as tables."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.plan import FAR_MS, LARGEST, SIZES, TRIPS_MS
from benchmarks.results import Measurement, Results
from benchmarks.suite import CONTENDERS
from benchmarks.targets import MB, RATIOS, SINGLES, Verdict

NOT_MEASURED = "not measured"
_COLUMNS = [(hosts, trip_ms) for hosts in SIZES for trip_ms in TRIPS_MS]
_WORKS = {"first": "first run", "again": "nothing to change", "read": "read only"}

_HEAD = """\
# Measured

Written by `{command}` from what it measured on {date}; the raw numbers are in [results.json](results.json).

Real hosts of the lab, each a booted systemd with its own SSH server, all on this one computer: {machine}.
{versions}.
Other programs that run at the same time make all numbers worse, ratios included: {load}.

Every contender leaves the same on the hosts, which is checked after each first run: a route to every other worker's pod
network by its next hop, forwarding on, `routes.service` enabled and active. Hosts are put back before each first run.
"""

_CONTENDERS = """\
## Who is measured, and how

- **pod-routes**: `provision.py --yes`, the same again, and `drift_check.py`.
- **floor**: asyncssh, one connection and one command a host, fifty hosts at once; a plain script of the same change,
  and one that reads. It plans, compares, verifies and reports nothing.
- **pyinfra**: `server.sysctl`, `files.template`, `files.put`, `systemd.service`; all hosts at once, `-y`.
- **Ansible**: `sysctl`, `template`, `copy`, `systemd_service`; pipelining, no facts; 50 forks, and the 5 that are its
  default.
- **the guide's loops**: `ssh` to one machine after the other. Its script is fixed where it would make wrong routes
  from worker-10 on.

All verify host keys. With {far} ms, a proxy in front of each SSH server delivers every chunk half of that later, in
either direction, however much is under way; the TCP handshake takes its round trip, too. Round trips of a host are the
longest chain of waiting, counted at that proxy, the TCP handshake included: what the client sends is taken to have
waited for all that had reached it, and so is what the server sends. What is sent at the end and nobody waits for is not
counted; several connections to a host are added up.

The floor's reading, the product's second run and its drift check take turns, so that a computer that is slower for a
minute is slower for all three; the others follow one another. Time is from start to end of the command, the median of
its runs. CPU is that of the command and of all processes that it starts, the least of its runs; what the hosts use is
not in it. Connections that Ansible leaves open are ended with its run, and their CPU is counted: each run makes its
own.

To measure again: `make bench` (half an hour on an idle computer), or `python -m benchmarks` with `--quick` or
`--full`. With `--render` it writes this page anew from the numbers.
"""


def write_report(results: Results, path: Path) -> None:
    """Write the page.

    Args:
        results: What was measured.
        path: Of the file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(results))


def render(results: Results) -> str:
    """The page's text.

    Args:
        results: What was measured.
    """
    machine = ", ".join(
        (f"{value} cores" if name == "cores" else value)
        for name, value in results.machine.items()
        if "load" not in name
    )
    load = "; ".join(f"{name}: {value}" for name, value in results.machine.items() if "load" in name)
    versions = ", ".join(f"{name} {value}" for name, value in results.versions.items())
    head = _HEAD.format(
        command=results.command, date=results.date, machine=machine, versions=versions, load=load or "load unknown"
    )
    parts = [head, *_targets(results), *_charts(), *_absolute(results), _CONTENDERS.format(far=FAR_MS)]
    if results.failures:
        parts.append("## What failed\n\n" + "".join(f"- {one.splitlines()[0]}\n" for one in results.failures))
    return "\n".join(parts)


def _targets(results: Results) -> Iterable[str]:
    yield "## Targets\n\nRatios of runs side by side in this one invocation; no verdict where none is asked for.\n"
    rows = [
        [
            ratio.title,
            "" if ratio.limit is None else f"{ratio.limit:g}",
            *(cell_of(ratio.verdict(results, *column)) for column in _COLUMNS),
        ]
        for ratio in RATIOS
    ]
    yield table(["", "at most", *map(_column, _COLUMNS)], rows)
    rows = []
    for single in SINGLES:
        verdict = single.verdict(results)
        unit = f" {single.unit}" if single.unit else ""
        rows.append([single.title, f"{single.limit:g}{unit}", cell_of(verdict, single.unit)])
    yield table(["", "at most", "measured"], rows)


def _charts() -> Iterable[str]:
    yield "![Time by number of hosts](time.svg)\n\n![CPU time of the controller for each host](cpu.svg)\n"


def _absolute(results: Results) -> Iterable[str]:
    columns = [*_COLUMNS, *((LARGEST, trip_ms) for trip_ms in TRIPS_MS)]
    far = [column for column in columns if column[1] != 0]
    for title, number, shown in (
        ("Seconds", _seconds, columns),
        ("CPU of the controller, milliseconds a host", _cpu, columns),
        ("Peak memory of one process, MB", _memory, columns),
        ("Round trips of a host", _round_trips, far),
    ):
        rows = []
        for contender in CONTENDERS.values():
            for work in contender.works:
                found = [results.find(*column, contender.name, str(work)) for column in shown]
                cells = [NOT_MEASURED if one is None else number(one) for one in found]
                rows.append([f"{contender.title}, {_WORKS[work]}", *cells])
        yield f"## {title}\n"
        yield table(["", *map(_column, shown)], rows)


def _seconds(one: Measurement) -> str:
    return f"{one.seconds:.2f}"


def _cpu(one: Measurement) -> str:
    return f"{one.cpu_a_host * 1000:.0f}"


def _memory(one: Measurement) -> str:
    return f"{max(one.peak_rss) / MB:.0f}"


def _round_trips(one: Measurement) -> str:
    return str(max(one.round_trips))


def _column(column: tuple[int, int]) -> str:
    hosts, trip_ms = column
    return f"{hosts} hosts" if trip_ms == 0 else f"{hosts}, {trip_ms} ms"


def cell_of(verdict: Verdict, unit: str = "") -> str:
    """A value and whether it meets its target, in words.

    Args:
        verdict: The value beside its limit.
        unit: Of the value.
    """
    if verdict.value is None:
        return NOT_MEASURED
    text = _shown(verdict)
    text += f" {unit}" if unit else ""
    if verdict.is_met is None:
        return text
    return f"{text} met" if verdict.is_met else f"**{text} missed**"


def _shown(verdict: Verdict) -> str:
    """Few digits, but enough that the number itself says whether the target is met."""
    assert verdict.value is not None
    texts = (f"{verdict.value:.{digits}g}" for digits in range(2 if abs(verdict.value) < 1 else 3, 18))
    return next(text for text in texts if replace(verdict, value=float(text)).is_met == verdict.is_met)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown.

    Args:
        head: Titles of the columns.
        rows: Their cells.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
