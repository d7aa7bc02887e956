"""Hosts that a program knows, together with what an engineer says of them in Nornir's own files."""

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

_ATTRIBUTES: Final = ("hostname", "port", "username", "password", "platform")


class Found(Struct, frozen=True):
    """What a program knows.

    Attributes:
        source: What it is called, in messages about what it says.
        hosts: What it says of each host, shaped as an entry of `hosts.yaml`.
        notes: What a person should know of hosts that were left out: `NAME: SENTENCE`.
        problems: What keeps the cluster's plan from being made.
    """

    source: str
    hosts: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class Files(Struct, frozen=True):
    """What an engineer wrote, by Nornir's three files; empty where there is none."""

    hosts: Mapping[str, Any]
    groups: Mapping[str, Any]
    defaults: Mapping[str, Any]

    @classmethod
    def of(cls, hosts: object, groups: object, defaults: object) -> "Files":
        """What was read of them, whatever it is."""
        return cls(_mapping(hosts), _mapping(groups), _mapping(defaults))

    @classmethod
    def load(cls, host_file: str | None, group_file: str | None, defaults_file: str | None) -> "Files":
        """Read them.

        Args:
            host_file: Path of `hosts.yaml`; None for none.
            group_file: Of `groups.yaml`, likewise.
            defaults_file: Of `defaults.yaml`, likewise.
        """
        return cls(*(_load(path) for path in (host_file, group_file, defaults_file)))


class MergedInventory(Inventory):
    """Nornir's inventory, and where it is from.

    Args:
        found: What a program knows.
        files: What an engineer wrote; it outranks the program, key by key.
        connection_options: For all hosts, by connection plugin; the files outrank these as well.

    Attributes:
        source: What the program is called.
        keys: Keys below `data` that only the program says, by host.
        notes: As `Found.notes`.
        problems: As `Found.problems`.

    Raises:
        KeyError: A host or group is in a group that there is not.
    """

    __slots__ = ("keys", "notes", "problems", "source")

    def __init__(self, found: Found, files: Files, connection_options: Mapping[str, Mapping[str, Any]]) -> None:
        self.source = found.source
        self.notes = found.notes
        self.problems = found.problems
        self.keys = {
            name: frozenset(entry.get("data") or {}) - frozenset(_mapping(_mapping(files.hosts.get(name)).get("data")))
            for name, entry in found.hosts.items()
        }
        defaults = Defaults(
            **{key: files.defaults.get(key) for key in _ATTRIBUTES},
            data=files.defaults.get("data"),
            connection_options=_connections(_merged({"connection_options": connection_options}, files.defaults)),
        )
        entries = {
            name: _merged(_mapping(found.hosts.get(name)), _mapping(files.hosts.get(name)))
            for name in dict.fromkeys([*found.hosts, *files.hosts])
        }
        wanted = {group for entry in found.hosts.values() for group in entry.get("groups") or ()}
        groups = Groups(
            {
                name: _group(name, _mapping(files.groups.get(name)), defaults)
                for name in {**files.groups, **dict.fromkeys(wanted)}
            }
        )
        for name, group in groups.items():
            parents = _mapping(files.groups.get(name)).get("groups") or ()
            group.groups = ParentGroups([groups[parent] for parent in parents])
        hosts = Hosts({name: _host(name, entry, groups, defaults) for name, entry in entries.items()})
        super().__init__(hosts=hosts, groups=groups, defaults=defaults)


def _load(path: str | None) -> Mapping[str, Any]:
    if not path or not Path(path).exists():
        return {}
    with Path(path).open(encoding="utf-8") as file:
        return _mapping(YAML(typ="safe").load(file))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings as one, key by key; mappings in them likewise, and an empty list says nothing."""
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merged(merged[key], value)
        elif value is not None and value != []:
            merged[key] = value
    return merged


def _host(name: str, entry: Mapping[str, Any], groups: Mapping[str, Group], defaults: Defaults) -> Host:
    return Host(
        name=name,
        **{key: entry.get(key) for key in _ATTRIBUTES},
        groups=ParentGroups([groups[group] for group in entry.get("groups") or ()]),
        data=entry.get("data"),
        connection_options=_connections(entry),
        defaults=defaults,
    )


def _group(name: str, entry: Mapping[str, Any], defaults: Defaults) -> Group:
    return Group(
        name=name,
        **{key: entry.get(key) for key in _ATTRIBUTES},
        data=entry.get("data"),
        connection_options=_connections(entry),
        defaults=defaults,
    )


def _connections(entry: Mapping[str, Any]) -> dict[str, ConnectionOptions]:
    options = _mapping(entry.get("connection_options"))
    return {
        name: ConnectionOptions(
            **{key: _mapping(option).get(key) for key in _ATTRIBUTES}, extras=_mapping(option).get("extras")
        )
        for name, option in options.items()
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
