"""The state file of a lab."""

import json

from lab.defaults import command
from lab.errors import LabError
from lab.files import replace_file
from lab.layout import Layout
from lab.paths import LabPaths


def read_layout(paths: LabPaths) -> Layout:
    """The size of a lab.

    Args:
        paths: The lab's.

    Raises:
        LabError: There is no such lab.
    """
    try:
        return Layout(**json.loads(paths.layout.read_text()))
    except FileNotFoundError as error:
        raise LabError(f"there is no lab {paths.name!r}: start one with {command(paths.name, 'up')}") from error


def write_layout(paths: LabPaths, layout: Layout) -> None:
    """Write the size of a lab.

    Args:
        paths: The lab's.
        layout: Its size.
    """
    replace_file(paths.layout, json.dumps(layout.as_dict()))
