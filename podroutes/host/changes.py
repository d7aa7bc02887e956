"""A change to a host: what differs, why it is changed, and the steps that change it."""

from typing import Literal

from msgspec import Struct

Layer = Literal["forwarding", "routes", "persist", "routes_service", "subnet", "ports"]
Action = Literal["add", "replace", "remove", "set", "write", "enable", "disable", "start", "reload", "restore"]


class WriteFile(Struct, frozen=True):
    """Write a whole file: temporary file, owner root, mode, rename.

    Attributes:
        path: Absolute path.
        mode: Permission bits.
        content: Text, ending in a newline; no secret, as the host's process list may show it while it is written.
    """

    path: str
    mode: int
    content: str


class KeepCopy(Struct, frozen=True):
    """Keep a copy of a file that was there before, with its owner and mode; never over an earlier copy."""

    path: str
    copy: str


class PutBack(Struct, frozen=True):
    """Put a kept copy back in its place, with its owner and mode."""

    copy: str
    path: str


class RemoveFile(Struct, frozen=True):
    """Remove a file, and its folder if that is empty then and is one of ours."""

    path: str


class SetSysctl(Struct, frozen=True):
    """Set a kernel parameter now; its key is one of `podroutes.host.sysctls`."""

    key: str
    value: str


class RouteCommand(Struct, frozen=True):
    """One line of an `ip -batch`, and the line that takes it back."""

    do: str
    undo: str


class Systemctl(Struct, frozen=True):
    """One call of `systemctl`."""

    arguments: tuple[str, ...]


class NetworkdFile(Struct, frozen=True):
    """Write or remove a drop-in of systemd-networkd's and have it set the interface up again; all of it or nothing.

    Attributes:
        path: Absolute path of the drop-in.
        content: Text, ending in a newline; empty to remove it, and its folder if that is empty then.
        device: The interface to wait for; empty where systemd-networkd does not use the file.
    """

    path: str
    content: str
    device: str


Step = WriteFile | KeepCopy | PutBack | RemoveFile | SetSysctl | RouteCommand | Systemctl | NetworkdFile


class Change(Struct, frozen=True):
    """One difference between what a host has and what it should have.

    Attributes:
        layer: The capability that it belongs to.
        action: What is done.
        subject: A destination, a kernel parameter, a path or a unit.
        before: What is there now; empty if nothing.
        after: What will be there; empty if nothing.
        reason: Why, in a few words.
        steps: How, in order.
        drift: Code of the drift class that it resolves; empty where it only accompanies another change.
        finding: What a check says of the present state; empty where `reason` says that.
    """

    layer: Layer
    action: Action
    subject: str
    before: str
    after: str
    reason: str
    steps: tuple[Step, ...]
    drift: str = ""
    finding: str = ""

    def __repr__(self) -> str:
        """Without its steps, which hold whole files."""
        return f"Change({self.layer!r}, {self.action!r}, {self.subject!r}, {self.before!r}, {self.after!r})"


def is_file(subject: str) -> bool:
    """Whether a change's subject is a file; its texts before and after are whole files then."""
    return subject.startswith("/")


class HostPlan(Struct, frozen=True):
    """What a host needs.

    Attributes:
        changes: In the order in which they are made.
        conflicts: What on the host contradicts the plan and is not ours to change; nothing is changed then.
        unresolved: What stays wrong although every change is made; the host has failed then, with the changes made.
        notes: What a person should know, and is no failure.
    """

    changes: tuple[Change, ...] = ()
    conflicts: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: "HostPlan") -> "HostPlan":
        """Both plans, this one's changes first."""
        return HostPlan(
            self.changes + other.changes,
            self.conflicts + other.conflicts,
            self.unresolved + other.unresolved,
            self.notes + other.notes,
        )
