#!/bin/sh
# Installs what the project needs and is not there yet; does nothing when all is there.
#   packages  Debian packages for the lab (root)
#   lxd       Debian packages for the lab's containers (root)
#   test      Debian packages that the tests need besides, those for containers too (root)
#   venv      .venv from requirements.txt
set -eu
cd "$(dirname "$0")/.."

EX_USAGE=64
# What Debian's packages ask before they start a service; 101 says no (invoke-rc.d(8)).
POLICY=/usr/sbin/policy-rc.d
PACKAGES="systemd-container openssh-server iproute2 iputils-ping procps sudo dbus"
LXD_PACKAGES="lxd lxd-client dnsmasq-base debootstrap nftables uidmap"
# A linter; a browser that looks at the HTML report; a database on which writers of the cloud really meet.
TEST_PACKAGES="shellcheck chromium mariadb-server-core"

fail() {
    echo "setup: $1" >&2
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
    # No service may start on this computer: the lab starts its own, inside its hosts.
    if [ ! -e "$POLICY" ]; then
        trap 'rm -f "$POLICY"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$POLICY"
        chmod 0755 "$POLICY"
    fi
    # shellcheck disable=SC2086  # a list of package names
    quietly "apt-get could not install $missing" install_with_apt $missing
}

install_with_apt() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update && apt-get install --yes --no-install-recommends "$@"
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
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 /usr/bin/python3; do
        # The interpreter itself: the one found first may be the one of the environment that is about to be made anew.
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys._base_executable)'
            return
        fi
    done
}

make_venv() {
    python=$(find_python)
    if [ -z "$python" ]; then
        install_packages python3
        python=/usr/bin/python3
    fi
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

for step in "$@"; do
    case $step in
        packages | lxd | test)
            [ "$(id -u)" = 0 ] || fail "the lab needs root: run this as root (the unit tests alone do not: make unit)"
            case $step in
                packages) wanted=$PACKAGES ;;
                lxd) wanted=$LXD_PACKAGES ;;
                test) wanted="$TEST_PACKAGES $LXD_PACKAGES" ;;
            esac
            # shellcheck disable=SC2086  # a list of package names
            install_packages $wanted
            ;;
        venv) make_venv ;;
        *) fail "unknown step: $step (packages, lxd, test, venv)" ;;
    esac
done
