"""The cloud of a lab: what all commands and tests use."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import cgroup
from lab.checks import check_computer
from lab.cloud import config, mariadb, services, template
from lab.cloud.api import Api
from lab.cloud.edge.control import Control
from lab.cloud.edge.rules import Counted
from lab.cloud.environment import ensure_environment
from lab.cloud.faults import FAULTS, REPAIRS
from lab.cloud.paths import CLOUD, IDENTITY_PORT, NETWORK_PORT, CloudPaths
from lab.cloud.resources import ensure_resources
from lab.cloud.services import Service
from lab.cloud.snapshot import keep_snapshot, snapshot_path, use_snapshot
from lab.defaults import command
from lab.enter import add_to_environment, remove_from_environment
from lab.errors import LabError
from lab.fault import find_fault
from lab.files import replace_file, write_file
from lab.lock import locked
from lab.machines import Lab

SQLITE = "sqlite"
MARIADB = "mariadb"
_PART = "cloud"
_MANY_THREADS = 24


@dataclass(frozen=True)
class ServiceStatus:
    """The state of a service.

    Attributes:
        name: `keystone`, `neutron`, `edge` or `mariadb`.
        pid: Its process as this computer sees it; None if it does not run.
        memory: Bytes that are its own.
    """

    name: str
    pid: int | None
    memory: int


class Cloud:
    """The cloud of a lab, running or not.

    Args:
        lab: The lab; its hosts need not run.
        say: Called with each line of progress.
    """

    def __init__(self, lab: Lab, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.lab = lab
        self.paths = CloudPaths(lab.paths)
        self._say = say

    @property
    def exists(self) -> bool:
        """Whether it has been started, and not been taken down."""
        return self.paths.state.exists()

    def auth(self, cloud: str = CLOUD) -> dict[str, str]:
        """Credentials for use in the operator's namespace, as `openstack.connect` takes them.

        Args:
            cloud: `kubernetes` or `admin`.

        Raises:
            LabError: There is no cloud.
        """
        passwords = self._state()["passwords"]
        return config.auth(cloud, passwords["user"], passwords["admin"])

    def api(self, cloud: str = config.ADMIN_CLOUD, *, edge: bool = False) -> Api:
        """A client that works from outside the operator's namespace too.

        Args:
            cloud: `kubernetes` or `admin`.
            edge: Whether to go through the edge; else it is neither counted nor disturbed.

        Raises:
            LabError: There is no cloud.
        """
        return Api(self.lab.paths.operator_netns, self.auth(cloud), edge=edge)

    def status(self) -> list[ServiceStatus]:
        """The state of each service.

        Raises:
            LabError: There is no cloud.
        """
        found = []
        for service in self._services():
            pid = services.process_id(self.paths, service.name)
            found.append(ServiceStatus(service.name, pid, 0 if pid is None else services.memory(pid)))
        return found

    # Up and down

    def up(self, *, database: str = SQLITE) -> bool:
        """Start its services that do not run, and create what the lab's hosts need in it.

        Args:
            database: `sqlite`, or `mariadb` for requests that really run at the same time; it needs Debian's
                mariadb-server-core.

        Returns:
            False if there was nothing to do.

        Raises:
            LabError: There is no lab, or a service did not come up.
        """
        check_computer()
        self.lab.layout  # noqa: B018 - raises if there is no lab, before anything is made
        environment = ensure_environment(self._say)
        empty = template.ensure_template(environment, self._say)
        data = mariadb.ensure_data(environment, self._say) if database == MARIADB else None
        with locked(self.lab.name):
            layout = self.lab.layout
            snapshot = snapshot_path(empty, layout)
            fresh = not self.exists
            if fresh:
                self._prepare(environment, empty, snapshot, data)
            elif self._state()["database"] != database:
                there = command(self.lab.name, "cloud down")
                raise LabError(f"the cloud is there with another database: take it down first, {there}")
            started = self._start()
            made = ensure_resources(self.api(), layout)
            if fresh and made and database == SQLITE:
                keep_snapshot(self.paths.root / "neutron.db", snapshot)
        if not started and not made:
            self._say("the cloud is up: nothing to do")
            return False
        size = sum(one.memory for one in self.status()) / 2**20
        self._say(f"Keystone and Neutron are up ({size:.0f} MB); in the operator's shell, try `openstack subnet list`")
        return True

    def down(self) -> bool:
        """Remove every trace of the cloud, in whatever state it is; the lab stays.

        Returns:
            False if there was none.
        """
        if not self.paths.root.exists() and not self.paths.clouds_file.exists():
            self._say("there is no cloud: nothing to do")
            return False
        with locked(self.lab.name):
            self._remove()
        self._say("the cloud is gone")
        return True

    # Its requests and faults

    def requests(self, *, reset: bool = False) -> list[Counted]:
        """The requests so far, equal ones counted together.

        Args:
            reset: Whether to count from zero from now on.

        Raises:
            LabError: The cloud does not run.
        """
        return self.control.requests(reset=reset)

    @property
    def control(self) -> Control:
        """The sender of commands to the edge.

        Raises:
            LabError: There is no cloud.
        """
        self._state()
        return Control(self.paths.control)

    def break_(self, fault: str, *arguments: str) -> str:
        """Make something go wrong.

        Args:
            fault: A fault's name, see `lab.cloud.faults.FAULTS`.
            arguments: The fault's.

        Returns:
            One line that says what was done.

        Raises:
            LabError: There is no cloud or no such fault, or it cannot be made.
        """
        found = find_fault(FAULTS, fault, len(arguments))
        self._state()
        with locked(self.lab.name):
            return found.make(self, *arguments)

    def repair(self) -> list[str]:
        """Undo the faults that the product cannot fix; start services that do not run.

        Returns:
            One line for each thing that was repaired.

        Raises:
            LabError: There is no cloud, or a service did not come up.
        """
        self._state()
        with locked(self.lab.name):
            lines = [f"started {name}" for name in self._start()]
            return lines + [line for repair in REPAIRS if (line := repair(self)) is not None]

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self.paths.state.read_text())
        except FileNotFoundError as error:
            up = command(self.lab.name, "up --cloud")
            raise LabError(f"the lab {self.lab.name!r} has no cloud: start one with {up}") from error
        return state

    def _prepare(self, environment: Path, empty: Path, snapshot: Path, data: Path | None) -> None:
        """Give the cloud its files; the state file comes last and marks them as complete."""
        self._remove()
        root = self.paths.root
        root.mkdir(mode=0o700)
        passwords = template.copy_template(empty, root)
        connection = config.sqlite(root)
        if data is not None:
            shutil.copytree(data, mariadb.data_folder(root))
            connection = mariadb.connection(root)
        else:
            use_snapshot(snapshot, root / "neutron.db")
        write_file(root / "keystone.conf", config.keystone_conf(root), 0o600)
        neutron = config.neutron_conf(root, environment, passwords["neutron"], connection)
        write_file(root / "neutron.conf", neutron, 0o600)
        write_file(self.paths.clouds_file, config.clouds_yaml(passwords["user"], passwords["admin"]), 0o600)
        programs = self.lab.paths.programs
        programs.mkdir(exist_ok=True)
        (programs / "openstack").symlink_to(environment / "bin/openstack")
        variables = {"OS_CLIENT_CONFIG_FILE": str(self.paths.clouds_file), "OS_CLOUD": CLOUD}
        add_to_environment(self.lab.paths, _PART, hidden=["OS_"], variables=variables)
        state = {
            "database": SQLITE if data is None else MARIADB,
            "environment": str(environment),
            "passwords": passwords,
        }
        replace_file(self.paths.state, json.dumps(state))

    def _services(self) -> list[Service]:
        """The services, in the order in which they are started."""
        state = self._state()
        environment = Path(state["environment"])
        root, open_api = str(self.paths.root), Api(self.lab.paths.operator_netns)
        keystone = Service(
            "keystone",
            services.web_application("keystone", IDENTITY_PORT, environment, threads=1),
            (("OS_KEYSTONE_CONFIG_DIR", root), ("OS_KEYSTONE_CONFIG_FILES", "keystone.conf")),
            lambda: open_api.answers("identity", "/v3"),
        )
        # SQLite has one writer: a second thread would answer with errors.
        threads = 1 if state["database"] == SQLITE else _MANY_THREADS
        neutron = Service(
            "neutron",
            services.web_application("neutron", NETWORK_PORT, environment, threads),
            (("OS_NEUTRON_CONFIG_DIR", root), ("OS_NEUTRON_CONFIG_FILES", "neutron.conf")),
            lambda: open_api.answers("network", "/"),
        )
        edge = Service("edge", services.edge_argv(self.paths), (), self._edge_answers)
        database = [mariadb.service(self.paths.root)] if state["database"] == MARIADB else []
        return [*database, keystone, neutron, edge]

    def _start(self) -> list[str]:
        """Start what does not run; returns the names."""
        missing = [one for one in self._services() if services.process_id(self.paths, one.name) is None]
        for service in missing:
            cgroup.kill(f"{self.paths.cgroup}/{service.name}")
            services.start(self.paths, service)
            if service.name == "mariadb":
                # Neutron gives up if its database does not answer at once.
                services.wait_until_ready(self.paths, [service])
        services.wait_until_ready(self.paths, missing)
        return [service.name for service in missing]

    def _edge_answers(self) -> bool:
        try:
            Control(self.paths.control).faults()
        except LabError:
            return False
        return True

    def _remove(self) -> None:
        cgroup.kill(self.paths.cgroup)
        shutil.rmtree(self.paths.root, ignore_errors=True)
        self.paths.clouds_file.unlink(missing_ok=True)
        shutil.rmtree(self.lab.paths.programs, ignore_errors=True)
        remove_from_environment(self.lab.paths, _PART)
