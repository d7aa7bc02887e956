"""The cloud's own Python environment: OpenStack's services need other packages than the product."""

import sys
from collections.abc import Callable
from pathlib import Path

from lab.cache import cache_root, digest, made_once, run_tool

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"


def environment_folder() -> Path:
    """Folder of all that is cached and depends on the pinned packages and on this Python."""
    depends = REQUIREMENTS.read_text() + sys.version + sys.base_prefix
    return cache_root() / f"cloud-{digest(depends.encode())}"


def ensure_environment(say: Callable[[str], None]) -> Path:
    """Make the environment, unless it is there.

    Args:
        say: Called with each line of progress.

    Returns:
        Its folder.

    Raises:
        LabError: A package cannot be installed.
    """
    return made_once(
        environment_folder() / "venv",
        _make,
        announce=lambda: say("installing OpenStack's packages for the cloud (only once; it takes about a minute)"),
    )


def _make(folder: Path, lock: int) -> None:
    run_tool(
        [sys.executable, "-m", "venv", str(folder)], "make a Python environment (python3-venv installed?)", lock=lock
    )
    pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    # Every package is pinned, so there is nothing to resolve; what is used is compiled when it is first used.
    pip += ["--no-deps", "--no-compile", "--requirement", str(REQUIREMENTS)]
    run_tool(pip, "install the cloud's packages", lock=lock)
