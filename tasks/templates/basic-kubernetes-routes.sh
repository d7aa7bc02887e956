#!/bin/bash
# Managed by pod-routes; changes to this file are overwritten.
#
# Gives this host its pod network routes at boot. They are listed in /etc/kubernetes-routes/routes:
#
#     cluster 10.200.0.0/16                           routes with our protocol number in this range are ours
#     pods 10.200.0.0/24                              this host's own pods, which it reaches through its bridge
#     route 10.200.1.0/24 via 10.240.0.21 dev eth0    a route that this host must have, inside such a range
#
#   add     make the kernel have exactly these: add, replace and remove what differs, all or nothing
#   del     remove the routes that `add` left here, and nothing else
#   check   say how the kernel differs from the list; change nothing
#
# Routes of others stay, except those to a listed destination that are in the place (metric) of ours or lead elsewhere, and
# those that lead own pods' packets away. Never touched is one of `proto kernel`: the network of this host's own pods. One
# of `proto dhcp` that says the same is as good as ours. What others' routes to a part of a listed destination, or for some
# packets only (tos, from), take another way is said and left as it is.
#
# Exit status: 0 up to date; 1 failed, refused, or different; 64 wrong usage; 78 the list can't be understood.
# Needs bash 4.4, awk, flock and iproute2 5.3, or later.
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077

