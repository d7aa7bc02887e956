"""NetworkManager and ifupdown for containers, whose own image has neither: Debian's packages, as one archive."""

import hashlib
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Final

from lab import debootstrap, enter
from lab.cloud.cache import cache_root, made_once
from lab.lxd import Lxd, image
from lab.lxd.enter import container_argv

# What polkitd wants of a bus and a login, debootstrap does not find out by itself.
_PACKAGES: Final = ("network-manager", "ifupdown", "libpam-systemd")
_FOLDERS: Final = (
    "usr/sbin",
    "usr/bin",
    "usr/lib",
    "usr/share/dbus-1",
    "etc/NetworkManager",
    "etc/network",
    "etc/dbus-1",
)
# Of what is left out, the rules keep NetworkManager from interfaces as containers have them.
_LEFT_OUT: Final = ("usr/lib/udev", "usr/lib/locale", "usr/lib/apt", "usr/lib/dpkg", "*/gconv", "*/perl*")
_ARCHIVE: Final = "files.tar"


def install(lxd: Lxd, name: str) -> None:
    """Put both into a container; nothing of them is started."""
    words = " ".join((*_PACKAGES, *_FOLDERS, *_LEFT_OUT, image.SUITE, platform.machine()))
    folder = cache_root() / f"managers-{hashlib.sha256(words.encode()).hexdigest()[:12]}"
    archive = made_once(folder, _make) / _ARCHIVE
    unpack = ["tar", "-C", "/", "-xf", "-", "--skip-old-files", "--keep-directory-symlink"]
    with archive.open("rb") as packed:
        argv = container_argv(lxd.paths, name, unpack)
        subprocess.run(argv, env=enter.host_environment(), stdin=packed, check=True)
    done = lxd.exec(name, ["sh", "-euc", "ldconfig; systemctl daemon-reload; systemctl reload dbus"])
    assert done.returncode == 0, done.stderr


def _make(folder: Path, lock: int) -> None:
    tree = folder / "tree"
    debootstrap.install(tree, image.SUITE, (*image.PACKAGES, *_PACKAGES), "network managers for containers", lock=lock)
    left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    pack = ["tar", "--numeric-owner", "-C", str(tree), *left_out, "-cf", str(folder / _ARCHIVE), *_FOLDERS]
    subprocess.run(pack, check=True)
    shutil.rmtree(tree)
