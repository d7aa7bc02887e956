#!/bin/bash
# Managed by pod-routes; changes to this file are overwritten.
#
# Gives this host its pod network routes at boot. They are listed in /etc/kubernetes-routes/routes:
#
#     cluster 10.200.0.0/16                           routes with protocol 201 in this range are ours
#     route 10.200.1.0/24 via 10.240.0.21 dev eth0    a route that this host must have, inside such a range
#
#   add     make the kernel have exactly these: add, replace and remove what differs, all or nothing
#   del     remove the routes that `add` left here, and nothing else
#   check   say how the kernel differs from the list; change nothing
#
# Routes of others stay, except one to a listed destination in the very place (metric) that ours takes. Never touched is
# one of `proto kernel`: the network of this host's own pods. One of `proto dhcp` that says the same is as good as ours.
#
# Exit status: 0 as wanted; 1 failed, refused, or different; 64 wrong usage; 78 the list can't be understood.
# Needs bash 4.4, awk, flock and iproute2 5.3, or later.
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077

LIST=${KUBERNETES_ROUTES_FILE:-/etc/kubernetes-routes/routes}
APPLIED=${KUBERNETES_ROUTES_STATE:-/run/kubernetes-routes/applied}

# fail STATUS MESSAGE
fail() {
    printf '%s\n' "$2" | sed "s/^/${0##*/}: /" >&2
    exit "$1"
}

# Prints the lines of a list, without comments, each of the right shape. What has it and can't be, fd00::1::/64 say, ip
# refuses. But it takes leading zeros (as octal), missing octets and a length of 0, which would be another network.
read_list() {
    if [ ! -f "$1" ] || [ ! -r "$1" ]; then fail 78 "$1 is no file that can be read"; fi
    [ -z "$(tail -c 1 "$1")" ] || fail 78 "$1 was cut off: its last line has no end"
    awk -v file="$1" '
        function is_address(text) {
            return text ~ ipv4 || (text ~ /^[0-9a-f:]*:[0-9a-f:]*$/ && text !~ /(^|:)0[0-9a-f]/)
        }
        function is_network(text,   half) {
            return split(text, half, "/") == 2 && is_address(half[1]) && half[2] ~ /^[1-9][0-9]?[0-9]?$/
        }
        function is_route() {
            return NF == 6 && is_network($2) && $3 == "via" && is_address($4) && ($2 ~ /:/) == ($4 ~ /:/) &&
                $5 == "dev" && $6 ~ /^[A-Za-z0-9_][A-Za-z0-9_.@:+-]*$/ && length($6) <= 15
        }
        function bad(message) { print file ":" message >"/dev/stderr"; failed = 1 }
        BEGIN {
            octet = "([1-9]?[0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
            ipv4 = "^" octet "\\." octet "\\." octet "\\." octet "$"
        }
        { line = $0; gsub(/[^ -~]/, "?", line); sub(/#.*/, "") }
        NF == 0 { next }
        !($1 == "cluster" && NF == 2 && is_network($2)) && !($1 == "route" && is_route()) {
            bad(NR ": neither `cluster NETWORK` nor `route NETWORK via ADDRESS dev INTERFACE`: " line)
            next
        }
        ($1, $2) in seen { bad(NR ": a second line for " $2) }
        { seen[$1, $2]; clusters += $1 == "cluster"; $1 = $1; print }
        END { if (!failed && !clusters) bad(" has no line `cluster NETWORK`"); exit failed }
    ' "$1" || exit 78
}

# A listing that fails must never look like an empty one.
show() {
    ip -N -o "$@" || fail 1 "this failed: ip $*"
}

# Prints all that planning looks at, with a line `= WORD` before what it is.
read_all() {
    printf '= list\n%s\n' "$list"
    [ ! -r "$APPLIED" ] || printf '= applied\n%s\n' "$(<"$APPLIED")"
    printf '= own\n'
    show address show
    printf '= kernel\n'
    show -4 route show table main
    case $list in *:*) show -6 route show table main ;; esac
    # ip says what lies in a range, so that nobody has to calculate with addresses here.
    printf '= inside\n'
    printf '%s\n' "$list" | while read -r word network _; do
        case $word:$network in
            cluster:*:*) show -6 route show table main root "$network" ;;
            cluster:*) show -4 route show table main root "$network" ;;
        esac
    done
}

