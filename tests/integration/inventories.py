"""Inventories for tests: the lab's own, with a few things changed."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab.inventory import render_config, render_defaults, render_hosts
from lab.layout import Layout

Tree = dict[str, Any]


@dataclass
class Inventory:
    """Nornir's files as plain values, to be changed at will and then written.

    Attributes:
        hosts: `hosts.yaml`.
        groups: `groups.yaml`.
        defaults: `defaults.yaml`.
        config: `config.yaml`; where the others are is filled in when it is written.
    """

    hosts: Tree
    groups: Tree
    defaults: Tree
    config: Tree = field(default_factory=dict)

    @classmethod
    def of(cls, layout: Layout) -> "Inventory":
        """The inventory that fits a lab."""
        texts = (render_hosts(layout.hosts), render_defaults(layout), render_config(Path("/nowhere")))
        hosts, defaults, config = (YAML(typ="safe").load(text) for text in texts)
        return cls(hosts, {"controllers": {}, "workers": {}}, defaults, config)

    def copy(self) -> "Inventory":
        """Another one with the same content."""
        return copy.deepcopy(self)

    def set_data(self, host: str, **data: object) -> None:
        """Add keys below a host's `data`."""
        self.hosts[host].setdefault("data", {}).update(data)

    def set_timeouts(self, *, command: float = 4.0, **extras: object) -> None:
        """Give up on hosts that do not answer sooner than people would want to.

        Args:
            command: Seconds until a command must have ended.
            **extras: Settings of the SSH connection, instead of short ones.
        """
        short: Tree = {"conn_timeout": 2.0, "banner_timeout": 2.0, "auth_timeout": 2.0, "connect_attempts": 1}
        self.defaults["connection_options"] = {"linux_exec": {"extras": short | extras}}
        self.config["user_defined"] = {"command_timeout": command}

    def write(self, folder: Path) -> Path:
        """Write the files.

        Args:
            folder: Where to; made if it is not there.

        Returns:
            The path of `config.yaml`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("hosts", "groups", "defaults", "config"):
            tree = getattr(self, name)
            if name == "config":
                options = {f"{kind}_file": f"{kind}s.yaml" for kind in ("host", "group")}
                options["defaults_file"] = "defaults.yaml"
                tree = tree | {"inventory": {"plugin": "SimpleInventory", "options": options}}
            # JSON is YAML, and cannot be ambiguous.
            (folder / f"{name}.yaml").write_text(json.dumps(tree, indent=2) + "\n")
        return folder / "config.yaml"
