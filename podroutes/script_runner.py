"""The one small interface between tasks and whatever reaches a host."""

from typing import Protocol

from msgspec import Struct


class ScriptResult(Struct, frozen=True):
    """What a script left behind.

    Attributes:
        status: Exit status, 0 to 255.
        stdout: Standard output, decoded as UTF-8 with replacement of what is not.
        stderr: Standard error, likewise.
    """

    status: int
    stdout: str
    stderr: str


class ScriptRunner(Protocol):
    """A connection to a host, whatever it is made of."""

    def run_script(self, script: str, *, timeout: float, public: bool = False) -> ScriptResult:
        """Run a POSIX shell script as root.

        Args:
            script: The text of the script.
            timeout: Seconds until the whole of it must have ended.
            public: Whether the host's process list may show the script, which can save a round trip.

        Returns:
            Exit status and output, also where the status is not 0.

        Raises:
            UnreachableError: The connection broke.
            PrivilegeError: The user may not become root without a password.
            RemoteTimeoutError: It did not end in time.
        """
        ...
