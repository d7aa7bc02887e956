"""The file system layer that all hosts of a lab share which have the same root file system below.

That is the computer's own root or one of a release. It is never written to; the layer hides what is not for hosts:
services, generators, users, keys, homes.
"""

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from lab.files import write_file

USER = "ubuntu"
SUDOERS = "etc/sudoers.d/90-lab"
HOST_KEY = "ssh_host_ed25519_key"
USER_ID = 1000
_FIRST_PERSON = 1000
_NOBODY = 65534

# Of the root below only these are seen by hosts as they are.
_SHARED = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc"})
_EMPTY = ("boot", "dev", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "var")
_EMPTY_BELOW = (
    "etc/systemd",
    "etc/sysctl.d",
    "etc/ssh",
    "etc/sudoers.d",
    "etc/profile.d",
    "etc/tmpfiles.d",
    "etc/modules-load.d",
    "etc/udev",
    "etc/network",
    "etc/netplan",
    "etc/NetworkManager",
    "etc/cron.d",
    "etc/init.d",
    "etc/dbus-1",
    "etc/kubernetes-routes",
    "usr/local",
    *(f"etc/rc{level}.d" for level in "0123456S"),
)
_DIRECTORIES = {
    "etc/systemd/system/multi-user.target.wants": 0o755,
    "etc/systemd/system-generators": 0o755,
    "etc/systemd/network": 0o755,
    "etc/systemd/journald.conf.d": 0o755,
    "etc/systemd/system.conf.d": 0o755,
    "etc/pam.d": 0o755,
    "usr/local/bin": 0o755,
    "usr/local/sbin": 0o755,
    "usr/local/lib": 0o755,
    "usr/local/share": 0o755,
    "var/cache": 0o755,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/mail": 0o755,
    "var/spool": 0o755,
    "var/tmp": 0o1777,
    "tmp": 0o1777,
    "root": 0o700,
}
# Units of the systemd package that a host starts.
_ALLOWED_UNITS = frozenset(
    {
        "dbus.service",
        "dbus.socket",
        "systemd-journald.service",
        "systemd-journald.socket",
        "systemd-journald-dev-log.socket",
        "systemd-sysctl.service",
    }
)
# Pulled in by others, or by a bus name, rather than by a target.
_MASKED_UNITS = (
    "console-getty.service",
    "container-getty@.service",
    "dbus-org.freedesktop.login1.service",
    "dbus-org.freedesktop.hostname1.service",
    "dbus-org.freedesktop.timesync1.service",
    "systemd-logind.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-remount-fs.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
)
_UNIT_FOLDERS = tuple(f"{above}/systemd/system" for above in ("usr/lib", "lib", "usr/local/lib"))
_GENERATOR_FOLDERS = tuple(f"{above}/systemd/system-generators" for above in ("usr/lib", "lib", "usr/local/lib", "etc"))

_FILES = {
    "etc/environment": "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
    "etc/fstab": "",
    "etc/motd": "",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    "etc/resolv.conf": "",
    "etc/sudoers": (
        "Defaults env_reset\n"
        'Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n'
        "root ALL=(ALL:ALL) ALL\n"
        "@includedir /etc/sudoers.d\n"
    ),
    SUDOERS: f"{USER} ALL=(ALL) NOPASSWD:ALL\n",
    "etc/sysctl.conf": "",
    # The computer's own rules could ask for a directory service or a login manager.
    "etc/pam.d/sudo": "auth required pam_deny.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
    "etc/ssh/sshd_config": (
        f"HostKey /etc/ssh/{HOST_KEY}\n"
        "PermitRootLogin no\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "UsePAM no\n"
        "UseDNS no\n"
        "MaxStartups 100:30:300\n"
        "AcceptEnv LANG LC_*\n"
        "Subsystem sftp internal-sftp\n"
    ),
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=4M\n",
    "etc/systemd/system.conf.d/lab.conf": "[Manager]\nDefaultTimeoutStopSec=10s\n",
    "etc/systemd/system/ssh.service": (
        "[Unit]\n"
        "Description=OpenSSH server\n"
        "After=network.target\n"
        "\n"
        "[Service]\n"
        "Type=notify\n"
        "ExecStart=/usr/sbin/sshd -D\n"
        "ExecReload=/bin/kill -HUP $MAINPID\n"
        "KillMode=process\n"
        "Restart=on-failure\n"
        "RuntimeDirectory=sshd\n"
        "\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
        "Alias=sshd.service\n"
    ),
}
_MODES = {"etc/sudoers": 0o440, SUDOERS: 0o440}


