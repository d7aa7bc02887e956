# shellcheck shell=sh
# Reads everything about a host and changes nothing. What it reads is set before it, see podroutes/host/reading_script.py.
#
# All of it is printed at once: over a network, each of many small writes would be a packet of its own. Processes are
# what a reading costs on a host, `systemctl` ten times as much as others: what the shell can do, the shell does.
# shellcheck disable=SC2154  # the variables that are set before it
export LC_ALL=C PATH="${PATH:-}:/usr/sbin:/usr/bin:/sbin:/bin"
# A command's output is its part's; that it failed, and what it said then, stands in a part of its own.
part() { name=$1; printf '\n@%s %s\n' "$nonce" "$1"; }
failed() { printf '\n@%s failed %s\nexit status %s: %s\n' "$nonce" "$name" "$1" "$2"; }
try() { said=$("$@" 2>&1 >&3) || failed $? "$said"; }
version() { part "$1"; shift; "$@" 2>&1 || :; }
is_there() { [ -e "$1" ] || [ -h "$1" ]; }
read_settings() {
    # shellcheck disable=SC2086  # patterns of paths
    grep -aHE '^-?[0-9]+$|'\
'^[[:space:]]*-?[[:space:]]*net[./]ipv[46][./](ip_forward|conf[./].*(forwarding|accept_ra))[[:space:]]*=|'\
"$manager_lines" $sysctls "$@"
}
read_host() {
exec 3>&1
part missing
for tool in $tools; do command -v "$tool" >/dev/null || printf '%s\n' "$tool"; done
version ip_version ip -V
version systemd_version systemctl --version
version flock_version flock --version

part host
value=
read -r value 2>/dev/null </proc/sys/kernel/hostname
printf '%s\n' "$value"

part network
# One process for all of it. An address that no route leads to is an error that ends nothing; `ip` names its line. That
# the first line failed, or anything else, is a failure.
said=$(ip -j -N -force -batch - 2>&1 >&3 <<END
address show
$lookups
END
)
status=$?
case "$status $said
" in
*" -:1
"*) failed "$status" "$said" ;;
0\ * | 1\ *"Command failed -:"*) ;;
*) failed "$status" "$said" ;;
esac
for family in $families; do
    part "route$family"
    try ip -N -o "-$family" route show table main
done
if [ "$route_text" = yes ]; then
    part route_text
    try ip route show
fi

part sysctl_files
# shellcheck disable=SC2086  # patterns of paths
printf '%s\n' $sysctl_files
part settings
# An interface may go while it is read, and files with it.
for attempt in 1 2 3; do
    set -- /dev/null
    for file in $sysctl_files $manager_files; do [ ! -f "$file" ] || set -- "$@" "$file"; done
    status=0
    lines=$(read_settings "$@" 2>/dev/null) || status=$?
    [ "$status" -gt 1 ] || break
    [ "$attempt" != 3 ] || failed "$status" "$(read_settings "$@" 2>&1 >/dev/null)"
done
printf '%s\n' "$lines"

part managers
for daemon in systemd-networkd NetworkManager; do
    # Links that systemd keeps for its journal, as long as a unit is active.
    if [ -h "/run/systemd/units/invocation:$daemon.service" ]; then printf '%s\n' "$daemon"; fi
done
if [ -r /run/network/ifstate ]; then
    while read -r line; do printf 'ifupdown %s\n' "$line"; done </run/network/ifstate
fi

part unit
shown=$(systemctl show --property="$properties" "$unit" 2>&1) || failed $? "$shown"
printf '%s\n' "$shown"
part links_to_unit
for link in $enabling_links; do [ ! -h "$link" ] || printf '%s\n' "$link"; done
part overridden
case $shown in
*DropInPaths=/*)
    drop_ins=${shown#*DropInPaths=}
    set -- /dev/null
    for file in ${drop_ins%%
*}; do [ ! -f "$file" ] || set -- "$@" "$file"; done
    try sed -n 's/^[[:space:]]*\([A-Za-z]*\)[[:space:]]*=.*/\1/p' "$@"
    ;;
esac

part leftovers
for path in $temporary_files; do is_there "$path" && printf '%s\n' "$path"; done
part files
set --
for path in $files; do is_there "$path" && set -- "$@" "$path"; done
[ $# = 0 ] || try stat --format='%n %f %u %g' -- "$@"
# Of regular files, the content, unless the reader knows it by its digest.
part contents
set --
for path in $files; do [ -h "$path" ] || [ ! -f "$path" ] || set -- "$@" "$path"; done
sums=
[ $# = 0 ] || sums=$(sha256sum -- "$@" 2>&1) || { failed $? "$sums" && sums=; }
while read -r sum path; do
    [ -n "$path" ] || continue
    printf '%s ' "$path"
    case " $known " in
    *" $sum "*) printf 'sha256:%s' "$sum" ;;
    *) try base64 --wrap=0 -- "$path" ;;
    esac
    printf '\n'
done <<END
$sums
END
part end
}
answer=$(read_host)
printf '%s\n' "$answer"
exit 0
