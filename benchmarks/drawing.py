"""Draws charts with matplotlib, which only the peers' environment has; reads what to draw from standard input.

The same numbers give the same bytes: no date, no random names. Text is text, in a grey that white and black both show,
and there is no background.
"""

import json
import sys
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

_GREY = "#7d8590"
_SETTINGS = {
    "svg.hashsalt": "pod-routes",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 11,
    "text.color": _GREY,
    "axes.labelcolor": _GREY,
    "axes.edgecolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(chart: dict[str, Any]) -> None:
    """Draw one.

    Args:
        chart: `path`, `title`, `unit` and `lines`, each with `label`, `colour`, `dashed`, `hosts` and `values`.
    """
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axes = figure.add_subplot()
    hosts = sorted({number for line in chart["lines"] for number in line["hosts"]})
    for line in chart["lines"]:
        axes.plot(
            line["hosts"],
            line["values"],
            label=line["label"],
            color=line["colour"],
            linestyle="--" if line["dashed"] else "-",
            marker="o",
            markersize=5,
            linewidth=2,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(hosts, [str(number) for number in hosts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(visible=True, axis="y", color=_GREY, alpha=0.3, linewidth=0.6)
    axes.set_xlabel("hosts")
    axes.set_ylabel(chart["unit"])
    axes.set_title(chart["title"], loc="left", color=_GREY)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(chart["path"], transparent=True, metadata={"Date": None, "Creator": None})


def main() -> int:
    """Draw all.

    Returns:
        The exit status.
    """
    with mpl.rc_context(_SETTINGS):
        for chart in json.load(sys.stdin):
            draw(chart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
