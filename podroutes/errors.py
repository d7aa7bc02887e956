"""Everything that can go wrong, by who has to act.

PodRoutesError
├── UsageError                the engineer: an option or a file that is not there (exit 64)
├── InventoryError            the engineer: the inventory, every problem at once (exit 64)
├── LockHeldError             wait: another run holds the lock (exit 75)
├── HostError                 one host; never stops the others
│   ├── UnreachableError      the network or the host: no answer, or the connection broke
│   │   ├── HostKeyError      the engineer: the host's key is unknown or has changed
│   │   └── AuthenticationError   the engineer: the host refused user or key
│   ├── PrivilegeError        the host's administrator: sudo refused
│   ├── RemoteTimeoutError    the host: connected, but a command did not end in time
│   ├── RemoteCommandError    the host: a command failed
│   ├── FactsError            the host's answer could not be understood
│   ├── HostConflictError     the host's administrator: something there contradicts the plan
│   └── VerificationError     applied, and a later read does not show what was expected
└── CloudError                the cloud's API
    └── CloudBusyError        it asks to be tried again: a conflict with somebody else, or no server behind it

The message of each is one line that a person can act on; the cause stays attached (`raise … from`).
"""

from collections.abc import Sequence

from msgspec import Struct


class PodRoutesError(Exception):
    """Root of all errors that this project raises on purpose."""


class UsageError(PodRoutesError):
    """The command line, or a file that it names, is wrong."""


class Problem(Struct, frozen=True, order=True):
    """One thing that is wrong in an inventory.

    Attributes:
        file: Where to fix it, as a path a person can open; empty where no file is known.
        host: The host, group or `defaults` that holds the key; empty where the whole file is meant.
        key: Dotted path of the key, `data.pod_index` say; empty where the whole host is meant.
        message: What is wrong, and what to write instead.
    """

    file: str
    host: str
    key: str
    message: str

    def __str__(self) -> str:
        """The parts that are known, as `FILE: HOST: KEY: MESSAGE`."""
        return ": ".join(part for part in (self.file, self.host, self.key, self.message) if part)


class InventoryError(PodRoutesError):
    """The inventory is wrong; carries every problem that was found.

    Args:
        problems: At least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the inventory")

    def __reduce__(self) -> tuple[type["InventoryError"], tuple[tuple[Problem, ...]]]:
        # Pickle the problems rather than the sentence that counts them.
        return (type(self), (self.problems,))


class LockHeldError(PodRoutesError):
    """Another run holds the lock."""


class HostError(PodRoutesError):
    """Something went wrong on, or on the way to, one host."""


class UnreachableError(HostError):
    """No connection could be made, or it broke before the host had answered."""


class HostKeyError(UnreachableError):
    """The host's SSH key is not known, or is another one than the known one."""


class AuthenticationError(UnreachableError):
    """The host refused the user or the key; never tried twice."""


class PrivilegeError(HostError):
    """The user may not become root without a password."""


class RemoteTimeoutError(HostError):
    """The host did not finish a command in time."""


class RemoteCommandError(HostError):
    """A command on the host failed."""


class FactsError(HostError):
    """What the host printed is not what was asked for."""


class HostConflictError(HostError):
    """What is on the host contradicts the plan, and is not ours to change."""


class VerificationError(HostError):
    """After a change, the host does not have what it should have."""


class CloudError(PodRoutesError):
    """The cloud's API refused, failed or does not hold what the inventory names."""


class CloudBusyError(CloudError):
    """The cloud's API could not do it now, and may a moment later."""