# Filled in when this file is installed.
PROTOCOL=@PROTOCOL@ METRIC_IPV4=@METRIC_IPV4@ METRIC_IPV6=@METRIC_IPV6@
STATE_WORDS='@STATE_WORDS@'
ATTRIBUTES='@ATTRIBUTES@'
ENCAPSULATIONS='@ENCAPSULATIONS@'

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
        function bad(message) { print file ":" message >"/dev/stderr"; failed = 1 }
        BEGIN {
            octet = "([1-9]?[0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
            ipv4 = octet "\\." octet "\\." octet "\\." octet
            group = "(0|[1-9a-f][0-9a-f]*)"
            ipv6 = "(" group "?:)+" group "?"
            mask = "/[1-9][0-9]?[0-9]?"
            dev = " dev [A-Za-z0-9_][A-Za-z0-9_.@:+-]*$"
            range = "^(cluster|pods) (" ipv4 "|" ipv6 ")" mask "$"
            route = "^route (" ipv4 mask " via " ipv4 "|" ipv6 mask " via " ipv6 ")" dev
        }
        { line = $0; gsub(/[^ -~]/, "?", line); sub(/#.*/, "") }
        NF == 0 { next }
        { $1 = $1 }
        $0 !~ range && !($0 ~ route && length($6) <= 15) {
            bad(NR ": not `cluster NETWORK`, `pods NETWORK` or `route NETWORK via ADDRESS dev INTERFACE`: " line)
            next
        }
        ($1, $2) in seen { bad(NR ": a second line for " $2) }
        { seen[$1, $2]; clusters += $1 == "cluster"; print }
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

# Reads that and prints what to do: `refuse TEXT`, or for each change `change COMMAND`, `undo COMMAND` and `say TEXT`; and
# `note TEXT` for what stays wrong.
plan() {
    awk -v action="$action" -v our_protocol="$PROTOCOL" -v metric_ipv4="$METRIC_IPV4" -v metric_ipv6="$METRIC_IPV6" \
        -v state_words="$STATE_WORDS" -v attributes="$ATTRIBUTES" -v encapsulations="$ENCAPSULATIONS" '
        function our_metric(network) { return network ~ /:/ ? metric_ipv6 : metric_ipv4 }
        # A route of ours, both as ip takes it and as it shows it.
        function ours() {
            return $2 " via " $4 " dev " $6 " proto " our_protocol (our_metric($2) + 0 ? " metric " our_metric($2) : "")
        }
        function set_of(words, set,   list, n) { for (n = split(words, list); n; n--) set[list[n]] }

        # Reads a line of `ip -N -o route show` and sets text to what ip takes to make or to pick this very route.
        function read_route(   i, way, rest, hops, nhid, encapsulated, value) {
            gsub(/\\/, " ")
            i = 1
            kind = $1 ~ /^[0-9]+$/ ? kinds[$(i++)] : $1 in is_kind ? $(i++) : "unicast"
            destination = $i ($i ~ /\// ? "" : $i ~ /:/ ? "/128" : "/32")
            route_via = route_dev = unknown = ""
            protocol = 3  # boot, which ip leaves out
            metric = is_selective = is_down = 0
            while (++i <= NF) {
                if ($i == "linkdown") is_down = 1
                if ($i in is_state) continue
                if (encapsulated && $i != "via" && $i != "dev") { rest = rest " " $i; continue }
                encapsulated = 0
                if ($i == "nexthop" || (hops && $i == "onlink")) { hops = hops " " $i; continue }
                if ($i == "onlink") { way = way " onlink"; continue }
                if ($i == "encap") {
                    encapsulated = 1
                    rest = rest " encap"
                    if (hops || !($(i + 1) in is_encapsulation)) unknown = unknown " encap " $(i + 1)
                    continue
                }
                if (!($i in has_value)) { unknown = unknown " " $i; continue }
                value = $i
                # It is always locked; ip says so and does not take it.
                while ($(i + 1) ~ /^(lock|inet6?)$/) if ($(++i) != "lock" || value != "rto_min") value = value " " $i
                i++
                value = value " " ($(i - 1) == "expires" ? $i + 0 : $i)
                if (hops) hops = hops " " value
                else if (value ~ /^via /) { way = way " " value; route_via = $i }
                else if (value ~ /^dev /) { way = way " " value; route_dev = $i }
                else if (value ~ /^proto /) protocol = $i
                else if (value ~ /^error / || value == "pref medium") continue  # its type says so; as without it
                else {
                    if (value ~ /^metric /) metric = $i
                    if (value ~ /^nhid /) nhid = 1
                    if (value ~ /^(tos|from) /) is_selective = 1  # for some packets only
                    rest = rest " " value
                }
            }
            if (hops) kind = "multipath"
            # A next hop object says where packets go, and ip takes only one of the two.
            text = (nhid || kind ~ /cast$|path$/ ? "" : kind " ") destination (nhid ? "" : way) " proto " protocol rest
            if (!nhid) text = text hops
            has_next_hop = route_via != "" || hops != ""
            if (unknown) not_understood[text] = unknown
            if (nhid) uses_object[text]
        }
        function is_same_way() {
            return kind == "unicast" && route_via == via[destination] && route_dev == dev[destination]
        }
        # Whether a further route to a listed destination has to go.
        function is_in_the_way() {
            if (metric == our_metric(destination) || protocol == our_protocol) return 1
            return protocol == 16 && metric > our_metric(destination) ? 0 : !is_same_way()
        }
        function hides_own_pods() {
            if (protocol == our_protocol) return 1
            return protocol != 2 && has_next_hop && !(protocol == 16 && metric > 0)
        }

        # The listed network that a destination lies in.
        function listed_around(destination,   all, length_) {
            if (!(1 in lengths)) {
                lengths[1]
                for (network in via) listed_at[bits(network)] = network
                for (network in pods) listed_at[bits(network)] = network
            }
            all = bits(destination)
            for (length_ = length(all); length_; length_--)
                if (substr(all, 1, length_) in listed_at) return listed_at[substr(all, 1, length_)]
            return ""
        }
        # The bits of a network that all its addresses have, with a letter for its family before them.
        function bits(network,   half, groups, count, hex, i, out) {
            split(network, half, "/")
            out = half[1]
            if (network ~ /:/) {
                count = gsub(/[^:]+/, "&", out)
                hex = ":"
                for (i = count; i < 8; i++) hex = hex "0:"
                sub(/::/, hex, out)
                gsub(/^:|:$/, "", out)
            }
            count = split(out, groups, /[.:]/)
            hex = ""
            for (i = 1; i <= count; i++)
                hex = hex (network ~ /:/ ? substr("0000" groups[i], length(groups[i]) + 1) : sprintf("%02x", groups[i]))
            out = network ~ /:/ ? "6" : "4"
            for (i = 1; i <= length(hex); i++) out = out nibbles[substr(hex, i, 1)]
            return substr(out, 1, half[2] + 1)
        }
        function note_part(   network) {
            network = listed_around(destination)
            if (network == "" || (network in pods && !has_next_hop)) return
            if (kind != "unicast" || route_via != via[network])
                print "note part of " network " goes another way: " text
        }

        function may_change(route) {
            if (route in not_understood) print "refuse " route ": not understood is" not_understood[route]
            return !(route in not_understood)
        }
        function change(command, inverse, why) { print "change " command "\nundo " inverse "\nsay " why }
        function remove(route, why,   only) {
            if (!may_change(route)) return
            # Without a next hop, the kernel would take an IPv6 route that has one.
            if (route ~ /:.*\// && route !~ / (via|nexthop) / && !(route in uses_object)) only = " via ::"
            change("route del " route only, "route append " route, why ": " route)
        }

        BEGIN {
            for (n = split("unicast local broadcast anycast multicast blackhole unreachable prohibit throw", kinds); n; n--)
                is_kind[kinds[n]]
            set_of(state_words, is_state)
            set_of("via dev weight proto metric scope src tos from nhid expires error " attributes, has_value)
            set_of(encapsulations, is_encapsulation)
            for (n = 0; n < 16; n++)
                nibbles[sprintf("%x", n)] = int(n / 8) int(n / 4) % 2 int(n / 2) % 2 n % 2
        }
        $1 == "=" { what = $2; next }
        what == "list" && $1 == "pods" { pods[$2] }
        what == "list" && $1 == "route" { order[++count] = $2; listed[$2] = ours(); via[$2] = $4; dev[$2] = $6 }
        (what == "applied" || (what == "list" && action == "del")) && $1 == "route" { applied[ours()] }
        what == "own" { sub(/\/.*/, "", $4); own[$4] }
        what == "inside" { read_route(); inside[destination] }
        what == "kernel" { lines[++line_count] = $0 }
        END {
            for (n = 1; n <= line_count; n++) {
                $0 = lines[n]
                read_route()
                is_inside = destination in inside
                if (action == "del") {
                    if (text in applied) remove(text, "removed")
                } else if (destination in listed && protocol == 2) {
                    print "refuse " destination ": this host is on that network itself: " text
                } else if (destination in listed && !is_inside) {
                    print "refuse " destination ": in no cluster range; there is " text
                } else if (destination in listed && !is_selective) {
                    is_right = text == listed[destination] || (protocol == 16 && is_same_way())
                    in_place = metric == our_metric(destination)
                    if (is_down && is_same_way()) print "note " route_dev " has no carrier: " text
                    if (in_place && is_right && !(destination in settled)) settled[destination]
                    else if (in_place) others[destination] = others[destination] "\n" text
                    else if (is_in_the_way()) beside[destination] = beside[destination] "\n" text
                } else if (destination in pods && !is_selective) {
                    if (hides_own_pods()) remove(text, "leads own pods away")
                } else if (protocol == our_protocol && (is_inside || text in applied)) {
                    remove(text, "stale")
                } else if (is_inside && protocol != 2) {
                    note_part()
                }
            }
            for (n = 1; n <= count && action != "del"; n++) {
                destination = order[n]
                route = listed[destination]
                if (via[destination] in own) print "refuse " route ": the next hop is this host itself"
                other_count = split(substr(others[destination], 2), other, "\n")
                # Those that are too many go first, so that `replace` can mean one only.
                for (i = destination in settled ? 1 : 2; i <= other_count; i++) remove(other[i], "duplicate")
                if (!(destination in settled)) {
                    if (other_count == 0) change("route replace " route, "route del " route, "missing: " route)
                    else if (may_change(other[1]))
                        change("route replace " route, "route replace " other[1], "wrong: " other[1] ", expected " route)
                }
                other_count = split(substr(beside[destination], 2), other, "\n")
                for (i = 1; i <= other_count; i++) remove(other[i], "beside ours")
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
    [ -n "$differences" ] || return 0
    trap '' HUP INT TERM
    error=''
    trap take_back EXIT
    # What ip does not read any more, after a line that fails, is no error of its own.
    error=$({ part change 2>/dev/null || true; } | ip -batch - 2>&1)
    error=$(read_all | plan | sed -n 's/^\(refuse\|say\) /still /p')
    [ -z "$error" ]
    trap - EXIT
}

take_back() {
    # ip stops at the line that it names. If it names none, it may have done none, some or all.
    made=$(printf '%s\n' "$error" | sed -n 's/^Command failed -:\([0-9]*\).*/\1/p')
    error+=${made:+$'\n'"it was: ip $(part change | sed -n "${made}p")"}
    # Each on its own: even with -force, ip would end at one that it can't read.
    part undo | awk -v made="${made:-0}" '{ undo[NR] = $0 } END { for (n = made ? made - 1 : NR; n; n--) print undo[n] }' |
        while read -r line; do
            printf '%s\n' "$line" | ip -batch - 2>/dev/null || true
        done
    # What is to be done is again what it was before.
    lost=$(printf '%s\n' "$(read_all | plan)" = "$planned" | awk '
        { sub(/ expires [0-9]+/, " expires") }
        $0 == "=" { before = 1; next }
        !before { now[$0]; next }
        { was[$0] }
        !($0 in now) { print "not as before: " $0 }
        END { for (line in now) if (!(line in was)) print "not as before: " line }
    ')
    [ -n "$lost" ] || fail 1 "${error:+$error$'\n'}nothing was changed: what was done is taken back"
    fail 1 "${error:+$error$'\n'}what was done could NOT all be taken back"$'\n'"$lost"
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
notes=$(part note)
case $action in
    check)
        [ -z "$planned" ] || { part 'refuse\|say\|note' && exit 1; }
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
        # Not ours, and no reason to fail: the listed routes are there.
        [ -z "$notes" ] || printf '%s\n' "$notes"
        ;;
    del)
        apply
        rm -f "$APPLIED"
        echo "${differences:-nothing to remove}"
        ;;
esac
