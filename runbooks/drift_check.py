#!/usr/bin/env python3
"""Check every machine, and the cloud, against the plan; changes nothing on them unless asked to fix."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from podroutes import exit_codes
from podroutes.errors import UsageError
from runbooks._cli import Options, new_parser, run_main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run with a command line's arguments, by default the process's own.

    Returns:
        The exit code: 2 if something has drifted, 1 if a host could not be checked.
    """
    parser = new_parser(
        "drift_check", "Say what differs from the plan, where, since when, and what that breaks.", finds_drift=True
    )
    parser.add_argument("--ping", action="store_true", help="verify by pings between the workers' pod gateways")
    parser.add_argument("--fix", action="store_true", help="fix what was found, as provision.py does, and verify")
    parser.add_argument("--history", default="", metavar="FILE", help="remember findings in this SQLite file")
    parser.add_argument("--log", action="store_true", help="print the history's runs, and check nothing")
    parser.add_argument("--explain", default="", metavar="CODE", help="print what a code means, and check nothing")
    _add_timer_options(parser)
    return run_main(_drift_check, parser, arguments)


def _add_timer_options(parser: argparse.ArgumentParser) -> None:
    timer = parser.add_argument_group("schedule, by systemd on this machine")
    either = timer.add_mutually_exclusive_group()
    either.add_argument("--install-timer", action="store_true", help="check on a schedule from now on")
    either.add_argument("--remove-timer", action="store_true", help="remove the schedule; reports stay")
    timer.add_argument("--every", default="5min", metavar="SPAN", help="how often: 30s, 5min, 1h, 1d; default 5min")
    timer.add_argument("--user", default="root", metavar="NAME", help="who checks, with that user's SSH keys")
    timer.add_argument(
        "--state-dir",
        type=Path,
        default=Path("/var/lib/pod-routes"),
        metavar="FOLDER",
        help="where the history and the reports are kept; default %(default)s",
    )
    timer.add_argument(
        "--systemd-dir",
        type=Path,
        default=Path("/etc/systemd/system"),
        metavar="FOLDER",
        help="where the units are written; default %(default)s",
    )


def _drift_check(options: Options) -> int:
    if options.own.explain:
        from podroutes.drift.explain import explain

        print(explain(options.own.explain))
        return exit_codes.OK
    if options.own.install_timer or options.own.remove_timer:
        from runbooks._schedule import install_timer, remove_timer, timer_options

        timer = timer_options(options, runbook=Path(__file__))
        return install_timer(timer) if options.own.install_timer else remove_timer(timer)
    if options.own.log:
        return _print_log(options.own.history)
    return _check(options)


def _check(options: Options) -> int:
    from runbooks._session import locked_session

    with locked_session(options.config, options.limit, dry_run=True) as session:
        # A wrong inventory or limit need not wait for what only a run needs.
        from runbooks._check import check_hosts

        history = Path(options.own.history) if options.own.history else None
        return check_hosts(session, options, fix=options.own.fix, ping=options.own.ping, history=history)


def _print_log(history: str) -> int:
    if not history:
        raise UsageError("--log needs --history FILE")
    from podroutes.drift.history import History
    from podroutes.report.console import new_console
    from podroutes.report.log import print_log

    print_log(new_console(), History(Path(history)))
    return exit_codes.OK


if __name__ == "__main__":
    sys.exit(main())
