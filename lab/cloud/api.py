"""A small client of the cloud's APIs, for the lab itself: commonly past the edge, neither counted nor disturbed."""

import http.client
import json
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from lab.cloud.paths import ADDRESS, IDENTITY_PORT, NETWORK_PORT, behind
from lab.errors import LabError
from lab.kernel import in_netns

_SECONDS = 60.0
_UNAUTHORIZED = 401
_PORTS = {"identity": IDENTITY_PORT, "network": NETWORK_PORT}


class Api:
    """The APIs, as one user of one project.

    Args:
        netns: Name of the network namespace in which they are.
        auth: How to log in, as below `auth` in `clouds.yaml`; without one, only what needs no token can be asked.
        edge: Whether to go through the edge, as the operator's commands do.
    """

    def __init__(self, netns: str, auth: dict[str, str] | None = None, *, edge: bool = False) -> None:
        self._netns = netns
        self._ports = {service: port if edge else behind(port) for service, port in _PORTS.items()}
        self._auth = auth
        self._token: str | None = None

    def get(self, path: str, *, service: str = "network", **query: str | Iterable[str]) -> Any:  # noqa: ANN401 - JSON
        """Read.

        Args:
            path: With its version: `/v2.0/subnets`.
            service: `network` or `identity`.
            query: Filters; a list gives its key several times.

        Returns:
            The answer, as parsed from JSON.

        Raises:
            LabError: The cloud does not answer, or answers with an error.
        """
        text = urlencode(query, doseq=True)
        return self.call("GET", f"{path}?{text}" if text != "" else path, service=service)

    def call(self, method: str, path: str, body: object = None, *, service: str = "network") -> Any:  # noqa: ANN401
        """Send a request.

        Args:
            method: `PUT`, say.
            path: With its version.
            body: What is sent as JSON; None for nothing.
            service: `network` or `identity`.

        Returns:
            The answer, as parsed from JSON; None if it is empty.

        Raises:
            LabError: The cloud does not answer, or answers with an error.
        """
        if self._auth is not None and self._token is None:
            self._token = self.new_token()
        status, answer, _ = self._send(method, path, body, service)
        if status == _UNAUTHORIZED and self._auth is not None:
            # The token was revoked; to send it along would have the new one refused as well.
            self._token = None
            self._token = self.new_token()
            status, answer, _ = self._send(method, path, body, service)
        if status >= http.client.BAD_REQUEST:
            raise LabError(f"the cloud answers {method} {path} with {status}: {_reason(answer)}", status=1)
        return json.loads(answer) if answer != b"" else None

    def new_token(self) -> str:
        """Log in.

        Returns:
            A token.

        Raises:
            LabError: Keystone does not answer or refuses.
        """
        if self._auth is None:
            raise LabError("there is no user to log in as")
        auth = self._auth
        user = {"name": auth["username"], "domain": {"name": auth["user_domain_name"]}, "password": auth["password"]}
        project = {"name": auth["project_name"], "domain": {"name": auth["project_domain_name"]}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        status, answer, headers = self._send("POST", "/v3/auth/tokens", body, "identity")
        if status != http.client.CREATED:
            raise LabError(f"Keystone refuses {auth['username']} with {status}: {_reason(answer)}", status=1)
        return headers["X-Subject-Token"]

    def answers(self, service: str, path: str) -> bool:
        """Whether a service answers well.

        Args:
            service: `network` or `identity`.
            path: What to ask for, which needs no token.
        """
        try:
            return self._send("GET", path, None, service)[0] == http.client.OK
        except LabError:
            return False

    def _send(self, method: str, path: str, body: object, service: str) -> tuple[int, bytes, "http.client.HTTPMessage"]:
        headers = {"Content-Type": "application/json"} | ({"X-Auth-Token": self._token} if self._token else {})
        connection = http.client.HTTPConnection(ADDRESS, self._ports[service])
        try:
            # A socket belongs to the namespace in which it was made, whoever uses it.
            connection.sock = in_netns(self._netns, socket.socket)
            connection.sock.settimeout(_SECONDS)
            connection.sock.connect((ADDRESS, self._ports[service]))
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            got = connection.getresponse()
            return got.status, got.read(), got.headers
        except (OSError, http.client.HTTPException) as error:
            raise LabError(f"the cloud's {service} API does not answer: {error}", status=1) from error
        finally:
            connection.close()


def _reason(answer: bytes) -> str:
    try:
        parsed = json.loads(answer)
        error = next(iter(parsed.values()))
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, AttributeError, StopIteration):
        return answer.decode(errors="replace")[:200]
