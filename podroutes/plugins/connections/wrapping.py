"""What goes over standard input, and what is made of what comes back. Pure."""

import math
import re
import secrets
from typing import NamedTuple

from podroutes.errors import HostError, PrivilegeError, RemoteCommandError

# `env` and not an assignment: the login shell may be csh or fish.
_AS_ROOT = "env LC_ALL=C /bin/sh -s"
_WITH_SUDO = "env LC_ALL=C sudo -n -- /bin/sh -s"
# Root's shell says that it is there, so that a script is never read as a password, or a password as a script.
_SUDO_THAT_ASKS = "env LC_ALL=C sudo -S -p {prompt} -- /bin/sh -c 'echo {ready}; exec /bin/sh -s'"
# A host closes a channel without ending what runs in it. `timeout` leads a process group, which ends with it.
_LIMITED = """\
if command -v timeout >/dev/null 2>&1; then exec timeout -s KILL {seconds} /bin/sh -s
else exec /bin/sh -s; fi <<'{end}'
{script}{end}
"""
# What no login shell takes for anything but itself between single quotes: no quote, no newline, no `!`, and backslashes
# only before letters and digits.
_PUBLIC = """/bin/sh -c 'eval "$(printf %b "$1")"' sh '{}'"""
_ESCAPES = (("\\", r"\0134"), ("'", r"\0047"), ("!", r"\0041"), ("\n", r"\n"))
# Linux takes arguments of 128 KiB at most, OpenSSH packets of 256 KiB.
_MAX_PUBLIC = 100_000
_SUDO = re.compile(r"sudo|^sorry,", re.IGNORECASE | re.MULTILINE)
_NOT_FOUND = 127
_LINE_LENGTH = 300


class Output(NamedTuple):
    """What a wrapped script printed, without what came before it; `started`: whether it was reached at all."""

    started: bool
    stdout: str
    stderr: str


class Request(NamedTuple):
    """What to ask a host for.

    Attributes:
        command: For the user's login shell.
        stdin: Its input.
        prompt: What sudo says on stderr where it wants a password; empty where it is not to ask.
        ready: The line on stdout after which the input may be sent; empty for at once.
    """

    command: str
    stdin: bytes
    prompt: str = ""
    ready: str = ""


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
    """
    return f"printf '%s\\n' {marker}; printf '%s\\n' {marker} >&2\n{{ :\n{script}\n}}\n".encode()


def request(script: str, marker: str, *, sudo: bool, password: bool, public: bool, seconds: float) -> Request:
    """What makes a login shell, whichever it is, run a script.

    Args:
        script: The text of a POSIX shell script.
        marker: See `wrap`.
        sudo: Whether to go through sudo.
        password: Whether sudo may ask for a password.
        public: Whether the script may be part of the command. An OpenSSH server takes no input until it has said that
            the command has begun, which is a round trip.
        seconds: How long the host is to let it run, as far as it has `timeout`.

    Returns:
        The request; the script is its input where it is too long for a command.
    """
    wrapped = wrap(script, marker).decode()
    limited = _LIMITED.format(seconds=math.ceil(seconds) + 1, end=f"{marker}-end", script=wrapped)
    if sudo and password:
        prompt, ready = f"{marker}-password:", f"{marker}-root"
        return Request(_SUDO_THAT_ASKS.format(prompt=prompt, ready=ready), limited.encode(), prompt, ready)
    if public and len(limited) < _MAX_PUBLIC:
        command = _in_command(limited, marker, sudo=sudo)
        if len(command.encode()) <= _MAX_PUBLIC:
            return Request(command, b"")
    return Request(_WITH_SUDO if sudo else _AS_ROOT, limited.encode())


def _in_command(limited: str, marker: str, *, sudo: bool) -> str:
    # What sudo would log as its argument is its input here as well.
    inner = f"exec sudo -n -- /bin/sh -s <<'{marker}'\n{limited}{marker}\n" if sudo else limited
    text = f"export LC_ALL=C\n{inner}"
    for character, escaped in _ESCAPES:
        text = text.replace(character, escaped)
    return _PUBLIC.format(text)


def unwrap(stdout: bytes | bytearray, stderr: bytes | bytearray, marker: str) -> Output:
    """Cut off what a noisy login shell or sudo printed before the script, whose marker it is."""
    line = f"{marker}\n".encode()
    return Output(started=line in stdout, stdout=_after(stdout, line), stderr=_after(stderr, line))


def _after(output: bytes | bytearray, line: bytes) -> str:
    """What comes after a line, or all of it; without a copy on the way, as answers are long."""
    found = output.find(line)
    return str(memoryview(output)[found + len(line) if found >= 0 else 0 :], "utf-8", "replace")


def explain_not_started(host: str, user: str, status: int, output: Output, *, sudo: bool, password: bool) -> HostError:
    """Say why a shell was never reached: what was printed instead, through sudo or not, with a password or without."""
    said = last_line(output.stderr) or last_line(output.stdout) or f"exit status {status}"
    if sudo and _SUDO.search(output.stderr) is not None:
        if status == _NOT_FOUND:
            return PrivilegeError(f"{host}: sudo is not installed, and user {user} is not root")
        said = [line for line in output.stderr.splitlines() if _SUDO.search(line) is not None][-1]
        how = "with the password that was given" if password else "without a password"
        return PrivilegeError(f"{host}: user {user} may not become root {how}: {one_line(said)}")
    return RemoteCommandError(
        f"{host}: the login shell of user {user} did not start /bin/sh (exit status {status}): {said}"
    )


def last_line(text: str) -> str:
    """The last line that is not empty, fit to be shown."""
    return next((line for raw in reversed(text.splitlines()) if (line := one_line(raw))), "")


def one_line(text: str) -> str:
    """Text from a host without what could disturb a terminal, at most 300 characters."""
    return "".join(character for character in text if character.isprintable()).strip()[:_LINE_LENGTH]
