"""What a drift check found on a host, as reports tell it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from podroutes.drift_classes import DRIFT_CLASSES, DriftClass

FindingState = Literal["new", "persisting"]
DirectionState = Literal["ok", "cut", "unknown"]
Cause = Literal["", "no route", "no carrier", "forwarding off", "own pods hijacked", "too large", "dropped on the way"]
PingAnswer = Literal["", "answered", "small packets only", "no answer"]


class Finding(BaseModel):
    """One difference between what a host has and what it should have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, Field(description="Of the table of drift classes.")]
    layer: Annotated[Literal["kernel", "persisted", "cloud", "host"], Field(description="Where the difference is.")]
    subject: Annotated[str, Field(description="A destination, a path, a unit, a kernel parameter, a port.")]
    expected: Annotated[str, Field(description="What should be there; empty if nothing.")] = ""
    found: Annotated[str, Field(description="What is there; empty if nothing.")] = ""
    message: Annotated[str, Field(description="One line for a person.")]
    state: Annotated[FindingState | None, Field(description="Against earlier checks; null without a history.")] = None
    since: Annotated[datetime | None, Field(description="When a check found it first; null without a history.")] = None

    @property
    def drift_class(self) -> DriftClass:
        """Its class, which says what it breaks and what mends it."""
        return DRIFT_CLASSES[self.code]

    @property
    def is_drift(self) -> bool:
        """Whether the host has drifted; a notice is told and leaves it ok."""
        return self.drift_class.severity == "drift"

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same finding in another check of the same host."""
        return (self.code, self.subject)


def new_finding(code: str, subject: str, message: str, *, expected: str = "", found: str = "") -> Finding:
    """A finding of a class of the table.

    Raises:
        KeyError: There is no such class.
    """
    layer = DRIFT_CLASSES[code].layer
    return Finding(code=code, layer=layer, subject=subject, expected=expected, found=found, message=message)


class HealedFinding(BaseModel):
    """A finding of an earlier check that this one no longer has."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    host: str
    code: str
    subject: str
    since: datetime


# Nobody changes one; but frozen, it would take five times as long to make.
@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Direction:
    """Whether packets from one node's pods, or from the node, get to another's pods, by what the hosts have.

    There is one for each pair of nodes, so it is no model: those take ten times the memory.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    source: str
    target: str
    state: DirectionState
    reason: Annotated[str, Field(description="Why it is cut or not known; empty where it is ok.")] = ""
    cause: Annotated[
        Cause,
        Field(description="What cuts it; empty where it is not cut."),
    ] = ""
    ping: Annotated[
        PingAnswer,
        Field(description="What a ping between the pod gateways showed; empty where none was sent."),
    ] = ""
