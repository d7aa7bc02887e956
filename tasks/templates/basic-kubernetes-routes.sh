#!/bin/bash
# Managed by pod-routes; edits are overwritten at its next run.
#
# The pod network routes of this host. They are listed in /etc/kubernetes-routes/routes, one a line:
#
#     cluster 10.200.0.0/16                              a range in which routes with `proto 201` are ours; at least one
#     route 10.200.1.0/24 via 10.240.0.21 dev eth0       a route this host must have, inside one of these ranges
#     # a comment
#
# Usage: basic-kubernetes-routes.sh add|del|check
#
#   add     Makes the main table hold exactly these routes, with `proto 201`: adds what is missing, replaces what is
#           wrong, removes what is no longer listed. Writes nothing where all is right. All or nothing: if the kernel
#           refuses one change, those before it are taken back.
#   del     Removes the routes that `add` made last, wherever they are still as it made them.
#   check   Prints how the kernel differs from the file, one difference a line. Changes nothing.
#
# Routes of others are left alone, with one exception: a route to exactly a listed destination, with our metric and
# another next hop or protocol, is replaced. One of `proto kernel` never is; nor is one of `proto dhcp` that agrees.
#
# Exit status: 0 done, or all as wanted; 1 failed, refused, or different; 64 wrong usage; 78 a bad routes file.
#
# Needs bash, awk, sed, flock and iproute2 5.3 or later.

set -eEuf -o pipefail
shopt -s inherit_errexit
IFS=$' \t\n'
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022

readonly ROUTES_FILE=${KUBERNETES_ROUTES_FILE:-/etc/kubernetes-routes/routes}
readonly STATE_FILE=${KUBERNETES_ROUTES_STATE:-/run/kubernetes-routes/applied}
readonly STATE_FOLDER=${STATE_FILE%/*}
readonly LOCK_FILE=$STATE_FOLDER/lock
readonly LOCK_SECONDS=30

# Stands alone on a line between the parts of the planner's input.
readonly SEPARATOR=$'\001'

# The planner decides and touches nothing. It is one awk process, as bash would take a second over a few hundred routes.
#
# Input: the routes file, the state file, the IPv4 routes, the IPv6 routes and the addresses of this host, in this order.
# Output: a line with the sizes of the blocks that follow; then the blocks, see run_planner.
# shellcheck disable=SC2016  # the dollars are awk's
readonly PLANNER='
BEGIN {
    # Numbers, since /etc/iproute2/rt_protos may name them as it likes.
    KERNEL = 2; BOOT = 3; DHCP = 16; OURS = 201
    # Names of route types: "ip -N" shows the number, and takes only the name.
    split("unicast local broadcast anycast multicast blackhole unreachable prohibit throw nat", TYPE_NAME)
    # What the kernel says about a route, as against what makes it.
    split("linkdown dead pervasive offload offload_failed rt_offload rt_offload_failed rt_trap trap", words)
    for (i in words) IS_STATUS[words[i]] = 1
    part = 1
}
$0 == SEPARATOR { part++; line = 0; next }
{ line++ }
part == 1 { read_listed(routes_file, line, "wanted") }
part == 2 { read_listed(state_file, line, "applied") }
(part == 3 || part == 4) && NF {
    gsub(/\\/, " ")  # stands where a new line would be
    line_family[++lines] = part == 3 ? 4 : 6
    line_text[lines] = $0
    if (/ proto 201( |$)/) has_ours[destination_field()] = 1
}
part == 5 && $3 ~ /^inet/ {
    sub(/\/.*/, "", $4)
    if (parse_address($4)) is_own[address_key()] = 1
    else not_understood("address")
}
END {
    if (!failed) {
        for (i = 1; i <= lines; i++) {
            $0 = line_text[i]
            read_route(line_family[i])
        }
        check_ranges()
        if (count["bad"] == 0) {
            if (action == "del") plan_del()
            else plan_add()
        }
        print_blocks()
    }
    exit failed
}

# --- addresses: family, and group[1..8] of 16 bits each; an IPv4 address is in the first two ---

function parse_address(text) {
    return index(text, ":") ? parse_ipv6(text) : parse_ipv4(text)
}

