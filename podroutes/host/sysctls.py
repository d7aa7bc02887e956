"""Kernel parameters: one form of their names, their values now and what sysctl.d files set at boot."""

import re
from typing import Final

from podroutes.host.state import SysctlSetting

# The directories of sysctl.d(5), strongest first: a file hides those of the same name further down.
SYSCTL_DIRECTORIES: Final = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)
_PROC: Final = "/proc/sys/"
_EXCHANGED: Final = str.maketrans("./", "/.")


def sysctl_key(name: str) -> str:
    """The one form of a kernel parameter's name that this software uses: dots, or slashes where a part has dots.

    sysctl.d(5): if the first separator is a slash, dots are part of names; if it is a dot, the two are exchanged.
    """
    first = re.search(r"[./]", name)
    slashed = name if first is None or first[0] == "/" else name.translate(_EXCHANGED)
    return slashed if "." in slashed else slashed.replace("/", ".")


def sysctl_path(key: str) -> str:
    """The file of a kernel parameter."""
    return _PROC + (key if "/" in key else sysctl_key(key).replace(".", "/"))


def parse_sysctls(text: str) -> dict[str, str]:
    """Parse lines `/proc/sys/net/ipv4/ip_forward:1`; other lines are left out.

    Returns:
        Values by key.
    """
    lines = (line.partition(":") for line in text.splitlines() if line.startswith(_PROC))
    return {sysctl_key(path.removeprefix(_PROC)): value.strip() for path, colon, value in lines if colon}


def parse_sysctl_lines(text: str) -> dict[str, str]:
    """Parse lines `net.ipv4.ip_forward = 1` of a sysctl.d file; comments and other lines are left out.

    Returns:
        Values by key.
    """
    lines = (line for line in text.splitlines() if "=" in line and not line.lstrip().startswith(("#", ";")))
    return dict(map(_parse_setting, lines))


def _parse_setting(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    return sysctl_key(key.strip().removeprefix("-").strip()), value.strip()


def parse_boot_sysctls(listing: str, lines: str) -> tuple[SysctlSetting, ...]:
    """Find out what sysctl.d files set at boot, and in which order (sysctl.d(5)).

    Args:
        listing: Paths of all files, one a line; a pattern that matched nothing stands for itself.
        lines: Lines `PATH:KEY = VALUE` of those that matter.

    Returns:
        The settings in the order in which they are applied: by file name, whatever its directory.
    """
    paths = [path.rpartition("/") for path in listing.splitlines() if "*" not in path]
    paths = [path for path in paths if path[0] in SYSCTL_DIRECTORIES]
    # The strongest directory last, so that it is the one that stays.
    by_strength = sorted(paths, key=lambda path: SYSCTL_DIRECTORIES.index(path[0]), reverse=True)
    chosen = {name: "".join((directory, slash, name)) for directory, slash, name in by_strength}
    settings = []
    for name in sorted(chosen):
        prefix = f"{chosen[name]}:"
        for line in lines.splitlines():
            if line.startswith(prefix):
                text = line.removeprefix(prefix).strip()
                settings.append(SysctlSetting(chosen[name], *_parse_setting(text), text))
    return tuple(settings)
