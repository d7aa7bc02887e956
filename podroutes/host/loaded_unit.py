"""Whether what systemd has loaded of our unit is what the unit's file says.

Judged by the properties that `systemctl show` prints, not by its `NeedDaemonReload`: since systemd 255 that is `yes`
for every unit as soon as one has been enabled without a reload, and it compares times, not contents: it takes a file
that was touched for another one, and one that was put back with its old time for the same.
"""

import re
from typing import Final

from podroutes.host.managed_files import UNIT_PATH
from podroutes.host.state import UnitState

# Of the unit's file, these are not compared: what is only said to people, and what systemd shows as what it stands for.
NOT_COMPARED: Final = frozenset({"Description", "Documentation", "SystemCallErrorNumber", "SystemCallFilter"})
# Our unit's settings as systemd 247 to 257 show them. One that a systemd does not know, it does not show.
COMPARED: Final = (
    "Wants", "After", "StartLimitIntervalUSec", "Type", "RemainAfterExit", "ExecStart", "ExecReload", "ExecStop",
    "TimeoutStartUSec", "Restart", "RestartUSec", "RuntimeDirectory", "RuntimeDirectoryPreserve", "UMask",
    "CapabilityBoundingSet", "NoNewPrivileges", "LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices",
    "PrivateTmp", "ProtectClock", "ProtectControlGroups", "ProtectHome", "ProtectHostname", "ProtectKernelLogs",
    "ProtectKernelModules", "ProtectProc", "ProtectSystem", "ReadOnlyPaths", "RestrictAddressFamilies",
    "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "SystemCallArchitectures",
)  # fmt: skip
# What our unit does not set, and what would make it do something else.
UNSET: Final = (
    "ExecCondition", "ExecStartPre", "ExecStartPost", "ExecStopPost", "User", "Group", "WorkingDirectory",
    "RootDirectory", "RootImage", "Environment", "EnvironmentFiles", "NetworkNamespacePath", "PrivateNetwork",
)  # fmt: skip

# To these, systemd adds units of its own.
_ADDED_TO: Final = frozenset({"Wants", "After"})
_COMMAND: Final = re.compile(r"^\{ path=.*? ; argv\[\]=(.*?) ; ignore_errors=(yes|no) ;")
_SPAN: Final = re.compile(r"(\d+)\s*([a-z]*)")
_MICROSECONDS: Final = {
    "us": 1,
    "ms": 10**3,
    "": 10**6,
    "s": 10**6,
    "min": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86400 * 10**6,
}


def differing_settings(text: str, unit: UnitState) -> tuple[str, ...]:
    """Settings of which systemd has loaded something else than the unit's file says.

    Args:
        text: The file.
        unit: What systemd says of it. What a drop-in sets is the drop-in's, and is not compared.

    Returns:
        Their names; none if systemd has loaded this file, or has loaded no file at all.
    """
    if unit.load != "loaded":
        return ()
    shown = unit.properties
    settings = parse_unit_file(text)
    compared = settings.keys() - NOT_COMPARED - unit.overridden
    unset = set(UNSET) - settings.keys() - unit.overridden
    names = ["FragmentPath"] if shown.get("FragmentPath", (UNIT_PATH,)) != (UNIT_PATH,) else []
    names += [
        name
        for name, values in settings.items()
        if name in compared and not _is_same(name, values, shown.get(property_name(name)))
    ]
    names += [name for name in UNSET if name in unset and not set(shown.get(name, ())) <= {"", "no"}]
    return tuple(names)


def parse_unit_file(text: str) -> dict[str, tuple[str, ...]]:
    """The settings of a unit's file, but for those of `[Install]`, each with its values in order (systemd.syntax(7)).

    Args:
        text: The file; without lines that are continued.
    """
    settings: dict[str, tuple[str, ...]] = {}
    section = ""
    for line in map(str.strip, text.splitlines()):
        name, equals, value = line.partition("=")
        if line.startswith("["):
            section = line
        elif equals and section != "[Install]" and not line.startswith(("#", ";")):
            name = name.rstrip()
            settings[name] = (*settings.get(name, ()), value.lstrip())
    return settings


def property_name(setting: str) -> str:
    """What `systemctl show` calls a setting: times are in microseconds."""
    return f"{setting.removesuffix('Sec')}USec" if setting.endswith("Sec") else setting


def _is_same(name: str, values: tuple[str, ...], shown: tuple[str, ...] | None) -> bool:
    if name.startswith("Exec"):
        commands = [_COMMAND.match(line) for line in shown or ()]
        # What is not understood here is not judged.
        return None in commands or [command.groups() for command in commands if command] == [
            (value, "no") for value in values
        ]
    if shown is None:
        return True  # a systemd that does not know it
    if name.endswith("Sec"):
        spans = parse_time_span(values[-1]), parse_time_span(shown[-1])
        return None in spans or spans[0] == spans[1]
    desired, loaded = _words(values), _words(shown)
    return desired <= loaded if name in _ADDED_TO else desired == loaded


def _words(values: tuple[str, ...]) -> set[str]:
    return {word for value in values for word in value.casefold().split()}


def parse_time_span(text: str) -> int | None:
    """A time span in microseconds, from systemd's own words (systemd.time(7)) as far as `systemctl show` uses them.

    Args:
        text: `60`, `1min 30s`, say.

    Returns:
        None for what is none, `infinity` for instance.
    """
    parts = _SPAN.findall(text)
    if not parts or _SPAN.sub("", text).strip() != "" or any(unit not in _MICROSECONDS for _, unit in parts):
        return None
    return sum(int(number) * _MICROSECONDS[unit] for number, unit in parts)
