"""Scripts over a connection that nornir-netmiko has opened, as hosts of an existing Nornir project have it.

Each runs in an exec channel of the connection's SSH client (`remote_conn_pre`, Netmiko's name for it), with its exit
status; the interactive shell that Netmiko keeps beside it is left alone.
"""

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from podroutes.errors import RemoteCommandError, RemoteTimeoutError, UnreachableError
from podroutes.plugins.connections import wrapping
from podroutes.script_runner import ScriptResult

if TYPE_CHECKING:
    from paramiko import Channel

CONNECTION_NAME: Final = "netmiko"
_POLL_SECONDS: Final = 0.005
_READ_BYTES: Final = 1 << 16
logger = logging.getLogger(__name__)


class NetmikoHost:
    """A host behind a Netmiko connection; satisfies `podroutes.script_runner.ScriptRunner`.

    Args:
        host: Its name, for messages.
        connection: Netmiko's, as nornir-netmiko's plugin holds it.
    """

    def __init__(self, host: str, connection: Any) -> None:  # noqa: ANN401  # Netmiko's base class is not typed
        self._host = host
        self._client = connection.remote_conn_pre
        self._user: str = connection.username or "root"

    def run_script(self, script: str, *, timeout: float, public: bool = False) -> ScriptResult:
        """Run a POSIX shell script as root, as `podroutes.script_runner.ScriptRunner.run_script`."""
        from paramiko import ChannelException, SSHException  # noqa: PLC0415  # Netmiko has imported it by now

        marker = wrapping.new_marker()
        sudo = self._user != "root"
        request = wrapping.request(script, marker, sudo=sudo, password=False, public=public, seconds=timeout)
        deadline = time.monotonic() + timeout
        try:
            with self._client.get_transport().open_session(timeout=timeout) as channel:
                channel.settimeout(timeout)
                channel.exec_command(request.command)
                threading.Thread(target=_feed, args=(channel, request.stdin), daemon=True).start()
                stdout, stderr = self._read(channel, deadline, timeout)
                status: int = channel.recv_exit_status()
        except ChannelException as error:
            message = f"{self._host}: the host takes no second channel beside Netmiko's shell ({error.text})"
            raise RemoteCommandError(message) from error
        except (SSHException, OSError, EOFError, AttributeError) as error:
            message = f"{self._host}: the connection broke while a command ran"
            raise UnreachableError(message) from error
        output = wrapping.unwrap(stdout, stderr, marker)
        if not output.started:
            raise wrapping.explain_not_started(self._host, self._user, status, output, sudo=sudo, password=False)
        if status < 0:
            message = f"{self._host}: the command was ended by a signal; it has no exit status"
            raise RemoteCommandError(message)
        return ScriptResult(status, output.stdout, output.stderr)

    def _read(self, channel: "Channel", deadline: float, timeout: float) -> tuple[bytearray, bytearray]:
        stdout, stderr = bytearray(), bytearray()
        while True:
            # Asked before reading: what arrived before the end is still read after it.
            ended = channel.exit_status_ready() and (channel.eof_received or channel.closed)
            while channel.recv_ready():
                stdout += channel.recv(_READ_BYTES)
            while channel.recv_stderr_ready():
                stderr += channel.recv_stderr(_READ_BYTES)
            if ended or channel.closed:
                return stdout, stderr
            if time.monotonic() > deadline:
                message = f"{self._host}: the command did not end within {timeout:.1f} s"
                raise RemoteTimeoutError(message)
            time.sleep(_POLL_SECONDS)


def _feed(channel: "Channel", data: bytes) -> None:
    # A command that ends without reading its input closes the channel; its status and stderr say more than an error.
    with suppress(OSError, EOFError):
        channel.sendall(data)
        channel.shutdown_write()
