"""Applying a plan: all changes of a host in one remote command, which reads the host again at its end."""

import secrets
from collections.abc import Sequence

from msgspec import Struct
from nornir.core.task import Result, Task

from podroutes.errors import HostConflictError, RemoteCommandError
from podroutes.host.change_script import LOCKED_STATUS, NOTE, apply_script
from podroutes.host.changes import Change
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.text import last_line
from tasks.facts import Reading
from tasks.remote import run_script


class ApplyResult(Struct, frozen=True):
    """What became of changes that were all made.

    Attributes:
        state: What was read after them.
        notes: What their commands had to say.
    """

    state: HostState
    notes: tuple[str, ...] = ()


def apply_changes(task: Task, plan: NetworkPlan, changes: Sequence[Change]) -> Result:
    """Make changes on the host, then read it.

    Args:
        task: Nornir's task.
        plan: The cluster's network, which the host is a node of.
        changes: At least one, in the order in which to make them.

    Returns:
        The `ApplyResult` as result.

    Raises:
        HostError: The host can't be reached, or a change failed; the message says which.
    """
    nonce = f"apply{secrets.token_hex(8)}"
    reading = Reading(nonce, plan, plan.nodes[task.host.name])
    answer = run_script(task, apply_script(nonce, changes, reading.script), public=True)
    said, status = _what_was_said(answer.stdout, nonce)
    if status is None:
        reason = last_line(answer.stderr) or "it said nothing"
        message = f"the changes did not end (exit status {answer.status}): {reason}"
        raise RemoteCommandError(message)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if status == LOCKED_STATUS and not lines:
        message = "another run is changing this host; nothing was changed"
        raise HostConflictError(message)
    if status != 0:
        message = f"a change failed: {_what_failed(lines)}"
        raise RemoteCommandError(message)
    notes = tuple(line.removeprefix(NOTE) for line in lines if line.startswith(NOTE))
    return Result(host=task.host, result=ApplyResult(reading.state_from(answer.stdout), notes), changed=True)


def _what_was_said(answer: str, nonce: str) -> tuple[str, int | None]:
    """What the steps said and their exit status; no status if the answer ends before it."""
    # An answer is long, and this a small part of it.
    begins, ends = f"@{nonce} apply\n", f"\n@{nonce} status\n"
    start, end = answer.find(begins), answer.find(ends)
    if start < 0 or end < 0:
        return "", None
    status, newline, _ = answer[end + len(ends) : end + len(ends) + len("255\n")].partition("\n")
    return answer[start + len(begins) : end], int(status) if newline and status.isdecimal() else None


def _what_failed(lines: list[str]) -> str:
    """The step that was under way, and what its command said."""
    steps = [number for number, line in enumerate(lines) if line.startswith("> ")]
    if not steps:
        return last_line("\n".join(lines)) or "it said nothing"
    words = "; ".join(lines[steps[-1] + 1 :]) or "it said nothing"
    return f"{lines[steps[-1]][2:]}: {words}"
