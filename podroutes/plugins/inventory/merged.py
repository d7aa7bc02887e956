"""Hosts that a program knows, and what an engineer wrote about them in Nornir's own files, as one inventory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from nornir.core.inventory import (
    ConnectionOptions,
    Defaults,
    Group,
    Groups,
    Host,
    Hosts,
    Inventory,
    ParentGroups,
)
from ruamel.yaml import YAML

from podroutes.errors import Problem

_REACH: Final = ("hostname", "port", "username", "password", "platform")


class DiscoveredHosts(Struct, frozen=True):
    """Hosts that a program, such as LXD, knows.

    Attributes:
        source: Name of the program, for messages.
        hosts: Each host, shaped as an entry of `hosts.yaml`.
        notes: What a person should know of hosts that were left out: `NAME: SENTENCE`.
        problems: What keeps the cluster's plan from being made.
    """

    source: str
    hosts: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class Files(Struct, frozen=True):
    """The contents of Nornir's three files; empty where there is none."""

    hosts: Mapping[str, Any]
    groups: Mapping[str, Any]
    defaults: Mapping[str, Any]

    @classmethod
    def of(cls, hosts: object, groups: object, defaults: object) -> "Files":
        """What was read of them, whatever it is."""
        return cls(mapping(hosts), mapping(groups), mapping(defaults))

    @classmethod
    def load(cls, host_file: str | None, group_file: str | None, defaults_file: str | None) -> "Files":
        """Read them; a path of None stands for no file."""
        return cls(*(_load(path) for path in (host_file, group_file, defaults_file)))


class MergedInventory(Inventory):
    """Nornir's inventory of what a program knows and what an engineer wrote.

    Args:
        found: What the program knows.
        files: What the engineer wrote; it outranks the program, key by key.
        connection_options: For all hosts, by connection plugin; the files outrank these as well.

    Attributes:
        source: Name of the program.
        keys: Keys below `data` that only the program gives, by host.
        notes: As `DiscoveredHosts.notes`.
        problems: As `DiscoveredHosts.problems`.

    Raises:
        KeyError: A host or group is in a group that there is not.
    """

    __slots__ = ("keys", "notes", "problems", "source")

    def __init__(
        self, found: DiscoveredHosts, files: Files, connection_options: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.source = found.source
        self.notes = found.notes
        self.problems = found.problems
        self.keys = {
            name: frozenset(entry.get("data") or {}) - frozenset(mapping(mapping(files.hosts.get(name)).get("data")))
            for name, entry in found.hosts.items()
        }
        defaults = Defaults(**_attributes(_merged({"connection_options": connection_options}, files.defaults)))
        entries = {
            name: _merged(mapping(found.hosts.get(name)), mapping(files.hosts.get(name)))
            for name in dict.fromkeys([*found.hosts, *files.hosts])
        }
        discovered: dict[str, Any] = {
            group: {} for entry in found.hosts.values() for group in entry.get("groups") or ()
        }
        group_entries = {name: mapping(entry) for name, entry in (discovered | dict(files.groups)).items()}
        groups = Groups(
            {name: Group(name, defaults=defaults, **_attributes(entry)) for name, entry in group_entries.items()}
        )
        hosts = Hosts({name: Host(name, defaults=defaults, **_attributes(entry)) for name, entry in entries.items()})
        for members, written in ((groups, group_entries), (hosts, entries)):
            for name, member in members.items():
                member.groups = ParentGroups([groups[group] for group in written[name].get("groups") or ()])
        super().__init__(hosts=hosts, groups=groups, defaults=defaults)


def mapping(value: object) -> Mapping[str, Any]:
    """What was read, if it is a mapping; an empty one if it is anything else, which others report."""
    return value if isinstance(value, Mapping) else {}


def _load(path: str | None) -> Mapping[str, Any]:
    if not path or not Path(path).exists():
        return {}
    with Path(path).open(encoding="utf-8") as file:
        return mapping(YAML(typ="safe").load(file))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings as one, key by key; mappings in them likewise, and an empty list says nothing."""
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merged(merged[key], value)
        elif value is not None and value != []:
            merged[key] = value
    return merged


def _attributes(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What Nornir's hosts, groups and defaults have in common."""
    options = {name: mapping(option) for name, option in mapping(entry.get("connection_options")).items()}
    return {
        **{key: entry.get(key) for key in (*_REACH, "data")},
        "connection_options": {
            name: ConnectionOptions(**{key: option.get(key) for key in (*_REACH, "extras")})
            for name, option in options.items()
        },
    }
