"""Turning a plan's steps into one shell script that makes the changes and then reads the host anew."""

import shlex
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from podroutes.changes import (
    Change,
    KeepCopy,
    PutBack,
    RemoveFile,
    RouteCommand,
    SetSysctl,
    Step,
    Systemctl,
    WriteFile,
)
from podroutes.facts import sysctl_key
from podroutes.host_state import DATA_DIRECTORY, REPLACED_DIRECTORY, SCRIPT_STATE_DIRECTORY

# sysexits.h EX_TEMPFAIL: another run is changing this host.
LOCKED_STATUS: Final = 75

# Removed with the last file in them.
_FOLDERS: Final = (REPLACED_DIRECTORY, DATA_DIRECTORY, SCRIPT_STATE_DIRECTORY)

_HEAD: Final = r"""
main() {
export LC_ALL=C PATH="${PATH:-}:/usr/sbin:/usr/bin:/sbin:/bin"
# A connection that breaks now must not leave the host half changed: nothing may end this, and what the steps say goes
# to a file first, as one that can't be written to any more would fail a step.
trap '' HUP PIPE
scratch=$(mktemp --directory) || exit 1
trap 'rm -rf "$scratch"' EXIT
(
set -eu
# A file that could not be finished.
temporary=
trap '[ -z "$temporary" ] || rm -f "$temporary"' EXIT
# Not in /run/lock, where anybody may make files: nobody but root can then hold it.
umask 077
exec 9>>/run/pod-routes.lock
umask 022
flock --nonblock 9 || exit @LOCKED@
put() {
    # Its folder is root's, so nobody else can be in the way; what another run of this left there is written anew.
    temporary=${1%/*}/.${1##*/}.new
    install -D --no-target-directory --mode="$2" --owner=0 --group=0 /dev/stdin "$temporary"
    mv --force --no-target-directory "$temporary" "$1"
    temporary=
}
keep() {
    if [ -e "$2" ] || [ -L "$2" ]; then return 0; fi
    mkdir --parents "${2%/*}"
    temporary=$2.new
    cp --archive "$1" "$temporary"
    mv --force --no-target-directory "$temporary" "$2"
    temporary=
}
remove() {
    rm --force "$1"
    rmdir --ignore-fail-on-non-empty @FOLDERS@ 2>/dev/null || true
}
route_batch() {
    ip -batch - 2>"$scratch/error" && return 0
    take_back >"$scratch/undo"
    head -n 1 "$scratch/error"
    # `ip` stops at the line that fails; those before it are taken back, the last one first.
    failed=$(sed -n 's/^Command failed .*:\([0-9][0-9]*\)$/\1/p' "$scratch/error")
    if [ -n "$failed" ]; then
        tail -n "$((failed - 1))" "$scratch/undo" >"$scratch/back"
    else
        cp "$scratch/undo" "$scratch/back"
    fi
    if ip -force -batch "$scratch/back"; then
        printf '%s\n' 'none of the route changes was kept'
    else
        printf '%s\n' 'not all of the route changes could be taken back'
    fi
    exit 1
}
""".lstrip()

_TAIL: Final = r"""
) </dev/null >"$scratch/said" 2>&1
status=$?
printf '\n@@@NONCE@ apply\n'
cat "$scratch/said"
printf '\n@@@NONCE@ status\n%s\n' "$status"
@FACTS@
}
main
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
    lines = [_HEAD.replace("@FOLDERS@", " ".join(_FOLDERS)).replace("@LOCKED@", str(LOCKED_STATUS))]
    steps = [(change, step) for change in changes for step in change.steps]
    for is_route, group in groupby(steps, key=lambda pair: isinstance(pair[1], RouteCommand)):
        if is_route:
            lines.append(_route_batch([step for _, step in group if isinstance(step, RouteCommand)], nonce))
        else:
            for change, step in group:
                lines.append(f"printf '%s\\n' {shlex.quote(f'> {change.action} {change.subject}')}")
                lines.append(_render(step, nonce))
    # Only in our own words: what is written to files may hold anything.
    lines.append(_TAIL.replace("@@NONCE@", nonce).replace("@FACTS@", facts.removesuffix("exit 0\n")))
    return "\n".join(lines)


def _route_batch(commands: Iterable[RouteCommand], nonce: str) -> str:
    commands = list(commands)
    return "\n".join(
        [
            f"printf '%s\\n' '> change {len(commands)} routes'",
            "take_back() {",
            _heredoc("cat", "".join(f"{command.undo}\n" for command in reversed(commands)), nonce),
            "}",
            _heredoc("route_batch", "".join(f"{command.do}\n" for command in commands), nonce),
        ]
    )


def _render(step: Step, nonce: str) -> str:
    match step:
        case WriteFile(path, mode, content):
            return _heredoc(f"put {shlex.quote(path)} {mode:04o}", content, nonce)
        case KeepCopy(path, copy):
            return f"keep {shlex.quote(path)} {shlex.quote(copy)}"
        case PutBack(copy, path):
            return (
                f"mv --force --no-target-directory {shlex.quote(copy)} {shlex.quote(path)}\nremove {shlex.quote(copy)}"
            )
        case RemoveFile(path):
            return f"remove {shlex.quote(path)}"
        case SetSysctl(key, value):
            path = "/proc/sys/" + (key if "/" in key else sysctl_key(key).replace(".", "/"))
            return f"printf '%s\\n' {shlex.quote(value)} >{shlex.quote(path)}"
        case Systemctl(arguments):
            return shlex.join(["systemctl", *arguments])
        case RouteCommand():
            message = "routes are changed in one batch"
            raise TypeError(message)


def _heredoc(command: str, content: str, nonce: str) -> str:
    end = f"{nonce}END"
    if end in content.split("\n"):
        message = "a file's content holds the script's own random word"
        raise ValueError(message)
    return f"{command} <<'{end}'\n{content}{'' if content.endswith(chr(10)) else chr(10)}{end}"
