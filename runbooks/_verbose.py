"""Every task's result in Nornir's own way, with tracebacks, for `-v`."""

import atexit
import contextlib
import io
import sys
import traceback

import colorama
from nornir.core.task import AggregatedResult
from nornir_utils.plugins.functions import print_result

from podroutes.report.colours import ColourConsole

# nornir-utils starts colorama, which then writes colours to pipes too, at the end of the process as well.
colorama.deinit()
atexit.unregister(colorama.initialise.reset_all)


def print_results(result: AggregatedResult) -> None:
    """Print what nornir-utils' `print_result` prints, with colours on a terminal only, and tracebacks below."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        print_result(result)
    console = ColourConsole(sys.stdout)
    console.print_ansi(text.getvalue())
    for host, results in result.items():
        error = results[0].exception
        if error is not None:
            console.print(f"{host}:")
            console.print("".join(traceback.format_exception(error)))
