"""The password that sudo wants: from a file or a command of the engineer's, or asked for on the terminal; once."""

import getpass
import subprocess
import threading
from functools import lru_cache
from pathlib import Path
from typing import Final

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.secret import Secret

_COMMAND_SECONDS: Final = 120.0
_asking = threading.Lock()


def sudo_password(settings: SshSettings) -> Secret | None:
    """The password, if the settings name a source of one.

    Args:
        settings: Of the connection.

    Returns:
        None where sudo must not ask.

    Raises:
        UsageError: The source has none.
    """
    with _asking:
        if settings.sudo_password_file is not None:
            return _from_file(settings.sudo_password_file)
        if settings.sudo_password_command is not None:
            return _from_command(settings.sudo_password_command)
        return _from_terminal() if settings.ask_sudo_password else None


@lru_cache(maxsize=16)
def _from_file(name: str) -> Secret:
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"sudo_password_file {name} cannot be read: {error}"
        raise UsageError(message) from error
    return _first_line(text, f"sudo_password_file {name}")


@lru_cache(maxsize=16)
def _from_command(command: str) -> Secret:
    try:
        # Its own questions are the terminal's: a password manager may want to be unlocked.
        done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=False)  # noqa: S602  # the engineer's own, as ssh's ProxyCommand
    except subprocess.TimeoutExpired as error:
        message = f"sudo_password_command did not end within {_COMMAND_SECONDS:.0f} s"
        raise UsageError(message) from error
    if done.returncode != 0:
        message = f"sudo_password_command failed (exit status {done.returncode})"
        raise UsageError(message)
    return _first_line(done.stdout.decode("utf-8", "replace"), "sudo_password_command")


@lru_cache(maxsize=1)
def _from_terminal() -> Secret:
    try:
        with Path("/dev/tty").open("r+b", buffering=0):
            pass
        return _first_line(getpass.getpass("Password for sudo on the hosts: "), "the answer")
    except OSError as error:
        message = "ask_sudo_password needs a terminal; use sudo_password_file or sudo_password_command without one"
        raise UsageError(message) from error


def _first_line(text: str, where: str) -> Secret:
    password = text.split("\n", 1)[0].removesuffix("\r")
    if not password:
        message = f"{where} has no password in its first line"
        raise UsageError(message)
    return Secret(password)
