"""What the operator's commands need: settings of `lxc`, and the containers' names."""

import shutil
from collections.abc import Iterable

from lab.files import add_missing_lines, write_file
from lab.lxd.nodes import Node
from lab.lxd.paths import LxdPaths

# Without settings, the first command says more than it was asked for.
_CONFIG = "default-remote: local\nremotes:\n  local:\n    addr: unix://\n    public: false\naliases: {}\n"


def make_config(paths: LxdPaths) -> None:
    """Write the settings.

    Args:
        paths: The LXD's.
    """
    write_file(paths.client / "config.yml", _CONFIG, 0o600)


def name_hosts(paths: LxdPaths, nodes: Iterable[Node]) -> None:
    """Write the containers' names.

    Args:
        paths: The LXD's.
        nodes: The containers.
    """
    lines = [f"{node.address}\t{node.name}\n" for node in nodes if node.address is not None]
    add_missing_lines(paths.lab.operator_etc / "hosts", lines)


def remove_config(paths: LxdPaths) -> None:
    """Remove the settings, as far as they are there.

    Args:
        paths: The LXD's.
    """
    shutil.rmtree(paths.client, ignore_errors=True)
