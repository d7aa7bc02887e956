"""The options that all runbooks have, and how a runbook ends: one line for an error, and an exit code."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO

from msgspec import Struct, field

from podroutes import exit_codes
from podroutes.errors import InventoryError, LockHeldError, PodRoutesError, UsageError
from podroutes.report.formats import ReportFormat, exit_styles, file_formats

DEFAULT_CONFIG: Final = Path(__file__).resolve().parent.parent / "config.yaml"
_PLAIN: Final = "plain"
_EXIT_CODES: Final = """\
exit codes: 0 everything is up to date; 1 a host failed, was unreachable or skipped;{drift}
            64 wrong usage or inventory; 75 another run holds the lock"""
_DRIFT_EXIT_CODE: Final = """
            2 something has drifted (1 outranks it);"""


class Options(Struct, frozen=True):
    """What an engineer asked for.

    Attributes:
        config: Nornir's configuration file.
        limit: Patterns that choose hosts; empty for all.
        dry_run: Show what would change, change nothing.
        diff: Show every change.
        yes: Do not ask.
        verbose: Print every task's result, and tracebacks.
        reports: Files to write, by the name of the format; `-` is standard output.
        exit_style: A format that is printed instead of lines for people, and has exit codes of its own.
        own: The options that only this runbook has.
    """

    config: Path = DEFAULT_CONFIG
    limit: tuple[str, ...] = ()
    dry_run: bool = False
    diff: bool = False
    yes: bool = False
    verbose: bool = False
    reports: Mapping[str, str] = field(default_factory=dict)
    exit_style: ReportFormat | None = None
    own: argparse.Namespace = field(default_factory=argparse.Namespace)

    @property
    def people(self) -> TextIO:
        """Where people read: standard error, if standard output is for a program."""
        return sys.stderr if self.exit_style is not None or "-" in self.reports.values() else sys.stdout


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(f"{message} ({self.prog} --help lists the options)")


def new_parser(runbook: str, description: str, *, finds_drift: bool = False) -> argparse.ArgumentParser:
    """A parser with the options that every runbook has.

    Args:
        runbook: The runbook's name.
        description: What it does, in a sentence.
        finds_drift: Whether it may end with the exit code for drift.
    """
    parser = _Parser(
        prog=f"{runbook}.py",
        description=description,
        epilog=_EXIT_CODES.format(drift=_DRIFT_EXIT_CODE if finds_drift else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(runbook=runbook)
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only these hosts: a host's name, a group's, or a pattern such as 'worker-*'; may be repeated",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="Nornir's configuration")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every task's result, and tracebacks")
    reports = parser.add_argument_group("reports; FILE may be - for standard output")
    for one in file_formats(runbook):
        reports.add_argument(f"--{one.name}", dest=one.name, default="", metavar="FILE", help=one.help)
    if styles := exit_styles(runbook):
        texts = "; ".join(f"{style.name}: {style.help}" for style in styles.values())
        reports.add_argument("--exit-style", choices=(_PLAIN, *styles), default=_PLAIN, help=texts)
    return parser


def add_change_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of runbooks that change hosts."""
    parser.add_argument("--dry-run", action="store_true", help="show what would change; change nothing")
    parser.add_argument("--diff", action="store_true", help="show every change")
    parser.add_argument("--yes", action="store_true", help="do not ask before applying")


def parse_options(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> Options:
    """Parse a command line.

    Raises:
        UsageError: It is wrong, or a file can't be written.
    """
    values = parser.parse_args(arguments)
    reports = {one.name: getattr(values, one.name) for one in file_formats(values.runbook)}
    reports = {name: target for name, target in reports.items() if target != ""}
    for option, target in {**reports, "history": getattr(values, "history", "")}.items():
        _check_file(option, target)
    return Options(
        config=values.config,
        limit=tuple(values.limit),
        dry_run=getattr(values, "dry_run", False),
        diff=getattr(values, "diff", False),
        yes=getattr(values, "yes", False),
        verbose=values.verbose,
        reports=reports,
        exit_style=exit_styles(values.runbook).get(getattr(values, "exit_style", _PLAIN)),
        own=values,
    )


def _check_file(option: str, target: str) -> None:
    """Raise an error before hosts are changed if a report can't be written."""
    path = Path(target)
    if target in ("", "-") or (path.exists() and not path.is_file() and not path.is_dir()):
        return  # a pipe or a device can be written to
    if not path.parent.is_dir():
        raise UsageError(f"--{option} {target}: there is no folder {path.parent}")
    if path.is_dir():
        raise UsageError(f"--{option} {target}: is a folder; name a file")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"--{option} {target}: the folder {path.parent} can't be written to")


def run_main(body: Callable[[Options], int], parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Run a runbook's body; an error ends in one clear line and the exit code that fits.

    Returns:
        The exit code.
    """
    verbose = any(argument in ("-v", "--verbose") for argument in (sys.argv if arguments is None else arguments))
    exit_style = None
    # While a run starts there is no garbage, and looking for it takes a sixth of a short run; `Run` looks again.
    gc.disable()
    try:
        options = parse_options(parser, arguments)
        exit_style = options.exit_style
        return body(options)
    except PodRoutesError as error:
        return _end(error, parser.prog) if exit_style is None else _end_in_style(error, exit_style)
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return exit_codes.FAILED
    except Exception as error:
        if verbose:
            raise
        print(f"{parser.prog}: internal error, {type(error).__name__}: {error} (-v shows where)", file=sys.stderr)
        return exit_codes.FAILED
    finally:
        gc.enable()


def _end(error: PodRoutesError, prog: str) -> int:
    if isinstance(error, InventoryError):
        problems = (f"  {problem}" for problem in error.problems)
        print(f"{error}; nothing was touched:", *problems, sep="\n", file=sys.stderr)
        return exit_codes.USAGE
    if isinstance(error, LockHeldError):
        print(error, file=sys.stderr)
        return exit_codes.LOCKED
    print(f"{prog}: {error}", file=sys.stderr)
    return exit_codes.USAGE if isinstance(error, UsageError) else exit_codes.FAILED


def _end_in_style(error: PodRoutesError, style: ReportFormat) -> int:
    """An error's exit code and text in a style of its own: no exit code that monitoring does not know."""
    problem = error.problems[0] if isinstance(error, InventoryError) else error
    code, text = style.load().render_error(str(problem))
    sys.stdout.write(text)
    return int(code)
