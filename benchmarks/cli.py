"""The command line: `python -m benchmarks`."""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.charts import draw_charts
from benchmarks.delay.client import DelayProxy
from benchmarks.environment import ensure_environment
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.paths import DOCS
from benchmarks.plan import Mode, cells
from benchmarks.report import write_report
from benchmarks.results import Measurement, Results, read_results, write_results
from benchmarks.runs import RunFailedError
from benchmarks.single import count_descriptors, count_round_trips, measure_start_up
from benchmarks.sites import Site
from benchmarks.suite import grow, measure_cell
from benchmarks.targets import verdicts
from lab import Lab, LabError

_LAB = "podroutes-bench"
_RESULTS = DOCS / "results.json"
_EX_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write what was measured.

    Args:
        arguments: Of the command line; None for the process's own.

    Returns:
        Exit status: 0 if all was measured, whether targets are met or not; 1 if something failed; 130 interrupted.
    """
    options = _parse(arguments)
    try:
        results = read_results(_RESULTS) if options.render else _measure(options.mode)
        if not options.render:
            write_results(results, _RESULTS)
        write_report(results, DOCS / "README.md")
        draw_charts(results, DOCS, ensure_environment(_say))
    except (LabError, OSError, ValueError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted: nothing was written, and the lab is gone", file=sys.stderr)
        return _EX_INTERRUPTED
    missed = sum(verdict.is_met is False for verdict in verdicts(results))
    met = sum(verdict.is_met is True for verdict in verdicts(results))
    _say(f"{met} targets met, {missed} missed: {DOCS / 'README.md'}")
    return 1 if results.failures else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the product against what users would pick instead, on real hosts of a lab of its own.",
    )
    modes = parser.add_mutually_exclusive_group()
    for mode, text in (
        (Mode.QUICK, "five minutes: near hosts above all, no Ansible"),
        (Mode.FULL, "everything, also what takes minutes a run"),
    ):
        modes.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, help=text)
    modes.add_argument("--render", action="store_true", help=f"measure nothing: write anew from {_RESULTS.name}")
    parser.set_defaults(mode=Mode.DEFAULT)
    return parser.parse_args(arguments)


def _measure(mode: Mode) -> Results:
    ensure_environment(_say)
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    machine, versions = describe_machine(), describe_versions()
    measurements: list[Measurement] = []
    failures: list[str] = []
    one_host: dict[str, int] = {}
    start_up: dict[str, tuple[float, ...]] = {}
    descriptors: list[int] = []

    def more(site: Site, proxy: DelayProxy | None) -> None:
        # Once is enough.
        try:
            if proxy is None and not start_up:
                start_up.update(measure_start_up(site.lab))
                descriptors.append(count_descriptors(site))
            elif proxy is not None and not one_host:
                one_host.update(count_round_trips(site, proxy))
        except RunFailedError as error:
            failures.append(str(error))
            _say(str(error))

    lab = Lab(_LAB)
    lab.down()
    try:
        for cell in cells(mode):
            grow(lab, cell.hosts)
            measured = measure_cell(lab, cell, _say, more)
            measurements += measured.measurements
            failures += measured.failures
    except (LabError, RunFailedError) as error:
        # What was measured until then is worth keeping.
        failures.append(str(error))
        _say(str(error))
    finally:
        lab.down()
    option = "" if mode == Mode.DEFAULT else f" --{mode}"
    return Results(
        date=date,
        command=f"python -m benchmarks{option}" if option else "make bench",
        machine=machine,
        versions=versions,
        measurements=tuple(measurements),
        one_host=one_host,
        start_up=start_up,
        descriptors_left=descriptors[0] if descriptors else None,
        failures=tuple(failures),
    )


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)
