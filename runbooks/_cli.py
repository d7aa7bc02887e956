"""The options that all runbooks have, and how a runbook ends: one line for an error, and an exit code."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from podroutes import exit_codes
from podroutes.errors import InventoryError, LockHeldError, PodRoutesError, UsageError
from runbooks._garbage import postponed

DEFAULT_CONFIG: Final = Path(__file__).resolve().parent.parent / "config.yaml"
_FILES: Final = ("json", "junit", "prometheus", "html", "history")
_EXIT_CODES: Final = """\
exit codes: 0 all is as wanted; 1 a host failed, was unreachable or skipped;{drift}
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
        json: File for the JSON report; `-` for standard output.
        verbose: Print every task's result, and tracebacks.
        output_format: Of `show_routes.py`.
    """

    config: Path = DEFAULT_CONFIG
    limit: tuple[str, ...] = ()
    dry_run: bool = False
    diff: bool = False
    yes: bool = False
    json: str = ""
    verbose: bool = False
    output_format: str = "table"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(f"{message} ({self.prog} --help lists the options)")


def new_parser(prog: str, description: str, *, finds_drift: bool = False) -> argparse.ArgumentParser:
    """A parser with the options that every runbook has.

    Args:
        prog: The runbook's name.
        description: What it does, in a sentence.
        finds_drift: Whether it may end with the exit code for drift.
    """
    parser = _Parser(
        prog=prog,
        description=description,
        epilog=_EXIT_CODES.format(drift=_DRIFT_EXIT_CODE if finds_drift else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only these hosts: a host's name, a group's, or a pattern such as 'worker-*'; may be repeated",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="Nornir's configuration")
    parser.add_argument("--json", default="", metavar="FILE", help="write the report as JSON; - for standard output")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every task's result, and tracebacks")
    return parser


def add_change_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of runbooks that change hosts."""
    parser.add_argument("--dry-run", action="store_true", help="show what would change; change nothing")
    parser.add_argument("--diff", action="store_true", help="show every change")
    parser.add_argument("--yes", action="store_true", help="do not ask before applying")


def parse_options(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> Options:
    """Parse a command line.

    Raises:
        UsageError: It is wrong.
    """
    values = parser.parse_args(arguments)
    for option in _FILES:
        _check_file(option, getattr(values, option, ""))
    return Options(
        config=values.config,
        limit=tuple(values.limit),
        dry_run=getattr(values, "dry_run", False),
        diff=getattr(values, "diff", False),
        yes=getattr(values, "yes", False),
        json=values.json,
        verbose=values.verbose,
        output_format=getattr(values, "format", "table"),
    )


def _check_file(option: str, target: str) -> None:
    """Say at once that a report can't be written, and not after hosts were changed."""
    if target in ("", "-"):
        return
    path = Path(target)
    if path.exists() and not path.is_file() and not path.is_dir():
        return  # a pipe or a device
    if not path.parent.is_dir():
        message = f"--{option} {target}: there is no folder {path.parent}"
    elif path.is_dir():
        message = f"--{option} {target}: is a folder; name a file"
    elif not os.access(path.parent, os.W_OK):
        message = f"--{option} {target}: the folder {path.parent} can't be written to"
    else:
        return
    raise UsageError(message)


def run_main(body: Callable[[Options], int], parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Run a runbook's body; an error ends in one clear line on standard error and the exit code that fits.

    Returns:
        The exit code.
    """
    verbose = any(argument in ("-v", "--verbose") for argument in (sys.argv if arguments is None else arguments))
    try:
        with postponed():
            return body(parse_options(parser, arguments))
    except InventoryError as error:
        print(
            f"{error}; nothing was touched:", *(f"  {problem}" for problem in error.problems), sep="\n", file=sys.stderr
        )
        return exit_codes.USAGE
    except LockHeldError as error:
        print(error, file=sys.stderr)
        return exit_codes.LOCKED
    except PodRoutesError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return exit_codes.USAGE if isinstance(error, UsageError) else exit_codes.FAILED
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return exit_codes.FAILED
    except Exception as error:
        if verbose:
            raise
        print(f"{parser.prog}: internal error, {type(error).__name__}: {error} (-v shows where)", file=sys.stderr)
        return exit_codes.FAILED
