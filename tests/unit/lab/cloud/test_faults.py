from types import SimpleNamespace
from typing import Any

import pytest

from lab.cloud.edge.rules import WRITES, Rule
from lab.cloud.faults import FAULTS
from lab.errors import LabError
from lab.fault import find_fault


class _Control:
    """Keeps the commands that the edge would get."""

    def __init__(self) -> None:
        self.sent: list[Rule | str] = []

    def add(self, rule: Rule) -> None:
        self.sent.append(rule)

    def stop(self, service: str) -> None:
        self.sent.append(service)


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (["api-500"], Rule("answer", status=500)),
        (["api-500", "3", "get"], Rule("answer", status=500, count=3, methods=("GET",))),
        (["api-503", "2"], Rule("answer", status=503, count=2)),
        (["api-409"], Rule("answer", status=409, methods=WRITES)),
        (["api-412", "1", "PUT"], Rule("answer", status=412, methods=("PUT",))),
        (["answer-lost", "2"], Rule("lose", methods=WRITES, count=2)),
        (["api-slow"], Rule("slow", seconds=5.0, count=None)),
        (["api-slow", "0.5", "identity"], Rule("slow", service="identity", seconds=0.5, count=None)),
        (["api-stopped"], "network"),
        (["api-stopped", "identity"], "identity"),
    ],
)
def test_what_is_sent_to_the_edge(words: list[str], sent: Rule | str) -> None:
    control = _Control()
    cloud: Any = SimpleNamespace(control=control)
    assert "\n" not in find_fault(FAULTS, words[0], len(words) - 1).make(cloud, *words[1:])
    assert control.sent == [sent]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["api-500", "none"], "'none' is no number of requests"),
        (["api-500", "-1"], "'-1' is no number of requests"),
        (["api-500", "²"], "is no number of requests"),
        (["api-slow", "nan"], "'nan' is no number of seconds"),
        (["api-slow", "-1"], "'-1' is no number of seconds"),
        (["api-stopped", "compute"], "there is no API 'compute': network or identity"),
        (["role-revoked", "admin"], "role-revoked takes `member` or `all`"),
        (["token-expired", "now"], "too many arguments: token-expired"),
        (["fire"], "there is no fault 'fire': host-route-removed, "),
    ],
)
def test_wrong_words_are_refused_before_anything_is_done(words: list[str], said: str) -> None:
    cloud: Any = SimpleNamespace(control=_Control())
    with pytest.raises(LabError, match=said):
        find_fault(FAULTS, words[0], len(words) - 1).make(cloud, *words[1:])
    assert cloud.control.sent == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["api-500"], "the next request with 500"),
        (["api-500", "2"], "the next 2 requests with 500"),
        (["api-409"], "the next change with 409"),
        (["answer-lost", "3", "PUT"], "the next 3 PUT and hang up"),
    ],
)
def test_what_was_done_is_a_sentence(words: list[str], said: str) -> None:
    cloud: Any = SimpleNamespace(control=_Control())
    assert said in find_fault(FAULTS, words[0], len(words) - 1).make(cloud, *words[1:])


def test_names_are_unique_and_explained() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.explanation != "" for fault in FAULTS)
