# Short names for what an engineer runs. `make run` is the first thing to try.
VENV := .venv
BIN := $(VENV)/bin
# Commands run as `python …` find the project's own interpreter first, also inside the lab.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Files side by side, each on labs of its own: most of the time goes by waiting.
IN_TWO := -n 2 --dist loadfile

.PHONY: help run run-lxd test bench check unit integration shell down setup test-setup venv made picture requirements

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: setup ## start six real hosts and a cloud, give them their pod routes, show before and after
	@python -m lab demo --cloud

run-lxd: setup ## the same with containers of a real LXD, and the guide's own commands first
	@scripts/setup.sh lxd
	@python -m lab demo --lxd

test: test-setup check ## ruff, mypy, unit and integration tests
	@python -m pytest $(IN_TWO)

check: venv
	@ruff format --check --quiet . && ruff check --quiet . && mypy
	@command -v shellcheck >/dev/null || { echo 'check: shellcheck is missing: install it, or let `make test` do it' >&2; exit 64; }
	@shellcheck podroutes/host/scripts/*.sh tasks/templates/*.sh scripts/*.sh

bench: setup ## measure it against Ansible, pyinfra and others; writes docs/benchmarks
	@python -m benchmarks

unit: venv ## unit tests alone; needs no root
	@python -m pytest $(IN_TWO) tests/unit

integration: test-setup
	@python -m pytest $(IN_TWO) tests/integration

shell: made ## a shell in the running lab's operator namespace
	@python -m lab shell

down: made ## take the lab down
	@python -m lab down

setup:
	@scripts/setup.sh packages venv

test-setup:
	@scripts/setup.sh packages test venv

venv:
	@scripts/setup.sh venv

made:
	@scripts/setup.sh made

picture: setup ## draw the README's picture from what the runbooks print
	@python scripts/picture.py

requirements: venv ## pin the newest releases that pyproject.toml allows
	@scripts/pin.sh
