"""What a host needs: releases as programs tell them, and the page that says the same."""

import re
from pathlib import Path

import pytest

from podroutes.errors import FactsError
from podroutes.host.managed_files import (
    DATA_DIRECTORY,
    ENABLING_LINKS,
    FILE_PATHS,
    LOCK_PATH,
    REPLACED_DIRECTORY,
    SCRIPT_STATE_DIRECTORY,
    SCRIPT_STATE_PATHS,
    TEMPORARY_PATHS,
)
from podroutes.host.needs import NEEDS, OLDEST, check_needs

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "hosts.md").read_text()
GOOD = {
    "ip_version": "ip utility, iproute2-5.9.0, libbpf 0.3.0\n",
    "systemd_version": "systemd 247 (247.3-7+deb11u5)\n+PAM\n",
    "flock_version": "flock from util-linux 2.36.1\n",
}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("ip_version", "ip utility, iproute2-6.15.0, libbpf 1.5.0\n"),
        ("ip_version", "ip utility, iproute2-5.3.0\n"),
        ("ip_version", "ip utility, iproute2-ss190924\n"),
        ("ip_version", "ip utility, iproute2-ss200127\n"),
        ("systemd_version", "systemd 257 (257.13-1~deb13u1)\n"),
        ("systemd_version", "systemd 245 (245.4-4ubuntu3)\n"),
        ("flock_version", "flock from util-linux 2.41.5\n"),
    ],
)
def test_new_enough(part: str, said: str) -> None:
    check_needs("", GOOD)
    check_needs("", GOOD | {part: said})


@pytest.mark.parametrize(
    ("part", "said", "has"),
    [
        ("ip_version", "ip utility, iproute2-ss180813\n", "iproute2-ss180813"),
        ("ip_version", "ip utility, iproute2-4.20.0\n", "iproute2-4.20.0"),
        ("ip_version", "BusyBox v1.35.0 (Debian) multi-call binary.\n", "BusyBox v1.35.0 (Debian) multi-call binary."),
        ("ip_version", "", "none that tells its version"),
        ("systemd_version", "systemd 243 (v243)\n", "systemd 243"),
        ("flock_version", "flock from util-linux 2.20.1\n", "util-linux 2.20.1"),
    ],
)
def test_too_old(part: str, said: str, has: str) -> None:
    with pytest.raises(FactsError, match=f"^needs .* or newer for .*: this host has {re.escape(has)}$"):
        check_needs("", GOOD | {part: said})


def cells(heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the page."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_page_names_what_is_needed() -> None:
    rows = {row[0]: row for row in cells("What a host needs")}
    named = {word for row in rows.values() for word in re.findall(r"`([^`]+)`", row[1])}
    assert set(NEEDS) <= named
    for oldest in OLDEST.values():
        package = oldest.package.removeprefix("flock of ")
        assert rows[package][2].split()[0] == ".".join(map(str, oldest.version))
    assert {name for package in NEEDS.values() for name in package.split(" or ")} <= set(", ".join(rows).split(", "))


def test_the_page_names_everything_that_is_on_a_host() -> None:
    paths = {path for row in cells("What is on a host") for path in re.findall(r"`(/[^`]+)`", row[0])}
    assert paths == {
        *(path.replace("*", "NAME") for path in (*FILE_PATHS, *TEMPORARY_PATHS)),
        *SCRIPT_STATE_PATHS,
        f"{DATA_DIRECTORY}/",
        f"{REPLACED_DIRECTORY}/",
        f"{SCRIPT_STATE_DIRECTORY}/",
        LOCK_PATH,
        ENABLING_LINKS[0].replace("*", "multi-user.target"),
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/net/ipv6/conf/all/forwarding",
        "/proc/sys/net/ipv6/conf/INTERFACE/accept_ra",
    }
