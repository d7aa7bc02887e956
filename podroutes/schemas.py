"""The JSON Schemas of the inventory and the report, as files: `python -m podroutes.schemas` writes `docs/schemas`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from podroutes.inventory import schemas as inventory_schemas
from podroutes.plugins.connections.ssh.settings import SshExtras
from podroutes.plugins.lxd.settings import LxdSettings
from podroutes.report import json_report

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "schemas"


def render_schemas() -> Mapping[str, str]:
    """The text of every schema's file, by the file's name."""
    schemas = {
        **inventory_schemas.schemas({"linux_exec": SshExtras, "lxd": LxdSettings}),
        "report": json_report.schema(),
    }
    return {f"{name}.schema.json": json_report.render_schema(schema) for name, schema in schemas.items()}


def main(folder: Path = FOLDER) -> int:
    """Write every schema's file.

    Args:
        folder: Where to; made if it is not there.

    Returns:
        The exit code.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in render_schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
