"""A client of the REST API of LXD and Incus, as far as this project needs it.

Commands run with recorded output, over plain HTTP: over a websocket, as `lxc exec` does it, the output of fast commands
is lost now and then.
"""

import errno
import logging
import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx
from msgspec import Struct

from podroutes.errors import AuthenticationError, RemoteCommandError, RemoteTimeoutError, UnreachableError
from podroutes.plugins.lxd.remotes import Remote
from podroutes.plugins.lxd.tls import tls_context
from podroutes.text import one_line

MAX_OUTPUT_BYTES: Final = 64 << 20
RUNNING: Final = "Running"
_OPERATION: Final = re.compile(r"/1\.0/operations/[0-9a-f-]{36}")
_LOG: Final = re.compile(r"/1\.0/instances/[A-Za-z0-9-]+/logs/(exec-output/)?[A-Za-z0-9_.-]+")
_FILE_SERVER: Final = "forkfile.sock"
# LXD and Incus begin it with their names.
_STOPPING: Final = " is shutting down"
# What a wait that ended before its operation did is answered with, by LXD from the end of 2023 on; older ones send the
# operation as it is.
_WAIT_ENDED: Final = "context deadline exceeded"
_ENDED: Final = frozenset({200, *range(400, 500)})
_RETRY_SECONDS: Final = 0.1
logger = logging.getLogger(__name__)


class ApiError(Exception):
    """The daemon refused a request; its text is what it said, one line."""


class ExecResult(Struct, frozen=True):
    """What a command left behind: exit status and output."""

    status: int
    stdout: bytes
    stderr: bytes


