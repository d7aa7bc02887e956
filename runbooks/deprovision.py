#!/usr/bin/env python3
"""Take back from every machine exactly what provisioning put there."""

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
    parser = new_parser(
        "deprovision.py",
        "Remove our routes, routes.service and its files; put forwarding back where this software turned it on.",
    )
    add_change_options(parser)
    return run_main(_deprovision, parser, arguments)


def _deprovision(options: Options) -> int:
    from runbooks._session import locked_session

    with locked_session(options.config, options.limit, dry_run=options.dry_run) as session:
        # A wrong inventory or limit need not wait for what only a run needs.
        from runbooks._change import change_hosts
        from tasks.provision import deprovision

        return change_hosts(session, options, "deprovision", deprovision)


if __name__ == "__main__":
    sys.exit(main())
