"""Facts: everything about a host that planning needs, in one remote command."""

import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from msgspec import Struct
from nornir.core.task import MultiResult, Result, Task

from podroutes.errors import RemoteCommandError
from podroutes.host.facts import digest, facts_script, parse_facts
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node
from podroutes.plan.forwarding import expected_contents
from podroutes.text import last_line
from tasks.remote import run_script
from tasks.service_files import load_service_files


def known_contents(plan: NetworkPlan) -> Mapping[str, str]:
    """Contents of files that are the same on most hosts, by digest: they need not be sent back."""
    return _by_digest(expected_contents(plan))


@lru_cache(8)
def _by_digest(contents: tuple[str, ...]) -> Mapping[str, str]:
    files = load_service_files()
    return {digest(content): content for content in (files.script, files.unit, *contents)}


class Reading(Struct, frozen=True):
    """One reading of one host of the cluster; it also asks the kernel for the way to each pod CIDR.

    Attributes:
        nonce: A random word, new for each reading.
        plan: The cluster's network.
        node: The host.
        known: Contents of files that it need not send, by digest.
        route_text: Whether to read `ip route` as people do, too.
    """

    nonce: str
    plan: NetworkPlan
    node: Node
    known: Mapping[str, str]
    route_text: bool = False

    @property
    def script(self) -> str:
        """What the host has to run."""
        lookups = self.plan.lookup_commands_for(self.node)
        families = self.plan.families
        return facts_script(
            self.nonce, families=families, lookups=lookups, known=self.known, route_text=self.route_text
        )

    def state_from(self, answer: str) -> HostState:
        """What that script printed, typed.

        Raises:
            FactsError: It is not that.
        """
        families = self.plan.families
        return parse_facts(answer, self.nonce, families=families, known=self.known, route_text=self.route_text)


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
    reading = Reading(nonce, plan, plan.nodes[task.host.name], known_contents(plan), route_text)
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
