"""The two charts; drawn in the peers' environment, which has matplotlib."""

import json
import subprocess
from pathlib import Path

from benchmarks.plan import LARGEST, SIZES
from benchmarks.results import Results
from benchmarks.suite import CONTENDERS

_DRAWING = Path(__file__).resolve().parent / "drawing.py"
# Each can be told from the others, and read on white and on black.
_COLOURS = {
    "product": "#2f81f7",
    "floor": "#3fa34d",
    "pyinfra": "#c98a1b",
    "ansible-50": "#e5534b",
    "ansible-5": "#b86ad0",
    "seed": "#7d8590",
}


def draw_charts(results: Results, folder: Path, programs: Path) -> None:
    """Draw `time.svg` and `cpu.svg`.

    Args:
        results: What was measured.
        folder: Where to; it is there.
        programs: Of the peers' environment.

    Raises:
        OSError: They could not be drawn; the message says why.
    """
    charts = [
        {
            "path": str(folder / "time.svg"),
            "title": "Seconds by number of hosts",
            "unit": "s",
            "lines": [line for contender in CONTENDERS for line in _lines(results, contender)],
        },
        {
            "path": str(folder / "cpu.svg"),
            "title": "CPU of the controller, milliseconds a host",
            "unit": "ms",
            "lines": [line for contender in CONTENDERS for line in _lines(results, contender, of_cpu=True)],
        },
    ]
    done = subprocess.run(
        [str(programs / "python"), str(_DRAWING)],
        input=json.dumps(charts),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OSError(f"the charts could not be drawn: {done.stderr.strip().splitlines()[-1]}")


def _lines(results: Results, contender: str, *, of_cpu: bool = False) -> list[dict[str, object]]:
    """A line for the first run and one for the run that changes nothing; near hosts alone."""
    works = ["first", "read" if contender in ("floor", "product") else "again"]
    lines: list[dict[str, object]] = []
    for work in works:
        found = [one for size in (*SIZES, LARGEST) if (one := results.find(size, 0, contender, work)) is not None]
        if not found:
            continue
        label = {"first": "first run", "again": "nothing to change", "read": "read"}[work]
        if (contender, work) == ("product", "read"):
            label = "drift check"
        lines.append(
            {
                "label": f"{CONTENDERS[contender].title}: {label}",
                "colour": _COLOURS[contender],
                "dashed": work != "first",
                "hosts": [one.hosts for one in found],
                "values": [one.cpu_a_host * 1000 if of_cpu else one.seconds for one in found],
            }
        )
    return lines
