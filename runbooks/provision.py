#!/usr/bin/env python3
"""Give every machine of the cluster its pod network routes, and keep them there after a reboot."""

import sys
from collections.abc import Sequence

from runbooks._cli import Options, add_change_options, new_parser, run_main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the runbook.

    Args:
        arguments: Of the command line, without the program's name; None for the process's own.

    Returns:
        The exit code.
    """
    parser = new_parser("provision.py", "Turn IP forwarding on, set the pod routes and install routes.service.")
    add_change_options(parser)
    return run_main(_provision, parser, arguments)


def _provision(options: Options) -> int:
    from runbooks._session import locked_session

    with locked_session(options.config, options.limit, dry_run=options.dry_run) as session:
        # A wrong inventory or limit need not wait for what only a run needs.
        from runbooks._change import change_hosts
        from tasks.provision import provision

        return change_hosts(session, options, "provision", provision)


if __name__ == "__main__":
    sys.exit(main())
