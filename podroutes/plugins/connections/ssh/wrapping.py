"""What goes over standard input, and what is made of what comes back. Pure."""

import re
import secrets

from msgspec import Struct

from podroutes.errors import HostError, PrivilegeError, RemoteCommandError

# `env` and not an assignment: the login shell may be csh or fish.
AS_ROOT = "env LC_ALL=C /bin/sh -s"
WITH_SUDO = "env LC_ALL=C sudo -n -- /bin/sh -s"
_SUDO = re.compile(r"sudo|^sorry,", re.IGNORECASE | re.MULTILINE)
_NOT_FOUND = 127
_LINE_LENGTH = 300


class Output(Struct, frozen=True):
    """What a wrapped script printed.

    Attributes:
        started: Whether the script was reached at all.
        stdout: Its standard output, without what came before it.
        stderr: Its standard error, likewise.
    """

    started: bool
    stdout: str
    stderr: str


def new_marker() -> str:
    """A word that no host can have printed before."""
    return f"podroutes-{secrets.token_hex(12)}"


def wrap(script: str, marker: str) -> bytes:
    """Make a script safe to be fed to a shell over a network.

    The shell reads all of it before it runs any of it, so a connection that breaks half-way runs nothing, and
    commands inside cannot read the script as their input.

    Args:
        script: The text of a POSIX shell script.
        marker: Printed on both outputs where the script starts.

    Returns:
        The bytes for the shell's standard input.
    """
    return f"printf '%s\\n' {marker}; printf '%s\\n' {marker} >&2\n{{ :\n{script}\n}}\n".encode()


def unwrap(stdout: bytes | bytearray, stderr: bytes | bytearray, marker: str) -> Output:
    """Cut off what a noisy login shell or sudo printed before the script.

    Args:
        stdout: All of standard output.
        stderr: All of standard error.
        marker: The one that was given to `wrap`.

    Returns:
        What the script itself printed.
    """
    line = f"{marker}\n".encode()
    return Output(started=line in stdout, stdout=_after(stdout, line), stderr=_after(stderr, line))


def _after(output: bytes | bytearray, line: bytes) -> str:
    """What comes after a line, or all of it; without a copy on the way, as answers are long."""
    found = output.find(line)
    return str(memoryview(output)[found + len(line) if found >= 0 else 0 :], "utf-8", "replace")


def explain_not_started(host: str, user: str, status: int, output: Output, *, sudo: bool) -> HostError:
    """Say why a shell was never reached.

    Args:
        host: Its name.
        user: Who logged in.
        status: The exit status.
        output: What was printed instead.
        sudo: Whether it was to go through sudo.

    Returns:
        The error to raise.
    """
    said = last_line(output.stderr) or last_line(output.stdout) or f"exit status {status}"
    if sudo and _SUDO.search(output.stderr) is not None:
        if status == _NOT_FOUND:
            return PrivilegeError(f"{host}: sudo is not installed, and user {user} is not root")
        said = next((line for line in output.stderr.splitlines() if _SUDO.search(line) is not None), said)
        return PrivilegeError(f"{host}: user {user} may not become root without a password: {one_line(said)}")
    return RemoteCommandError(
        f"{host}: the login shell of user {user} did not start /bin/sh (exit status {status}): {said}"
    )


def last_line(text: str) -> str:
    """The last line that is not empty, fit to be shown."""
    return next((line for raw in reversed(text.splitlines()) if (line := one_line(raw))), "")


def one_line(text: str) -> str:
    """Text from a host without what could disturb a terminal, at most 300 characters."""
    return "".join(character for character in text if character.isprintable()).strip()[:_LINE_LENGTH]
