# shellcheck shell=sh
# A drop-in of systemd-networkd's; follows change_host.sh, only for hosts that have such a step.
reload_networkd() {
    read -r index <"/sys/class/net/$1/ifindex" || return 1
    link=/run/systemd/netif/links/$index
    before=$(stat --format='%i %y' "$link") || return 1
    networkctl reload || return 1
    # Before systemd 256 this returns first; then the addresses go and come back, with a new lease where one is needed.
    # When that is done, systemd-networkd rewrites the link's file; of a link that it leaves alone, it does not.
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
    # The host may be reached by this interface.
    put_networkd_file "$1" "${was%.}" "$4"
    networkctl reload || true
    printf '%s is as it was before\n' "$1"
    exit 1
}
