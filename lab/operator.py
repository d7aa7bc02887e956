"""SSH keys, known hosts and names of the operator, which hide those of the computer."""

import socket

from lab import rootfs
from lab.files import add_missing_lines
from lab.layout import Layout
from lab.paths import LabPaths
from lab.template import HOST_KEY, USER

_SSH_CONFIG = f"""Host *
    User {USER}
    IdentityFile ~/.ssh/id_ed25519
    IdentitiesOnly yes
    StrictHostKeyChecking yes
"""


def make_folder(paths: LabPaths) -> str:
    """Make the operator's SSH folder, unless it is there.

    Args:
        paths: The lab's.

    Returns:
        The operator's public key.
    """
    ssh = paths.operator / "ssh"
    ssh.mkdir(mode=0o700, parents=True, exist_ok=True)
    rootfs.make_key(ssh / "id_ed25519", f"operator of the lab {paths.name}")
    config = ssh / "config"
    config.write_text(_SSH_CONFIG)
    config.chmod(0o600)
    return (ssh / "id_ed25519.pub").read_text()


def name_hosts(layout: Layout, paths: LabPaths) -> None:
    """Write the names and the SSH host keys of those hosts that have been made.

    Args:
        layout: The lab's.
        paths: The lab's.
    """
    own = f"127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t{socket.gethostname()}\n"
    hosts = paths.operator_etc / "hosts"
    hosts.parent.mkdir(exist_ok=True)
    add_missing_lines(hosts, (own + layout.hosts_file).splitlines(keepends=True))
    # Programs that the operator starts as another user read it, too, whatever root's umask is.
    hosts.parent.chmod(0o755)
    hosts.chmod(0o644)
    keys = []
    for host in layout.hosts:
        public = paths.host(host.name).identity / f"{HOST_KEY}.pub"
        if public.exists():
            names = ",".join([host.name, *(str(address.ip) for address in host.addresses)])
            keys.append(f"{names} {' '.join(public.read_text().split()[:2])}\n")
    add_missing_lines(paths.operator / "ssh/known_hosts", keys)
