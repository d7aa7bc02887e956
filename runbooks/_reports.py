"""Where a drift check's reports go besides the terminal."""

from pathlib import Path

from msgspec import Struct


class Reports(Struct, frozen=True):
    """Files to write; empty for none.

    Attributes:
        junit: File for JUnit's XML.
        prometheus: File for metrics.
        html: File for the page.
        history: The SQLite file that remembers findings; None for none.
        nagios: One line with perfdata on standard output, and the exit codes that monitoring expects.
    """

    junit: str = ""
    prometheus: str = ""
    html: str = ""
    history: Path | None = None
    nagios: bool = False
