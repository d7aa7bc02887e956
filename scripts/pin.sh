#!/bin/sh
# Writes requirements.txt anew: the newest releases that pyproject.toml allows, every one pinned.
set -eu
cd "$(dirname "$0")/.."
env=$(mktemp -d)
trap 'rm -rf "$env"' EXIT
# dash runs no EXIT trap on a signal.
trap 'exit 1' HUP INT TERM
.venv/bin/python -m venv "$env"
"$env/bin/pip" install --quiet --disable-pip-version-check '.[dev]'
{
    echo "# Every dependency, pinned. Renew with: make requirements"
    "$env/bin/pip" freeze --exclude pod-routes
    echo "-e ."
} >requirements.txt
