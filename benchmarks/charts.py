"""The two charts; drawn in the peers' environment, which has matplotlib."""

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.plan import LARGEST, SIZES
from benchmarks.results import Results
from benchmarks.suite import CONTENDERS

_DRAWING = Path(__file__).resolve().parent / "drawing.py"
# Each is distinct from the others, and readable on white and on black.
_COLOURS = {
    "product": "#2f81f7",
    "floor": "#3fa34d",
    "pyinfra": "#c98a1b",
    "ansible-50": "#e5534b",
    "ansible-5": "#b86ad0",
    "seed": "#7d8590",
}
# Others have no command that only looks.
_LOOKS = {"product": ("read", "drift check"), "floor": ("read", "read")}


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        label: For the legend.
        colour: As SVG has it.
        dashed: Whether it is about a run that changes nothing.
        hosts: Numbers of hosts.
        values: One for each.
    """

    label: str
    colour: str
    dashed: bool
    hosts: tuple[int, ...]
    values: tuple[float, ...]


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
            "path": str(folder / name),
            "title": title,
            "unit": unit,
            "lines": [
                asdict(line) for contender in CONTENDERS for line in chart_lines(results, contender, of_cpu=of_cpu)
            ],
        }
        for name, title, unit, of_cpu in (
            ("time.svg", "Seconds by number of hosts", "s", False),
            ("cpu.svg", "CPU of the controller, milliseconds a host", "ms", True),
        )
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


def chart_lines(results: Results, contender: str, *, of_cpu: bool = False) -> list[Line]:
    """A contender's lines: its first run, and the run that changes nothing; of near hosts alone.

    Args:
        results: What was measured.
        contender: Its name.
        of_cpu: Milliseconds of CPU a host, and not seconds.
    """
    lines = []
    for work, label in (("first", "first run"), _LOOKS.get(contender, ("again", "nothing to change"))):
        found = [one for size in (*SIZES, LARGEST) if (one := results.find(size, 0, contender, work)) is not None]
        if found:
            lines.append(
                Line(
                    label=f"{CONTENDERS[contender].title}: {label}",
                    colour=_COLOURS[contender],
                    dashed=work != "first",
                    hosts=tuple(one.hosts for one in found),
                    values=tuple(one.cpu_a_host * 1000 if of_cpu else one.seconds for one in found),
                )
            )
    return lines
