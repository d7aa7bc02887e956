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
    """The password; None where the settings name no source of one, so that sudo must not ask.

    Raises:
        UsageError: The source has none.
    """
    file, command = settings.sudo_password_file, settings.sudo_password_command
    if not (file or command or settings.ask_sudo_password):
        return None
    with _asking:
        return _read(file, command)


@lru_cache(maxsize=16)
def _read(file: str | None, command: str | None) -> Secret:
    try:
        if file is not None:
            where, text = f"sudo_password_file {file}", Path(file).expanduser().read_text(encoding="utf-8")
        elif command is not None:
            # Its own questions are the terminal's: a password manager may want to be unlocked.
            where = "sudo_password_command"
            done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=True)  # noqa: S602  # the engineer's own, as ssh's ProxyCommand
            text = done.stdout.decode("utf-8", "replace")
        else:
            where, text = "the answer", _ask()
    except (OSError, UnicodeDecodeError) as error:
        message = f"sudo_password_file {file} cannot be read: {error}"
        if file is None:
            message = "ask_sudo_password needs a terminal; use sudo_password_file or sudo_password_command without one"
        raise UsageError(message) from error
    except subprocess.SubprocessError as error:
        message = f"sudo_password_command did not end within {_COMMAND_SECONDS:.0f} s"
        if isinstance(error, subprocess.CalledProcessError):
            message = f"sudo_password_command failed (exit status {error.returncode})"
        raise UsageError(message) from error
    password = text.split("\n", 1)[0].removesuffix("\r")
    if not password:
        message = f"{where} has no password in its first line"
        raise UsageError(message)
    return Secret(password)


def _ask() -> str:
    with Path("/dev/tty").open("r+b", buffering=0):
        return getpass.getpass("Password for sudo on the hosts: ")
