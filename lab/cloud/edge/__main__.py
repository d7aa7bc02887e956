"""Starts the edge: `python -m lab.cloud.edge CONTROL ADDRESS SERVICE=PORT=BEHIND…`."""

import sys
from pathlib import Path

from lab.cloud.edge.control import serve_control
from lab.cloud.edge.server import Edge, Front


def main() -> int:
    """Serve until killed."""
    control, address, *rest = sys.argv[1:]
    fronts = []
    for one in rest:
        service, port, behind = one.split("=")
        fronts.append(Front(service, address, int(port), int(behind)))
    edge = Edge(fronts)
    edge.start()
    serve_control(Path(control), edge)
    return 0


if __name__ == "__main__":
    sys.exit(main())
