"""A host that obeys: what the steps of a plan make of a host's state, as files, kernel and systemd behave."""

from msgspec.structs import replace

from podroutes.addresses import FAMILIES
from podroutes.host.changes import (
    Change,
    KeepCopy,
    PutBack,
    RemoveFile,
    RouteCommand,
    SetSysctl,
    Step,
    Systemctl,
    WriteFile,
)
from podroutes.host.managed_files import DATA_PATH, UNIT_NAME, UNIT_PATH
from podroutes.host.routes import PROTOCOL
from podroutes.host.state import FileState, HostState, UnitState
from tests.unit.podroutes.builders import routes_by_family
from tests.unit.podroutes.plan.kernel_table import KernelTable

FORWARD = "net.ipv4.ip_forward"
REDIRECTS = "net.ipv4.conf.all.accept_redirects"
# What systemd says of a unit's file that it has loaded, which says nothing more in these tests.
LOADED = {"FragmentPath": (UNIT_PATH,)}
ABSENT = UnitState("not-found", "inactive", "")


class SimulatedHost:
    """Holds a state and changes it; a step that a real host would refuse raises."""

    def __init__(self, state: HostState) -> None:
        self.files = dict(state.files)
        self.sysctls = dict(state.sysctls)
        self.unit = state.unit
        self.loaded = self.files.get(UNIT_PATH) if self.unit.load != "not-found" else None
        self.table = KernelTable([])
        self.table.routes = [route for family in FAMILIES for route in state.routes.get(family, ())]
        self._state = state
        self.calls: list[str] = []

    @property
    def state(self) -> HostState:
        """What reading the host would give."""
        return replace(
            self._state,
            files=dict(self.files),
            sysctls=dict(self.sysctls),
            routes=routes_by_family(self.table.routes),
            unit=self.unit,
        )

    @property
    def _needs_reload(self) -> bool:
        return self.unit.load != "not-found" and self.files.get(UNIT_PATH) != self.loaded

    def set_read_only(self, **fields: object) -> None:
        """Change what no step changes: links, what is set at boot."""
        self._state = replace(self._state, **fields)

    def apply(self, changes: tuple[Change, ...]) -> None:
        """Make all changes."""
        for change in changes:
            for step in change.steps:
                self._do(step)

    def _do(self, step: Step) -> None:
        match step:
            case WriteFile(path, mode, content):
                self.files[path] = FileState(content, mode, 0, 0)
            case KeepCopy(path, copy):
                self.files.setdefault(copy, self.files[path])
            case PutBack(copy, path):
                self.files[path] = self.files.pop(copy)
            case RemoveFile(path):
                self.files.pop(path, None)
            case SetSysctl(key, value):
                if key == FORWARD and self.sysctls[key] != value:
                    # net/ipv4/devinet.c: hosts accept redirects, routers do not
                    self.sysctls[REDIRECTS] = "0" if value == "1" else "1"
                assert key in self.sysctls, key
                self.sysctls[key] = value
            case RouteCommand(do, _):
                self.table.run(do)
            case Systemctl(arguments):
                self.calls.append(" ".join(word for word in arguments if word not in ("--quiet", UNIT_NAME)))
                self._systemctl(arguments[0], arguments[1:])

    def _systemctl(self, verb: str, options: tuple[str, ...]) -> None:
        file = self.files.get(UNIT_PATH)
        if verb == "enable":
            assert file is not None
            assert file.regular, "Failed to enable unit: it is masked"
            self.unit = replace(self.unit, enabled="enabled")
            if "--no-reload" not in options:
                self._reload_daemon()
            if "--now" in options:
                self._systemctl("reload-or-restart", ())
        elif verb == "daemon-reload":
            self._reload_daemon()
        elif verb == "reload-or-restart":
            if self.unit.load == "not-found":
                self._reload_daemon()
            assert self.unit.load == "loaded", f"Unit {UNIT_NAME} is {self.unit.load}"
            assert not self._needs_reload, "the unit's file changed: run daemon-reload"
            self.unit = replace(self.unit, active="active")
        elif verb == "disable":
            if self.unit.active == "active":
                self._run_exec_stop()
            still = "failed" if self.unit.active == "failed" else "inactive"
            self.unit = replace(self.unit, enabled="disabled", active=still)
        elif verb == "reset-failed":
            self.unit = replace(self.unit, active="inactive")
        elif verb == "restart":
            assert self.unit.active == "activating", "a restart takes all routes away"
            self._systemctl("reload-or-restart", ())
        else:
            raise AssertionError(verb)

    def _reload_daemon(self) -> None:
        self.loaded = file = self.files.get(UNIT_PATH)
        if file is None:
            self.unit = ABSENT
        else:
            load, properties = ("loaded", LOADED) if file.regular else ("masked", {})
            self.unit = replace(self.unit, load=load, properties=properties)

    def _run_exec_stop(self) -> None:
        """`basic-kubernetes-routes.sh del`: what its file lists goes, where it is as it was made."""
        data = self.files.get(DATA_PATH)
        listed = [line.split() for line in data.content.splitlines()] if data is not None and data.ours else []
        ways = {(words[1], words[3], words[5]) for words in listed if words[:1] == ["route"]}
        self.table.routes = [
            route
            for route in self.table.routes
            if route.protocol != PROTOCOL or (str(route.destination), str(route.via), route.dev) not in ways
        ]
