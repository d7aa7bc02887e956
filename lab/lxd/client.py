"""The operator's settings of `lxc`, and names of containers."""

import shutil
from collections.abc import Iterable

from lab.enter import add_to_environment, remove_from_environment
from lab.files import add_missing_lines, write_file
from lab.lxd.nodes import Node
from lab.lxd.paths import LxdPaths

_PART = "lxd"
_HIDDEN = ("LXD_", "INCUS_")
# Without settings, the first command prints more than its output.
_CONFIG = "default-remote: local\nremotes:\n  local:\n    addr: unix://\n    public: false\naliases: {}\n"


def make_settings(paths: LxdPaths) -> None:
    """Write the settings, and point the operator's commands to this LXD, whichever else the caller uses.

    Args:
        paths: The LXD's.
    """
    write_file(paths.client / "config.yml", _CONFIG, 0o600)
    variables = {"LXD_DIR": str(paths.folder), "LXD_CONF": str(paths.client)}
    add_to_environment(paths.lab, _PART, hidden=_HIDDEN, variables=variables)


def name_hosts(paths: LxdPaths, nodes: Iterable[Node]) -> None:
    """Write the containers' names.

    Args:
        paths: The LXD's.
        nodes: The containers.
    """
    lines = [f"{node.address}\t{node.name}\n" for node in nodes if node.address is not None]
    add_missing_lines(paths.lab.operator_etc / "hosts", lines)


def remove_settings(paths: LxdPaths) -> None:
    """Undo `make_settings`, if it was called.

    Args:
        paths: The LXD's.
    """
    remove_from_environment(paths.lab, _PART)
    shutil.rmtree(paths.client, ignore_errors=True)
