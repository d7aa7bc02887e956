"""What `show_routes.py` does: read, and print the cluster's routing table."""

import sys

from podroutes.host.cloud import CloudState
from podroutes.host.state import HostState
from podroutes.report.console import new_console, print_failures, print_notes
from podroutes.report.json_report import render
from podroutes.report.routing_records import build_routing_table
from podroutes.report.routing_table import print_as_gcloud, print_as_table, print_as_text, print_clouds
from runbooks._cli import Options
from runbooks._run import Run
from runbooks._session import Session
from tasks.show import read_any


def show_hosts(session: Session, options: Options) -> int:
    """Read the chosen hosts and show what they have.

    Args:
        session: What to work with.
        options: What the engineer asked for.

    Returns:
        The exit code.
    """
    run = Run(session, "show_routes", verbose=options.verbose)
    report, result = run.over_hosts(read_any, title="read", dry_run=True, hosts=session.hosts, plan=session.plan)
    states = {name: host[0].result for name, host in result.items() if isinstance(host[0].result, HostState)}
    clouds = {name: host[0].result for name, host in result.items() if isinstance(host[0].result, CloudState)}
    table = build_routing_table(session.plan, report.hosts, states, clouds)
    console = new_console(sys.stderr if options.json == "-" else sys.stdout)
    match options.output_format:
        case "json":
            sys.stdout.write(render(table))
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
        from podroutes.report.json_report import write_json

        write_json(report, options.json)
    return report.exit_code
