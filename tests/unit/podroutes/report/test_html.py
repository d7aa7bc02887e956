import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from podroutes.drift.findings import HealedFinding, new_finding
from podroutes.drift.history import History
from podroutes.outcomes import RunReport
from podroutes.report.html import render
from podroutes.report.write import Past
from tests.unit.podroutes.report.reports import (
    FOREIGN,
    MISSING,
    STARTED,
    changed,
    check,
    directions,
    drifted,
    failed,
    fixed,
    ok,
    skipped,
    unreachable,
)

VOID = {"meta", "link", "br", "img", "input", "hr"}
CLOSED_IN_PLACE = {"rect", "path"}


class Page(HTMLParser):
    """A page as a reader has it; refuses elements that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.states: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if state := dict(attrs).get("data-state"):
            self.states.append(state)
        if tag not in VOID | CLOSED_IN_PLACE:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in CLOSED_IN_PLACE, f"<{tag}/> is no end in HTML"
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        # The strip's bars hold a title.
        if tag not in CLOSED_IN_PLACE:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(report: RunReport, history: History | None = None) -> Page:
    return Page(render(report, Past(history)))


def test_it_says_what_differs_where_since_when_and_what_fixes_it() -> None:
    since = replace(MISSING, state="persisting", since=STARTED - timedelta(hours=2))
    cut = directions(("worker-0", "worker-1"), unknown=["controller-0"])
    gone = HealedFinding(host="worker-1", code="unit-disabled", subject="routes.service", since=STARTED)
    report = check(unreachable("controller-0"), drifted("worker-0", since), ok("worker-1"), between=cut, healed=(gone,))
    found = page(report)
    for text in (
        "Incomplete, and drift was found",
        "checked 2 of 3; 1 unknown; 1 finding on 1 host; 1 direction cut",
        MISSING.message,
        "layer: kernel",
        "there since 2026-03-01 10:00 UTC",
        MISSING.expected,
        MISSING.drift_class.breaks,
        "python runbooks/provision.py --limit worker-0",
        "unreachable no answer from",
        "worker-0 → worker-1 : worker-0 has no way to worker-1",
        "Up to date worker-1",
        "Resolved since the last check worker-1 : unit-disabled routes.service",
    ):
        assert text in found.text
    assert sorted(found.states) == ["cut", "ok", "self", "self", "unknown", "unknown"]


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (check(ok("a"), ok("b", FOREIGN)), "Everything is up to date"),
        (check(ok("a"), drifted("b")), "Drift was found"),
        (check(ok("a"), skipped("b")), "Incomplete"),
        (check(failed("a"), drifted("b")), "Incomplete, and drift was found"),
        (check(ok("a"), interrupted=True), "Incomplete"),
        (check(), "No host was checked"),
        (fixed(changed("a", MISSING)), "Up to date, after changes"),
    ],
)
def test_the_verdict(report: RunReport, verdict: str) -> None:
    assert re.search(r'<span class="badge \w+">(.*?)</span>\n</header>', render(report, Past())).group(1) == verdict  # type: ignore[union-attr]  # None fails the test
    assert page(report).text.startswith(verdict)


def test_it_says_whether_pings_verified_it() -> None:
    pinged = [replace(one, ping="answered") for one in directions()]
    found = page(check(ok("worker-0"), between=tuple(pinged)))
    assert "Judged by the hosts' routes and settings, and by pings between pod gateways." in found.text
    assert "worker-0 → worker-1: ok; ping: answered" in found.text
    assert "Judged by the hosts' routes and settings. From" in page(check(ok("worker-0"), between=directions())).text


def test_a_check_that_fixed_shows_its_changes() -> None:
    found = page(fixed(changed("a", MISSING), ok("b")))
    assert "changed add 10.200.1.0/24 (routes: missing)" in found.text
    assert "route-missing fixed layer: kernel" in found.text


def test_past_runs_and_what_an_unknown_host_had_come_from_the_history(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    history.record(check(drifted("a"), ok("b"), started=STARTED - timedelta(minutes=10)))
    history.record(check(ok("b"), started=STARTED - timedelta(minutes=5)))
    report = history.record(check(unreachable("a"), ok("b")))
    text = render(report, Past(history))
    assert re.findall(
        r'<rect class="bar-(\w+)" x="[\d.]+" y="[\d.]+" width="[\d.]+" height="([\d.]+)" rx="1.5"><t', text
    ) == [
        ("drift", "18.5"),
        ("ok", "8.5"),
        ("incomplete", "28.5"),
    ]
    assert "3 checks since 2026-03-01 11:50 UTC" in Page(text).text
    assert "last known, not checked now route-missing 10.200.1.0/24, since 2026-03-01 11:50 UTC" in Page(text).text


def test_text_from_hosts_stays_text() -> None:
    evil = '<script>alert(1)</script>" onload="x\' {{ 7 * 7 }} `</code><b>` \ud800'
    finding = new_finding("route-missing", evil, evil, expected=evil, found=evil)
    host = replace(drifted(evil, finding), reason=evil, notes=(evil,))
    bad = replace(unreachable(evil + "2"), reason=evil)
    direction = replace(directions(("worker-0", "worker-1"))[0], state="cut", source=evil, reason=evil)
    found = page(check(host, bad, between=(direction,)))
    assert "script" not in found.tags
    assert "b" not in found.tags
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in found.text
    assert "{{ 7 * 7 }}" in found.text


def test_it_loads_nothing() -> None:
    found = page(check(drifted("a"), between=directions()))
    assert not {"script", "img", "iframe", "object", "embed", "base", "form"} & set(found.tags)
    links = [value for name, value in found.attributes if name in ("src", "href", "srcset", "data", "action")]
    assert links == ["data:,"]
    assert not any("url(" in value or "://" in value for _, value in found.attributes)
    style = render(check(), Past()).partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
