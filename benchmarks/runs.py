"""Running a contender's command where the operator sits, measured."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure
from benchmarks.paths import ROOT
from lab import Lab, enter

_LAST_LINES = 6


@dataclass(frozen=True)
class Sample:
    """One run.

    Attributes:
        wall: Seconds from start to end.
        cpu: CPU seconds, user and system, of the process and of all that it started.
        peak_rss: Largest memory of one process, in bytes.
    """

    wall: float
    cpu: float
    peak_rss: int


class RunFailedError(Exception):
    """A contender did not do what it should; the message holds what it said."""


def run(
    lab: Lab, argv: Sequence[str], *, environment: Mapping[str, str] | None = None, statuses: Sequence[int] = (0,)
) -> Sample:
    """Run a command to its end.

    Args:
        lab: Whose operator runs it.
        argv: The command.
        environment: Variables in addition.
        statuses: Exit statuses that mean that it did its work.

    Returns:
        What it cost.

    Raises:
        RunFailedError: It ended with another status.
    """
    # A setting of Python, such as not to keep what it compiled, is no part of what a user would run.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        done = subprocess.run(
            enter.operator_argv(lab.paths, [sys.executable, "-S", "-E", str(measure.__file__), str(result), *argv]),
            env=enter.operator_environment(lab.paths, variables) | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=ROOT,
            check=False,
        )
        numbers = json.loads(result.read_text()) if result.exists() else {"status": done.returncode}
        if numbers["status"] not in statuses:
            said = "\n".join(line for text in (done.stdout, done.stderr) for line in text.splitlines()[-_LAST_LINES:])
            raise RunFailedError(f"{' '.join(argv[:3])} ended with exit status {numbers['status']}:\n{said}")
        return Sample(numbers["wall"], numbers["cpu"], numbers["peak_rss"])
