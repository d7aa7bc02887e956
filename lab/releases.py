"""Root file systems of Debian's releases, made once and kept for later labs. No host ever writes to them."""

import hashlib
import platform
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import debootstrap
from lab.cloud.cache import cache_root, made_once

# What hosts need besides what every Debian has: PID 1 with its bus, a login, and what shows and makes networks.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "iproute2", "iputils-ping", "procps")
_ROOT = "root"
_DIGITS = 12
# Downloads, which no host sees.
_UNNEEDED = ("var/cache/apt", "var/lib/apt/lists")


def root_folder(release: str) -> Path:
    """Where a release's root is cached: one of other packages has another place.

    Args:
        release: One of `RELEASES`.
    """
    depends = (
        b"".join(Path(file).read_bytes() for file in (__file__, debootstrap.__file__)) + platform.machine().encode()
    )
    return cache_root() / f"root-{release}-{hashlib.sha256(depends).hexdigest()[:_DIGITS]}"


def make_roots(releases: Iterable[str], say: Callable[[str], None]) -> dict[str, Path]:
    """Make roots, side by side, unless they are there.

    Args:
        releases: Of `RELEASES`.
        say: What to do with a line of progress.

    Returns:
        Each one's root.

    Raises:
        LabError: Debian's packages cannot be had.
    """
    names = sorted(releases)
    if names == []:
        return {}

    def make(release: str) -> Path:
        words = f"making a root file system of Debian {release}, this once: it takes about a minute"
        return made_once(
            root_folder(release),
            lambda folder, lock: _make(release, folder / _ROOT, lock),
            announce=lambda: say(words),
        )

    with ThreadPoolExecutor(len(names)) as pool:
        return {release: folder / _ROOT for release, folder in zip(names, pool.map(make, names), strict=True)}


def link_root(root: Path, link: Path) -> None:
    """Note which root a lab uses, whatever the packages or the cache's place become while it is there.

    Args:
        root: The root.
        link: The link to it that is to be made.
    """
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(root)


def _make(release: str, tree: Path, lock: int) -> None:
    debootstrap.install(tree, release, PACKAGES, f"a root file system of Debian {release}", lock=lock)
    for name in _UNNEEDED:
        shutil.rmtree(tree / name)
    # Whatever the umask: hosts' users have to get in.
    tree.chmod(0o755)
