"""The rules of the edge for requests, as plain data and a little state."""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from lab.table import render_table

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Rule:
    """Something that happens to requests that match.

    Attributes:
        action: `slow` waits before it goes on, `answer` answers in place of the service, `lose` passes the request on
            and hangs up instead of answering.
        service: `identity` or `network`.
        methods: Of the requests; empty for all.
        path: What the request's path starts with.
        seconds: How long `slow` waits.
        status: What `answer` answers.
        count: How many requests it still happens to; None for all until it is cleared.
    """

    action: str
    service: str = "network"
    methods: tuple[str, ...] = ()
    path: str = "/"
    seconds: float = 0.0
    status: int = 500
    count: int | None = 1

    def matches(self, service: str, method: str, path: str) -> bool:
        """Whether it happens to a request.

        Args:
            service: Which it is for.
            method: `GET`, say.
            path: Without query.
        """
        return (
            self.service == service
            and (not self.methods or method in self.methods)
            and path.startswith(self.path)
            and (self.count is None or self.count > 0)
        )

    def __str__(self) -> str:
        does = {
            "slow": f"{self.seconds:g} s later",
            "answer": f"answered with {self.status}",
            "lose": "done, and the answer lost",
        }
        which = " or ".join(self.methods) if self.methods else "every request"
        below = "" if self.path == "/" else f" below {self.path}"
        left = "until repaired" if self.count is None else f"{self.count} to go"
        return f"{self.service}: {which}{below} is {does[self.action]} ({left})"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Rule":
        """The opposite of `as_dict`, also after a way through JSON.

        Args:
            values: Plain values.
        """
        return cls(**(values | {"methods": tuple(values.get("methods", ()))}))


class Treatment(NamedTuple):
    """The treatment of one request.

    Attributes:
        seconds: How long to wait first.
        rule: The rule that decides about the answer; None to pass the request on.
    """

    seconds: float
    rule: Rule | None


class Rules:
    """The rules in force. May be used by many threads."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(self, rule: Rule) -> None:
        """Add a rule.

        Args:
            rule: The rule.
        """
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> int:
        """Remove all rules.

        Returns:
            How many rules were still in force.
        """
        with self._lock:
            cleared = len(self._rules)
            self._rules = []
        return cleared

    def list(self) -> list[Rule]:
        """The rules in force."""
        with self._lock:
            return list(self._rules)

    def treat(self, service: str, method: str, path: str) -> Treatment:
        """Decide about a request; it uses up one of the counts of each rule that applies.

        Args:
            service: Which it is for.
            method: `GET`, say.
            path: Without query.
        """
        seconds, decides = 0.0, None
        with self._lock:
            for number, rule in enumerate(self._rules):
                if not rule.matches(service, method, path) or (rule.action != "slow" and decides is not None):
                    continue
                if rule.action == "slow":
                    seconds += rule.seconds
                else:
                    decides = rule
                if rule.count is not None:
                    self._rules[number] = replace(rule, count=rule.count - 1)
            self._rules = [rule for rule in self._rules if rule.count != 0]
        return Treatment(seconds, decides)


@dataclass(frozen=True)
class Counted:
    """Requests that are alike, and how many there were.

    Attributes:
        service: `identity` or `network`.
        method: `GET`, say.
        path: Without query.
        status: What the client was answered; None if it was not.
        count: How many.
    """

    service: str
    method: str
    path: str
    status: int | None
    count: int


class Counts:
    """Counters of requests. May be used by many threads."""

    def __init__(self) -> None:
        self._counter: Counter[tuple[str, str, str, int | None]] = Counter()
        self._lock = threading.Lock()

    def add(self, service: str, method: str, path: str, status: int | None) -> None:
        """Count a request.

        Args:
            service: Which it was for.
            method: `GET`, say.
            path: Without query.
            status: What the client was answered; None if it was not.
        """
        with self._lock:
            self._counter[service, method, path, status] += 1

    def list(self, *, reset: bool = False) -> list[Counted]:
        """The requests so far, in the order in which each was first seen.

        Args:
            reset: Whether to count from zero from now on.
        """
        with self._lock:
            counted = [Counted(*key, count) for key, count in self._counter.items()]
            if reset:
                self._counter.clear()
        return counted


def render_counts(counted: Iterable[Counted]) -> str:
    """A table of requests, one line each.

    Args:
        counted: The requests.
    """
    rows = [("COUNT", "SERVICE", "METHOD", "STATUS", "PATH")]
    rows += [
        (str(one.count), one.service, one.method, "-" if one.status is None else str(one.status), one.path)
        for one in counted
    ]
    return render_table(rows)
