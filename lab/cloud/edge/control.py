"""Commands to the edge: a line of JSON over a socket in the lab's own files, and one back."""

import json
import socket
import socketserver
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.cloud.edge.rules import Counted, Rule
from lab.cloud.edge.server import Edge
from lab.errors import LabError

_SECONDS = 10.0


class Control:
    """The lab's side.

    Args:
        path: The edge's socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, rule: Rule) -> None:
        """Add a rule for requests.

        Args:
            rule: The rule.

        Raises:
            LabError: The edge does not run.
        """
        self._ask({"do": "add", "rule": rule.as_dict()})

    def clear(self) -> int:
        """Remove all rules, and listen again.

        Returns:
            How many rules and stopped services there were.

        Raises:
            LabError: The edge does not run.
        """
        return int(self._ask({"do": "clear"})["cleared"])

    def stop(self, service: str) -> None:
        """Refuse connections.

        Args:
            service: `identity` or `network`.

        Raises:
            LabError: The edge does not run.
        """
        self._ask({"do": "stop", "service": service})

    def requests(self, *, reset: bool = False) -> list[Counted]:
        """The requests so far.

        Args:
            reset: Whether to count from zero from now on.

        Raises:
            LabError: The edge does not run.
        """
        return [Counted(**one) for one in self._ask({"do": "requests", "reset": reset})["requests"]]

    def faults(self) -> list[str]:
        """The faults in force, one line each.

        Raises:
            LabError: The edge does not run.
        """
        return [str(line) for line in self._ask({"do": "faults"})["faults"]]

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(str(self._path))
                with connection.makefile("rw") as file:
                    file.write(json.dumps(message) + "\n")
                    file.flush()
                    answered: dict[str, Any] = json.loads(file.readline())
        except (OSError, ValueError) as error:
            raise LabError(f"the cloud's edge does not answer: {error}", status=1) from error
        return answered


def serve_control(path: Path, edge: Edge) -> None:
    """The edge's side: obey commands until killed.

    Args:
        path: The socket.
        edge: The edge.
    """

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            message = json.loads(self.rfile.readline())
            self.wfile.write(json.dumps(obey(edge, message)).encode() + b"\n")

    path.unlink(missing_ok=True)
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        server.serve_forever()


def obey(edge: Edge, message: dict[str, Any]) -> dict[str, Any]:
    """Obey a command.

    Args:
        edge: The edge.
        message: What `Control` sends.

    Returns:
        The answer.

    Raises:
        ValueError: It asks for something else.
    """
    match message:
        case {"do": "add", "rule": rule}:
            edge.rules.add(Rule.from_dict(rule))
            return {}
        case {"do": "clear"}:
            return {"cleared": edge.rules.clear() + len(edge.start())}
        case {"do": "stop", "service": service}:
            edge.stop(service)
            return {}
        case {"do": "requests", "reset": reset}:
            return {"requests": [asdict(one) for one in edge.counts.list(reset=reset)]}
        case {"do": "faults"}:
            return {"faults": [f"{name}: stopped" for name in edge.stopped] + [str(rule) for rule in edge.rules.list()]}
    raise ValueError(f"not understood: {message}")
