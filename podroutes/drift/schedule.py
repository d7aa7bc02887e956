"""The systemd units that check for drift on a schedule, as text; and the checks of all that comes to stand in them."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from podroutes.errors import UsageError

SERVICE: Final = "pod-routes-drift.service"
TIMER: Final = "pod-routes-drift.timer"
# Its first line says whose a unit is; others are neither replaced nor removed.
MARK: Final = "# Made by pod-routes: drift_check.py --install-timer"

HISTORY: Final = "history.sqlite3"
_STATE_ROOT: Final = PurePosixPath("/var/lib")
_DAY: Final = 86_400
_SHORTEST: Final = 10
_LONGEST_JITTER: Final = 300
# systemd.time(7); without a unit it is seconds.
_UNITS: Final = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), _DAY),
}
_SPAN: Final = re.compile(r"\s*([0-9]{1,6})(?![0-9])\s*([a-z]*)")
# Nothing that systemd reads in its own way: no blanks, quotes, %, $, backslashes.
_PATH: Final = re.compile(r"/[A-Za-z0-9._@+/-]*")
# As useradd on Debian accepts them.
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_PATTERN: Final = re.compile(r"[A-Za-z0-9._*?\[\]!-]+")


class TimerOptions(Struct, frozen=True):
    """What an engineer asked for.

    Attributes:
        python: Interpreter that runs the check, as an absolute path.
        runbook: `drift_check.py`, as an absolute path.
        config: Nornir's configuration, as an absolute path.
        every: How often, as a time span of systemd's that divides an hour or a day.
        user: Who runs it, with that user's SSH keys and `known_hosts`.
        state_dir: Where the history and the reports are kept.
        systemd_dir: Where the units are written.
        limit: Patterns that choose hosts; none for all.
        reports: Names of the reports' files in that folder, by option.
    """

    python: Path
    runbook: Path
    config: Path
    every: str = "5min"
    user: str = "root"
    state_dir: Path = Path("/var/lib/pod-routes")
    systemd_dir: Path = Path("/etc/systemd/system")
    limit: tuple[str, ...] = ()
    reports: Mapping[str, str] = {}

    def check(self) -> None:
        """Check everything that comes to stand in a unit.

        Raises:
            UsageError: Something may not stand there, with what may.
        """
        for name in ("python", "runbook", "config", "state_dir", "systemd_dir"):
            _check_path(name.replace("_", "-"), getattr(self, name))
        if _USER.fullmatch(self.user) is None:
            message = f"--user {self.user!r}: no name of a user; one is of a-z, 0-9, - and _, at most 31 characters"
            raise UsageError(message)
        for pattern in self.limit:
            if _PATTERN.fullmatch(pattern) is None:
                message = f"--limit {pattern!r}: a pattern in a timer is of letters, digits and . - _ * ? [ ] !"
                raise UsageError(message)
        on_calendar(parse_span(self.every))


def _check_path(name: str, path: Path) -> None:
    if _PATH.fullmatch(str(path)) is None or ".." in path.parts:
        message = f"--{name} {path}: a path in a unit is absolute and of letters, digits and . - _ @ + / alone"
        raise UsageError(message)


def parse_span(text: str) -> int:
    """Parse a time span in systemd's form, such as `5min` or `1h 30min`.

    Returns:
        Seconds.

    Raises:
        UsageError: It is none.
    """
    position, seconds = 0, 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _SPAN.match(stripped, position)
        if match is None or match.group(2) not in _UNITS:
            break
        seconds += int(match.group(1)) * _UNITS[match.group(2)]
        position = match.end()
    if position == 0 or position != len(stripped):
        message = f"--every {text!r}: no time span; write 30s, 5min, 1h or 1d"
        raise UsageError(message)
    return seconds


def on_calendar(seconds: int) -> str:
    """The calendar expression that comes round every so many seconds, from midnight on.

    Only a timer with one makes up for what it missed while the machine was off (`Persistent=`).

    Args:
        seconds: From 10 to a day; it divides a minute, an hour or a day, in whole units.

    Raises:
        UsageError: There is none for it.
    """
    if _SHORTEST <= seconds < 60 and 60 % seconds == 0:
        return f"*-*-* *:*:00/{seconds}"
    minutes, rest = divmod(seconds, 60)
    if rest == 0 and 1 <= minutes < 60 and 60 % minutes == 0:
        return f"*-*-* *:00/{minutes}:00"
    hours, rest = divmod(seconds, 3600)
    if rest == 0 and 1 <= hours < 24 and 24 % hours == 0:
        return f"*-*-* 00/{hours}:00:00"
    if seconds == _DAY:
        return "*-*-* 00:00:00"
    message = (
        f"--every: {seconds} s can't be kept to by the clock; "
        "choose 10s to 1d that divides a minute, an hour or a day, such as 30s, 5min, 15min, 1h or 6h"
    )
    raise UsageError(message)


def render_units(options: TimerOptions) -> dict[str, str]:
    """The units' texts by name.

    Args:
        options: What was asked for.

    Raises:
        UsageError: Something may not stand in a unit.
    """
    options.check()
    return {SERVICE: _service(options), TIMER: _timer(options)}


def is_ours(text: str) -> bool:
    """Whether a unit file was written by this software."""
    return text.partition("\n")[0] == MARK


def uses_state_directory(options: TimerOptions) -> bool:
    """Whether systemd makes the state directory: it does so right below /var/lib alone."""
    return options.state_dir.parent == Path(_STATE_ROOT)


def _command(options: TimerOptions) -> str:
    words = [str(options.python), str(options.runbook), "--config", str(options.config)]
    for pattern in options.limit:
        words += ["--limit", pattern]
    for option, name in {"history": HISTORY, **options.reports}.items():
        words += [f"--{option}", str(options.state_dir / name)]
    return " ".join(words)


def _service(options: TimerOptions) -> str:
    root = options.user == "root"
    places = (options.python, options.runbook, options.config, options.state_dir)
    in_tmp = any(place.is_relative_to(folder) for place in places for folder in ("/tmp", "/var/tmp"))  # noqa: S108  # asked, not used
    state = (
        f"StateDirectory={options.state_dir.name}\nStateDirectoryMode=0755"
        if uses_state_directory(options)
        else f"ReadWritePaths={options.state_dir}"
    )
    return f"""{MARK}
[Unit]
Description=Check the pod routes of the Kubernetes cluster for drift
Wants=network-online.target
After=network-online.target nss-lookup.target

[Service]
Type=oneshot
ExecStart={_command(options)}
# 2: the check did its work, and something has drifted. 1 is a host that could not be checked.
SuccessExitStatus=2
TimeoutStartSec=30min
WorkingDirectory={options.runbook.parent.parent}
User={options.user}
Environment=PYTHONDONTWRITEBYTECODE=1
{state}
# The lock against a second run.
ReadWritePaths=-/run/lock
UMask=0022
# It reads its own files, the user's SSH keys, and the network.
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp={"no" if in_tmp else "yes"}
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
NoNewPrivileges=yes
CapabilityBoundingSet={"CAP_DAC_READ_SEARCH" if root else ""}
AmbientCapabilities=
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""


def _timer(options: TimerOptions) -> str:
    seconds = parse_span(options.every)
    return f"""{MARK}
[Unit]
Description=Check the pod routes of the Kubernetes cluster for drift, every {" ".join(options.every.split())}

[Timer]
OnCalendar={on_calendar(seconds)}
# Not all operators' machines at once; a machine keeps its own delay, so its checks stay evenly spaced.
RandomizedDelaySec={min(seconds // 10, _LONGEST_JITTER)}s
FixedRandomDelay=yes
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
"""
