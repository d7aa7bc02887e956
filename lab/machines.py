"""The lab: what all commands, tests and benchmarks use."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import boot, cgroup, enter, footprint, limits, network, operator, releases, rootfs, template
from lab.checks import check_computer, check_place
from lab.defaults import DEFAULT_NAME, check_name
from lab.errors import LabError
from lab.files import add_missing_lines
from lab.layout import Host, Layout
from lab.lock import lock_file, locked, remove_lock_file
from lab.lxd.paths import container_names
from lab.paths import LabPaths
from lab.process import captured
from lab.state import read_layout, write_layout

_THREADS = 8
_FEW = 12


@dataclass(frozen=True)
class HostStatus:
    """How a host is.

    Attributes:
        host: The host.
        state: `running`, `frozen` or `stopped`.
        pid: Its PID 1 as this computer sees it; None if it is stopped.
    """

    host: Host
    state: str
    pid: int | None


class Lab:
    """A lab on this computer, running or not.

    Args:
        name: Its name; several labs live side by side.
        say: What to do with each line of progress; nothing by default.
    """

    def __init__(self, name: str = DEFAULT_NAME, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.name = check_name(name)
        self.paths = LabPaths(name)
        self._say = say

    # What it is

    @property
    def exists(self) -> bool:
        """Whether the lab has been started, wholly or in part."""
        return self.paths.layout.exists()

    @property
    def layout(self) -> Layout:
        """The lab's size.

        Raises:
            LabError: There is no such lab.
        """
        return read_layout(self.paths)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts, controllers first.

        Raises:
            LabError: There is no such lab.
        """
        return self.layout.hosts

    def status(self) -> list[HostStatus]:
        """How each host is.

        Raises:
            LabError: There is no such lab.
        """
        return [self._status(host) for host in self.hosts]

    # Up and down

    def up(self, **size: Any) -> bool:  # noqa: ANN401 - the types are those of Layout
        """Start the lab, mend what is missing of it, or add hosts to it.

        Args:
            size: Fields of `Layout`; what is not given stays as it is, or is the default in a new lab.

        Returns:
            False if there was nothing to do.

        Raises:
            LabError: It cannot be built here or in that size, or a host did not come up.
        """
        asked = Layout(**size)  # a wrong size is said before anything else is looked at
        check_computer()
        if not self.exists:
            # It takes long, and fails without a network: there need be no lab yet.
            self._make_roots(asked.hosts)
        with locked(self.name):
            started = time.monotonic()
            layout, new = self._settle_layout(size)
            booted = self._bring_up(layout)
            seconds = time.monotonic() - started
            if not layout.hosts:
                return new
            if booted == 0 and not new:
                self._say(f"all {len(layout.hosts)} hosts of the lab {self.name} are up: nothing to do")
                return False
            self._say(f"{len(layout.hosts)} hosts are up ({booted} started) in {seconds:.1f} s")
            return True

    def down(self) -> bool:
        """Remove every trace of the lab, whatever state it is in.

        Returns:
            False if there was none.
        """
        check_place()
        found = self._has_traces()
        if found:
            with locked(self.name):
                cgroup.kill(self.paths.cgroup)
                cgroup.sweep(self.paths.cgroup)
                network.remove(network.namespaces(self.paths))
                footprint.remove(self.paths)
                with locked(footprint.COMPUTER):
                    remove_lock_file(self.name)
                    footprint.leave_computer()
            self._say(f"the lab {self.name} is gone")
        else:
            self._say(f"there is no lab {self.name}: nothing to do")
        return found

    # Its hosts

    def exec(self, host: str, argv: Sequence[str], *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as root on a host, not over SSH.

        Args:
            host: The host's name.
            argv: The command.
            stdin: What it reads; nothing by default.

        Returns:
            Status and output, whatever the status is.

        Raises:
            LabError: There is no such host, or it does not run.
        """
        of = self.paths.host(self.layout.host(host).name)
        return captured(enter.host_argv(of, argv), enter.host_environment(), stdin)

    def operator(
        self, argv: Sequence[str], *, stdin: str | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command where the operator sits: on the node network, with the lab's SSH keys and names.

        Args:
            argv: The command; it starts in the present folder.
            stdin: What it reads; nothing by default.
            environment: Variables to set in addition.

        Returns:
            Status and output, whatever the status is.

        Raises:
            LabError: There is no such lab.
        """
        self.layout  # noqa: B018 - raises if there is no lab
        whole = enter.operator_environment(self.paths) | (environment or {})
        return captured(enter.operator_argv(self.paths, argv), whole, stdin)

    def reboot(self, hosts: Iterable[str] | None = None, *, fresh: bool = False) -> None:
        """Shut hosts down in good order and boot them again; boot those that are stopped.

        Routes, kernel parameters and devices are gone and made anew, as after a reboot of a real machine; files stay.

        Args:
            hosts: Their names; all by default.
            fresh: Whether to boot from a pristine root file system. The SSH host key stays.

        Raises:
            LabError: There is no such lab or host, or a host did not come up.
        """
        check_computer()
        layout = self.layout
        chosen = self._choose(layout, hosts)
        with locked(self.name):
            cut = boot.shut_down(self.paths.host(host.name) for host in chosen)
            for name in cut:
                self._say(f"{name} did not shut down in time: its power was cut")
            if fresh:
                for host in chosen:
                    shutil.rmtree(self.paths.host(host.name).upper)
            self._boot(chosen, layout)

    def break_(self, host: str, fault: str, *arguments: str) -> str:
        """Make something go wrong on a host.

        Args:
            host: The host's name.
            fault: A fault's name, see `lab.faults.FAULTS`.
            arguments: What the fault takes.

        Returns:
            One line that says what was done.

        Raises:
            LabError: There is no such lab, host or fault, or it cannot be made here.
        """
        from lab.faults import find_fault  # noqa: PLC0415 - faults need the lab

        found = find_fault(fault, len(arguments))
        chosen = self.layout.host(host)
        with locked(self.name):
            return f"{host}: {found.make(self, chosen, *arguments)}"

    def mend(self, hosts: Iterable[str] | None = None) -> list[str]:
        """Undo the faults that the product cannot repair; boot hosts that are down.

        Args:
            hosts: Their names; all by default.

        Returns:
            One line for each thing that was mended.

        Raises:
            LabError: There is no such lab or host, or a host did not come up.
        """
        from lab.faults import MENDS  # noqa: PLC0415 - faults need the lab

        layout = self.layout
        chosen = self._choose(layout, hosts)
        with locked(self.name):
            lines = [f"{host.name}: thawed" for host in chosen if self._thaw(host)]
            stopped = [host for host in chosen if self._status(host).pid is None]
            self._boot(stopped, layout)
            lines += [f"{host.name}: booted" for host in stopped]
            for host in chosen:
                lines += [f"{host.name}: {line}" for mend in MENDS if (line := mend(self, host)) is not None]
            return lines

    def stop(self, host: Host) -> None:
        """Cut a host's power. The caller holds the lab's lock.

        Args:
            host: The host.
        """
        check_place()
        boot.cut_power(self.paths.host(host.name))
        # Without it the kernel would go on answering for the host.
        network.remove_hosts([host], self.paths)

    # How it is done

    def _settle_layout(self, size: dict[str, Any]) -> tuple[Layout, bool]:
        """Decide the lab's size, and write it where the lab's files are; True if it differs from before."""
        if not self.exists:
            layout = Layout(**size)
            footprint.make(self.paths)
        else:
            present = self.layout
            for key in ("node_network", "ipv6", "pods", "release"):
                if key in size and size[key] != getattr(present, key):
                    raise LabError(
                        f"the lab {self.name} is there with another {key.replace('_', '-')}: take it down first"
                    )
            larger = {key: max(size.get(key, 0), getattr(present, key)) for key in ("controllers", "workers")}
            for key, count in larger.items():
                if size.get(key, count) < count:
                    self._say(f"the lab {self.name} has {count} {key} already and keeps them; `down` takes it down")
            layout = Layout(**(present.as_dict() | larger))
            if layout.cluster_cidr != present.cluster_cidr:
                self._say(f"the pod network is now {layout.cluster_cidr}")
            if layout == present:
                return layout, False
            taken = {host.name for host in layout.hosts}.intersection(container_names(self.paths))
            if taken:
                raise LabError(f"{min(taken)} is a container of the lab {self.name} already: use another lab")
        with locked(footprint.COMPUTER):
            limits.raise_limits(len(layout.hosts))
        write_layout(self.paths, layout)
        return layout, True

    def _bring_up(self, layout: Layout) -> int:
        """Start what does not run; returns how many hosts were started."""
        operator.make_folder(self.paths)
        operator.name_hosts(layout, self.paths)
        network.make_operator(layout, self.paths)
        present, ports = set(network.namespaces(self.paths)), set(network.cables(self.paths))
        missing: list[Host] = []
        for host in layout.hosts:
            if self._thaw(host):
                self._say(f"{host.name} was frozen: it runs again")
            whole = network.is_whole(host, layout, self.paths, present, ports)
            if not whole or not self._name_hosts(host, layout):
                missing.append(host)
        self._boot(missing, layout)
        return len(missing)

    def _boot(self, hosts: Sequence[Host], layout: Layout) -> None:
        """Make what hosts need and boot them."""
        if not hosts:
            return
        check_computer()
        for host in hosts:
            boot.cut_power(self.paths.host(host.name))
        for made, root in self._make_roots(hosts).items():
            releases.link_root(root, self.paths.base(made))
        for release in {host.release for host in hosts}:
            template.make_template(self.paths.base(release), self.paths.template(release))
        key = operator.make_folder(self.paths)
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda host: rootfs.make_host(host, self.paths.host(host.name), layout, key), hosts))
        operator.name_hosts(layout, self.paths)
        network.make_hosts(hosts, layout, self.paths)
        done = 0

        def on_up(host: Host, seconds: float) -> None:
            nonlocal done
            done += 1
            if len(hosts) <= _FEW:
                self._say(f"{host.name} ({host.address.ip}) is up after {seconds:.1f} s")
            elif done % 10 == 0:
                self._say(f"{done} of {len(hosts)} hosts are up")

        failed = boot.boot(hosts, self.paths, on_up)
        if failed:
            name, reason = next(iter(failed.items()))
            more = f" (and {len(failed) - 1} more hosts)" if len(failed) > 1 else ""
            raise LabError(f"{name} {reason}{more}", status=1)

    def _make_roots(self, hosts: Sequence[Host]) -> dict[str, Path]:
        """Make the roots of these hosts' releases; returns those that the lab does not have yet."""
        needed = {host.release for host in hosts if host.release is not None}
        return releases.make_roots([one for one in needed if not self.paths.base(one).exists()], self._say)

    def _name_hosts(self, host: Host, layout: Layout) -> bool:
        """Tell a host the names of those that were added since it was made; False if it does not run."""
        pid = self._status(host).pid
        if pid is None:
            return False
        try:
            add_missing_lines(Path(f"/proc/{pid}/root/etc/hosts"), layout.hosts_file.splitlines(keepends=True))
        except OSError:
            # It can end between one look and the next.
            if self._status(host).pid is None:
                return False
            raise
        return True

    def _status(self, host: Host) -> HostStatus:
        of = self.paths.host(host.name)
        pid = enter.host_pid(of)
        if pid is None:
            return HostStatus(host, "stopped", None)
        return HostStatus(host, "frozen" if cgroup.is_frozen(of.cgroup) else "running", pid)

    def _thaw(self, host: Host) -> bool:
        group = self.paths.host(host.name).cgroup
        if not cgroup.is_frozen(group):
            return False
        cgroup.freeze(group, frozen=False)
        return True

    def _choose(self, layout: Layout, hosts: Iterable[str] | None) -> list[Host]:
        return list(layout.hosts) if hosts is None else [layout.host(name) for name in dict.fromkeys(hosts)]

    def _has_traces(self) -> bool:
        return (
            self.paths.root.exists()
            or lock_file(self.name).exists()
            or bool(network.namespaces(self.paths))
            or (cgroup.mount_point() / self.paths.cgroup).exists()
        )
