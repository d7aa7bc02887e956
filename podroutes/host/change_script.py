"""Turning a plan's steps into one shell script that makes the changes and then reads the host anew."""

import shlex
from collections.abc import Sequence
from functools import lru_cache
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
from podroutes.host.facts import sysctl_key
from podroutes.host.routes import STATE_WORDS
from podroutes.host.state import (
    DATA_DIRECTORY,
    LOCK_PATH,
    REPLACED_DIRECTORY,
    SCRIPT_STATE_DIRECTORY,
    UNIT_NAME,
    temporary_path,
)

# sysexits.h EX_TEMPFAIL: another run is changing this host. Only if no step was begun: a command may end with it, too.
LOCKED_STATUS: Final = 75
# Begins what a step has to say, of a host on which it succeeded.
NOTE: Final = "! "

_UNIT_VERBS: Final = {
    "enable": "run_unit",
    "reload-or-restart": "run_unit",
    "restart": "run_unit",
    "disable": "stop_unit",
}

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
exec 9>>@LOCK@
umask 022
# Any other status than this is no other run's lock.
said=$(flock --nonblock --conflict-exit-code @LOCKED@ 9 2>&1) || {
    status=$?
    [ "$status" = @LOCKED@ ] || printf '%s\n' "> lock @LOCK@" "flock of util-linux is needed; it said: ${said:-nothing}"
    exit "$status"
}
put() {
    [ -d "${1%/*}" ] || mkdir --parents "${1%/*}"
    # Its folder is root's, so nobody else can be in the way; what another run of this left there goes.
    temporary=$4
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
    temporary=$3
    rm --force "$temporary"
    cp --archive "$1" "$temporary"
    mv --force --no-target-directory "$temporary" "$2"
    temporary=
}
# What the unit's own processes have written since then; of those that could not even be begun, what systemd wrote.
unit_said() {
    # A process may have ended before its words are in the journal.
    journalctl --sync >/dev/null 2>&1 || true
    run=$(systemctl show --property=InvocationID --value @UNIT@ 2>/dev/null) || run=
    for field in ${run:+_SYSTEMD_INVOCATION_ID INVOCATION_ID}; do
        lines=$(journalctl --quiet --output=cat --lines=5 --since="@$since" "$field=$run" 2>/dev/null) || lines=
        [ -z "$lines" ] || { printf '%s\n' "$lines" && return 0; }
    done
    systemctl status --no-pager --lines=0 @UNIT@ 2>/dev/null | grep -E 'Active:|Process:' || printf '%s\n' "$1"
}
# Where a start or a reload fails, `systemctl` says no more than that it did.
run_unit() {
    since=$(date +%s)
    said=$(systemctl "$@" 2>&1) && return 0
    # Its own errors, and none of its warnings.
    case $said in
    *'Failed to '*) printf '%s\n' "$said" | grep -v '^Warning: ' ;;
    *) unit_said "$said" ;;
    esac
    exit 1
}
# `systemctl` calls it a success where what the unit runs at its stop has failed.
stop_unit() {
    since=$(date +%s)
    systemctl "$@"
    systemctl is-failed --quiet @UNIT@ || return 0
    printf '%s\n' "@NOTE@@UNIT@ failed as it was stopped: $(unit_said '' | tr '\n' ' ')"
    systemctl reset-failed @UNIT@
}
remove() {
    rm --force "$1"
    rmdir --ignore-fail-on-non-empty @FOLDERS@ 2>/dev/null || true
}
# routes_for COMMANDS: all routes of the families that the commands are about, as `ip` shows them.
routes_for() {
    case $1 in *.*) ip -N -o -4 route show table main || return 1 ;; esac
    case $1 in *:*) ip -N -o -6 route show table main || return 1 ;; esac
}
# not_as_before COMMANDS BEFORE AFTER: which routes to the commands' destinations are other ones after than before.
not_as_before() {
    printf '%s\n' "$1" "= 1" "$2" "= -1" "$3" | awk '
        $1 == "=" { sign = $2; next }
        # A host is shown without a mask, and a type that is not unicast comes first.
        !sign { i = $3 ~ /[.:]/ ? 3 : 4; sub(/\/(32|128)$/, "", $i); touched[$i]; next }
        !(($1 ~ /^[0-9]+$/ ? $2 : $1) in touched) { next }
        {
            gsub(/ (@STATE_WORDS@)( |$)/, " ")
            shown = $0
            sub(/ expires [0-9]+sec/, " expires")
            balance[$0] += sign
            if (sign > 0) before[$0] = shown
        }
        END {
            for (route in balance) if (balance[route] > 0) print "could not be put back: " before[route]
            for (route in balance) if (balance[route] < 0) print "could not be taken back: " route
        }'
}
route_batch() {
    before=$(routes_for "$1" 2>&1) || { printf '%s\n' "$before" | tail -n 1 && exit 1; }
    # What `ip` does not read any more is no error of its own.
    error=$(printf '%s' "$1" 2>/dev/null | ip -batch - 2>&1) && return 0
    printf '%s\n' "$error" | head -n 1
    # `ip` stops at the line that fails; those before it are taken back, the last one first.
    failed=$(printf '%s\n' "$error" | sed -n 's/^Command failed .*:\([0-9][0-9]*\)$/\1/p')
    printf '%s' "$2" 2>/dev/null | tail -n "$((${failed:-1000001} - 1))" | ip -force -batch - || true
    # A route that was to last for some time lasts as long again as was left of it.
    after=$(routes_for "$1" 2>/dev/null) || true
    not_as_before "$1" "$before" "$after" |
        sed -n 's/^could not be put back: \(.* expires [0-9]*\)sec/route replace \1/p' | ip -force -batch - || true
    if ! after=$(routes_for "$1" 2>&1); then
        printf '%s\n' 'how much of the route changes was taken back is not known: the routes can not be read'
    else
        differing=$(not_as_before "$1" "$before" "$after")
        printf '%s\n' "${differing:-none of the route changes was kept}"
    fi
    exit 1
}
""".lstrip()
    .replace("@FOLDERS@", " ".join(_FOLDERS))
    .replace("@LOCKED@", str(LOCKED_STATUS))
    .replace("@LOCK@", LOCK_PATH)
    .replace("@NOTE@", NOTE)
    .replace("@UNIT@", UNIT_NAME)
    .replace("@STATE_WORDS@", "|".join(STATE_WORDS))
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
        put "$1" 0644 "$2" "$3"
    else
        rm --force "$1"
        rmdir --ignore-fail-on-non-empty "${1%/*}" 2>/dev/null || true
    fi
}
networkd_file() {
    # Command substitution takes newlines away at its end.
    was=
    if [ -f "$1" ]; then was=$(cat "$1" && echo .); fi
    put_networkd_file "$1" "$2" "$4"
    if [ -z "$3" ] || reload_networkd "$3"; then return 0; fi
    # This may be the interface that the host is reached by.
    put_networkd_file "$1" "${was%.}" "$4"
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
            return f"put {shlex.quote(path)} {mode:04o} {shlex.quote(content)} {shlex.quote(temporary_path(path))}"
        case KeepCopy(path, copy):
            return f"keep {shlex.quote(path)} {shlex.quote(copy)} {shlex.quote(temporary_path(copy))}"
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
            words = [_UNIT_VERBS.get(arguments[0], "systemctl"), *arguments]
        case NetworkdFile(path, content, device):
            words = ["networkd_file", path, content, device, temporary_path(path)]
        case RouteCommand():
            message = "routes are changed in one batch"
            raise TypeError(message)
    return shlex.join(words)
