"""Facts: everything about a host that planning needs, in one remote command."""

import secrets

from nornir.core.task import Result, Task

from podroutes.errors import RemoteCommandError
from podroutes.facts import facts_script, parse_facts
from podroutes.network_plan import NetworkPlan, Node
from tasks.remote import run_script


def facts_script_for(nonce: str, plan: NetworkPlan, node: Node) -> str:
    """The script that reads one host of the cluster; it also asks the kernel for the way to each pod CIDR."""
    return facts_script(nonce, families=plan.families, probes=[route.probe for route in plan.routes_for(node)])


def collect_facts(task: Task, plan: NetworkPlan) -> Result:
    """Read the host's state; changes nothing.

    Args:
        task: Nornir's task.
        plan: The cluster's network, which the host is a node of.

    Returns:
        The `HostState` as result.

    Raises:
        HostError: The host can't be read.
    """
    nonce = f"facts{secrets.token_hex(8)}"
    answer = run_script(task, facts_script_for(nonce, plan, plan.nodes[task.host.name]))
    if answer.status != 0:
        message = f"reading the host failed with exit status {answer.status}: {last_line(answer.stderr)}"
        raise RemoteCommandError(message)
    return Result(host=task.host, result=parse_facts(answer.stdout, nonce, families=plan.families))


def last_line(text: str) -> str:
    """The last line that is not empty."""
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"
