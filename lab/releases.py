"""Root file systems of Debian's releases, made once and kept for later labs. No host ever writes to them."""

import platform
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import debootstrap
from lab.cache import cache_root, digest, made_once

# What hosts need besides what every Debian has: PID 1 with its bus, a login, and what shows and makes networks.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "iproute2", "iputils-ping", "procps")
_ROOT = "root"
# Downloads, which no host needs.
_UNNEEDED = ("var/cache/apt", "var/lib/apt/lists")


def root_folder(release: str) -> Path:
    """Folder in which a release's root is cached: another choice of packages has another one.

    Args:
        release: One of `RELEASES`.
    """
    sources = (Path(file).read_bytes() for file in (__file__, debootstrap.__file__))
    return cache_root() / f"root-{release}-{digest(*sources, platform.machine().encode())}"


def make_roots(releases: Iterable[str], say: Callable[[str], None]) -> dict[str, Path]:
    """Make roots, side by side, unless they are there.

    Args:
        releases: Of `RELEASES`.
        say: Called with each line of progress.

    Returns:
        Each one's root.

    Raises:
        LabError: Debian's packages cannot be downloaded.
    """
    names = sorted(releases)
    if names == []:
        return {}

    def make(release: str) -> Path:
        words = f"making a root file system of Debian {release} (only once; it takes about a minute)"
        return made_once(
            root_folder(release),
            lambda folder, lock: _make(release, folder / _ROOT, lock),
            announce=lambda: say(words),
        )

    with ThreadPoolExecutor(len(names)) as pool:
        return {release: folder / _ROOT for release, folder in zip(names, pool.map(make, names), strict=True)}


def link_root(root: Path, link: Path) -> None:
    """Record which root a lab uses, whatever becomes of the packages or the cache while the lab is there.

    Args:
        root: The root.
        link: The link to make.
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
