"""The script that reads everything about a host, in one remote command.

It frames each part of its answer with lines that hold a random word, so that whatever a login shell prints around them
does not matter, and a part that is missing or could not be read, or an answer that was cut off, is an error and never
an empty result.
"""

import shlex
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final

from podroutes.addresses import Family
from podroutes.host.managed_files import ENABLING_LINKS, FILE_PATHS, TEMPORARY_PATHS, UNIT_NAME
from podroutes.host.needs import NEEDS
from podroutes.host.network_managers import STATE_FILES, STATE_LINES
from podroutes.host.parse_unit import PROPERTIES
from podroutes.host.sysctls import SYSCTL_DIRECTORIES

_SCRIPT: Final = (files("podroutes.host") / "scripts" / "read_host.sh").read_text(encoding="utf-8")
_SYSCTLS: Final[dict[Family, tuple[str, ...]]] = {
    4: ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/accept_redirects"),
    6: ("/proc/sys/net/ipv6/conf/*/forwarding", "/proc/sys/net/ipv6/conf/*/accept_ra"),
}


def reading_script(
    nonce: str,
    *,
    families: Sequence[Family],
    lookups: Iterable[str],
    known: Iterable[str] = (),
    route_text: bool = True,
) -> str:
    """The script that reads a host; it changes nothing.

    Args:
        nonce: A random word of letters and digits, new for each run.
        families: The families whose routes matter.
        lookups: What to ask the kernel about: lines `route get ADDRESS` for `ip -batch`.
        known: SHA-256 digests, in hex, of contents of files that need not be sent.
        route_text: Whether to read `ip route` as people do.

    Returns:
        POSIX shell, for a user that may read everything.
    """
    variables = {
        "nonce": nonce,
        "tools": " ".join(NEEDS),
        "lookups": "\n".join(lookups),
        "families": " ".join(map(str, families)),
        "route_text": "yes" if route_text else "no",
        "sysctls": " ".join([*_SYSCTLS[4], *(_SYSCTLS[6] if 6 in families else ())]),
        "sysctl_files": " ".join(f"{directory}/*.conf" for directory in SYSCTL_DIRECTORIES),
        "manager_files": " ".join(STATE_FILES),
        "manager_lines": "|".join(STATE_LINES),
        "unit": UNIT_NAME,
        "properties": ",".join(PROPERTIES),
        "enabling_links": " ".join(ENABLING_LINKS),
        "temporary_files": " ".join(TEMPORARY_PATHS),
        "files": " ".join(FILE_PATHS),
        "known": " ".join(known),
    }
    assignments = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
    return assignments + _SCRIPT
