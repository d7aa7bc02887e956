#!/usr/bin/env python3
"""Show the cluster's routing table: the plan, and what every host really has. Changes nothing."""

import sys
from collections.abc import Sequence

from runbooks._cli import Options, new_parser, run_main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run with a command line's arguments, by default the process's own.

    Returns:
        The exit code: 0 if every host could be read, whatever routes it has.
    """
    parser = new_parser("show_routes", "Show each worker's internal IP and pod CIDR, and every host's routes.")
    parser.add_argument(
        "--format",
        choices=("table", "json", "text", "gcloud"),
        default="table",
        help="table (the default); json; text: `ip route` of each host; gcloud: as `gcloud compute routes list`",
    )
    return run_main(_show, parser, arguments)


def _show(options: Options) -> int:
    from runbooks._session import connecting_session

    with connecting_session(options.config, options.limit, dry_run=True) as session:
        # A wrong inventory or limit need not wait for what only a run needs.
        from runbooks._show import show_hosts

        return show_hosts(session, options)


if __name__ == "__main__":
    sys.exit(main())
