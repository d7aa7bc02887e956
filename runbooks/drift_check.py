#!/usr/bin/env python3
"""Check every machine, and the cloud, against the plan; reads, and writes nothing to them unless told to fix."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from podroutes import exit_codes
from podroutes.errors import InventoryError, PodRoutesError, UsageError
from runbooks._cli import Options, new_parser, run_main
from runbooks._schedule_options import add_timer_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the runbook.

    Args:
        arguments: Of the command line, without the program's name; None for the process's own.

    Returns:
        The exit code: 2 if something has drifted, 1 if a host could not be checked.
    """
    parser = new_parser(
        "drift_check.py", "Say what differs from the plan, where, since when, and what that breaks.", finds_drift=True
    )
    _add_options(parser)
    add_timer_options(parser)

    def body(options: Options) -> int:
        return _drift_check(options, parser.parse_args(arguments))

    return run_main(body, parser, arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    reports = parser.add_argument_group("reports")
    reports.add_argument("--junit", default="", metavar="FILE", help="a suite for each host, a case for each check")
    reports.add_argument(
        "--prometheus", default="", metavar="FILE", help="metrics for node_exporter's textfile collector"
    )
    reports.add_argument("--html", default="", metavar="FILE", help="one page that stands alone")
    reports.add_argument(
        "--exit-style",
        choices=("plain", "nagios"),
        default="plain",
        help="nagios: one line with perfdata, and the exit codes that monitoring expects",
    )
    more = parser.add_argument_group("more")
    more.add_argument("--ping", action="store_true", help="prove it: ping between the workers' pod gateways")
    more.add_argument("--fix", action="store_true", help="fix what was found, as provision.py does, and verify")
    more.add_argument("--history", default="", metavar="FILE", help="remember findings in this SQLite file")
    more.add_argument("--log", action="store_true", help="print the history's runs, and check nothing")
    more.add_argument("--explain", default="", metavar="CODE", help="print what a code means, and check nothing")


def _drift_check(options: Options, values: argparse.Namespace) -> int:
    if values.explain:
        from podroutes.drift.explain import explain

        print(explain(values.explain))
        return exit_codes.OK
    if values.install_timer or values.remove_timer:
        from runbooks._schedule import install_timer, remove_timer, timer_options

        schedule = timer_options(values, runbook=Path(__file__))
        return install_timer(schedule) if values.install_timer else remove_timer(schedule)
    if values.log:
        return _print_log(values.history)
    if values.exit_style == "nagios":
        return _for_nagios(options, values)
    return _check(options, values)


def _check(options: Options, values: argparse.Namespace) -> int:
    from runbooks._session import locked_session

    with locked_session(options.config, options.limit, dry_run=True) as session:
        # A wrong inventory or limit need not wait for what only a run needs.
        from runbooks._check import check_hosts
        from runbooks._reports import Reports

        reports = Reports(
            junit=values.junit,
            prometheus=values.prometheus,
            html=values.html,
            history=Path(values.history) if values.history else None,
            nagios=values.exit_style == "nagios",
        )
        return check_hosts(session, options, reports, fix=values.fix, ping=values.ping)


def _for_nagios(options: Options, values: argparse.Namespace) -> int:
    """Check; what prevents that is a state of its own to monitoring, and never an exit code that it does not know."""
    try:
        return _check(options, values)
    except PodRoutesError as error:
        from podroutes.report.nagios import error_line

        problem = error.problems[0] if isinstance(error, InventoryError) else error
        status, line = error_line(str(problem))
        print(line)
        return status


def _print_log(history: str) -> int:
    if not history:
        message = "--log needs --history FILE"
        raise UsageError(message)
    from podroutes.drift.history import History
    from podroutes.report.console import new_console
    from podroutes.report.log import print_log

    print_log(new_console(), History(Path(history)))
    return exit_codes.OK


if __name__ == "__main__":
    sys.exit(main())
