#!/usr/bin/env python3
"""Show the cluster's routing table: the plan, and what every host really has. Changes nothing."""

import sys
from collections.abc import Sequence

from runbooks.cli import Options, new_parser, run_main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the runbook.

    Args:
        arguments: Of the command line, without the program's name; None for the process's own.

    Returns:
        The exit code: 0 if every host could be read, whatever routes it has.
    """
    parser = new_parser("show_routes.py", "Show each worker's internal IP and pod CIDR, and every host's routes.")
    parser.add_argument(
        "--format",
        choices=("table", "json", "text", "gcloud"),
        default="table",
        help="table (the default); json; text: `ip route` of each host; gcloud: as `gcloud compute routes list`",
    )
    return run_main(_show, parser, arguments)


def _show(options: Options) -> int:
    from runbooks.session import open_session

    session = open_session(options.config, options.limit, dry_run=True)
    # A wrong inventory or limit need not wait for what only a run needs.
    from podroutes.cloud import CloudState
    from podroutes.host_state import HostState
    from podroutes.report.console import new_console, print_failures, print_notes
    from podroutes.report.json_report import write_json
    from podroutes.report.routing_table import print_as_gcloud, print_as_table, print_as_text, print_clouds
    from podroutes.routing_table import build_routing_table
    from runbooks.run import Run
    from tasks.show import read_any

    run = Run(session, "show_routes", verbose=options.verbose)
    report, result = run.over_hosts(read_any, title="read", dry_run=True, hosts=session.hosts, plan=session.plan)
    states = {name: host[0].result for name, host in result.items() if isinstance(host[0].result, HostState)}
    clouds = {name: host[0].result for name, host in result.items() if isinstance(host[0].result, CloudState)}
    table = build_routing_table(session.plan, report.hosts, states, clouds)
    console = new_console(sys.stderr if options.json == "-" else sys.stdout)
    match options.output_format:
        case "json":
            print(table.model_dump_json(indent=2))
        case "text":
            print_as_text(console, table)
            print_clouds(console, table)
        case "gcloud":
            print_as_gcloud(console, session.plan, states)
        case _:
            print_as_table(console, table)
            print_clouds(console, table)
    print_notes(new_console(sys.stderr), session.notes)
    print_failures(new_console(sys.stderr), report)
    if options.json:
        write_json(report, options.json)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
