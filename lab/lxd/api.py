"""A small client of LXD's API over its socket, for the lab itself: the product has its own."""

import http.client
import json
import socket
from io import IOBase
from pathlib import Path
from typing import Any

from lab.errors import LabError

_SECONDS = 60.0
_FAILED = 400


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("lxd", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Api:
    """The API of one daemon.

    Args:
        path: Its socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def call(self, method: str, path: str, body: object = None, *, seconds: float = _SECONDS) -> Any:  # noqa: ANN401
        """Send a request, and wait for the operation if it starts one.

        Args:
            method: `PUT`, say.
            path: With its version: `/1.0/instances`.
            body: What is sent as JSON, or a file that is sent as it is; None for nothing.
            seconds: How long the daemon may take to answer.

        Returns:
            The metadata of the answer or of the operation.

        Raises:
            LabError: The daemon does not answer, or answers with an error.
        """
        answer = self._send(method, path, body, seconds)
        if answer["type"] == "async":
            answer = self._send("GET", f"{answer['operation']}/wait", None, seconds)
            if answer["metadata"]["status_code"] >= _FAILED:
                raise LabError(f"LXD failed at {method} {path}: {answer['metadata']['err']}", status=1)
        return answer["metadata"]

    def is_ready(self) -> bool:
        """Whether the daemon has started and is ready for requests."""
        try:
            self._send("GET", "/internal/ready", None, 1.0)
        except LabError:
            return False
        return True

    def _send(self, method: str, path: str, body: object, seconds: float) -> dict[str, Any]:
        connection = _Connection(self._path, seconds)
        data: bytes | IOBase | None = None
        headers = {}
        if isinstance(body, IOBase):
            data, headers["Content-Type"] = body, "application/octet-stream"
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            connection.request(method, path, data, headers)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise LabError(f"LXD does not answer at {self._path}: {error}", status=1) from error
        finally:
            connection.close()
        if answer["type"] == "error":
            raise LabError(f"LXD refuses {method} {path}: {answer['error']}", status=1)
        return answer
