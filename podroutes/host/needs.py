"""What a host needs so that it can be read and given its routes; docs/hosts.md says the same."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from podroutes.errors import FactsError


class Oldest(Struct, frozen=True):
    """The oldest release of a package that will do.

    Attributes:
        package: Its name.
        version: The release.
        reason: What older ones lack.
        pattern: Finds the release in what the program says of itself.
    """

    package: str
    version: tuple[int, ...]
    reason: str
    pattern: re.Pattern[str]


# Programs, each with the package that it comes with.
NEEDS: Final[Mapping[str, str]] = {
    "bash": "bash",
    "awk": "mawk or gawk",
    "grep": "grep",
    "sed": "sed",
    "flock": "util-linux",
    "ip": "iproute2",
    "systemctl": "systemd",
    "base64": "coreutils",
    "sha256sum": "coreutils",
    "stat": "coreutils",
}
# By the part of the reading that has what the program says of itself.
OLDEST: Final[Mapping[str, Oldest]] = {
    "ip_version": Oldest("iproute2", (5, 3), "`ip -j -N`", re.compile(r"iproute2-(ss\d{6}|\d+(?:\.\d+)*)")),
    "systemd_version": Oldest(
        "systemd", (244,), "Restart= of a oneshot service", re.compile(r"^systemd (\d+)", re.MULTILINE)
    ),
    "flock_version": Oldest(
        "flock of util-linux", (2, 23), "--conflict-exit-code", re.compile(r"util-linux (\d+(?:\.\d+)*)")
    ),
}
# iproute2 named its releases by their dates until 5.7; this is 5.3's.
_DATE_OF_5_3: Final = "ss190924"


def check_needs(missing: str, versions: Mapping[str, str]) -> None:
    """Check that a host has what it needs.

    Args:
        missing: Programs of `NEEDS` that are not there, one a line.
        versions: What programs say of themselves, by the keys of `OLDEST`.

    Raises:
        FactsError: It lacks something; the message names all of it.
    """
    lacking = [f"needs {name} (package {NEEDS.get(name, name)})" for name in missing.split()]
    if not lacking:
        lacking = [words for part, oldest in OLDEST.items() if (words := _too_old(oldest, versions.get(part, "")))]
    if lacking:
        raise FactsError("; ".join(lacking))


def _too_old(oldest: Oldest, said: str) -> str:
    """What to say of a release; empty if it will do."""
    found = oldest.pattern.search(said)
    if found is not None and _is_new_enough(found[1], oldest.version):
        return ""
    has = found[0] if found is not None else (said.strip().splitlines() or ["none that tells its version"])[0]
    needed = ".".join(map(str, oldest.version))
    return f"needs {oldest.package} {needed} or newer for {oldest.reason}: this host has {has}"


def _is_new_enough(release: str, oldest: tuple[int, ...]) -> bool:
    if release.startswith("ss"):
        return release >= _DATE_OF_5_3
    return tuple(map(int, release.split("."))) >= oldest
