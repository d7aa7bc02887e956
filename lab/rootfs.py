"""The host's own layer of its root file system, kept over a reboot, and the host's identity, which never changes."""

import os
import shutil
import uuid
from pathlib import Path

from lab.files import write_file
from lab.layout import Host, Layout
from lab.paths import HostPaths
from lab.process import run
from lab.template import HOST_KEY, USER, USER_ID


def make_host(host: Host, paths: HostPaths, layout: Layout, authorized_key: str) -> None:
    """Give a host an identity and the top layer of its root file system; unless it has them.

    Args:
        host: The host.
        paths: The host's.
        layout: The lab's, for /etc/hosts.
        authorized_key: Public key that may log in.
    """
    make_identity(host.name, paths)
    if paths.upper.exists():
        return
    for unneeded in (paths.work, unfinished := paths.upper.with_suffix(".new")):
        shutil.rmtree(unneeded, ignore_errors=True)
    for folder in (unfinished, paths.work, paths.mountpoint):
        folder.mkdir(mode=0o755, exist_ok=True)
    home = unfinished / "home" / USER
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    home.chmod(0o755)
    write_file(home / ".ssh/authorized_keys", authorized_key, 0o600)
    for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
        os.chown(path, USER_ID, USER_ID)
    write_file(unfinished / "etc/hostname", f"{host.name}\n", 0o644)
    write_file(unfinished / "etc/hosts", f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{layout.hosts_file}", 0o644)
    write_file(unfinished / "etc/machine-id", (paths.identity / "machine-id").read_text(), 0o444)
    for name, mode in ((HOST_KEY, 0o600), (f"{HOST_KEY}.pub", 0o644)):
        write_file(unfinished / "etc/ssh" / name, (paths.identity / name).read_text(), mode)
    # A folder above another layer's replaces its mode.
    for folder in (unfinished, unfinished / "home", unfinished / "etc", unfinished / "etc/ssh"):
        folder.chmod(0o755)
    unfinished.rename(paths.upper)


def make_identity(name: str, paths: HostPaths) -> None:
    """Make a host's machine id and SSH host key, unless it has them.

    Args:
        name: The host's name, the key's comment.
        paths: The host's.
    """
    paths.identity.mkdir(parents=True, mode=0o700, exist_ok=True)
    machine_id = paths.identity / "machine-id"
    if not machine_id.exists():
        write_file(machine_id, f"{uuid.uuid4().hex}\n", 0o444)
    make_key(paths.identity / HOST_KEY, name)


def make_key(path: Path, comment: str) -> None:
    """Make an SSH key pair, unless it is there.

    Args:
        path: Of the private key.
        comment: The key's comment.
    """
    public = path.with_name(f"{path.name}.pub")
    if public.exists():
        return
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