# Reads that and prints what to do: `refuse TEXT`, or for each change `change COMMAND`, `undo COMMAND` and `say TEXT`.
plan() {
    awk -v action="$action" '
        # A route of ours, both as ip takes it and as it shows it.
        function ours() { return $2 " via " $4 " dev " $6 " proto 201" ($2 ~ /:/ ? " metric 1024" : "") }

        # Reads a line of `ip -N -o route show` and sets text to what ip takes to make or to pick this very route.
        function read_route(   kind, i) {
            gsub(/\\/, " ")
            i = 1
            kind = $1 ~ /^[0-9]+$/ ? kinds[$(i++)] " " : ""
            destination = $i ($i ~ /\// ? "" : $i ~ /:/ ? "/128" : "/32")
            text = ""
            protocol = 3  # boot, which ip leaves out
            metric = is_special = 0
            while (++i <= NF) {
                if ($i ~ /^(dead|linkdown|offload|offload_failed|rt_offload|rt_trap|trap)$/) continue  # its state
                if ($i == "pref" && $(i + 1) == "medium") { i++; continue }
                if ($i == "proto") protocol = $(i + 1)
                if ($i == "metric") metric = $(i + 1)
                if ($i == "tos" || $i == "from") is_special = 1  # for some packets only
                text = text " " $i
            }
            text = kind destination (text ~ / proto / ? "" : " proto 3") text
            in_place = !is_special && metric == (destination ~ /:/ ? 1024 : 0)
        }
        function change(command, inverse, why) { print "change " command "\nundo " inverse "\nsay " why }
        function remove(route, why,   only) {
            # Told of no next hop, the kernel would take an IPv6 route that has one.
            if (route ~ /:.*\// && route !~ / (via|nexthop) /) only = " via ::"
            change("route del " route only, "route append " route, why ": " route)
        }

        BEGIN { split("unicast local broadcast anycast multicast blackhole unreachable prohibit throw", kinds) }
        $1 == "=" { what = $2; next }
        what == "list" && $1 == "route" { order[++count] = $2; wanted[$2] = ours(); via[$2] = $4; dev[$2] = $6 }
        (what == "applied" || (what == "list" && action == "del")) && $1 == "route" { applied[ours()] }
        what == "own" { sub(/\/.*/, "", $4); own[$4] }
        what == "inside" { read_route(); inside[destination] }
        what == "kernel" { lines[++line_count] = $0 }
        END {
            for (n = 1; n <= line_count; n++) {
                $0 = lines[n]
                read_route()
                if (action == "del") {
                    if (text in applied) remove(text, "removed")
                } else if (destination in wanted && protocol == 2) {
                    print "refuse " destination ": this host is on that network itself: " text
                } else if (destination in wanted && !(destination in inside)) {
                    print "refuse " destination ": in no cluster range; there is " text
                } else if (destination in wanted && in_place) {
                    agreeing = destination " via " via[destination] " dev " dev[destination] " proto 16"
                    is_right = text == wanted[destination] || index(text " ", agreeing " ") == 1
                    if (is_right && !(destination in settled)) settled[destination]
                    else others[destination] = others[destination] "\n" text
                } else if (protocol == 201 && (destination in inside || text in applied)) {
                    remove(text, "stale")
                }
            }
            for (n = 1; n <= count && action != "del"; n++) {
                destination = order[n]
                route = wanted[destination]
                if (via[destination] in own) print "refuse " route ": the next hop is this host itself"
                other_count = split(substr(others[destination], 2), other, "\n")
                # Those that are too many go first, so that `replace` can mean one only.
                for (i = destination in settled ? 1 : 2; i <= other_count; i++) remove(other[i], "duplicate")
                if (destination in settled) continue
                if (other_count == 0) change("route replace " route, "route del " route, "missing: " route)
                else change("route replace " route, "route replace " other[1], "wrong: " other[1] ", wanted " route)
            }
        }
    '
}

# part WORD: the lines of the plan that begin with it.
part() {
    [ -z "$planned" ] || printf '%s\n' "$planned" | sed -n "s/^\($1\) //p"
}

# Makes the planned changes, all or none: whatever ends the script before the trap is lifted, they are taken back.
apply() {
    [ -n "$planned" ] || return 0
    trap '' HUP INT TERM
    error=''
    trap take_back EXIT
    error=$(part change | ip -batch - 2>&1)
    error=$(read_all | plan | sed -n 's/^\(refuse\|say\) /still /p')
    [ -z "$error" ]
    trap - EXIT
}

take_back() {
    # ip stops at the line that it names. If it names none, it may have done none, some or all.
    made=$(printf '%s\n' "$error" | sed -n 's/^Command failed -:\([0-9]*\).*/\1/p')
    error+=${made:+$'\n'"it was: ip $(part change | sed -n "${made}p")"}
    # Each on its own: even with -force, ip would end at one that it can't read.
    part undo | tac | tail -n "$((${made:-1000001} - 1))" | while read -r line; do
        printf '%s\n' "$line" | ip -batch - 2>/dev/null || true
    done
    # What is to be done is again what it was before.
    if [ "$(read_all | plan | sort)" = "$(printf '%s\n' "$planned" | sort)" ]; then
        fail 1 "${error:+$error$'\n'}nothing was changed: what was done is taken back"
    fi
    fail 1 "${error:+$error$'\n'}what was done could NOT all be taken back"
}

action=${1-}
case $#:$action in
    1:add | 1:del | 1:check) ;;
    *) fail 64 "usage: ${0##*/} add|del|check" ;;
esac
if [ "$action" != check ]; then
    # One at a time. Nobody but root can open the lock; it ends with the process.
    [ -d "${APPLIED%/*}" ] || mkdir -p "${APPLIED%/*}"
    exec 9>>"${APPLIED%/*}/lock"
    flock --timeout 30 9 || fail 1 "another run is still at work after 30 seconds"
fi
# What goes is what was applied, whatever is listed by now.
[ "$action" != del ] || [ ! -e "$APPLIED" ] || LIST=$APPLIED
list=$(read_list "$LIST")
planned=$(read_all | plan)
refused=$(part refuse)
differences=$(part say)
case $action in
    check)
        [ -z "$planned" ] || { part 'refuse\|say' && exit 1; }
        echo "the kernel has the routes of $LIST"
        ;;
    add)
        [ -z "$refused" ] || fail 1 "$refused"$'\n'"refused: nothing was changed"
        apply
        if [ ! -r "$APPLIED" ] || [ "$list" != "$(<"$APPLIED")" ]; then
            printf '%s\n' "$list" >"$APPLIED.new"
            mv -f "$APPLIED.new" "$APPLIED"
        fi
        if [ -z "$differences" ]; then
            echo "nothing to change"
        else
            printf '%s\n' "$differences" | sed 's/^/was /'
        fi
        ;;
    del)
        apply
        rm -f "$APPLIED"
        echo "${differences:-nothing to remove}"
        ;;
esac
