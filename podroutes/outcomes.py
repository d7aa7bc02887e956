"""What became of each host, and of a whole run. A host that was asked for always has exactly one outcome."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from podroutes import exit_codes
from podroutes.drift.findings import Direction, Finding, HealedFinding, Moment
from podroutes.host.changes import Change

SCHEMA_VERSION: Final = 1


class Outcome(StrEnum):
    """What became of a host."""

    OK = "ok"
    CHANGED = "changed"
    DRIFT = "drift"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"


FAILURES: Final = frozenset({Outcome.FAILED, Outcome.UNREACHABLE, Outcome.SKIPPED})


class ChangeRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change in a report."""

    layer: str
    action: str
    subject: str
    before: str
    after: str
    reason: str

    @classmethod
    def of(cls, change: Change) -> "ChangeRecord":
        """The record of a planned or made change."""
        return cls(**{name: getattr(change, name) for name in cls.__struct_fields__})


class HostOutcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of one host."""

    host: str
    outcome: Outcome
    reason: Annotated[str, Meta(description="One line: why it is not ok; empty where it is.")] = ""
    error: Annotated[str, Meta(description="Name of the error's class; empty where there was none.")] = ""
    changes: Annotated[
        tuple[ChangeRecord, ...], Meta(description="Made; under dry_run, that would be made; where failed, attempted.")
    ] = ()
    notes: Annotated[tuple[str, ...], Meta(description="What a person should know and is no failure.")] = ()
    findings: Annotated[tuple[Finding, ...], Meta(description="What a drift check found.")] = ()
    commands: Annotated[int, Meta(description="Remote commands that were run.", ge=0)] = 0
    seconds: Annotated[float, Meta(description="Time that the host took, in seconds.", ge=0)] = 0.0


class RunReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole run."""

    schema_version: Literal[1] = SCHEMA_VERSION
    runbook: str
    dry_run: bool
    started: Moment
    seconds: Annotated[float, Meta(ge=0)]
    interrupted: bool = False
    hosts: tuple[HostOutcome, ...]
    healed: Annotated[
        tuple[HealedFinding, ...], Meta(description="Findings of earlier drift checks that are gone; with a history.")
    ] = ()
    directions: Annotated[
        tuple[Direction, ...], Meta(description="Which pods reach which, by what the hosts have; of a drift check.")
    ] = ()

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Number of hosts of each outcome, in the outcomes' order; their sum is the number of hosts asked for."""
        counter = Counter(host.outcome for host in self.hosts)
        return {outcome: counter[outcome] for outcome in Outcome}

    @property
    def checked(self) -> int:
        """Number of hosts whose state is known; the others are never clean."""
        return sum(1 for host in self.hosts if host.outcome not in FAILURES)

    @property
    def cut_count(self) -> int:
        """Number of directions in which packets do not arrive."""
        return sum(1 for direction in self.directions if direction.state == "cut")

    @property
    def exit_code(self) -> int:
        """The process's exit code: a failure outranks drift, and no hosts at all are a failure."""
        outcomes = {host.outcome for host in self.hosts}
        if self.interrupted or not outcomes or outcomes & FAILURES:
            return exit_codes.FAILED
        return exit_codes.DRIFT if Outcome.DRIFT in outcomes else exit_codes.OK


def complete(asked: Sequence[str], outcomes: Iterable[HostOutcome], *, reason: str) -> tuple[HostOutcome, ...]:
    """One outcome for each host that was asked for, in that order; the missing ones are skipped.

    Args:
        asked: Names of the hosts that were asked for.
        outcomes: What there is.
        reason: Why some are missing, for those.

    Raises:
        ValueError: An outcome is of a host that was not asked for, or a host has two.
    """
    known: dict[str, HostOutcome] = {}
    names = set(asked)
    for outcome in outcomes:
        if outcome.host not in names or outcome.host in known:
            message = f"unexpected outcome of {outcome.host}"
            raise ValueError(message)
        known[outcome.host] = outcome
    return tuple(known.get(name) or HostOutcome(host=name, outcome=Outcome.SKIPPED, reason=reason) for name in asked)
