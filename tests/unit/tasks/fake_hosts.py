"""Hosts behind Nornir without a network: a simulated one that obeys, and answers that go wrong the way a test needs."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec.structs import replace
from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.inventory import ConnectionOptions, Defaults, Group, Groups, Host, Hosts, Inventory, ParentGroups
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.state import GlobalState
from nornir.plugins.runners import SerialRunner

from podroutes.addresses import contains, parse_address
from podroutes.host.changes import Change
from podroutes.host.routes import Lookup
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.script_runner import ScriptResult
from tests.unit.podroutes.plan.simulated_host import SimulatedHost
from tests.unit.podroutes.rendering import render_facts

CONNECTION: Final = "fake_host"


@dataclass
class FakeHost:
    """A connection to a simulated host, as `podroutes.script_runner.ScriptRunner` says.

    Attributes:
        host: The simulated host.
        plan: Whose families it is asked about.
        said: What the commands of an applied script say.
        status: With which status they end; the changes are made only with 0.
        answer: Answers instead, if given; gets the script and what would have been answered.
    """

    host: SimulatedHost
    plan: NetworkPlan
    said: str = ""
    status: int = 0
    answer: Callable[[str, ScriptResult], ScriptResult] | None = None
    scripts: list[str] = field(default_factory=list)
    pending: Sequence[Change] = ()

    def run_script(self, script: str, *, timeout: float, public: bool = False) -> ScriptResult:
        """Answer as the real script would."""
        assert timeout > 0
        self.scripts.append(script)
        match = re.search(r"^nonce=(\w+)$", script, re.MULTILINE)
        assert match is not None
        nonce, text = match[1], ""
        if nonce.startswith("apply"):
            if self.status == 0:
                self.host.apply(tuple(self.pending))
            text = f"\n@{nonce} apply\n{self.said}\n@{nonce} status\n{self.status}\n"
        probes = re.findall(r"route get ([0-9a-f.:]+)", script)
        state = replace(self.host.state, lookups=dict(self._lookups(probes)))
        result = ScriptResult(0, text + render_facts(state, nonce, self.plan.families), "")
        return result if self.answer is None else self.answer(script, result)

    def _lookups(self, probes: Iterable[str]) -> Iterable[tuple[Any, Lookup]]:
        for probe in map(parse_address, probes):
            ways = [route for route in self.host.table.routes if contains(route.destination, probe)]
            best = max((route.destination.prefixlen for route in ways), default=-1)
            for route in ways:
                if route.destination.prefixlen == best and route.via is not None:
                    yield probe, Lookup(probe, route.via, route.dev)
                    break


class FakeConnection:
    """The connection plugin; the host's data holds the connection, or an error to raise."""

    connection: FakeHost

    def open(  # noqa: PLR0917  # Nornir's signature
        self,
        hostname: str | None,
        username: str | None,
        password: str | None,
        port: int | None,
        platform: str | None,
        extras: dict[str, Any] | None = None,
        configuration: Config | None = None,
    ) -> None:
        fake = (extras or {})["fake"]
        if isinstance(fake, Exception):
            raise fake
        self.connection = fake

    def close(self) -> None:
        pass


def nornir_with(hosts: dict[str, FakeHost | Exception], *, dry_run: bool = False) -> Nornir:
    """Nornir over fake hosts, one after another."""
    ConnectionPluginRegister.register(CONNECTION, FakeConnection)
    defaults = Defaults()
    inventory = Hosts()
    for name, fake in hosts.items():
        inventory[name] = Host(
            name=name,
            hostname=name,
            groups=ParentGroups(),
            data={"connection": CONNECTION},
            connection_options={CONNECTION: ConnectionOptions(extras={"fake": fake})},
            defaults=defaults,
        )
    return Nornir(
        inventory=Inventory(hosts=inventory, groups=Groups({"all": Group(name="all")}), defaults=defaults),
        config=Config(),
        data=GlobalState(dry_run=dry_run),
        runner=SerialRunner(),
    )