def make_template(base: Path, template: Path) -> None:
    """Write the layer; nothing to do if it is there.

    Args:
        base: The root file system that it lies above.
        template: The layer's folder.
    """
    if template.exists():
        return
    unfinished = template.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    template.parent.mkdir(exist_ok=True)
    unfinished.mkdir(mode=0o755)
    (unfinished / "etc").mkdir()
    (unfinished / "usr").mkdir()
    for path in (*_EMPTY, *_EMPTY_BELOW):
        _make_empty(unfinished / path)
    for name in _names_in([base]):
        if name not in _SHARED and name not in _EMPTY:
            os.mknod(unfinished / name, stat.S_IFCHR, os.makedev(0, 0))  # overlayfs' mark for "not there"
    for path, mode in _DIRECTORIES.items():
        (unfinished / path).mkdir(parents=True, exist_ok=True)
        (unfinished / path).chmod(mode)
    (unfinished / "var/run").symlink_to("/run")
    (unfinished / "var/lock").symlink_to("/run/lock")
    for path, text in (_FILES | user_files(base)).items():
        write_file(unfinished / path, text, _MODES.get(path, 0o644))
    units = unfinished / "etc/systemd/system"
    for unit in units_to_mask(base):
        (units / unit).symlink_to("/dev/null")
    for generator in _names_in(base / folder for folder in _GENERATOR_FOLDERS):
        (unfinished / "etc/systemd/system-generators" / generator).symlink_to("/dev/null")
    (units / "default.target").symlink_to("/usr/lib/systemd/system/multi-user.target")
    (units / "sshd.service").symlink_to("/etc/systemd/system/ssh.service")
    (units / "multi-user.target.wants/ssh.service").symlink_to("/etc/systemd/system/ssh.service")
    unfinished.rename(template)


def system_accounts(passwd: str) -> list[list[str]]:
    """Accounts of services, without people's.

    Args:
        passwd: Text of /etc/passwd.

    Returns:
        Fields of each kept line.
    """
    accounts = [line.split(":") for line in passwd.splitlines() if line.count(":") == 6]
    return [
        fields
        for fields in accounts
        if fields[0] != USER and fields[2].isdigit() and (int(fields[2]) < _FIRST_PERSON or int(fields[2]) == _NOBODY)
    ]


def user_files(base: Path) -> dict[str, str]:
    """Text of the files that say who there is: the accounts of the base's services, and the lab's user.

    Args:
        base: The root file system below.

    Returns:
        The texts, by path.
    """
    accounts = system_accounts((base / "etc/passwd").read_text())
    accounts.append([USER, "x", str(USER_ID), str(USER_ID), "", f"/home/{USER}", "/bin/bash"])
    groups = [line.split(":") for line in (base / "etc/group").read_text().splitlines() if line.count(":") == 3]
    # As in cloud images, where the first user may read the journal.
    kept = [
        f"{name}:x:{gid}:{USER if name in ('adm', 'systemd-journal') else ''}\n"
        for name, _, gid, _ in groups
        if name != USER and gid.isdigit() and (int(gid) < _FIRST_PERSON or int(gid) == _NOBODY)
    ]
    return {
        "etc/passwd": "".join(":".join(fields) + "\n" for fields in accounts),
        # No account has a password that could be given; "*", unlike "!", lets a key log in.
        "etc/shadow": "".join(f"{fields[0]}:*:19000:0:99999:7:::\n" for fields in accounts),
        "etc/group": "".join(kept) + f"{USER}:x:{USER_ID}:\n",
        "etc/gshadow": "",
    }


def units_to_mask(base: Path) -> list[str]:
    """Names of the units that would be started on the base and are not for hosts.

    Args:
        base: The root file system below.
    """
    pulled_in = _names_in(wants for folder in _UNIT_FOLDERS for wants in (base / folder).glob("*.target.wants"))
    # Services that other packages would have activated over the bus are of no use here either.
    return sorted({*pulled_in, *_MASKED_UNITS} - _ALLOWED_UNITS)


def _names_in(folders: Iterable[Path]) -> list[str]:
    return sorted({path.name for folder in folders if folder.is_dir() for path in folder.iterdir()})


def _make_empty(path: Path) -> None:
    """Make a folder that hides what the layer below has in it."""
    path.mkdir(parents=True)
    os.setxattr(path, "trusted.overlay.opaque", b"y")
