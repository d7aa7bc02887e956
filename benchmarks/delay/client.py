"""Starting the proxy in a lab's operator namespace, and asking it what passed."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.paths import ROOT
from benchmarks.runs import RunFailedError

SSH_PORT = 22


@dataclass(frozen=True)
class Passed:
    """One connection.

    Attributes:
        name: The server's.
        round_trips: See `benchmarks.delay.trips.Trips`.
        to_server: Bytes that the client has sent.
        to_client: Bytes that have reached the client.
    """

    name: str
    round_trips: int
    to_server: int
    to_client: int


class DelayProxy:
    """A running proxy.

    Args:
        process: With pipes; it has been given its job.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def report(self) -> list[Passed]:
        """The connections since the last report."""
        answer: list[dict[str, Any]] = self._ask("report")
        fields = Passed.__dataclass_fields__
        return [Passed(**{key: value for key, value in one.items() if key in fields}) for one in answer]

    def _ask(self, line: str) -> Any:  # noqa: ANN401  # JSON
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if answer == "":
            raise RunFailedError(f"the delay proxy ended with status {self._process.wait()}")
        return json.loads(answer)


@contextmanager
def delay_proxy(prefix: Sequence[str], servers: Mapping[str, tuple[str, str]], trip: float) -> Iterator[DelayProxy]:
    """Run a proxy for SSH servers.

    Args:
        prefix: The command that runs another one where the servers are reached.
        servers: Address to listen on and address of the server, by name.
        trip: Seconds that a round trip takes.

    Yields:
        The proxy, which listens.
    """
    doors = [[name, [listen, SSH_PORT], [server, SSH_PORT]] for name, (listen, server) in servers.items()]
    argv = [*prefix, sys.executable, "-m", "benchmarks.delay"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            proxy = DelayProxy(process)
            proxy._ask(json.dumps({"trip": trip, "doors": doors}))
            yield proxy
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
