"""Rich's console, for all that is drawn on a terminal; Rich takes a tenth of a short run to load."""

import os
import shutil
from typing import TextIO

from rich import console


def rich_console(file: TextIO) -> console.Console:
    """Rich's own console, which reads nothing into a text: no markup, no emoji, no numbers to colour."""
    # Rich believes in a terminal without columns, and prints nothing there.
    columns = os.environ.get("COLUMNS", "")
    width = shutil.get_terminal_size().columns if columns.isdecimal() and int(columns) == 0 else None
    return console.Console(file=file, width=width, highlight=False, emoji=False, markup=False)