# A leading zero is refused, since ip would take the number as octal.
function parse_ipv4(text,    octet, i) {
    if (split(text, octet, ".") != 4) return 0
    for (i = 1; i <= 4; i++) {
        if (octet[i] !~ /^(0|[1-9][0-9]?[0-9]?)$/ || octet[i] + 0 > 255) return 0
    }
    for (i = 3; i <= 8; i++) group[i] = 0
    group[1] = octet[1] * 256 + octet[2]
    group[2] = octet[3] * 256 + octet[4]
    family = 4
    return 1
}

function parse_ipv6(text,    at, left, right, from_left, from_right, i) {
    if (index(text, ".")) {  # the last 32 bits in dotted form
        at = match(text, /:[^:]*$/)
        if (!parse_ipv4(substr(text, at + 1))) return 0
        text = substr(text, 1, at) sprintf("%x:%x", group[1], group[2])
    }
    at = index(text, "::")
    if (at) {
        from_left = split(substr(text, 1, at - 1), left, ":")
        from_right = split(substr(text, at + 2), right, ":")
        if (from_left + from_right > 7) return 0
    } else {
        from_left = split(text, left, ":")
        from_right = 0
        if (from_left != 8) return 0
    }
    for (i = 1; i <= 8; i++) group[i] = 0
    for (i = 1; i <= from_left; i++) if ((group[i] = hex_value(left[i])) < 0) return 0
    for (i = 1; i <= from_right; i++) if ((group[8 - from_right + i] = hex_value(right[i])) < 0) return 0
    family = 6
    return 1
}

function hex_value(text,    i, value) {
    if (text !~ /^[0-9A-Fa-f][0-9A-Fa-f]?[0-9A-Fa-f]?[0-9A-Fa-f]?$/) return -1
    text = tolower(text)
    for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
    return value
}

# The canonical form, so that two spellings of one IPv6 address are equal.
function address_key() {
    return sprintf("%d:%04x%04x%04x%04x%04x%04x%04x%04x", family,
                   group[1], group[2], group[3], group[4], group[5], group[6], group[7], group[8])
}

# How many addresses, at most 65536, the bits of group i beyond a prefix length tell apart.
function group_size(prefix_length, i,    bits) {
    bits = prefix_length - 16 * (i - 1)
    return bits <= 0 ? 65536 : bits >= 16 ? 1 : 2 ^ (16 - bits)
}

# Sets prefix_length and key too. Bits set beyond the length are refused, as ip does.
function parse_prefix(text,    at, i) {
    at = index(text, "/")
    prefix_length = substr(text, at + 1)
    if (!at || prefix_length !~ /^(0|[1-9][0-9]?[0-9]?)$/ || !parse_address(substr(text, 1, at - 1))) return 0
    prefix_length += 0
    if (prefix_length > (family == 4 ? 32 : 128)) return 0
    for (i = 1; i <= 8; i++) if (group[i] % group_size(prefix_length, i)) return 0
    key = address_key() "/" prefix_length
    return 1
}

# Whether the prefix just parsed lies in a cluster range.
function is_in_cluster(    range, i, size) {
    for (range = 1; range <= ranges; range++) {
        if (range_family[range] != family || range_length[range] > prefix_length) continue
        for (i = 1; i <= 8; i++) {
            size = group_size(range_length[range], i)
            if (int(group[i] / size) != int(range_group[range, i] / size)) break
        }
        if (i > 8) return 1
    }
    return 0
}

# Whether the address just parsed is one that another host can have.
function can_be_next_hop(    top) {
    top = int(group[1] / 256)
    if (family == 4) return top != 0 && top != 127 && top < 224
    return top != 255 && address_key() !~ /^6:0*[01]$/
}

# The metric that ip gives a route when none is said.
function our_metric(of_family) {
    return of_family == 4 ? 0 : 1024
}

# --- reading ---

function bad(file, number, message) {
    add("bad", file ":" number ": " message)
}

function not_understood(what) {
    print "cannot understand this " what ": " $0 >"/dev/stderr"
    failed = 1
    exit failed
}

