import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.cloud.edge.rules import WRITES, Counted, Counts, Rule, Rules, render_counts


@pytest.mark.parametrize(
    ("rule", "request_", "matches"),
    [
        (Rule("answer"), ("network", "GET", "/v2.0/subnets"), True),
        (Rule("answer"), ("identity", "GET", "/v3"), False),
        (Rule("answer", methods=("PUT",)), ("network", "GET", "/"), False),
        (Rule("answer", methods=("PUT",)), ("network", "PUT", "/"), True),
        (Rule("answer", path="/v2.0/ports"), ("network", "GET", "/v2.0/subnets"), False),
        (Rule("answer", path="/v2.0/ports"), ("network", "GET", "/v2.0/ports/1"), True),
        (Rule("answer", count=0), ("network", "GET", "/"), False),
        (Rule("answer", count=None), ("network", "GET", "/"), True),
        (Rule("slow", service="identity", methods=WRITES), ("identity", "DELETE", "/v3"), True),
    ],
)
def test_what_a_rule_matches(rule: Rule, request_: tuple[str, str, str], matches: bool) -> None:
    assert rule.matches(*request_) is matches


@pytest.mark.parametrize("rule", [Rule("slow", seconds=0.5, count=None), Rule("lose", methods=WRITES, count=3)])
def test_a_rule_goes_through_json(rule: Rule) -> None:
    assert Rule.from_dict(json.loads(json.dumps(rule.as_dict()))) == rule


@given(counts=st.lists(st.integers(1, 4), max_size=4), more=st.integers(0, 5))
def test_each_rule_decides_about_as_many_requests_as_it_says(counts: list[int], more: int) -> None:
    rules = Rules()
    for number, count in enumerate(counts):
        rules.add(Rule("answer", status=500 + number, count=count))
    treated = [rules.treat("network", "GET", "/").rule for _ in range(sum(counts) + more)]
    expected = [500 + number for number, count in enumerate(counts) for _ in range(count)] + [None] * more
    assert [None if rule is None else rule.status for rule in treated] == expected
    assert rules.list() == []


def test_waiting_adds_up_and_goes_with_an_answer() -> None:
    rules = Rules()
    rules.add(Rule("slow", seconds=1.0, count=None))
    rules.add(Rule("slow", seconds=0.5, count=1))
    rules.add(Rule("answer", status=409, methods=WRITES))
    first = rules.treat("network", "GET", "/")
    assert (first.seconds, first.rule) == (1.5, None)
    second = rules.treat("network", "PUT", "/")
    assert second.seconds == 1.0
    assert second.rule is not None
    assert second.rule.status == 409
    assert rules.clear() == 1
    assert rules.treat("network", "PUT", "/") == (0.0, None)


def test_counts_tell_apart_and_reset() -> None:
    counts = Counts()
    for status in (200, 200, 409, None):
        counts.add("network", "PUT", "/v2.0/subnets/1", status)
    expected = [Counted("network", "PUT", "/v2.0/subnets/1", *one) for one in ((200, 2), (409, 1), (None, 1))]
    assert counts.list() == expected
    assert counts.list(reset=True) == expected
    assert counts.list() == []


def test_a_table_of_counts() -> None:
    counted = [Counted("identity", "POST", "/v3/auth/tokens", 201, 12), Counted("network", "PUT", "/", None, 1)]
    assert render_counts(counted).splitlines() == [
        "COUNT  SERVICE   METHOD  STATUS  PATH",
        "12     identity  POST    201     /v3/auth/tokens",
        "1      network   PUT     -       /",
    ]
