"""The report formats: command-line options, files, the schedule's files and the docs follow from this table.

To add a format, write a module in this folder and add a line to `FORMATS`. The module has

    def render(report: RunReport, past: Past) -> str: ...

and, if it has exit codes of its own,

    def exit_code(report: RunReport) -> int: ...
    def render_error(message: str) -> tuple[int, str]: ...

These give the exit code of a run, and the exit code and the text where an error prevented the run. Such a format is
printed on standard output, and is chosen by `--exit-style NAME`; any other is written to a file, by `--NAME FILE`.
"""

from importlib import import_module
from typing import Any, Final

from msgspec import Struct


class ReportFormat(Struct, frozen=True):
    """A report format.

    Attributes:
        name: Name of its option, or of its exit style.
        help: The option's help text.
        module: Where it is implemented; imported when a report is written, since some libraries are slow to import.
        file_name: Name of its file in the state folder of a scheduled check; empty if a schedule does not write it.
        runbooks: Runbooks that offer it; empty for all.
        mode: The file's permissions; None for what the umask allows.
        has_exit_codes: Whether it has exit codes of its own.
    """

    name: str
    help: str
    module: str
    file_name: str = ""
    runbooks: tuple[str, ...] = ()
    mode: int | None = None
    has_exit_codes: bool = False

    def load(self) -> Any:  # noqa: ANN401  # a module; this file says what is in it
        """Import the module."""
        return import_module(self.module)


_CHECK: Final = ("drift_check",)

FORMATS: tuple[ReportFormat, ...] = (
    ReportFormat("json", "the report as JSON, for programs", f"{__package__}.json_report", "report.json"),
    ReportFormat(
        "junit",
        "JUnit XML, for CI servers: a suite for each host, a case for each check",
        f"{__package__}.junit",
        "report.xml",
        _CHECK,
    ),
    ReportFormat(
        "prometheus",
        "metrics for the textfile collector of Prometheus' node_exporter",
        f"{__package__}.prometheus",
        "pod_routes.prom",
        _CHECK,
        mode=0o644,  # the exporter runs as another user
    ),
    ReportFormat("html", "one self-contained page, for people", f"{__package__}.html", "report.html", _CHECK),
    ReportFormat(
        "nagios",
        "one line with performance data, and the exit codes of monitoring plugins",
        f"{__package__}.nagios",
        runbooks=_CHECK,
        has_exit_codes=True,
    ),
)


def file_formats(runbook: str) -> tuple[ReportFormat, ...]:
    """The formats that a runbook writes to files."""
    return tuple(one for one in _formats_of(runbook) if not one.has_exit_codes)


def exit_styles(runbook: str) -> dict[str, ReportFormat]:
    """The formats with exit codes of their own that a runbook offers, by name."""
    return {one.name: one for one in _formats_of(runbook) if one.has_exit_codes}


def _formats_of(runbook: str) -> tuple[ReportFormat, ...]:
    return tuple(one for one in FORMATS if not one.runbooks or runbook in one.runbooks)