# One line of the routes file or of the state file.
function read_listed(file, number, list,    i) {
    if (number == 1) has_lines[list] = 1
    sub(/#.*/, "")
    if ($0 ~ /[^ -~\t]/) bad(file, number, "odd character")
    else if ($1 == "cluster" && list == "wanted") read_cluster(file, number)
    else if ($1 == "route") read_listed_route(file, number, list)
    else if (NF > 0) bad(file, number, "unknown word \"" $1 "\"")
}

function read_cluster(file, number,    i) {
    if (NF != 2) bad(file, number, "must be \"cluster PREFIX\"")
    else if (!parse_prefix($2)) bad(file, number, "\"" $2 "\" is not a network prefix")
    else if (key in range_line) bad(file, number, $2 " is in line " range_line[key] " already")
    else {
        range_line[key] = number
        range_family[++ranges] = family
        range_length[ranges] = prefix_length
        for (i = 1; i <= 8; i++) range_group[ranges, i] = group[i]
    }
}

function read_listed_route(file, number, list,    destination, destination_family) {
    if (NF != 6 || $3 != "via" || $5 != "dev") {
        bad(file, number, "must be \"route PREFIX via ADDRESS dev INTERFACE\"")
        return
    }
    if (!parse_prefix($2)) {
        bad(file, number, "\"" $2 "\" is not a network prefix")
        return
    }
    destination = key
    destination_family = family
    if (!parse_address($4) || !can_be_next_hop()) bad(file, number, "\"" $4 "\" is not the address of a next hop")
    else if (family != destination_family) bad(file, number, $2 " and " $4 " are of two families")
    else if ($6 !~ /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/ || length($6) > 15) {
        bad(file, number, "\"" $6 "\" is not the name of an interface")
    } else if ((list, destination) in listed_line) {
        bad(file, number, $2 " is in line " listed_line[list, destination] " already")
    } else {
        listed_line[list, destination] = number
        listed_words[list, destination] = $2 " via " $4 " dev " $6
        listed_hop[list, destination] = address_key() " " $6
        listed[list, ++listed_count[list]] = destination
        is_listed[destination] = 1
    }
}

# A range may stand below the routes in it.
function check_ranges(    i, prefix) {
    if (!("wanted" in has_lines)) return
    for (i = 1; i <= listed_count["wanted"]; i++) {
        prefix = listed_words["wanted", listed["wanted", i]]
        sub(/ .*/, "", prefix)
        parse_prefix(prefix)
        if (!is_in_cluster()) bad(routes_file, listed_line["wanted", key], prefix " is in no \"cluster\" range")
    }
    if (ranges == 0 && count["bad"] == 0) add("bad", routes_file ": has no \"cluster\" line")
}

function destination_field() {
    return $1 ~ /[.:]/ || $1 == "default" ? $1 : $2
}

# One line of "ip -N -o route show": [TYPE] DESTINATION {WORD VALUE | FLAG}... [nexthop {WORD VALUE | FLAG}...]...
# route_words are those that ip takes to make, or to pick, this very route: without a protocol it would pick any.
function read_route(of_family,    i, words, destination, protocol, metric, hop, device, plain, special, by_id, paths, word) {
    metric = 0
    destination = destination_field()
    words = destination
    if ($1 == words) {
        i = 1
        plain = 1
    } else {
        i = 2
        words = ($1 in TYPE_NAME ? TYPE_NAME[$1] : $1) " " words
    }
    if (destination == "default") destination = of_family == 4 ? "0.0.0.0/0" : "::/0"
    else if (!index(destination, "/")) destination = destination (of_family == 4 ? "/32" : "/128")
    if (!parse_prefix(destination)) not_understood("route")
    # Most routes of a host are no concern of ours.
    if (!(key in is_listed || $i in has_ours)) return
    destination = key

    routes++
    route_in_cluster[routes] = is_in_cluster()
    while (++i <= NF) {
        word = $i
        if (word in IS_STATUS) continue
        if (word == "onlink" || word == "nexthop") {
            plain = 0
            if (word == "nexthop" && paths++ == 0 && protocol == "") words = words " proto " (protocol = BOOT)
            if (!by_id) words = words " " word
            continue
        }
        if (word == "via" || word == "dev" || word == "weight") {
            if (!by_id) words = words " " word " " $(i + 1)
            i++
            if (word == "dev") device = $i
            else if (word == "via" && $i ~ /^inet6?$/) {  # a next hop of the other family
                plain = 0
                if (!by_id) words = words " " $(i + 1)
                i++
            } else if (word == "via") {
                if (!parse_address($i)) not_understood("route")
                hop = address_key()
            }
            continue
        }
        if (word == "proto") protocol = $(i + 1)
        else if (word == "metric") metric = $(i + 1)
        else if (word != "pref" || $(i + 1) != "medium") plain = 0
        if (word == "tos" || word == "from") special = special word " " $(i + 1) " "
        if (word == "nhid") by_id = 1  # it stands for via and dev, and ip takes only one of the two
        if (word == "expires") sub(/sec$/, "", $(i + 1))
        words = words " " word
        if ($(i + 1) == "lock") {
            i++
            if (word != "rto_min") words = words " lock"  # implied there, and not taken
        }
        if (i < NF) words = words " " $(++i)
    }
    if (protocol == "") words = words " proto " (protocol = BOOT)
    route_at[destination] = route_at[destination] " " routes
    route_key[routes] = destination
    route_family[routes] = of_family
    route_protocol[routes] = protocol
    route_metric[routes] = metric
    route_hop[routes] = paths == 0 && hop != "" ? hop " " device : ""
    route_words[routes] = words
    route_is_plain[routes] = plain
    route_special[routes] = special  # for some packets only
}

# --- planning ---

function add(block, text) {
    output[block, ++count[block]] = text
}

# As "ip -batch" takes it; the inverse takes the change back, and may be several, with separators.
function plan(of_family, change, inverse) {
    add("family", of_family)
    add("change", change)
    add("inverse", inverse)
}

# The full words pick this very route among those to one destination.
function plan_removal(route, kind) {
    plan(route_family[route], "route del " route_words[route], how_to_put_back(route))
    is_removed[route] = 1
    add("difference", kind ": " route_words[route])
    add("done", "removed: " route_words[route])
}

# Among IPv4 routes to one destination with one metric, the kernel uses the first: so the order has to come back too.
function how_to_put_back(route,    places, n, i, other, is_first, is_behind, inverse) {
    inverse = "route append " route_words[route]
    if (route_family[route] == 6) return inverse
    is_first = 1
    n = split(route_at[route_key[route]], places, " ")
    for (i = 1; i <= n; i++) {
        other = places[i] + 0
        if (other == route) {
            if (is_first) return "route prepend " route_words[route]
            is_behind = 1
        } else if (!is_removed[other] && route_metric[other] == route_metric[route] &&
                   route_special[other] == route_special[route]) {
            is_first = 0
            if (is_behind) {
                inverse = inverse SEPARATOR "route del " route_words[other] SEPARATOR "route append " route_words[other]
            }
        }
    }
    return inverse
}

# Whether the route is still as an earlier add made it.
function was_applied(route) {
    return route_protocol[route] == OURS && route_hop[route] != "" && route_special[route] == "" &&
           route_hop[route] == listed_hop["applied", route_key[route]] &&
           route_metric[route] == our_metric(route_family[route])
}

function plan_add(    i, key) {
    for (i = 1; i <= listed_count["wanted"]; i++) {
        key = listed["wanted", i]
        add("wanted", "route " listed_words["wanted", key])
        plan_wanted(key, listed_words["wanted", key], listed_hop["wanted", key], substr(key, 1, 1))
    }
    plan_stale()
    for (i = 1; i <= listed_count["applied"]; i++) {
        key = listed["applied", i]
        if (!(("wanted", key) in listed_words)) add("former", "route " listed_words["applied", key])
    }
}

# The changes that leave exactly one right route to a listed destination.
function plan_wanted(key, words, hop, of_family,    places, place, n, i, route, same, keeper, keeper_is_ours, kept_metric) {
    split(hop, place, " ")
    if (place[1] in is_own) {
        add("conflict", words ": the next hop is an address of this host itself")
        return
    }
    kept_metric = our_metric(of_family)
    n = split(route_at[key], places, " ")
    same = 0
    for (i = 1; i <= n; i++) {
        route = places[i]
        if (route_protocol[route] == KERNEL) {
            add("conflict", words ": this host is on that network itself: " route_words[route])
            return
        }
        if (route_special[route] != "") continue
        if (route_metric[route] < kept_metric && route_protocol[route] != OURS && route_hop[route] != hop) {
            add("conflict", words ": another route would win over it: " route_words[route])
            return
        }
        if (route_metric[route] != kept_metric) continue
        places[++same] = route
        if (route_hop[route] != hop) continue
        if (route_protocol[route] == DHCP && (!keeper || keeper_is_ours)) {
            keeper = route
            keeper_is_ours = 0
        } else if (route_protocol[route] == OURS && route_is_plain[route] && !keeper) {
            keeper = route
            keeper_is_ours = 1
        }
    }

    if (!same) {
        plan(of_family, "route replace " words " proto " OURS, "route del " words " proto " OURS)
        add("difference", "missing: " words)
        add("done", "added: " words)
        return
    }
    if (!keeper) {
        # The kernel replaces the first one; of IPv6 routes, the first one that has a next hop.
        keeper = places[1]
        if (of_family == 6) {
            for (i = same; i >= 1; i--) if (route_words[places[i]] ~ / (via|nhid) /) keeper = places[i]
        }
        plan(of_family, "route replace " words " proto " OURS, "route replace " route_words[keeper])
        add("difference", "wrong: " route_words[keeper] ", wanted " words " proto " OURS)
        add("done", "replaced: " route_words[keeper] " by " words)
        route_words[keeper] = words " proto " OURS
    }
    for (i = 1; i <= same; i++) {
        if (places[i] != keeper && !agrees(places[i], hop)) plan_removal(places[i], "duplicate")
    }
}

# Whether it is a route from a DHCP server that says the same.
function agrees(route, hop) {
    return route_protocol[route] == DHCP && route_hop[route] == hop
}

# What is ours and no longer listed.
function plan_stale(    route) {
    for (route = 1; route <= routes; route++) {
        if (route_protocol[route] != OURS) continue
        if (("wanted", route_key[route]) in listed_words && route_special[route] == "" &&
            route_metric[route] == our_metric(route_family[route])) continue  # plan_wanted has seen to it
        if (route_in_cluster[route] || was_applied(route)) plan_removal(route, "stale")
    }
}

# What was applied; without a state file, what is wanted.
function plan_del(    i, n, list, key, places) {
    list = "applied" in has_lines ? "applied" : "wanted"
    for (i = 1; i <= listed_count[list]; i++) {
        key = listed[list, i]
        add("wanted", "route " listed_words[list, key])
        listed_hop["applied", key] = listed_hop[list, key]
    }
    for (i = 1; i <= routes; i++) if (was_applied(i)) plan_removal(i, "stale")
}

function print_blocks(    n, i, j, name, sizes) {
    n = split("bad conflict wanted former difference done family change inverse", name, " ")
    for (i = 1; i <= n; i++) sizes = sizes (count[name[i]] + 0) " "
    print sizes
    for (i = 1; i <= n; i++) for (j = 1; j <= count[name[i]]; j++) print output[name[i], j]
}
'

complain() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# die STATUS MESSAGE...
die() {
    local status=$1
    shift
    complain "$@"
    exit "$status"
}

trap 'die 1 "unexpected failure in line $LINENO"' ERR

# --- reading --------------------------------------------------------------------------------------------------------

# read_file FILE: sets text.
read_file() {
    [[ -e $1 ]] || die 78 "$1: is not there"
    [[ -f $1 && -r $1 ]] || die 78 "$1: is not a file that can be read"
    if IFS= read -r -d '' text <"$1" || [[ $'\n'$text == *$'\n'"$SEPARATOR"$'\n'* ]]; then
        die 78 "$1: holds a control character"
    fi
    [[ -n $text ]] || die 78 "$1: is empty"
    [[ $text == *$'\n' ]] || die 78 "$1: no newline at its end: it was cut off"
}

# read_files ACTION: sets routes_text and state_text, which is empty where nothing was applied. `del` takes the routes file
# only if nothing was.
read_files() {
    local text
    routes_text='' state_text=''
    if [[ -e $STATE_FILE ]]; then
        read_file "$STATE_FILE"
        state_text=$text
    fi
    if [[ $1 != del || $state_text == '' ]]; then
        read_file "$ROUTES_FILE"
        routes_text=$text
    fi
}

# list_routes FAMILY: the lines of the main table.
list_routes() {
    ip -N -o "-$1" route show table main || die 1 "cannot read the IPv$1 routes"
}

# read_kernel: sets kernel_4, kernel_6 and kernel_addresses. IPv6, which a host may be without, only where it is listed.
read_kernel() {
    local ipv6=$'\n[ \t]*(cluster|route)[ \t]+[0-9A-Fa-f]*:'
    kernel_4=$(list_routes 4) || exit 1
    kernel_6=''
    if [[ $'\n'$routes_text$'\n'$state_text =~ $ipv6 ]]; then
        kernel_6=$(list_routes 6) || exit 1
    fi
    kernel_addresses=$(ip -N -o address show) || die 1 "cannot read the addresses of this host"
}

# take_block: sets block to the next lines of the planner's output.
take_block() {
    block=("${planned[@]:next_line:sizes[next_block]}")
    next_line=$((next_line + sizes[next_block]))
    next_block=$((next_block + 1))
}

# run_planner ACTION: sets, from the files and the kernel:
#   conflicts, differences, done_lines   what to say: why not, what is not as wanted, what was done about it
#   wanted, former                       what to keep in the state file: routes listed now; those listed before only
#   families, changes, inverses          what to do, in order, and what takes it back
run_planner() {
    local -a planned sizes block
    local next_line=1 next_block=0 line IFS=$'\n'
    read_files "$1"
    read_kernel
    # Each part ends with a new line but these two files, which have theirs.
    # shellcheck disable=SC2207  # split at new lines; globbing is off
    planned=($(
        printf '%s' "$routes_text" "$SEPARATOR"$'\n' "$state_text" "$SEPARATOR"$'\n' "$kernel_4"$'\n' "$SEPARATOR"$'\n' \
            "$kernel_6"$'\n' "$SEPARATOR"$'\n' "$kernel_addresses"$'\n' |
            awk -v action="$1" -v routes_file="$ROUTES_FILE" -v state_file="$STATE_FILE" -v SEPARATOR="$SEPARATOR" "$PLANNER"
    )) || die 1 "the planner failed"
    IFS=' '
    # shellcheck disable=SC2206  # split at blanks; globbing is off
    sizes=(${planned[0]})

    take_block
    if ((${#block[@]} > 0)); then
        for line in "${block[@]}"; do
            complain "$line"
        done
        exit 78
    fi
    take_block && conflicts=("${block[@]}")
    take_block && wanted=("${block[@]}")
    take_block && former=("${block[@]}")
    take_block && differences=("${block[@]}")
    take_block && done_lines=("${block[@]}")
    take_block && families=("${block[@]}")
    take_block && changes=("${block[@]}")
    take_block && inverses=("${block[@]}")
}

# --- doing ----------------------------------------------------------------------------------------------------------

# take_back FAMILY [COUNT]: undoes the first COUNT planned changes of that family, the last one first. Without COUNT, how
# far ip came is not known: all are undone, one by one, as undoing a change that was not made only fails.
take_back() {
    local i left=${2-${#changes[@]}} errors=2
    local -a lines=()
    for i in "${!changes[@]}"; do
        if ((families[i] == $1 && left > 0)); then
            lines=("${inverses[i]}" "${lines[@]}")
            left=$((left - 1))
        fi
    done
    if [[ -z ${2-} ]]; then
        exec 8>/dev/null
        errors=8
    fi
    for i in "${lines[@]}"; do
        while [[ -n $i ]]; do
            # shellcheck disable=SC2086  # split at blanks; globbing is off
            ip "-$1" ${i%%"$SEPARATOR"*} 2>&"$errors" || true
            [[ $i == *"$SEPARATOR"* ]] || break
            i=${i#*"$SEPARATOR"}
        done
    done
}

without_lifetimes() {
    printf '%s\n' "$1" | sed 's/ expires [0-9]*sec//'
}

# is_as_before FAMILY: whether the kernel shows what it showed before; what is left of a lifetime does not count.
is_as_before() {
    local before=kernel_$1 now
    now=$(list_routes "$1") || exit 1
    [[ $(without_lifetimes "$now") == "$(without_lifetimes "${!before}")" ]]
}

# apply: makes the planned changes, all or none. Returns 1 where it was none.
apply() {
    local family i error made earlier=''
    local -a batch
    for family in 4 6; do
        batch=()
        for i in "${!changes[@]}"; do
            ((families[i] != family)) || batch+=("${changes[i]}")
        done
        ((${#batch[@]} > 0)) || continue
        if error=$(printf '%s\n' "${batch[@]}" | ip "-$family" -batch - 2>&1); then
            earlier=$family
            continue
        fi
        complain "a change was refused:"
        printf '%s\n' "$error" >&2
        if [[ $error =~ 'Command failed -:'([0-9]+) ]]; then
            made=$((BASH_REMATCH[1] - 1))
            complain "it was: ip -$family ${batch[made]}"
            take_back "$family" "$made"
        else
            take_back "$family"
        fi
        [[ $earlier == '' ]] || take_back "$earlier" "${#changes[@]}"
        for i in $family $earlier; do
            is_as_before "$i" || die 1 "could not take all back: the IPv$i routes are not as they were before"
        done
        complain "changed nothing: what was done before the refusal is taken back"
        return 1
    done
}

# write_state LINE...: as a whole or not at all. Leaves a file that is right already.
write_state() {
    local new_text
    printf -v new_text '%s\n' "# Managed by pod-routes; the routes that ${0##*/} applied last." "$@"
    [[ $new_text != "$state_text" ]] || return 0
    printf '%s' "$new_text" >"$STATE_FILE.new"
    mv -f -T -- "$STATE_FILE.new" "$STATE_FILE"
    state_text=$new_text
}

# restore_state TEXT: to what it was.
restore_state() {
    if [[ -n $1 ]]; then
        printf '%s' "$1" >"$STATE_FILE.new"
        mv -f -T -- "$STATE_FILE.new" "$STATE_FILE"
    else
        rm -f -- "$STATE_FILE"
    fi
}

# lock exclusive|shared: waits until no other run is in the way.
lock() {
    # Root alone can open the lock, so that nobody else can hold it.
    if [[ $1 == exclusive ]]; then
        [[ -d $STATE_FOLDER ]] || mkdir -p -- "$STATE_FOLDER" || die 1 "cannot make $STATE_FOLDER"
        umask 077
        { exec 9>>"$LOCK_FILE"; } 2>/dev/null || die 1 "cannot open $LOCK_FILE: not root?"
        umask 022
    elif [[ -r $LOCK_FILE ]]; then
        exec 9<"$LOCK_FILE"
    else
        return 0
    fi
    flock "--$1" --timeout "$LOCK_SECONDS" 9 || die 1 "another run holds $LOCK_FILE for over $LOCK_SECONDS seconds"
}

do_add() {
    local line old_state
    lock exclusive
    run_planner add
    if ((${#conflicts[@]} > 0)); then
        for line in "${conflicts[@]}"; do
            complain "refused: $line"
        done
        die 1 "changed nothing"
    fi
    if ((${#changes[@]} > 0)); then
        # What is half done must end, or be taken back: no signal in between.
        trap '' HUP INT TERM
        # Were this run killed all the same, the next one must still know the old routes and the new ones.
        old_state=$state_text
        write_state "${wanted[@]}" "${former[@]}"
        if ! apply; then
            restore_state "$old_state"
            exit 1
        fi
        printf '%s\n' "${done_lines[@]}"
    fi
    write_state "${wanted[@]}"
    printf '%s\n' "${#wanted[@]} routes as wanted, ${#changes[@]} changes"
}

do_del() {
    lock exclusive
    run_planner del
    trap '' HUP INT TERM
    apply || exit 1
    rm -f -- "$STATE_FILE"
    ((${#changes[@]} == 0)) || printf '%s\n' "${done_lines[@]}"
    printf '%s\n' "${#wanted[@]} routes were applied, ${#changes[@]} removed"
}

do_check() {
    lock shared
    run_planner check
    if ((${#conflicts[@]} + ${#differences[@]} > 0)); then
        ((${#conflicts[@]} == 0)) || printf 'conflict: %s\n' "${conflicts[@]}"
        ((${#differences[@]} == 0)) || printf '%s\n' "${differences[@]}"
        exit 1
    fi
    printf '%s\n' "${#wanted[@]} routes as wanted"
}

main() {
    case "$#:${1-}" in
        1:add) do_add ;;
        1:del) do_del ;;
        1:check) do_check ;;
        *) die 64 "usage: ${0##*/} add|del|check" ;;
    esac
}

main "$@"
exit 0
