"""A cluster as contenders find it: names, addresses to reach, host keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.delay.client import DelayProxy, delay_proxy
from lab import Lab, enter
from lab.files import add_missing_lines
from lab.layout import Host, Layout
from lab.template import HOST_KEY

KEY_FILE = str(enter.ssh_folder() / "id_ed25519")


@dataclass(frozen=True)
class Site:
    """A lab, near or far.

    Attributes:
        lab: The lab.
        layout: Its size.
        trip: Seconds that a round trip takes in addition; 0 for no proxy.
        folder: For files that contenders need.
    """

    lab: Lab
    layout: Layout
    trip: float
    folder: Path

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts, controllers first."""
        return self.layout.hosts

    def address(self, host: Host) -> str:
        """Where the host is reached: its own address, or its proxy's in the operator's namespace."""
        if self.trip == 0:
            return str(host.address.ip)
        return f"127.{'.'.join(str(host.address.ip).split('.')[1:])}"

    def host_key(self, host: Host) -> tuple[str, str]:
        """Type and text of the key that the host has."""
        words = (self.lab.paths.host(host.name).identity / f"{HOST_KEY}.pub").read_text().split()
        return words[0], words[1]


@contextmanager
def reachable(site: Site) -> Iterator[DelayProxy | None]:
    """Make the site's addresses answer, and known to ssh.

    Args:
        site: The cluster.

    Yields:
        The proxy that stands between; None for a near one.
    """
    if site.trip == 0:
        yield None
        return
    lines = [f"{site.address(host)} {' '.join(site.host_key(host))}\n" for host in site.hosts]
    add_missing_lines(site.lab.paths.operator / "ssh/known_hosts", lines)
    servers = {host.name: (site.address(host), str(host.address.ip)) for host in site.hosts}
    with delay_proxy(enter.operator_argv(site.lab.paths, []), servers, site.trip) as proxy:
        yield proxy
