"""Pings between the workers' pod gateways, in one remote command a worker."""

import secrets
from collections.abc import Mapping

from nornir.core.task import Result, Task

from podroutes.drift.ping import parse_pings, ping_script, plan_pings
from podroutes.errors import RemoteCommandError
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.text import last_line
from tasks.remote import run_script


def ping_pods(task: Task, plan: NetworkPlan, states: Mapping[str, HostState]) -> Result:
    """Ping from the host's pod gateway to every other worker's; changes nothing.

    Args:
        task: Nornir's task.
        plan: The cluster's network.
        states: What was read, by host.

    Returns:
        A tuple of `Answer` as result; empty where there is nothing to ping.

    Raises:
        HostError: The host can't be asked.
    """
    pings = plan_pings(plan, plan.nodes[task.host.name], states)
    if not pings:
        return Result(host=task.host, result=())
    nonce = f"ping{secrets.token_hex(8)}"
    answer = run_script(task, ping_script(nonce, pings), public=True)
    if answer.status != 0:
        reason = last_line(answer.stderr) or "it said nothing"
        message = f"pinging failed with exit status {answer.status}: {reason}"
        raise RemoteCommandError(message)
    return Result(host=task.host, result=parse_pings(answer.stdout, nonce, pings))
