"""One shell script that makes the changes of a plan and then reads the host again."""

import shlex
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from podroutes.host.changes import (
    Change,
    KeepCopy,
    NetworkdFile,
    PutBack,
    RemoveFile,
    RouteCommand,
    SetSysctl,
    Step,
    Systemctl,
    WriteFile,
)
from podroutes.host.managed_files import LOCK_PATH, OWN_DIRECTORIES, UNIT_NAME, temporary_path
from podroutes.host.routes import STATE_WORDS
from podroutes.host.sysctls import sysctl_path

# sysexits.h EX_TEMPFAIL: another run is changing this host. Only if no step was begun: a command may end with it, too.
LOCKED_STATUS: Final = 75
# Begins what a step has to say, of a host on which it succeeded.
NOTE: Final = "! "

_SCRIPTS: Final = files("podroutes.host") / "scripts"
_FUNCTIONS: Final = (_SCRIPTS / "change_host.sh").read_text(encoding="utf-8")
_NETWORKD: Final = (_SCRIPTS / "networkd.sh").read_text(encoding="utf-8")
_VARIABLES: Final = {
    "lock": LOCK_PATH,
    "locked_status": str(LOCKED_STATUS),
    "note": NOTE,
    "unit": UNIT_NAME,
    "own_directories": " ".join(OWN_DIRECTORIES),
    "state_words": "|".join(STATE_WORDS),
}
_UNIT_VERBS: Final = {
    "enable": "run_unit",
    "reload-or-restart": "run_unit",
    "restart": "run_unit",
    "disable": "stop_unit",
}
# Only our own words are formatted: what is written to files may hold anything.
_TAIL: Final = r"""said=$(steps </dev/null 2>&1)
status=$?
printf '\n@{nonce} apply\n'
[ -z "$said" ] || printf '%s\n' "$said"
printf '\n@{nonce} status\n%s\n' "$status"
"""


def apply_script(nonce: str, changes: Sequence[Change], facts: str) -> str:
    """The script that makes changes and then reads the host.

    It stops at the first step that fails; routes change all or none. The shell reads all of it before it runs any, so
    a connection that breaks while it is sent changes nothing.

    Args:
        nonce: The word that frames the parts, the same as in `facts`.
        changes: In the order in which they are to be made.
        facts: The script that reads the host.

    Returns:
        POSIX shell, for root. Its answer has the parts `apply` (what the commands said) and `status` in front of the
        facts'.
    """
    lines = ["main() {", *[f"{name}={shlex.quote(value)}" for name, value in _VARIABLES.items()], _FUNCTIONS]
    if any(isinstance(step, NetworkdFile) for change in changes for step in change.steps):
        lines.append(_NETWORKD)
    lines += ["steps() {", "begin"]
    batch: list[RouteCommand] = []
    for change in changes:
        for step in change.steps:
            if isinstance(step, RouteCommand):
                batch.append(step)
                continue
            lines += _route_batch(batch)
            batch = []
            lines += [_announce(f"{change.action} {change.subject}"), _render(step)]
    lines += [*_route_batch(batch), "}", _TAIL.format(nonce=nonce), facts.removesuffix("exit 0\n"), "}", "main", ""]
    return "\n".join(lines)


def _announce(step: str) -> str:
    return f"printf '%s\\n' {shlex.quote(f'> {step}')}"


def _route_batch(commands: list[RouteCommand]) -> list[str]:
    if not commands:
        return []
    do = "".join([f"{command.do}\n" for command in commands])
    undo = "".join([f"{command.undo}\n" for command in reversed(commands)])
    return [_announce(f"change {len(commands)} routes"), shlex.join(["route_batch", do, undo])]


def _render(step: Step) -> str:
    match step:
        case WriteFile(path, mode, content):
            words = ["put", path, f"{mode:04o}", content, temporary_path(path)]
        case KeepCopy(path, copy):
            words = ["keep", path, copy, temporary_path(copy)]
        case PutBack(copy, path):
            words = ["restore", copy, path]
        case RemoveFile(path):
            words = ["remove", path]
        case SetSysctl(key, value):
            words = ["set_sysctl", sysctl_path(key), value]
        case Systemctl(arguments):
            words = [_UNIT_VERBS.get(arguments[0], "systemctl"), *arguments]
        case NetworkdFile(path, content, device):
            words = ["networkd_file", path, content, device, temporary_path(path)]
        case RouteCommand():
            message = "routes are changed in one batch"
            raise TypeError(message)
    return shlex.join(words)
