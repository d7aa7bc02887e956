"""A terminal for one command, so that it behaves as it would for a person."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType

from lab import Lab, enter
from tests.integration.cluster import ROOT

_SECONDS = 120.0
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """A command with a pseudo-terminal as standard input, output and error.

    Args:
        lab: Where its operator sits.
        argv: The command.
        **environment: Variables to set in addition.

    Attributes:
        raw: All that it has written so far, as the terminal got it.
    """

    def __init__(self, lab: Lab, argv: Sequence[str], **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        self.raw = ""
        self.process = subprocess.Popen(
            enter.operator_argv(lab.paths, argv),
            env=enter.operator_environment(lab.paths) | {"TERM": "xterm-256color", "COLUMNS": "150"} | environment,
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        """What it has written, without colours and movements of the cursor."""
        return _ESCAPES.sub("", self.raw)

    def read_until(self, words: str) -> None:
        """Read until it has written something."""
        deadline = time.monotonic() + _SECONDS
        while words not in self.text:
            assert self._read(deadline), f"{words!r} never came; all that came: {self.text}"

    def answer(self, words: str) -> None:
        """Type something, and press Return."""
        os.write(self._ours, f"{words}\n".encode())

    def finish(self) -> int:
        """Read to the end; returns the exit code."""
        deadline = time.monotonic() + _SECONDS
        while self._read(deadline):
            pass
        return self.process.wait(timeout=_SECONDS)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"it does not go on; all that came: {self.text}"
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux: the other side of the terminal is closed
            return False
        self.raw += data.decode(errors="replace")
        return data != b""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
