"""The cloud's own Python environment: OpenStack's services need other packages than the product."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.cloud.cache import cache_root, made_once
from lab.errors import LabError

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"
_DIGITS = 12


def environment_folder() -> Path:
    """Where all is cached that depends on the pinned packages and on this Python."""
    depends = REQUIREMENTS.read_text() + sys.version + sys.base_prefix
    return cache_root() / f"cloud-{hashlib.sha256(depends.encode()).hexdigest()[:_DIGITS]}"


def ensure_environment(say: Callable[[str], None]) -> Path:
    """Make the environment, unless it is there.

    Args:
        say: What to do with a line of progress.

    Returns:
        Its folder.

    Raises:
        LabError: A package cannot be installed.
    """
    return made_once(
        environment_folder() / "venv",
        _make,
        announce=lambda: say("installing OpenStack's packages for the cloud, this once: it takes about a minute"),
    )


def run_tool(argv: Sequence[str], what: str, *, lock: int, stdin: str = "", folder: Path | None = None) -> None:
    """Run a long command to its end.

    Args:
        argv: The command.
        what: What it does, for the error.
        lock: File descriptor that it inherits, see `made_once`.
        stdin: What it reads.
        folder: Where it runs.

    Raises:
        LabError: It failed; the message holds the last line of what it said.
    """
    done = subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        cwd=folder,
        pass_fds=(lock,),
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() != ""]
        raise LabError(f"cannot {what}: {lines[-1].strip() if lines else 'it said nothing'}", status=1)


def _make(folder: Path, lock: int) -> None:
    run_tool(
        [sys.executable, "-m", "venv", str(folder)], "make a Python environment (python3-venv installed?)", lock=lock
    )
    pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    # Every package is pinned, so there is nothing to resolve; what is used is compiled when it is first used.
    pip += ["--no-deps", "--no-compile", "--requirement", str(REQUIREMENTS)]
    run_tool(pip, "install the cloud's packages", lock=lock)
