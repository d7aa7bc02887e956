"""Getting the hosts of a lab up: all that each of them needs, in order."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import boot, cgroup, enter, network, operator, releases, rootfs, template
from lab.checks import check_computer
from lab.errors import LabError
from lab.files import add_missing_lines
from lab.layout import Host, Layout
from lab.paths import LabPaths

_THREADS = 8
_FEW = 12


def bring_up(layout: Layout, paths: LabPaths, say: Callable[[str], None]) -> int:
    """Boot the hosts that do not run, or whose network is incomplete. The caller holds the lab's lock.

    Args:
        layout: The lab's.
        paths: The lab's.
        say: Called with each line of progress.

    Returns:
        Number of hosts that were booted.

    Raises:
        LabError: A host did not come up.
    """
    operator.make_folder(paths)
    operator.name_hosts(layout, paths)
    network.make_operator(layout, paths)
    present, ports = set(network.namespaces(paths)), set(network.cables(paths))
    missing: list[Host] = []
    for host in layout.hosts:
        if cgroup.thaw(paths.host(host.name).cgroup):
            say(f"{host.name} was frozen: it runs again")
        complete = network.is_complete(host, layout, paths, present, ports)
        if not complete or not _name_hosts(host, layout, paths):
            missing.append(host)
    boot_hosts(missing, layout, paths, say)
    return len(missing)


def boot_hosts(hosts: Sequence[Host], layout: Layout, paths: LabPaths, say: Callable[[str], None]) -> None:
    """Make what hosts need, and boot them. The caller holds the lab's lock.

    Args:
        hosts: The hosts; if one runs, its power is cut first.
        layout: The lab's.
        paths: The lab's.
        say: Called with each line of progress.

    Raises:
        LabError: A host did not come up.
    """
    if not hosts:
        return
    check_computer()
    for host in hosts:
        boot.cut_power(paths.host(host.name))
    for release, root in make_roots(hosts, paths, say).items():
        releases.link_root(root, paths.base(release))
    for base in {host.release for host in hosts}:
        template.make_template(paths.base(base), paths.template(base))
    key = operator.make_folder(paths)
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda host: rootfs.make_host(host, paths.host(host.name), layout, key), hosts))
    operator.name_hosts(layout, paths)
    network.make_hosts(hosts, layout, paths)
    done = 0

    def on_up(host: Host, seconds: float) -> None:
        nonlocal done
        done += 1
        if len(hosts) <= _FEW:
            say(f"{host.name} ({host.address.ip}) is up after {seconds:.1f} s")
        elif done % 10 == 0:
            say(f"{done} of {len(hosts)} hosts are up")

    failed = boot.boot(hosts, paths, on_up)
    if failed:
        name, reason = next(iter(failed.items()))
        more = f" (and {len(failed) - 1} more hosts)" if len(failed) > 1 else ""
        raise LabError(f"{name} {reason}{more}", status=1)


def make_roots(hosts: Sequence[Host], paths: LabPaths, say: Callable[[str], None]) -> dict[str, Path]:
    """Make the root file systems of hosts' releases.

    Args:
        hosts: The hosts.
        paths: The lab's.
        say: Called with each line of progress.

    Returns:
        Those that the lab does not have yet, by release.

    Raises:
        LabError: Debian's packages cannot be downloaded.
    """
    needed = {host.release for host in hosts if host.release is not None}
    return releases.make_roots([one for one in needed if not paths.base(one).exists()], say)


def _name_hosts(host: Host, layout: Layout, paths: LabPaths) -> bool:
    """Write the names of hosts that were added later to a host's /etc/hosts; False if the host does not run."""
    of = paths.host(host.name)
    pid = enter.host_pid(of)
    if pid is None:
        return False
    try:
        add_missing_lines(Path(f"/proc/{pid}/root/etc/hosts"), layout.hosts_file.splitlines(keepends=True))
    except OSError:
        # It can end between one look and the next.
        if enter.host_pid(of) is None:
            return False
        raise
    return True