class LxdClient:
    """Requests to one daemon; not to be shared between threads.

    Each method raises UnreachableError where the daemon does not answer, and ApiError where it refuses.

    Args:
        remote: Where it is.
        conn_timeout: Seconds until it must have answered.
        patient: Whether one that restarts is waited for, as long again.

    Raises:
        UsageError: A certificate can't be used.
    """

    def __init__(self, remote: Remote, conn_timeout: float, *, patient: bool = True) -> None:
        self.remote = remote
        self._conn_timeout = conn_timeout
        self._patience = conn_timeout if patient else 0.0
        self._known_to_listen = False
        verify = True if remote.certificates is None else tls_context(remote.certificates)
        self._http = httpx.Client(
            base_url=remote.url,
            params={"project": remote.project},
            timeout=conn_timeout,
            trust_env=False,
            transport=httpx.HTTPTransport(verify=verify, uds=remote.socket, trust_env=False),
        )

    def close(self) -> None:
        """Close it."""
        self._http.close()

    def instances(self) -> list[Any]:
        """All instances of the project, with their state and addresses, in one request."""
        listed = self._metadata("/1.0/instances", params={"recursion": "2"})
        return listed if isinstance(listed, list) else []

    def status(self, instance: str) -> str:
        """Whether an instance runs: `Running`, `Stopped`, `Frozen` and the like."""
        return str(_mapping(self._metadata(_instance(instance))).get("status", ""))

    def push_file(self, instance: str, path: str, content: bytes, *, mode: int) -> None:
        """Write a file of root's inside an instance, with `mode` as its permission bits."""
        owner = {"uid": "0", "gid": "0", "mode": f"{mode:04o}", "type": "file", "write": "overwrite"}
        headers = {f"X-{server}-{key}": value for server in ("LXD", "Incus") for key, value in owner.items()}
        deadline = self._deadline()
        while True:
            try:
                self._send(
                    "POST", f"{_instance(instance)}/files", params={"path": path}, content=content, headers=headers
                )
                return
            except ApiError as error:
                # The daemon has a process for each instance's files, which leaves when it is idle or the daemon
                # restarts; a request that comes just then fails. Writing a file twice does no harm.
                if _FILE_SERVER not in str(error):
                    raise
                _pause(deadline, error)

    def execute(self, instance: str, argv: Sequence[str], *, timeout: float) -> ExecResult:
        """Run a command in an instance, as its root, without standard input.

        Args:
            instance: Its name.
            argv: The command.
            timeout: Seconds until it must have ended.

        Raises:
            RemoteTimeoutError: It did not end in time.
            RemoteCommandError: It could not be started, or ended without an exit status.
        """
        deadline = time.monotonic() + timeout
        ended = self._wait(self._start(instance, argv), deadline, timeout)
        answer = _mapping(ended.get("metadata"))
        files = [str(_mapping(answer.get("output")).get(number, "")) for number in ("1", "2")]
        try:
            if ended.get("status_code") != httpx.codes.OK:
                raise RemoteCommandError(f"it could not be started: {one_line(ended.get('err') or '')}")
            status = answer.get("return")
            if not isinstance(status, int) or not 0 <= status <= 255:
                raise RemoteCommandError("it has no exit status")
            stdout, stderr = (self._read(file) for file in files)
            return ExecResult(status, stdout, stderr)
        finally:
            for file in files:
                self._delete(file)

    def _start(self, instance: str, argv: Sequence[str]) -> str:
        body = {"command": list(argv), "record-output": True, "wait-for-websocket": False, "interactive": False}
        # Sent once: it could have been started although the answer is lost.
        answer = self._send("POST", f"{_instance(instance)}/exec", json=body, again=False).json()
        operation = str(_mapping(answer).get("operation", "")).partition("?")[0]
        if _OPERATION.fullmatch(operation) is None:
            raise RemoteCommandError("the daemon's answer is not understood: it names no operation")
        return operation

    def _wait(self, operation: str, deadline: float, timeout: float) -> Mapping[str, Any]:
        while True:
            remaining = max(1, round(deadline - time.monotonic()))
            patience = httpx.Timeout(self._conn_timeout, read=remaining + self._conn_timeout)
            try:
                ended = _mapping(
                    self._metadata(f"{operation}/wait", params={"timeout": str(remaining)}, timeout=patience)
                )
            except ApiError as error:
                if str(error) != _WAIT_ENDED:
                    # A daemon that restarts forgets its operations.
                    message = "the daemon restarted while a command ran: what became of it is not known"
                    raise UnreachableError(message) from error
                ended = {}
            if ended.get("status_code") in _ENDED:
                return ended
            if time.monotonic() >= deadline:
                raise RemoteTimeoutError(f"the command did not end within {timeout:.1f} s")

    def _read(self, file: str) -> bytes:
        if file == "":
            return b""
        _check_log(file)
        deadline = self._deadline()
        while True:
            try:
                with self._http.stream("GET", file) as response:
                    if response.is_success:
                        return _body(response)
                    response.read()
            except httpx.TransportError as error:
                raise UnreachableError(self._explain(error, _os_error(error))) from error
            said = f"HTTP {response.status_code}: {_reason(response)}"
            failure = RemoteCommandError(f"the command's output could not be read ({said})")
            # One that stops fails in many ways.
            if not response.is_server_error:
                raise failure
            _pause(deadline, failure)

    def _delete(self, file: str) -> None:
        try:
            if file != "":
                _check_log(file)
                self._send("DELETE", file)
        except Exception:  # it is a file in the daemon's log folder; the command's result is what counts
            logger.debug("%s could not be deleted", file, exc_info=True)

    def _metadata(self, url: str, **request: Any) -> Any:  # noqa: ANN401  # JSON; each caller checks it
        return _mapping(self._send("GET", url, **request).json()).get("metadata")

    def _send(
        self,
        method: str,
        url: str,
        *,
        again: bool = True,
        **request: Any,  # noqa: ANN401  # httpx's own
    ) -> httpx.Response:
        """Send a request; one that surely did not arrive, or may arrive twice (`again`), is sent until it does."""
        deadline = self._deadline()
        while True:
            try:
                self._knock()
                response = self._http.request(method, url, **request)
            except (httpx.TransportError, OSError) as error:
                self._known_to_listen = False
                cause = _os_error(error)
                failure = UnreachableError(self._explain(error, cause))
                may_pass = not isinstance(cause, PermissionError | ssl.SSLError)
                if not (may_pass and (again or isinstance(error, httpx.ConnectError | OSError))):
                    raise failure from error
                _pause(deadline, failure)
                continue
            if response.is_success:
                return response
            reason = _reason(response)
            # It starts or stops. One that came past the first door as it began to stop is refused a new operation.
            if response.status_code == httpx.codes.SERVICE_UNAVAILABLE or reason.endswith(_STOPPING):
                _pause(deadline, UnreachableError(f"{self.remote.label}: {reason}"))
                continue
            if response.status_code == httpx.codes.FORBIDDEN:
                raise AuthenticationError(f"{self.remote.label}: {reason}; is this client's certificate trusted there?")
            raise ApiError(reason)

    def _knock(self) -> None:
        """See that somebody listens on the unix socket: httpcore leaves open what it can't connect."""
        if self.remote.socket is not None and not self._known_to_listen:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
                knocking.settimeout(self._conn_timeout)
                knocking.connect(self.remote.socket)
            self._known_to_listen = True

    def _deadline(self) -> float:
        return time.monotonic() + self._patience

    def _explain(self, error: Exception, cause: OSError | None) -> str:
        if isinstance(cause, PermissionError):
            hint = "permission denied: run this as root, or as a user of the socket's group"
        elif isinstance(cause, ssl.SSLCertVerificationError):
            hint = (
                "the server's certificate is not the one that is known; if it was renewed, "
                f"`{self.remote.program} remote` replaces it"
            )
        elif cause is not None and cause.errno in (errno.ENOENT, errno.ECONNREFUSED):
            hint = "nobody answers: is the daemon running?"
        elif isinstance(error, httpx.TimeoutException):
            hint = f"no answer within {self._conn_timeout:.0f} s"
        else:
            hint = one_line(error) or type(error).__name__
        return f"{self.remote.label} ({self.remote.socket or self.remote.url}): {hint}"


def _pause(deadline: float, failure: Exception) -> None:
    """Wait a moment before the next attempt; if there is no time left for one, raise what it failed by."""
    if time.monotonic() >= deadline:
        raise failure
    time.sleep(_RETRY_SECONDS)


def _body(response: httpx.Response) -> bytes:
    content = bytearray()
    for part in response.iter_bytes():
        content += part
        if len(content) > MAX_OUTPUT_BYTES:
            raise RemoteCommandError(f"the command printed more than {MAX_OUTPUT_BYTES >> 20} MiB")
    return bytes(content)


def _instance(name: str) -> str:
    return f"/1.0/instances/{quote(name, safe='')}"


def _check_log(file: str) -> None:
    if _LOG.fullmatch(file) is None:
        raise RemoteCommandError("the daemon's answer is not understood: it names no file with the command's output")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _reason(response: httpx.Response) -> str:
    try:
        said = _mapping(response.json()).get("error")
    except ValueError:
        said = None
    return one_line(said or "") or f"HTTP {response.status_code}"


def _os_error(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
