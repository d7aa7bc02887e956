"""The ping check: pings between the workers' pod gateways, small and as large as a pod may send.

A ping that is answered shows that packets get there and back. It does not show that the right machine forwarded them,
so the routing tables are judged first; and an address of the machine itself answers also where forwarding is off.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from podroutes.addresses import Family, IPAddress, family_of
from podroutes.drift.findings import Cause, Direction, Finding, PingAnswer, new_finding
from podroutes.errors import FactsError
from podroutes.host.state import HostState
from podroutes.inventory.network_plan import NetworkPlan, Node

# Bytes of IP and ICMP headers in front of a ping's payload.
_HEADERS: Final[Mapping[Family, int]] = {4: 28, 6: 48}
_CODES: Final = {"too large": "packets-too-large", "dropped on the way": "packets-dropped"}
# Without ping, or with one that knows no -M, every ping would look like a dropped packet.
_NEED_PING: Final = (
    'case "$(ping -V 2>&1)" in *iputils*) ;; *) echo "the ping of iputils is not installed" >&2; exit 1 ;; esac'
)
_AT_ONCE: Final = 40
_SECONDS: Final = 1
_COUNT: Final = 2


class Gateway(Struct, frozen=True):
    """A worker's own address in its pod CIDR, and the MTU of the interface that has it, in bytes."""

    address: IPAddress
    mtu: int


class Ping(Struct, frozen=True):
    """A ping to another worker's gateway.

    Attributes:
        target: Name of the other worker.
        payload: Bytes of payload that fill a packet of the source's MTU.
    """

    target: str
    source_address: IPAddress
    target_address: IPAddress
    payload: int


class Answer(Struct, frozen=True):
    """What became of a ping: whether small packets, and full ones, were answered."""

    target: str
    small: bool
    full: bool


def gateways(node: Node, state: HostState) -> dict[Family, Gateway]:
    """A worker's own addresses in its pod CIDRs, by family; none where no bridge is up yet."""
    found: dict[Family, Gateway] = {}
    for link in state.links.values():
        for own in link.addresses:
            if any(own.ip in cidr for cidr in node.pod_cidrs if cidr.version == own.ip.version):
                found.setdefault(family_of(own.ip), Gateway(own.ip, link.mtu))
    return found


def plan_pings(plan: NetworkPlan, node: Node, states: Mapping[str, HostState]) -> tuple[Ping, ...]:
    """The pings from one worker to every other whose gateway is known, for each family."""
    if node.name not in states:
        return ()
    own = gateways(node, states[node.name])
    pings = []
    for other in plan.workers:
        if other.name == node.name or other.name not in states:
            continue
        for family, gateway in gateways(other, states[other.name]).items():
            if family in own:
                payload = max(own[family].mtu - _HEADERS[family], 0)
                pings.append(Ping(other.name, own[family].address, gateway.address, payload))
    return tuple(pings)


def ping_script(nonce: str, pings: Sequence[Ping]) -> str:
    """The script that sends the pings, many at once, and prints a line for each.

    Args:
        nonce: A random word that frames the lines.
        pings: At least one.

    Returns:
        POSIX shell.
    """
    ping = f'ping -n -q -c {_COUNT} -i 0.2 -W {_SECONDS} $4 -I "$2" "$3" >/dev/null 2>&1'
    answer = f'if {ping}; then echo "@{nonce} $1 yes"; else echo "@{nonce} $1 no"; fi'
    lines = ["export LC_ALL=C", _NEED_PING, f"one() {{ {answer}; }}"]
    for number, pair in enumerate(pings):
        addresses = f"{pair.source_address} {pair.target_address}"
        lines.append(f'one {number}-small {addresses} "" &')
        lines.append(f'one {number}-full {addresses} "-M do -s {pair.payload}" &')
        if (number + 1) % (_AT_ONCE // 2) == 0:
            lines.append("wait")
    lines += ["wait", f"echo '@{nonce} end -'"]
    return "\n".join(lines) + "\n"


def parse_pings(text: str, nonce: str, pings: Sequence[Ping]) -> tuple[Answer, ...]:
    """Parse what the script printed.

    Raises:
        FactsError: A line is missing.
    """
    found = dict(re.findall(rf"^@{re.escape(nonce)} (\S+) (\S+)$", text, re.MULTILINE))
    expected = {f"{number}-{size}" for number in range(len(pings)) for size in ("small", "full")} | {"end"}
    if found.keys() != expected:
        message = f"the host's answer about its pings is not whole: {len(found)} of {len(expected)} lines"
        raise FactsError(message)
    return tuple(
        Answer(ping.target, found[f"{number}-small"] == "yes", found[f"{number}-full"] == "yes")
        for number, ping in enumerate(pings)
    )


def with_pings(directions: Sequence[Direction], answers: Mapping[str, Sequence[Answer]]) -> tuple[Direction, ...]:
    """Add what the pings showed to what the routing tables say.

    Args:
        directions: By the tables.
        answers: Of each source that pinged.

    Returns:
        The directions; one that should be open and is not has the reason. A ping needs both directions: where the
        tables say that answers do not come back, one without an answer shows nothing.
    """
    open_ways = {(one.source, one.target) for one in directions if one.state == "ok"}
    checked = []
    for direction in directions:
        source, target = direction.source, direction.target
        both_open = {(source, target), (target, source)} <= open_ways
        matching = [answer for answer in answers.get(source, ()) if answer.target == target]
        checked.append(_with_answers(direction, matching, both_open=both_open) if matching else direction)
    return tuple(checked)


def _with_answers(direction: Direction, answers: Sequence[Answer], *, both_open: bool) -> Direction:
    small = all(answer.small for answer in answers)
    if small and all(answer.full for answer in answers):
        return replace(direction, ping="answered")
    ping: PingAnswer = "small packets only" if small else "no answer"
    if not both_open:
        return replace(direction, ping=ping)
    cause: Cause = "too large" if small else "dropped on the way"
    reason = "packets are dropped on the way, or the answers are, although both ends route and forward"
    if small:
        reason = f"packets as large as {direction.source}'s pods may send are dropped on the way: compare the MTUs"
    return replace(direction, ping=ping, state="cut", cause=cause, reason=reason)


def ping_findings(directions: Iterable[Direction]) -> dict[str, tuple[Finding, ...]]:
    """Findings of the directions that only a ping shows to be cut, by source."""
    findings: dict[str, tuple[Finding, ...]] = {}
    for direction in directions:
        code = _CODES.get(direction.cause)
        if code is not None:
            subject = f"{direction.source} → {direction.target}"
            finding = new_finding(code, subject, f"{subject}: {direction.reason}")
            findings[direction.source] = (*findings.get(direction.source, ()), finding)
    return findings
