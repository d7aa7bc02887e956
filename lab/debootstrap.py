"""A file system of Debian's packages and nothing else, made by debootstrap."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab.cache import run_tool
from lab.defaults import SYSTEM_PATH
from lab.errors import LabError
from lab.layout import RELEASES

MIRROR = "http://deb.debian.org/debian"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# debootstrap mounts what packages expect; here nothing else sees it, and it ends with the command.
_PRIVATELY = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")


def install(tree: Path, release: str, packages: Iterable[str], what: str, *, lock: int) -> None:
    """Install the packages that every Debian has, and some more. No service is started.

    Args:
        tree: The folder; made if it is not there.
        release: A code name, `bookworm` say.
        packages: Names of the packages besides.
        what: The thing that is made, for the error.
        lock: File descriptor that the programs inherit, see `lab.cache.made_once`.

    Raises:
        LabError: debootstrap is not installed, or the packages cannot be downloaded.
    """
    if shutil.which("debootstrap", path=SYSTEM_PATH) is None:
        raise LabError(f"cannot make {what}: debootstrap not found: install it (`apt-get install debootstrap`)")
    sources = ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(CODENAME)|$(COMPONENT)", "Created-By: Packages"]
    argv = [
        *_PRIVATELY,
        "env",
        f"PATH={SYSTEM_PATH}",
        *_proxies(),
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(packages)}",
    ]
    if Path(_KEYRING).exists():
        argv.append(f"--keyring={_KEYRING}")
    run_tool([*argv, release, str(tree), pick_mirror(_said(sources), release)], f"make {what}", lock=lock)


def pick_mirror(listed: str, release: str) -> str:
    """Choose the mirror of Debian.

    Args:
        listed: Lines `URI|codename|component` of the computer's own sources.
        release: The release that is wanted.

    Returns:
        The URI of the computer's own source of this release; else of another one, since a mirror of Debian has them
        all; else Debian's.
    """
    found: dict[str, str] = {}
    for line in listed.splitlines():
        fields = line.split("|")
        if len(fields) == 3 and fields[2] == "main" and fields[0].startswith(("http://", "https://")):
            found.setdefault(fields[1], fields[0].rstrip("/"))
    return next((found[known] for known in (release, *RELEASES) if known in found), MIRROR)


def _proxies() -> list[str]:
    """Settings for debootstrap's downloads: apt's own proxies."""
    found = []
    for scheme in ("http", "https"):
        said = _said(["apt-config", "shell", "PROXY", f"Acquire::{scheme}::Proxy"])
        proxy = said.strip().removeprefix("PROXY=").strip("'")
        if proxy not in ("", "DIRECT"):
            found.append(f"{scheme}_proxy={proxy}")
    return found


def _said(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
