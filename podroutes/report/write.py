"""Writing reports: to standard output, to a pipe or a device, or as a whole file that replaces the previous one."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from podroutes.atomic_write import replace_file
from podroutes.drift.history import History
from podroutes.errors import UsageError
from podroutes.outcomes import RunReport
from podroutes.report.formats import file_formats


class Past(Struct, frozen=True):
    """What is known from earlier runs.

    Attributes:
        history: Of drift checks; None where none is kept or it can't be used.
        previous: The file that is about to be replaced; None for standard output.
    """

    history: History | None = None
    previous: Path | None = None


def write_reports(report: RunReport, targets: Mapping[str, str], history: History | None = None) -> None:
    """Write a run's reports.

    Args:
        report: Of the run.
        targets: A file's path, or `-` for standard output, by the name of the format.
        history: Of drift checks; None where none is kept or it can't be used.

    Raises:
        UsageError: A file can't be written, or the history can't be read.
        LockHeldError: Another process did not finish writing the history.
    """
    for one in file_formats(report.runbook):
        target = targets.get(one.name, "")
        if target != "":
            past = Past(history, None if target == "-" else Path(target))
            write_text(target, one.load().render(report, past), one.mode)


def write_text(target: str, text: str, mode: int | None = None) -> None:
    """Write a text to standard output (`-`) or to a file, whole or not at all.

    Args:
        target: `-`, or a path. Where it is a link, the file that it leads to is replaced.
        text: What to write.
        mode: The file's permissions; None for what the umask allows.

    Raises:
        UsageError: The file can't be written.
    """
    if target == "-":
        sys.stdout.write(text)
        return
    path = Path(target)
    try:
        if (path.exists() and not path.is_file()) or path.is_relative_to("/dev"):
            # A pipe or a device: a rename would put a file in its place.
            with path.open("w", encoding="utf-8") as file:
                file.write(text)
            return
        if mode is None:
            umask = os.umask(0)
            os.umask(umask)
            mode = 0o666 & ~umask
        replace_file(path.resolve(), text, mode=mode)
    except OSError as error:
        message = f"{target} can't be written: {error.strerror}"
        raise UsageError(message) from error
