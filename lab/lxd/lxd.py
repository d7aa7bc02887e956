"""The LXD of a lab: what all commands and tests use."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lab import cgroup, enter, footprint, limits
from lab.checks import check_computer
from lab.defaults import DEFAULT_SIZE, command
from lab.errors import LabError
from lab.faults import find_fault
from lab.layout import Host, Layout
from lab.lock import locked
from lab.lxd import bridge, client, containers, daemon, image, nodes, processes, resources, subids, tools
from lab.lxd.api import Api
from lab.lxd.enter import container_argv
from lab.lxd.nodes import Node
from lab.lxd.paths import LXD_HOST, LxdPaths, exists
from lab.machines import Lab
from lab.process import captured


@dataclass(frozen=True)
class NodeStatus:
    """How a container is.

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
        say: What to do with each line of progress; nothing by default.
    """

    def __init__(self, lab: Lab, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.lab = lab
        self.paths = LxdPaths(lab.paths)
        self._say = say
        self._api = Api(self.paths.socket)

    # What it is

    @property
    def exists(self) -> bool:
        """Whether it has been started, and not been taken down."""
        return exists(self.lab.paths)

    @property
    def socket(self) -> Path:
        """The socket of the API, as it is seen from everywhere but inside the containers."""
        return self.paths.socket

    @property
    def folder(self) -> Path:
        """The operator's LXD_DIR."""
        return self.paths.folder

    @property
    def layout(self) -> Layout:
        """The lab's.

        Raises:
            LabError: There is no lab.
        """
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
        network = self.lab.layout.network
        return [nodes.node(name, network) for name in self._names()]

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
        """How each container is; not asked of LXD.

        Raises:
            LabError: There is no LXD.
        """
        return [self._status(node) for node in self.nodes]

    @property
    def daemon_pid(self) -> int | None:
        """The daemon's process as this computer sees it; None if it does not run."""
        return processes.daemon_pid(self.paths)

    def addresses(self, name: str) -> dict[str, IPv4Address]:
        """The IPv4 addresses that a container has, by interface; not asked of LXD.

        Args:
            name: The container's name.

        Raises:
            LabError: It does not run.
        """
        listed = json.loads(self.exec(name, ["ip", "-4", "-j", "address", "show", "scope", "global"]).stdout or "[]")
        return {
            link["ifname"]: IPv4Address(address["local"])
            for link in listed
            for address in link.get("addr_info", [])[:1]
        }

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
        default = DEFAULT_SIZE if new else 0
        sizes = [default if size is None else size for size in (controllers, workers)]
        asked = controllers is not None or workers is not None
        wanted: list[str] = []
        if new or asked:
            wanted = nodes.names(*sizes, haproxy=new if haproxy is None else haproxy, first_worker=first_worker)
        tools.check_tools()
        check_computer()
        if not self.lab.exists:
            network = node_network or nodes.NODE_NETWORK
            self.lab.up(controllers=0, workers=0, node_network=network, containers=True)
        elif not self.lab.hosts:
            # Its network may be missing, where an `up` was interrupted.
            self.lab.up()
        self._check_names(wanted)
        tarball = image.ensure_image(self._say)
        with locked(self.lab.name):
            started = time.monotonic()
            done = self._bring_up(wanted, tarball)
        if not done:
            self._say(f"LXD and its {len(self._names())} containers are up: nothing to do")
            return False
        seconds = time.monotonic() - started
        self._say(f"LXD and its {len(self._names())} containers are up after {seconds:.1f} s; socket: {self.socket}")
        return True

    def down(self) -> bool:
        """Remove every trace of it, whatever state it is in; the lab stays.

        Returns:
            False if there was none.
        """
        if not self.paths.root.exists():
            self._say("there is no LXD: nothing to do")
            return False
        with locked(self.lab.name):
            self._remove()
        self._say("LXD is gone")
        return True

    # Its containers

    def exec(self, name: str, argv: Sequence[str], *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as root in a container, not by way of LXD.

        Args:
            name: The container's name.
            argv: The command.
            stdin: What it reads; nothing by default.

        Returns:
            Status and output, whatever the status is.

        Raises:
            LabError: There is no such container, or it does not run.
        """
        self.node(name)
        return captured(container_argv(self.paths, name, argv), enter.host_environment(), stdin)

    def lxc(self, argv: Sequence[str], *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run LXD's own client where the operator sits.

        Args:
            argv: Its arguments: `["list"]`, say.
            stdin: What it reads; nothing by default.

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
            self._start([name])

    def stop(self, name: str, *, force: bool = False) -> None:
        """Shut a container down; nothing to do if it is stopped.

        Args:
            name: Its name.
            force: Whether to kill it.

        Raises:
            LabError: There is no such container, or it does not stop.
        """
        self.node(name)
        if processes.container_pid(self.paths, name) is not None:
            containers.thaw(self.paths, name)
            resources.set_state(self._api, [name], "stop", force=force)

    def restart(self, name: str) -> None:
        """Shut a container down and start it again: what is not in files is gone.

        Args:
            name: Its name.

        Raises:
            LabError: There is no such container, or it did not come up.
        """
        self.reboot([name])

    def reboot(self, names: Iterable[str] | None = None, *, fresh: bool = False) -> None:
        """Shut containers down in good order and start them again; start those that are stopped.

        Args:
            names: Their names; all by default.
            fresh: Whether to create them anew from the image. Their addresses on the node network stay.

        Raises:
            LabError: There is no such container, or one did not come up.
        """
        chosen = self._choose(names)
        with locked(self.lab.name):
            running = [node.name for node in chosen if self._status(node).pid is not None]
            for name in running:
                containers.thaw(self.paths, name)
            resources.set_state(self._api, running, "stop", force=fresh)
            if fresh:
                resources.delete(self._api, [node.name for node in chosen])
                resources.create(self._api, chosen)
            self._start([node.name for node in chosen])

    def break_(self, name: str, fault: str, *arguments: str) -> str:
        """Make something go wrong.

        Args:
            name: A container's name, or `lxd` for the daemon.
            fault: A fault's name, see `lab.lxd.faults`.
            arguments: What the fault takes.

        Returns:
            One line that says what was done.

        Raises:
            LabError: There is no such container or fault, or it cannot be made here.
        """
        from lab.lxd import faults  # noqa: PLC0415 - faults need the LXD

        self._names()
        if name == LXD_HOST:
            of_daemon = find_fault(fault, len(arguments), faults.DAEMON_FAULTS)
            with locked(self.lab.name):
                return f"{name}: {of_daemon.make(self, *arguments)}"
        found = find_fault(fault, len(arguments), faults.FAULTS)
        host = self.node(name).as_host(self.layout.network)
        with locked(self.lab.name):
            return f"{name}: {found.make(self, host, *arguments)}"

    def mend(self, names: Iterable[str] | None = None) -> list[str]:
        """Undo the faults that the product cannot repair.

        Args:
            names: Of containers, or `lxd` for the daemon; all by default.

        Returns:
            One line for each thing that was mended.

        Raises:
            LabError: There is no such container, or something did not come up.
        """
        from lab.lxd import faults  # noqa: PLC0415 - faults need the LXD

        wanted = None if names is None else list(names)
        chosen = self._choose(None if wanted is None else [name for name in wanted if name != LXD_HOST])
        with locked(self.lab.name):
            # Without the daemon no container can be started.
            lines = [f"{LXD_HOST}: {line}" for line in faults.mend_daemon(self)]
            thawed = [node.name for node in chosen if containers.thaw(self.paths, node.name)]
            stopped = [node.name for node in chosen if self._status(node).pid is None]
            # A new daemon starts what ran before by itself, and does not wait for it.
            self._start([node.name for node in chosen] if lines else stopped)
        return lines + [f"{name}: thawed" for name in thawed] + [f"{name}: started" for name in stopped]

    # The daemon

    def stop_daemon(self, *, kill: bool = False) -> bool:
        """Stop the daemon; the containers go on running.

        Args:
            kill: Whether it gets no chance to end in good order.

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
        if processes.daemon_pid(self.paths) is not None:
            return False
        daemon.start(self.paths)
        return True

    def restart_daemon(self, *, kill: bool = False) -> None:
        """Stop the daemon and start it again; the containers go on running.

        Args:
            kill: Whether it gets no chance to end in good order.

        Raises:
            LabError: There is no LXD, or it does not come up.
        """
        self.stop_daemon(kill=kill)
        self.start_daemon()

    # How it is done

    def _names(self) -> list[str]:
        try:
            found: list[str] = json.loads(self.paths.state.read_text())
        except FileNotFoundError as error:
            up = command(self.lab.name, "up --lxd")
            raise LabError(f"the lab {self.lab.name!r} has no LXD: start one with {up}") from error
        return found

    def _choose(self, names: Iterable[str] | None) -> list[Node]:
        present = self.nodes  # raises if there is no LXD
        return present if names is None else [self.node(name) for name in dict.fromkeys(names)]

    def _write_names(self, names: Sequence[str]) -> None:
        new = self.paths.state.with_suffix(".new")
        new.write_text(json.dumps(names))
        new.rename(self.paths.state)

    def _check_names(self, wanted: Sequence[str]) -> None:
        """Refuse what the lab's other hosts have already, or what does not fit."""
        layout = self.lab.layout
        if layout.ipv6:
            raise LabError("containers have IPv4 addresses only: use a lab without --ipv6")
        taken = [host.name for host in layout.hosts if host.name in wanted]
        if taken:
            raise LabError(
                f"{taken[0]} is a host of the lab {self.lab.name} already: take others, first_worker="
                f"{layout.workers} say, or a lab without hosts"
            )
        for name in wanted:
            nodes.node(name, layout.network)

    def _bring_up(self, wanted: Sequence[str], tarball: Path) -> bool:
        """Make and start what is missing; returns whether there was anything."""
        layout = self.lab.layout
        names = nodes.in_order([*(self._names() if self.exists else []), *wanted])
        with locked(footprint.COMPUTER):
            limits.raise_limits(len(layout.hosts) + len(names))
            subids.ensure_subids()
        done = False
        if not self.exists:
            self._prepare()
            done = True
        elif not daemon.is_in_operators_place(self.paths):
            daemon.start_holder(self.paths)
        if processes.daemon_pid(self.paths) is None:
            daemon.start(self.paths)
            done = True
        done = daemon.thaw(self.paths) or done
        # Written first: an `up` that is interrupted can be gone on with.
        self._write_names(names)
        present = resources.instances(self._api)
        missing = [name for name in names if name not in present]
        if missing:
            resources.ensure_image(self._api, tarball)
            resources.create(self._api, [nodes.node(name, layout.network) for name in missing])
            client.name_hosts(self.paths, [nodes.node(name, layout.network) for name in missing])
        changed = [name for name in names if self._status_of(name) != "running"]
        for name in changed:
            containers.thaw(self.paths, name)
        # A new daemon starts what ran before by itself, and does not wait for it.
        self._start(names if done else changed)
        return done or changed != []

    def _prepare(self) -> None:
        """Start a new daemon and give it what all containers need."""
        self._remove()
        self.paths.root.mkdir(mode=0o700)
        self.paths.folder.mkdir(mode=0o711)
        client.make_config(self.paths)
        daemon.start_holder(self.paths)
        daemon.start(self.paths)
        resources.configure(self._api)
        bridge.take_over(self._api, self.lab.layout, self.lab.paths.operator_netns)

    def _start(self, names: Sequence[str]) -> None:
        containers.start(self.paths, self._api, names)

    def _status(self, node: Node) -> NodeStatus:
        return NodeStatus(node, self._status_of(node.name), processes.container_pid(self.paths, node.name))

    def _status_of(self, name: str) -> str:
        if processes.container_pid(self.paths, name) is None:
            return "stopped"
        return "frozen" if cgroup.is_frozen(self.paths.payload(name)) else "running"

    def _remove(self) -> None:
        cgroup.kill(self.paths.cgroup)
        cgroup.kill(self.paths.starter)
        bridge.give_back(self.lab.paths.operator_netns)
        client.remove_config(self.paths)
        # The files last: they say that there is something to remove.
        shutil.rmtree(self.paths.root, ignore_errors=True)
