"""Facts: everything about a host that planning needs, in one remote command."""

import hashlib
import secrets
from typing import cast

from msgspec import Struct
from nornir.core.task import MultiResult, Result, Task

from podroutes.errors import RemoteCommandError
from podroutes.host.parse_facts import parse_facts
from podroutes.host.reading_script import reading_script
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.text import last_line
from tasks.remote import run_script
from tasks.service_files import load_service_files


class Reading(Struct, frozen=True):
    """One reading of one host of the cluster; it also asks the kernel for the way to each pod CIDR.

    Attributes:
        nonce: A random word, new for each reading.
        plan: The cluster's network.
        node: The host.
        route_text: Whether to read `ip route` as people do, too.
    """

    nonce: str
    plan: NetworkPlan
    node: Node
    route_text: bool = False

    @property
    def script(self) -> str:
        """What the host has to run."""
        return reading_script(
            self.nonce,
            families=self.plan.families,
            lookups=self.plan.lookup_commands_for(self.node),
            known=known_contents(),
            route_text=self.route_text,
        )

    def state_from(self, answer: str) -> HostState:
        """What that script printed, typed.

        Raises:
            FactsError: It is not that.
        """
        return parse_facts(
            answer,
            self.nonce,
            families=self.plan.families,
            known=known_contents(),
            route_text=self.route_text,
        )


def known_contents() -> dict[str, str]:
    """Contents that are the same on every host, by digest; sent, they would take a far host a round trip more."""
    files = load_service_files()
    return {hashlib.sha256(content.encode()).hexdigest(): content for content in (files.script, files.unit)}


def collect_facts(task: Task, plan: NetworkPlan, *, route_text: bool = False) -> Result:
    """Read the host's state; changes nothing.

    Args:
        task: Nornir's task.
        plan: The cluster's network, which the host is a node of.
        route_text: Whether to read `ip route` as people do, too.

    Returns:
        The `HostState` as result.

    Raises:
        HostError: The host can't be read.
    """
    nonce = f"facts{secrets.token_hex(8)}"
    reading = Reading(nonce, plan, plan.nodes[task.host.name], route_text)
    answer = run_script(task, reading.script, public=True)
    if answer.status != 0:
        reason = last_line(answer.stderr) or "it said nothing"
        message = f"reading the host failed with exit status {answer.status}: {reason}"
        raise RemoteCommandError(message)
    return Result(host=task.host, result=reading.state_from(answer.stdout))


def take_state(results: MultiResult) -> HostState:
    """What a subtask read of its host; a line stays in its place, which is what `-v` shows, and takes no memory.

    Args:
        results: The subtask's, whose first result is a `HostState`.
    """
    state = cast("HostState", results[0].result)
    count = sum(len(routes) for routes in state.routes.values())
    results[0].result = f"read: {state.host_name}, {count} routes, {len(state.links)} interfaces"
    return state
