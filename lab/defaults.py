"""Defaults and names of labs."""

import re

from lab.errors import LabError

DEFAULT_NAME = "podroutes"
INSIDE = "PODROUTES_LAB"
"""Environment variable with the lab's name, for the operator's commands."""
DEFAULT_SIZE = 3
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_NODE_NETWORK = "10.240.0.0/24"

_LAB_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def check_name(name: str) -> str:
    """Check a lab's name: it becomes part of names of namespaces, control groups and files.

    Args:
        name: The name.

    Returns:
        The same.

    Raises:
        LabError: It has a character that these names may not have.
    """
    if _LAB_NAME.fullmatch(name) is None:
        raise LabError(f"--name {name!r}: use 1 to 31 small letters, digits and hyphens, the first of them a letter")
    return name


def command(name: str, words: str) -> str:
    """The text of a command for a lab, as it is typed.

    Args:
        name: The lab's name.
        words: The command and its arguments.
    """
    option = "" if name == DEFAULT_NAME else f" --name {name}"
    return f"`python -m lab{option} {words}`"
