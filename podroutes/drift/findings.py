"""What a drift check found on a host, as reports show it."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from podroutes.drift.classes import DRIFT_CLASSES, DriftClass

Moment = Annotated[datetime, Meta(tz=True)]
FindingState = Literal["new", "persisting"]
DirectionState = Literal["ok", "cut", "unknown"]
Cause = Literal["", "no route", "no carrier", "forwarding off", "own pods hijacked", "too large", "dropped on the way"]
PingAnswer = Literal["", "answered", "small packets only", "no answer"]


class Finding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One difference between what a host has and what it should have."""

    code: Annotated[str, Meta(description="Of the table of drift classes.")]
    layer: Annotated[Literal["kernel", "persisted", "cloud", "host"], Meta(description="Where the difference is.")]
    subject: Annotated[str, Meta(description="A destination, a path, a unit, a kernel parameter, a port.")]
    expected: Annotated[str, Meta(description="What should be there; empty if nothing.")] = ""
    found: Annotated[str, Meta(description="What is there; empty if nothing.")] = ""
    message: Annotated[str, Meta(description="One line for a person.")]
    state: Annotated[FindingState | None, Meta(description="Against earlier checks; null without a history.")] = None
    since: Annotated[Moment | None, Meta(description="When a check found it first; null without a history.")] = None

    @property
    def drift_class(self) -> DriftClass:
        """Its class, which says what it breaks and what fixes it."""
        return DRIFT_CLASSES[self.code]

    @property
    def is_drift(self) -> bool:
        """Whether the host has drifted; a notice is reported and leaves it ok."""
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


class HealedFinding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding of an earlier check that this one no longer has."""

    host: str
    code: str
    subject: str
    since: Moment


class Direction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether packets from one node's pods, or from the node, get to another's pods, by what the hosts have."""

    source: str
    target: str
    state: DirectionState
    reason: Annotated[str, Meta(description="Why it is cut or not known; empty where it is ok.")] = ""
    cause: Annotated[Cause, Meta(description="What cuts it; empty where it is not cut.")] = ""
    ping: Annotated[
        PingAnswer, Meta(description="What a ping between the pod gateways showed; empty if none was sent.")
    ] = ""
