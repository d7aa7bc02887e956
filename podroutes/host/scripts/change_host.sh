# shellcheck shell=sh
# What the steps of a change do on a host; see podroutes/host/change_script.py, which sets the variables and lists the
# steps after this.
# shellcheck disable=SC2154  # the variables that are set before it
export LC_ALL=C PATH="${PATH:-}:/usr/sbin:/usr/bin:/sbin:/bin"
# A connection that breaks now must not leave the host half changed: nothing may end this, and what the steps say is
# kept until they are done, as an output that can't be written to any more would fail a step.
trap '' HUP PIPE
# Only one run at a time; the lock ends with the shell.
begin() {
    set -eu
    # A file that could not be finished.
    temporary=
    trap '[ -z "$temporary" ] || rm -f "$temporary"' EXIT
    # Not in /run/lock, where anybody may make files: nobody but root can then hold it.
    umask 077
    exec 9>>"$lock"
    umask 022
    # Any other status than this is no other run's lock.
    said=$(flock --nonblock --conflict-exit-code "$locked_status" 9 2>&1) || {
        status=$?
        [ "$status" = "$locked_status" ] ||
            printf '%s\n' "> lock $lock" "flock of util-linux is needed; it said: ${said:-nothing}"
        exit "$status"
    }
}
# put PATH MODE CONTENT TEMPORARY: write a whole file.
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
# keep PATH COPY TEMPORARY: keep a copy of a file; never over an earlier one.
keep() {
    if [ -e "$2" ] || [ -L "$2" ]; then return 0; fi
    mkdir --parents "${2%/*}"
    temporary=$3
    rm --force "$temporary"
    cp --archive "$1" "$temporary"
    mv --force --no-target-directory "$temporary" "$2"
    temporary=
}
# restore COPY PATH: put a kept copy back in its place.
restore() {
    mv --force --no-target-directory "$1" "$2"
    remove "$1"
}
# set_sysctl PATH VALUE
set_sysctl() { printf '%s\n' "$2" >"$1"; }
# What the unit's own processes have written since then; of those that could not even be begun, what systemd wrote.
unit_said() {
    # A process may have ended before its words are in the journal.
    journalctl --sync >/dev/null 2>&1 || true
    run=$(systemctl show --property=InvocationID --value "$unit" 2>/dev/null) || run=
    for field in ${run:+_SYSTEMD_INVOCATION_ID INVOCATION_ID}; do
        lines=$(journalctl --quiet --output=cat --lines=5 --since="@$since" "$field=$run" 2>/dev/null) || lines=
        [ -z "$lines" ] || { printf '%s\n' "$lines" && return 0; }
    done
    systemctl status --no-pager --lines=0 "$unit" 2>/dev/null | grep -E 'Active:|Process:' || printf '%s\n' "$1"
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
    systemctl is-failed --quiet "$unit" || return 0
    printf '%s\n' "$note$unit failed as it was stopped: $(unit_said '' | tr '\n' ' ')"
    systemctl reset-failed "$unit"
}
# remove PATH: and the directories of ours that are empty then.
remove() {
    rm --force "$1"
    # shellcheck disable=SC2086  # several paths
    rmdir --ignore-fail-on-non-empty $own_directories 2>/dev/null || true
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
            gsub(/ ('"$state_words"')( |$)/, " ")
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
