"""What is measured besides time: start-up, round trips of one host, file descriptors that are left open."""

import json
import sys

from benchmarks.contenders import Work
from benchmarks.contenders.product import runbook, write_files
from benchmarks.delay.client import DelayProxy
from benchmarks.hosts import reset
from benchmarks.paths import ROOT
from benchmarks.runs import RunFailedError, run
from benchmarks.sites import Site
from lab import Lab

_START_UPS = {"help": (["--help"], 0), "empty limit": (["--limit", "no-such"], 64)}
_RUNS = 5


def measure_start_up(lab: Lab) -> dict[str, tuple[float, ...]]:
    """Seconds until the drift check has said how it is used, and that a limit matches nothing.

    Args:
        lab: Whose operator runs it.
    """
    path = str(ROOT / "runbooks/drift_check.py")
    return {
        name: tuple(run(lab, [sys.executable, path, *options], statuses=(status,)).wall for _ in range(_RUNS))
        for name, (options, status) in _START_UPS.items()
    }


def count_round_trips(site: Site, proxy: DelayProxy) -> dict[str, int]:
    """Round trips of runs on a single host.

    Args:
        site: A far one; its hosts are put back first.
        proxy: The site's.

    Returns:
        Their number, by work.
    """
    reset(site.lab, site.hosts)
    counted = {}
    for work in Work:
        command = runbook(site, work, "--limit", site.hosts[-1].name)
        proxy.report()
        run(site.lab, command.argv)
        counted[str(work)] = sum(one.round_trips for one in proxy.report())
    return counted


def count_descriptors(site: Site) -> int:
    """File descriptors that a drift check of all hosts leaves open in its process.

    Args:
        site: The cluster; it is provisioned first.

    Raises:
        RunFailedError: The check failed.
    """
    run(site.lab, runbook(site, Work.AGAIN).argv)
    argv = [sys.executable, "-m", "benchmarks.descriptors", "--config", str(write_files(site))]
    done = site.lab.operator(argv, environment={"PYTHONPATH": str(ROOT)})
    if done.returncode != 0:
        raise RunFailedError(f"the drift check ended with exit status {done.returncode}: {done.stderr.strip()}")
    left: int = json.loads(done.stdout.splitlines()[-1])
    return left
