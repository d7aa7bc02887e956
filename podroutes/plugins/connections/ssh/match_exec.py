"""`Match exec` of an ssh_config, as `ssh` runs it: with no input, and its exit status is all that counts.

Paramiko leaves it to `invoke`, which takes as long to import as paramiko itself, and gives the command this process's
own standard input. Paramiko is prepared for a machine without `invoke`, so it is imported as on one.
"""

import importlib
import os
import subprocess
import sys

from msgspec import Struct


class Ended(Struct, frozen=True):
    """How a command ended.

    Attributes:
        ok: Whether its exit status was 0.
    """

    ok: bool


class Commands:
    """Stands where paramiko looks for `invoke`."""

    @staticmethod
    def run(command: str, **_: object) -> Ended:
        """Run a command in the user's shell.

        Args:
            command: Of the ssh_config, with its tokens replaced.
            **_: What paramiko would tell `invoke` about output.
        """
        argv = [os.environ.get("SHELL") or "/bin/sh", "-c", command]
        nothing = subprocess.DEVNULL
        return Ended(subprocess.run(argv, stdin=nothing, stdout=nothing, stderr=nothing, check=False).returncode == 0)


def import_paramiko() -> None:
    """Import paramiko, and have it run `Match exec` by `Commands`."""
    if "paramiko" not in sys.modules and "invoke" not in sys.modules:
        sys.modules["invoke"] = None  # type: ignore[assignment]  # importing it fails now
        try:
            importlib.import_module("paramiko")
        finally:
            del sys.modules["invoke"]
    importlib.import_module("paramiko.config").invoke = Commands  # type: ignore[attr-defined]
