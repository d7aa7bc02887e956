"""The JSON report, and its schema."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from podroutes.atomic_write import replace_file
from podroutes.errors import UsageError
from podroutes.outcomes import RunReport


def write_json(report: RunReport, target: str) -> None:
    """Write a report as JSON, whole or not at all.

    Args:
        report: Of the run.
        target: Path of a file, or `-` for standard output.

    Raises:
        UsageError: The file can't be written.
    """
    write_atomically(target, render(report))


def render(report: Struct) -> str:
    """A report, or what was read, as the text of a file."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def write_atomically(target: str, text: str) -> None:
    """Write a text to standard output (`-`), or to a file by temporary file and rename.

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
        umask = os.umask(0)
        os.umask(umask)
        replace_file(path.resolve(), text, mode=0o666 & ~umask)
    except OSError as error:
        message = f"{target} can't be written: {error.strerror}"
        raise UsageError(message) from error


def schema() -> dict[str, Any]:
    """The JSON Schema of a run's report."""
    generated = msgspec.json.schema(RunReport)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **generated}


def render_schema(content: dict[str, Any]) -> str:
    """A schema as the text of its file."""
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
