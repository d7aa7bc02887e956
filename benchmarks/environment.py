"""The peers' own Python environment: what they need is not what the product needs."""

import sys
from collections.abc import Callable
from pathlib import Path

from lab.cache import cache_root, digest, made_once, run_tool

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"


def environment_folder() -> Path:
    """Where it is: depends on the pinned packages and on this Python."""
    depends = REQUIREMENTS.read_text() + sys.version + sys.base_prefix
    return cache_root() / f"benchmarks-{digest(depends.encode())}"


def ensure_environment(say: Callable[[str], None]) -> Path:
    """Make the environment, unless it is there.

    Args:
        say: What to do with a line of progress.

    Returns:
        The folder with its programs.

    Raises:
        LabError: A package cannot be installed.
    """
    made_once(
        environment_folder(),
        _make,
        announce=lambda: say("installing Ansible, pyinfra and matplotlib, this once: it takes a few minutes"),
    )
    return environment_folder() / "bin"


def versions() -> dict[str, str]:
    """The pinned version of each package, by name."""
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if "==" in line]
    return {name: version for name, _, version in (line.partition("==") for line in lines)}


def _make(folder: Path, lock: int) -> None:
    run_tool(
        [sys.executable, "-m", "venv", str(folder)], "make a Python environment (python3-venv installed?)", lock=lock
    )
    python = str(folder / "bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-compile"]
    run_tool([*pip, "--requirement", str(REQUIREMENTS)], "install the peers' packages", lock=lock)
    # All but Ansible's tens of thousands of modules, which are sent to hosts as text: no contender is to be measured
    # while it compiles itself.
    compiling = [python, "-m", "compileall", "-q", "-x", "ansible_collections", str(folder / "lib")]
    run_tool(compiling, "compile the peers' packages", lock=lock)
