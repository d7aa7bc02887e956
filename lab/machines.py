"""The lab: what all commands, tests and benchmarks use."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lab import boot, cgroup, enter, footprint, network
from lab.bringup import boot_hosts, bring_up, make_roots
from lab.checks import check_computer, check_place
from lab.defaults import DEFAULT_NAME, check_name
from lab.fault import find_fault
from lab.faults import FAULTS, REPAIRS
from lab.layout import Host, Layout
from lab.lock import lock_file, locked, remove_lock_file
from lab.paths import LabPaths
from lab.process import captured
from lab.size import settle_size
from lab.state import read_layout


@dataclass(frozen=True)
class HostStatus:
    """The state of a host.

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
        say: Called with each line of progress.
    """

    def __init__(self, name: str = DEFAULT_NAME, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.name = check_name(name)
        self.paths = LabPaths(name)
        self._say = say

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
        """The state of each host.

        Raises:
            LabError: There is no such lab.
        """
        return [self._status(host) for host in self.hosts]

    # Up and down

    def up(self, **size: Any) -> bool:  # noqa: ANN401 - the types are those of Layout
        """Start the lab, start what of it does not run, or add hosts to it.

        Args:
            size: Fields of `Layout`; the others stay as they are, or have their defaults in a new lab.

        Returns:
            False if there was nothing to do.

        Raises:
            LabError: It cannot be built here or in that size, or a host did not come up.
        """
        asked = Layout(**size)  # a wrong size is reported before anything else is checked
        check_computer()
        if not self.exists:
            # It takes long, and fails without a network: there need be no lab yet.
            make_roots(asked.hosts, self.paths, self._say)
        with locked(self.name):
            started = time.monotonic()
            layout, new = settle_size(self.paths, size, self._say)
            booted = bring_up(layout, self.paths, self._say)
            seconds = time.monotonic() - started
            if not layout.hosts:
                return new
            if booted == 0 and not new:
                self._say(f"all {len(layout.hosts)} hosts of the lab {self.name} are up: nothing to do")
                return False
            self._say(f"{len(layout.hosts)} hosts are up ({booted} started) in {seconds:.1f} s")
            return True

    def down(self) -> bool:
        """Remove every trace of the lab, in whatever state it is.

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
            stdin: Its standard input; none by default.

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
        """Run a command as the operator: on the node network, with the lab's SSH keys and names.

        Args:
            argv: The command; it starts in the current directory.
            stdin: Its standard input; none by default.
            environment: Variables to set in addition.

        Returns:
            Status and output, whatever the status is.

        Raises:
            LabError: There is no such lab.
        """
        self.layout  # noqa: B018 - raises if there is no lab
        variables = enter.operator_environment(self.paths) | (environment or {})
        return captured(enter.operator_argv(self.paths, argv), variables, stdin)

    def reboot(self, hosts: Iterable[str] | None = None, *, fresh: bool = False) -> None:
        """Shut hosts down cleanly and boot them again; boot those that are stopped.

        Routes, kernel parameters and devices are gone and made again, as after a reboot of a real machine; files stay.

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
            boot_hosts(chosen, layout, self.paths, self._say)

    def break_(self, host: str, fault: str, *arguments: str) -> str:
        """Make something go wrong on a host.

        Args:
            host: The host's name.
            fault: A fault's name, see `lab.faults.FAULTS`.
            arguments: The fault's.

        Returns:
            One line that says what was done.

        Raises:
            LabError: There is no such lab, host or fault, or it cannot be made here.
        """
        found = find_fault(FAULTS, fault, len(arguments))
        chosen = self.layout.host(host)
        with locked(self.name):
            return f"{host}: {found.make(self, chosen, *arguments)}"

    def repair(self, hosts: Iterable[str] | None = None) -> list[str]:
        """Undo the faults that the product cannot fix; boot hosts that are down.

        Args:
            hosts: Their names; all by default.

        Returns:
            One line for each thing that was repaired.

        Raises:
            LabError: There is no such lab or host, or a host did not come up.
        """
        layout = self.layout
        chosen = self._choose(layout, hosts)
        with locked(self.name):
            lines = [f"{host.name}: thawed" for host in chosen if cgroup.thaw(self.paths.host(host.name).cgroup)]
            stopped = [host for host in chosen if self._status(host).pid is None]
            boot_hosts(stopped, layout, self.paths, self._say)
            lines += [f"{host.name}: booted" for host in stopped]
            for host in chosen:
                lines += [f"{host.name}: {line}" for repair in REPAIRS if (line := repair(self, host)) is not None]
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

    def _status(self, host: Host) -> HostStatus:
        of = self.paths.host(host.name)
        pid = enter.host_pid(of)
        if pid is None:
            return HostStatus(host, "stopped", None)
        return HostStatus(host, "frozen" if cgroup.is_frozen(of.cgroup) else "running", pid)

    def _choose(self, layout: Layout, hosts: Iterable[str] | None) -> list[Host]:
        return list(layout.hosts) if hosts is None else [layout.host(name) for name in dict.fromkeys(hosts)]

    def _has_traces(self) -> bool:
        return (
            self.paths.root.exists()
            or lock_file(self.name).exists()
            or bool(network.namespaces(self.paths))
            or (cgroup.mount_point() / self.paths.cgroup).exists()
        )
