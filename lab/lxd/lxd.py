"""The LXD of a lab: what all commands and tests use."""

import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import enter
from lab.checks import check_computer
from lab.defaults import DEFAULT_SIZE, command
from lab.errors import LabError
from lab.fault import find_fault
from lab.layout import Host, Layout
from lab.lock import locked
from lab.lxd import containers, daemon, faults, image, nodes, processes, resources, setup, tools
from lab.lxd.api import Api
from lab.lxd.enter import container_argv
from lab.lxd.nodes import Node
from lab.lxd.paths import LXD_HOST, LxdPaths
from lab.machines import Lab
from lab.process import captured


@dataclass(frozen=True)
class NodeStatus:
    """The state of a container.

    Attributes:
        node: The container.
        state: `running`, `frozen` or `stopped`.
        pid: Its PID 1 as this computer sees it; None if it is stopped.
    """

    node: Node
    state: str
    pid: int | None


class Lxd:
    """The LXD of a lab, running or not.

    Args:
        lab: The lab. If it is not there, `up` makes one without other hosts.
        say: Called with each line of progress.
    """

    def __init__(self, lab: Lab, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.lab = lab
        self.paths = LxdPaths(lab.paths)
        self._say = say

    @property
    def exists(self) -> bool:
        """Whether it has been started, and not been taken down."""
        return self.lab.paths.containers.exists()

    @property
    def socket(self) -> Path:
        """The socket of the API, as it is seen from everywhere but inside the containers."""
        return self.paths.socket

    @property
    def layout(self) -> Layout:
        """The lab's."""
        return self.lab.layout

    @property
    def hosts(self) -> list[Host]:
        """The containers that are on the node network, as hosts of the lab.

        Raises:
            LabError: There is no LXD.
        """
        return [node.as_host(self.layout.network) for node in self.nodes if node.address is not None]

    @property
    def nodes(self) -> list[Node]:
        """The containers, controllers first.

        Raises:
            LabError: There is no LXD.
        """
        return [nodes.node(name, self.layout.network) for name in self._names()]

    def node(self, name: str) -> Node:
        """Find a container.

        Args:
            name: `worker-0`, say.

        Raises:
            LabError: There is none of that name; the message lists those that there are.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise LabError(f"there is no container {name!r}: {', '.join(self._names())}")

    def status(self) -> list[NodeStatus]:
        """The state of each container; LXD is not asked.

        Raises:
            LabError: There is no LXD.
        """
        return [
            NodeStatus(node, containers.state(self.paths, node.name), processes.container_pid(self.paths, node.name))
            for node in self.nodes
        ]

    @property
    def daemon_pid(self) -> int | None:
        """The daemon's process as this computer sees it; None if it does not run."""
        return processes.daemon_pid(self.paths)

    # Up and down

    def up(
        self,
        *,
        controllers: int | None = None,
        workers: int | None = None,
        haproxy: bool | None = None,
        first_worker: int = 0,
        node_network: str | None = None,
    ) -> bool:
        """Start what does not run of it, and create the containers that are missing.

        Args:
            controllers: How many; as many as there are, or 3 in a new LXD, by default.
            workers: Likewise.
            haproxy: Whether to have the guide's load balancer, which is not on the node network; likewise, True.
            first_worker: Number of the first worker: another than 0 where the lab's hosts have those names.
            node_network: That of a lab that is not there yet; the guide's by default.

        Returns:
            False if there was nothing to do.

        Raises:
            LabError: It cannot be built here, or a container did not come up.
        """
        new = not self.exists
        wanted: list[str] = []
        if new or controllers is not None or workers is not None:
            default = DEFAULT_SIZE if new else 0
            sizes = [default if size is None else size for size in (controllers, workers)]
            wanted = nodes.names(*sizes, haproxy=new if haproxy is None else haproxy, first_worker=first_worker)
        tools.check_tools()
        check_computer()
        if not self.lab.exists:
            network = node_network or nodes.NODE_NETWORK
            self.lab.up(controllers=0, workers=0, node_network=network, containers=True)
        elif not self.lab.hosts:
            # Its network may be missing, where an `up` was interrupted.
            self.lab.up()
        setup.check_names(self.lab.layout, self.lab.name, wanted)
        tarball = image.ensure_image(self._say)
        with locked(self.lab.name):
            started = time.monotonic()
            done = setup.bring_up(self.paths, self.layout, wanted, tarball)
        if not done:
            self._say(f"LXD and its {len(self._names())} containers are up: nothing to do")
            return False
        seconds = time.monotonic() - started
        self._say(f"LXD and its {len(self._names())} containers are up after {seconds:.1f} s; socket: {self.socket}")
        return True

    def down(self) -> bool:
        """Remove every trace of it, in whatever state it is; the lab stays.

        Returns:
            False if there was none.
        """
        if not self.paths.root.exists():
            self._say("there is no LXD: nothing to do")
            return False
        with locked(self.lab.name):
            setup.remove(self.paths)
        self._say("LXD is gone")
        return True

    # Its containers

    def exec(self, name: str, argv: Sequence[str], *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as root in a container, not by way of LXD.

        Args:
            name: The container's name.
            argv: The command.
            stdin: Its standard input; none by default.

        Returns:
            Status and output, whatever the status is.

        Raises:
            LabError: There is no such container, or it does not run.
        """
        self.node(name)
        return captured(container_argv(self.paths, name, argv), enter.host_environment(), stdin)

    def lxc(self, argv: Sequence[str], *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run LXD's own client as the operator.

        Args:
            argv: Its arguments: `["list"]`, say.
            stdin: Its standard input; none by default.

        Returns:
            Status and output, whatever the status is.

        Raises:
            LabError: There is no LXD.
        """
        self._names()
        return self.lab.operator(["lxc", *argv], stdin=stdin)

    def start(self, name: str) -> None:
        """Start a container and wait until it has booted; nothing to do if it runs.

        Args:
            name: Its name.

        Raises:
            LabError: There is no such container, or it did not come up.
        """
        self.node(name)
        with locked(self.lab.name):
            containers.start(self.paths, [name])

    def stop(self, name: str, *, force: bool = False) -> None:
        """Shut a container down; nothing to do if it is stopped.

        Args:
            name: Its name.
            force: Whether to kill it.

        Raises:
            LabError: There is no such container, or it does not stop.
        """
        self.node(name)
        containers.stop(self.paths, [name], force=force)

    def reboot(self, names: Iterable[str] | None = None, *, fresh: bool = False) -> None:
        """Shut containers down cleanly and start them again; start those that are stopped.

        Args:
            names: Their names; all by default.
            fresh: Whether to create them again from the image. Their addresses on the node network stay.

        Raises:
            LabError: There is no such container, or one did not come up.
        """
        chosen = self._choose(names)
        with locked(self.lab.name):
            containers.stop(self.paths, [node.name for node in chosen], force=fresh)
            if fresh:
                api = Api(self.paths.socket)
                resources.delete(api, [node.name for node in chosen])
                resources.create(api, chosen)
            containers.start(self.paths, [node.name for node in chosen])

    def break_(self, name: str, fault: str, *arguments: str) -> str:
        """Make something go wrong.

        Args:
            name: A container's name, or `lxd` for the daemon.
            fault: A fault's name, see `lab.lxd.faults`.
            arguments: The fault's.

        Returns:
            One line that says what was done.

        Raises:
            LabError: There is no such container or fault, or it cannot be made here.
        """
        self._names()
        if name == LXD_HOST:
            of_daemon = find_fault(faults.DAEMON_FAULTS, fault, len(arguments))
            with locked(self.lab.name):
                return f"{name}: {of_daemon.make(self, *arguments)}"
        found = find_fault(faults.FAULTS, fault, len(arguments))
        host = self.node(name).as_host(self.layout.network)
        with locked(self.lab.name):
            return f"{name}: {found.make(self, host, *arguments)}"

    def repair(self, names: Iterable[str] | None = None) -> list[str]:
        """Undo the faults that the product cannot fix.

        Args:
            names: Of containers, or `lxd` for the daemon; all by default.

        Returns:
            One line for each thing that was repaired.

        Raises:
            LabError: There is no such container, or something did not come up.
        """
        chosen = self._choose(None if names is None else [name for name in names if name != LXD_HOST])
        every = [node.name for node in chosen]
        with locked(self.lab.name):
            # Without the daemon no container can be started.
            lines = [f"{LXD_HOST}: {line}" for line in faults.repair_daemon(self.paths)]
            thawed = [name for name in every if containers.thaw(self.paths, name)]
            stopped = [name for name in every if containers.state(self.paths, name) == "stopped"]
            # A new daemon starts what ran before by itself, and does not wait for it.
            containers.start(self.paths, every if lines else stopped)
        return lines + [f"{name}: thawed" for name in thawed] + [f"{name}: started" for name in stopped]

    # The daemon

    def stop_daemon(self, *, kill: bool = False) -> bool:
        """Stop the daemon; the containers keep running.

        Args:
            kill: Whether to kill it rather than to shut it down.

        Returns:
            False if it did not run.

        Raises:
            LabError: It does not end.
        """
        return daemon.stop(self.paths, kill=kill)

    def start_daemon(self) -> bool:
        """Start the daemon, and wait until it is ready.

        Returns:
            False if it runs.

        Raises:
            LabError: There is no LXD, or it does not come up.
        """
        self._names()
        return daemon.ensure_running(self.paths)

    def _names(self) -> list[str]:
        if not self.exists:
            up = command(self.lab.name, "up --lxd")
            raise LabError(f"the lab {self.lab.name!r} has no LXD: start one with {up}")
        return self.lab.paths.container_names()

    def _choose(self, names: Iterable[str] | None) -> list[Node]:
        present = self.nodes  # raises if there is no LXD
        return present if names is None else [self.node(name) for name in dict.fromkeys(names)]
