"""Real hosts on this computer, for a first run, tests and benchmarks.

Each host is a booted systemd with its own root file system, network namespace and SSH server. `python -m lab` is the
command line, `lab.Lab` the same for Python.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.errors import LabError as LabError
    from lab.machines import Lab as Lab

__all__ = ["Lab", "LabError"]


def __getattr__(name: str) -> object:
    """Import a name when it is first used: `exec` must not wait for modules that it does not need."""
    if name == "Lab":
        from lab.machines import Lab  # noqa: PLC0415 - late on purpose, see above

        return Lab
    if name == "LabError":
        from lab.errors import LabError  # noqa: PLC0415

        return LabError
    raise AttributeError(f"module 'lab' has no attribute {name!r}")
