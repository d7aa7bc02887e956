#!/bin/sh
# Installs what the project needs and is not there yet; does nothing when all is there.
#   packages  Debian packages for the lab (root)
#   lxd       Debian packages for the lab's containers (root)
#   test      Debian packages that the tests need besides, those for containers too (root)
#   venv      .venv from requirements.txt
#   made      nothing; fails where .venv was never made
set -eu
cd "$(dirname "$0")/.."

EX_USAGE=64
OLDEST_PYTHON=3.11
# Another computer's files, for tests.
ROOT=${PODROUTES_SETUP_ROOT:-}
UNITS=$ROOT/etc/systemd/system
# What Debian's packages ask before they start a service; 101 says no (invoke-rc.d(8)).
POLICY=$ROOT/usr/sbin/policy-rc.d
POLICY_MARK="# Made by pod-routes' scripts/setup.sh while it installs packages."
PACKAGES="systemd-container openssh-server iproute2 iputils-ping procps sudo dbus"
LXD_PACKAGES="lxd lxd-client dnsmasq-base debootstrap nftables uidmap"
# A linter; a browser that looks at the HTML report; a database on which writers of the cloud really meet.
TEST_PACKAGES="shellcheck chromium mariadb-server-core"

# Where lines for the user go, also while a command's own words go into a file.
exec 3>&1 4>&2

fail() {
    echo "setup: $1" >&4
    exit "$EX_USAGE"
}

missing_packages() {
    for package in "$@"; do
        state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || printf '%s ' "$package"
    done
}

install_packages() {
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "these packages are missing and there is no apt-get: $missing"
    [ "$(id -u)" = 0 ] || fail "these Debian packages are missing: $missing- run this as root, or install them first"
    echo "setup: installing ${missing}(Debian packages)"
    # dash runs no EXIT trap on a signal. apt-get has ended when these run.
    trap put_back EXIT
    trap 'interrupted 1' HUP
    trap 'interrupted 2' INT
    trap 'interrupted 15' TERM
    enabled_before=$(enabled_units)
    # No service may start on this computer: the lab starts its own, inside its hosts. A file of ours may be left from a
    # run that was killed.
    if [ ! -e "$POLICY" ] || grep --quiet --line-regexp --fixed-strings "$POLICY_MARK" "$POLICY"; then
        printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >"$POLICY"
        chmod 0755 "$POLICY"
    fi
    # shellcheck disable=SC2086  # a list of package names
    quietly "apt-get could not install $missing" install_with_apt $missing
    put_back
    trap - EXIT HUP INT TERM
}

install_with_apt() {
    export DEBIAN_FRONTEND=noninteractive
    # The first is for packages that an interrupted run has left half installed.
    dpkg --configure -a 3>&- 4>&- &&
        apt-get update 3>&- 4>&- &&
        apt-get install --yes --no-install-recommends "$@" 3>&- 4>&-
}

# Names of the units that the computer starts when it boots, or when another unit does.
enabled_units() {
    find "$UNITS" -type l \( -path '*.wants/*' -o -path '*.requires/*' \) 2>/dev/null | sed 's|.*/||' | sort -u
}

# Takes back what installing packages has changed besides: nothing that they brought starts by itself, now or at boot.
put_back() {
    trap '' HUP INT TERM
    if grep --quiet --line-regexp --fixed-strings "$POLICY_MARK" "$POLICY" 2>/dev/null; then
        rm -f "$POLICY"
    fi
    new=""
    for unit in $(enabled_units); do
        printf '%s\n' "$enabled_before" | grep --quiet --line-regexp --fixed-strings "$unit" || new="$new$unit "
    done
    [ -n "$new" ] || return 0
    # shellcheck disable=SC2086  # a list of names
    if systemctl disable --quiet $new >/dev/null 2>&1; then
        echo "setup: the lab runs its own, so these stay disabled on this computer: ${new% }" >&3
    else
        echo "setup: these start when this computer boots; if you do not want that: systemctl disable $new" >&4
    fi
}

interrupted() {
    rm -f "${log:-}"
    echo "setup: interrupted; run it again to go on" >&4
    exit $((128 + $1))
}

# What it says is shown only if it fails.
quietly() {
    what=$1
    shift
    log=$(mktemp)
    "$@" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        fail "$what (all that it said: $log)"
    }
    rm -f "$log"
}

find_python() {
    for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        # The interpreter itself: the one found first may be the one of the environment that is about to be made anew.
        if "$candidate" -c "import sys; sys.exit(sys.version_info < (${OLDEST_PYTHON%.*}, ${OLDEST_PYTHON#*.}))" 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys._base_executable)'
            return
        fi
    done
}

require_python() {
    python=$(find_python)
    if [ -z "$python" ] && ! command -v python3 >/dev/null; then
        install_packages python3
        python=$(find_python)
    fi
    [ -n "$python" ] || fail "Python $OLDEST_PYTHON or newer is needed, as Debian 12 has it; here is $(python3 --version 2>&1 | head -n 1). \
PYTHON=/path/to/python3 in front of the command names another"
}

make_venv() {
    "$python" -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
    # The stamps say what the environment was made from: another Python makes it anew, another pin installs that.
    made_with=$({ "$python" -VV; pwd; } | sha256sum)
    stamp=$({ echo "$made_with"; cat requirements.txt pyproject.toml; } | sha256sum)
    [ "$(cat .venv/stamp 2>/dev/null)" != "$stamp" ] || return 0
    echo "setup: installing the Python packages of requirements.txt into .venv"
    if [ "$(cat .venv/made-with 2>/dev/null)" != "$made_with" ]; then
        rm -rf .venv
        "$python" -m venv .venv
        printf '%s\n' "$made_with" >.venv/made-with
    fi
    quietly "pip could not install requirements.txt" \
        .venv/bin/python -m pip install --disable-pip-version-check --requirement requirements.txt
    printf '%s\n' "$stamp" >.venv/stamp
}

# All that can be wrong is said before anything is installed.
for step in "$@"; do
    case $step in
        packages | lxd | test)
            [ "$(id -u)" = 0 ] || fail "the lab needs root: run this as root (the unit tests alone do not: make unit)"
            ;;
        venv) require_python ;;
        made) [ -e .venv/stamp ] || fail "nothing is installed here yet: run \`make run\` first" ;;
        *) fail "unknown step: $step (packages, lxd, test, venv, made)" ;;
    esac
done

for step in "$@"; do
    # shellcheck disable=SC2086  # lists of package names
    case $step in
        packages) install_packages $PACKAGES ;;
        lxd) install_packages $LXD_PACKAGES ;;
        test) install_packages $TEST_PACKAGES $LXD_PACKAGES ;;
        venv) make_venv ;;
    esac
done
