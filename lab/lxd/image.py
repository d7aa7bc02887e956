"""The containers' image: Debian's packages and what makes a node of them, made once and kept for later labs."""

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab import cache, debootstrap
from lab.cache import cache_root, digest, made_once, run_tool
from lab.errors import LabError
from lab.files import write_file

# Newer releases would do as well; all has been measured with this one.
SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "udev", "dbus", "iproute2", "iputils-ping", "procps", "netbase")
TARBALL = "image.tar"

_ETH1 = """[Match]
Name=eth1

[Network]
DHCP=ipv4
LinkLocalAddressing=no

[DHCPv4]
UseDNS=no
UseGateway=no
UseHostname=no
UseRoutes=no
"""
_ETH0 = """[Match]
Name=eth0

[Network]
DHCP=ipv4
LinkLocalAddressing=no

[DHCPv4]
UseDNS=no
UseHostname=no
"""
# What the guide's earlier chapters leave on a node, and a pod: another namespace on the worker's pod bridge. It is all
# made at boot, and nothing of it is kept.
_NODE = """#!/bin/sh
set -e
# A new network namespace may inherit what the computer has; a fresh machine has this.
for key in ipv4/ip_forward ipv6/conf/all/forwarding ipv6/conf/default/forwarding; do
    [ ! -e "/proc/sys/net/$key" ] || echo 0 >"/proc/sys/net/$key"
done
case $(cat /etc/hostname) in
    worker-*) index=$(sed s/worker-// /etc/hostname) ;;
    *) exit 0 ;;
esac
ip netns add pod
ip -batch - <<END
link add cnio0 type bridge
link set cnio0 addrgenmode none
link add pod0 type veth peer name eth0 netns pod
link set pod0 addrgenmode none
link set pod0 master cnio0 up
address add 10.200.$index.1/24 dev cnio0
link set cnio0 up
END
# Not `ip -n`: that mounts a new /sys, which a container may not.
nsenter --net=/run/netns/pod ip -batch - <<END
link set lo up
address add 10.200.$index.2/24 dev eth0
link set eth0 up
route add default via 10.200.$index.1
END
"""
_NODE_UNIT = """[Unit]
Description=What the node has before it gets its routes
DefaultDependencies=no
RequiresMountsFor=/run
After=systemd-tmpfiles-setup.service
Before=systemd-sysctl.service network-pre.target systemd-networkd.service
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/lab-node

[Install]
WantedBy=sysinit.target
"""
_FILES = {
    "etc/fstab": "",
    "etc/machine-id": "",
    "etc/motd": "",
    "etc/resolv.conf": "",
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=4M\n",
    "etc/systemd/system.conf.d/lab.conf": "[Manager]\nDefaultTimeoutStopSec=10s\n",
    "etc/systemd/network/eth0.network": _ETH0,
    "etc/systemd/network/eth1.network": _ETH1,
    "etc/systemd/system/lab-node.service": _NODE_UNIT,
}
_ENABLED = ("lab-node.service", "systemd-networkd.service", "systemd-networkd-wait-online.service")
_MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dbus-org.freedesktop.hostname1.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "kmod-static-nodes.service",
    "modprobe@.service",
    "systemd-firstboot.service",
    "systemd-hostnamed.service",
    "systemd-logind.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
)
# Not used on a node, and every container has a copy.
_UNNEEDED = (
    "boot/*",
    "usr/bin/dpkg*",
    "usr/bin/gpgv",
    "usr/bin/localedef",
    "usr/bin/perl*",
    "usr/include",
    "usr/lib/apt",
    "usr/lib/dpkg",
    "usr/lib/locale/*",
    "usr/lib/udev/hwdb*",
    "usr/lib/*-linux-gnu/gconv",
    "usr/lib/*-linux-gnu/libapt*",
    "usr/lib/*-linux-gnu/perl*",
    "usr/share/bash-completion",
    "usr/share/common-licenses",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/perl5",
    "usr/share/zoneinfo",
    "usr/share/zsh",
    "var/cache/*",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/log/*",
)

_METADATA = """architecture: {architecture}
creation_date: 1700000000
properties:
  description: A node of the lab (Debian {suite})
  os: debian
  release: {suite}
templates:
  /etc/hostname:
    when: [create, copy]
    template: hostname.tpl
  /etc/hosts:
    when: [create, copy]
    template: hosts.tpl
"""
_TEMPLATES = {
    "hostname.tpl": "{{ container.name }}\n",
    "hosts.tpl": "127.0.0.1\tlocalhost\n127.0.1.1\t{{ container.name }}\n::1\tlocalhost\n",
}


def image_folder() -> Path:
    """Folder in which the image is cached: another content has another one."""
    sources = (Path(file).read_bytes() for file in (__file__, debootstrap.__file__))
    return cache_root() / f"lxd-{digest(*sources, platform.machine().encode())}"


def is_made() -> bool:
    """Whether the image is in the cache."""
    return cache.is_made(image_folder())


def ensure_image(say: Callable[[str], None]) -> Path:
    """Make the image, unless it is there.

    Args:
        say: Called with each line of progress.

    Returns:
        The image, as `lxc image import` takes it.

    Raises:
        LabError: Debian's packages cannot be downloaded.
    """
    announce = "making the containers' image of Debian's packages (only once; it takes about a minute)"
    return made_once(image_folder(), _make, announce=lambda: say(announce)) / TARBALL


def _make(folder: Path, lock: int) -> None:
    tree = folder / "rootfs"
    debootstrap.install(tree, SUITE, PACKAGES, "the containers' image", lock=lock)
    _fit(tree)
    write_file(folder / "metadata.yaml", _METADATA.format(architecture=platform.machine(), suite=SUITE), 0o644)
    for name, text in _TEMPLATES.items():
        write_file(folder / "templates" / name, text, 0o644)
    # Not compressed: it is read far more often than it is made.
    pack = ["tar", "--numeric-owner", "--xattrs", "-C", str(folder), "-cf", str(folder / TARBALL)]
    run_tool([*pack, "metadata.yaml", "templates", "rootfs"], "pack the containers' image", lock=lock)
    shutil.rmtree(tree)


def _fit(tree: Path) -> None:
    """Turn what debootstrap has made into a node."""
    for pattern in _UNNEEDED:
        for path in tree.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for name, text in _FILES.items():
        (tree / name).unlink(missing_ok=True)
        write_file(tree / name, text, 0o644)
    write_file(tree / "usr/local/lib/lab-node", _NODE, 0o755)
    done = subprocess.run(
        ["systemctl", f"--root={tree}", "enable", *_ENABLED], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LabError(f"cannot enable the units of the containers' image: {done.stderr.strip()}", status=1)
    for unit in _MASKED:
        mask = tree / "etc/systemd/system" / unit
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")
