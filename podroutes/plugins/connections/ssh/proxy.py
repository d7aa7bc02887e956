"""A connection through a command's standard input and output (ProxyCommand).

Not asyncssh's own: that runs the command without a shell, and takes what it says on stderr for the host's words.
"""

import os
import re
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress

EXIT_SECONDS = 0.5
STDERR_BYTES = 4096
# What ssh says about a network that may be back in a moment; anything else, a refused key above all, is final.
_TRANSIENT = re.compile(
    r"connection (refused|reset|closed|timed out)|operation timed out|broken pipe|no route to host", re.IGNORECASE
)


class Proxy:
    """A running command that is the way to a host.

    The command gets a session of its own: it can ask nothing on the terminal, and Ctrl-C does not reach it.

    Args:
        command: A shell command.

    Attributes:
        sock: The connection; whoever uses it closes it.

    Raises:
        OSError: No process could be started.
    """

    def __init__(self, command: str) -> None:
        # A file and not a pipe: nobody has to read it while the connection lives.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed in close()
        self.sock, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._stderr,
                start_new_session=True,
                env={**os.environ, "SSH_ASKPASS_REQUIRE": "never"},
            )
        except BaseException:
            self._stderr.close()
            self.sock.close()
            raise
        finally:
            theirs.close()

    def failure(self) -> str:
        """What the command complained about last, as one line; empty where it said nothing."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_SECONDS)
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - STDERR_BYTES))
        lines = self._stderr.read().decode("utf-8", "replace").split("\n")
        # ssh's own last word is often only that its session is over; the reason stands before it.
        said = ["".join(c for c in line if c.isprintable()).strip() for line in lines]
        said = [line for line in said if line]
        return said[-1] if said else ""

    def close(self) -> None:
        """End the command and wait for its end, for at most a second."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(EXIT_SECONDS)
        self._stderr.close()


def may_pass(complaint: str) -> bool:
    """Whether what a proxy command said is about a network that may work a moment later."""
    return _TRANSIENT.search(complaint) is not None
