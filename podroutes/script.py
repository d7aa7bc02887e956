"""Turning a plan's steps into one shell script that makes the changes and then reads the host anew."""

import shlex
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from podroutes.changes import (
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
from podroutes.facts import sysctl_key
from podroutes.host_state import DATA_DIRECTORY, REPLACED_DIRECTORY, SCRIPT_STATE_DIRECTORY

# sysexits.h EX_TEMPFAIL: another run is changing this host.
LOCKED_STATUS: Final = 75

# Removed with the last file in them.
_FOLDERS: Final = (REPLACED_DIRECTORY, DATA_DIRECTORY, SCRIPT_STATE_DIRECTORY)

_HEAD: Final = (
    r"""
main() {
export LC_ALL=C PATH="${PATH:-}:/usr/sbin:/usr/bin:/sbin:/bin"
# A connection that breaks now must not leave the host half changed: nothing may end this, and what the steps say is
# kept until they are done, as an output that can't be written to any more would fail a step.
trap '' HUP PIPE
steps() {
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
    [ -d "${1%/*}" ] || mkdir --parents "${1%/*}"
    # Its folder is root's, so nobody else can be in the way; what another run of this left there goes.
    temporary=${1%/*}/.${1##*/}.new
    if [ -e "$temporary" ] || [ -L "$temporary" ]; then rm --force "$temporary"; fi
    # By the shell itself, as each process costs more than a whole file; what it does not do, `cat` gives a reason for.
    printf '%s' "$3" 2>/dev/null >"$temporary" || printf '%s' "$3" | cat >"$temporary"
    [ -G "$temporary" ] || chown 0:0 "$temporary"
    [ "$2" = 0644 ] || chmod "$2" "$temporary"
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
    # What `ip` does not read any more is no error of its own.
    error=$(printf '%s' "$1" 2>/dev/null | ip -batch - 2>&1) && return 0
    printf '%s\n' "$error" | head -n 1
    # `ip` stops at the line that fails; those before it are taken back, the last one first.
    failed=$(printf '%s\n' "$error" | sed -n 's/^Command failed .*:\([0-9][0-9]*\)$/\1/p')
    if printf '%s' "$2" 2>/dev/null | tail -n "$((${failed:-1000001} - 1))" | ip -force -batch -; then
        printf '%s\n' 'none of the route changes was kept'
    else
        printf '%s\n' 'not all of the route changes could be taken back'
    fi
    exit 1
}
""".lstrip()
    .replace("@FOLDERS@", " ".join(_FOLDERS))
    .replace("@LOCKED@", str(LOCKED_STATUS))
)

# Only for hosts that have such a step.
_NETWORKD: Final = r"""
reload_networkd() {
    read -r index <"/sys/class/net/$1/ifindex" || return 1
    link=/run/systemd/netif/links/$index
    before=$(stat --format='%i %y' "$link") || return 1
    networkctl reload || return 1
    # Before systemd 256 this returns first; then the addresses go and come back, with a new lease if need be. What it
    # knows of a link it writes anew when that is done. A link that it leaves alone it is done with at once.
    tenths=0
    while [ "$tenths" -lt 200 ]; do
        now=$(stat --format='%i %y' "$link") || return 1
        case $(sed -n 's/^ADMIN_STATE=//p' "$link") in
        failed) break ;;
        configured) if [ "$now" != "$before" ] || [ "$tenths" -ge 50 ]; then return 0; fi ;;
        esac
        sleep 0.1
        tenths=$((tenths + 1))
    done
    printf 'systemd-networkd did not set %s up again: look at networkctl status %s\n' "$1" "$1"
    return 1
}
put_networkd_file() {
    if [ -n "$2" ]; then
        put "$1" 0644 "$2"
    else
        rm --force "$1"
        rmdir --ignore-fail-on-non-empty "${1%/*}" 2>/dev/null || true
    fi
}
networkd_file() {
    # Command substitution takes newlines away at its end.
    was=
    if [ -f "$1" ]; then was=$(cat "$1" && echo .); fi
    put_networkd_file "$1" "$2"
    if [ -z "$3" ] || reload_networkd "$3"; then return 0; fi
    # This may be the interface that the host is reached by.
    put_networkd_file "$1" "${was%.}"
    networkctl reload || true
    printf '%s is as it was before\n' "$1"
    exit 1
}
""".lstrip()

_TAIL: Final = r"""
}
said=$(steps </dev/null 2>&1)
status=$?
printf '\n@@@NONCE@ apply\n'
[ -z "$said" ] || printf '%s\n' "$said"
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
    lines = [_HEAD]
    if any(isinstance(step, NetworkdFile) for change in changes for step in change.steps):
        lines.append(_NETWORKD)
    batch: list[RouteCommand] = []
    for change in changes:
        for step in change.steps:
            if isinstance(step, RouteCommand):
                batch.append(step)
                continue
            lines += _route_batch(batch)
            batch = []
            lines.append(f"printf '%s\\n' {shlex.quote(f'> {change.action} {change.subject}')}")
            lines.append(_render(step))
    lines += _route_batch(batch)
    # Only in our own words: what is written to files may hold anything.
    lines.append(_TAIL.replace("@@NONCE@", nonce).replace("@FACTS@", facts.removesuffix("exit 0\n")))
    return "\n".join(lines)


def _route_batch(commands: list[RouteCommand]) -> list[str]:
    if not commands:
        return []
    do = "\n".join([command.do for command in commands]) + "\n"
    undo = "\n".join([command.undo for command in reversed(commands)]) + "\n"
    said = shlex.quote(f"> change {len(commands)} routes")
    return [f"printf '%s\\n' {said}", f"route_batch {shlex.quote(do)} {shlex.quote(undo)}"]


# Most of what is written is the same on every host.
@lru_cache(32)
def _render(step: Step) -> str:
    match step:
        case WriteFile(path, mode, content):
            return f"put {shlex.quote(path)} {mode:04o} {shlex.quote(content)}"
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
            words = ["systemctl", *arguments]
        case NetworkdFile(path, content, device):
            words = ["networkd_file", path, content, device]
        case RouteCommand():
            message = "routes are changed in one batch"
            raise TypeError(message)
    return shlex.join(words)
