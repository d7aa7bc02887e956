"""The systemd units that check for drift on a schedule, as text; and the checks of everything written into them."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from msgspec import Struct

from podroutes.errors import UsageError

SERVICE: Final = "pod-routes-drift.service"
TIMER: Final = "pod-routes-drift.timer"
# Its first line says whose a unit is; others are neither replaced nor removed.
MARK: Final = "# Made by pod-routes: drift_check.py --install-timer"

HISTORY: Final = "history.sqlite3"
_REPORTS: Final = (
    ("--history", HISTORY),
    ("--json", "report.json"),
    ("--prometheus", "pod_routes.prom"),
    ("--html", "report.html"),
    ("--junit", "report.xml"),
)
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
_SPAN: Final = re.compile(r"([0-9]{1,6})(?![0-9])\s*([a-z]*)")
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
    """

    python: Path
    runbook: Path
    config: Path
    every: str = "5min"
    user: str = "root"
    state_dir: Path = Path("/var/lib/pod-routes")
    systemd_dir: Path = Path("/etc/systemd/system")
    limit: tuple[str, ...] = ()

    def check(self) -> None:
        """Check everything that is written into a unit.

        Raises:
            UsageError: Something may not be written there; the message says what may.
        """
        for name in ("python", "runbook", "config", "state_dir", "systemd_dir"):
            path: Path = getattr(self, name)
            if _PATH.fullmatch(str(path)) is None or ".." in path.parts:
                option = name.replace("_", "-")
                message = f"--{option} {path}: a path in a unit is absolute and of letters, digits and . - _ @ + / only"
                raise UsageError(message)
        if _USER.fullmatch(self.user) is None:
            message = f"--user {self.user!r}: no user name; write a-z, 0-9, - and _, at most 31 characters"
            raise UsageError(message)
        for pattern in self.limit:
            if _PATTERN.fullmatch(pattern) is None:
                message = f"--limit {pattern!r}: a pattern in a timer is of letters, digits and . - _ * ? [ ] !"
                raise UsageError(message)
        on_calendar(parse_span(self.every))


def parse_span(text: str) -> int:
    """Parse a time span in systemd's form, such as `5min` or `1h 30min`.

    Returns:
        Seconds.

    Raises:
        UsageError: It is none.
    """
    parts = _SPAN.findall(text)
    rest = _SPAN.sub("", text).strip()
    if not parts or rest != "" or any(unit not in _UNITS for _, unit in parts):
        message = f"--every {text!r}: no time span; write 30s, 5min, 1h or 1d"
        raise UsageError(message)
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def on_calendar(seconds: int) -> str:
    """The calendar expression that comes round every so many seconds, from midnight on.

    Only a timer with one makes up for what it missed while the machine was off (`Persistent=`).

    Args:
        seconds: From 10 to a day; it divides a minute, an hour or a day, in whole units.

    Raises:
        UsageError: There is none for it.
    """
    for unit, period, expression in (
        (1, 60, "*-*-* *:*:00/{}"),
        (60, 3600, "*-*-* *:00/{}:00"),
        (3600, _DAY, "*-*-* 00/{}:00:00"),
    ):
        if max(unit, _SHORTEST) <= seconds < period and seconds % unit == 0 and period % seconds == 0:
            return expression.format(seconds // unit)
    if seconds == _DAY:
        return "*-*-* 00:00:00"
    message = (
        f"--every: the clock has no times that are {seconds} s apart; "
        "choose 10s to 1d that divides a minute, an hour or a day, such as 30s, 5min, 15min, 1h or 6h"
    )
    raise UsageError(message)


def render_units(options: TimerOptions) -> dict[str, str]:
    """The units' texts by name.

    Raises:
        UsageError: Something may not be written into a unit.
    """
    options.check()
    seconds = parse_span(options.every)
    places = (options.python, options.runbook, options.config, options.state_dir)
    in_tmp = any(place.is_relative_to(folder) for place in places for folder in ("/tmp", "/var/tmp"))  # noqa: S108  # asked, not used
    values = {
        "mark": MARK,
        "command": _command(options),
        "directory": options.runbook.parent.parent,
        "user": options.user,
        "state": f"ReadWritePaths={options.state_dir}",
        "private_tmp": "no" if in_tmp else "yes",
        "capabilities": "CAP_DAC_READ_SEARCH" if options.user == "root" else "",
        "every": " ".join(options.every.split()),
        "calendar": on_calendar(seconds),
        "jitter": min(seconds // 10, _LONGEST_JITTER),
    }
    if uses_state_directory(options):
        values["state"] = f"StateDirectory={options.state_dir.name}\nStateDirectoryMode=0755"
    folder = files("podroutes.drift") / "templates"
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in (SERVICE, TIMER)}
    return {name: Template(text).substitute(values) for name, text in texts.items()}


def is_ours(text: str) -> bool:
    """Whether a unit file was written by this software."""
    return text.partition("\n")[0] == MARK


def uses_state_directory(options: TimerOptions) -> bool:
    """Whether systemd makes the state directory: it does so right below /var/lib alone."""
    return options.state_dir.parent == Path("/var/lib")


def _command(options: TimerOptions) -> str:
    words = [str(options.python), str(options.runbook), "--config", str(options.config)]
    for pattern in options.limit:
        words += ["--limit", pattern]
    for option, name in _REPORTS:
        words += [option, str(options.state_dir / name)]
    return " ".join(words)
