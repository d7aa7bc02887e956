"""The HTML report in a real browser: it draws, says what it should, complains of nothing and loads nothing."""

import html
import itertools
import json
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from podroutes.drift.findings import Direction, DirectionState
from podroutes.drift.history import History
from podroutes.outcomes import HostOutcome
from podroutes.report.write import write_reports
from tests.unit.podroutes.report.reports import FOREIGN, MISSING, STARTED, check, drifted, ok, unreachable

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    # What the browser wants for itself goes nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
WIDTH, HEIGHT = 1100, 1900
# Requests of the browser itself, for updates say, have no page that they come from.
_NO_PAGE = "not an origin"


@dataclass(frozen=True)
class Seen:
    """What the browser made of a page.

    Attributes:
        text: Its document after it was drawn, as HTML.
        console: What it complained of.
        requests: Addresses that it asked for, but the page itself.
        screenshot: A PNG file.
    """

    text: str
    console: list[str]
    requests: list[str]
    screenshot: Path


def look_at(page: Path, folder: Path, width: int = WIDTH) -> Seen:
    """Open a page in a browser that has never run before."""
    folder.mkdir(exist_ok=True)
    chromium = shutil.which("chromium")
    assert chromium is not None, "scripts/setup.sh packages installs chromium"
    console, requests, out = [], [], ""
    for number, do in enumerate((f"--screenshot={folder / 'page.png'}", "--dump-dom")):
        log = folder / f"net-{number}.json"
        done = subprocess.run(
            [
                chromium,
                *_FLAGS,
                f"--user-data-dir={folder / f'profile-{number}'}",
                f"--window-size={width},{HEIGHT}",
                f"--log-net-log={log}",
                do,
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=200,
            check=True,
        )
        console += [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        requests += [url for url in _requests(log) if url != page.as_uri()]
        out = done.stdout
    return Seen(out, console, requests, folder / "page.png")


def _requests(log: Path) -> list[str]:
    content: dict[str, Any] = json.loads(log.read_text())
    kind = content["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    starts = [event for event in content["events"] if event["type"] == kind and "url" in event.get("params", {})]
    return [event["params"]["url"] for event in starts if event["params"].get("initiator") != _NO_PAGE]


# Measures what was drawn, and leaves it where --dump-dom shows it.
_RULER = """<script>
const cells = [...document.querySelectorAll("#matrix .cell rect")].map(one => {
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  return {state: one.parentNode.dataset.state, x: box.x, y: box.y, width: box.width, fill: style.fill};
});
const labels = [...document.querySelectorAll("#matrix > text")].map(one => {
  const box = one.getBoundingClientRect();
  return {text: one.textContent, left: box.left, top: box.top, right: box.right, bottom: box.bottom};
});
const bars = [...document.querySelectorAll("#history rect")].map(one => one.getBoundingClientRect().height);
document.documentElement.dataset.measured = JSON.stringify({
  cells, labels, bars, overflow: document.documentElement.scrollWidth - innerWidth,
  font: parseFloat(getComputedStyle(document.body).fontSize),
});
</script>"""


def measure(page: Path, folder: Path, width: int) -> dict[str, Any]:
    """Lay a page out in a window of some width, and return where things are, in pixels."""
    # The page itself forbids scripts.
    text = re.sub(r"<meta http-equiv=.Content-Security-Policy.*?>", "", page.read_text()).replace("</body>", _RULER)
    copy = folder / f"measured-{width}.html"
    copy.write_text(text)
    found = re.search('data-measured="(.*?)"', look_at(copy, folder / f"{width}", width).text)
    assert found is not None
    measured: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return measured


NODES = [f"{role}-{number}" for role in ("controller", "worker") for number in range(3)]
CUT = {("worker-0", "worker-1"), ("controller-0", "worker-0")}


def directions() -> tuple[Direction, ...]:
    found = []
    for source in NODES:
        for target in NODES[3:]:
            unknown, cut = "worker-2" in (source, target), (source, target) in CUT
            state: DirectionState = "unknown" if unknown else "cut" if cut else "ok"
            reason = "" if state == "ok" else f"{source} has no way" if cut else "worker-2 could not be read"
            if source != target:
                found.append(Direction(source=source, target=target, state=state, reason=reason))
    return tuple(found)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("browser")
    history = History(folder / "history.sqlite3")
    for number in range(30):
        host: HostOutcome = drifted("worker-0") if number in (7, 8, 29) else ok("worker-0")
        started = STARTED - timedelta(minutes=5 * (30 - number))
        history.record(check(host, *(ok(name) for name in NODES if name != "worker-0"), started=started))
    hosts = {name: ok(name) for name in NODES}
    hosts |= {"worker-0": drifted("worker-0", MISSING, FOREIGN), "worker-2": unreachable("worker-2")}
    report = history.record(check(*hosts.values(), between=directions()))
    write_reports(report, {"html": str(folder / "page.html")}, history)
    return look_at(folder / "page.html", folder)


def test_the_browser_has_nothing_to_complain_of_and_nothing_to_load(seen: Seen) -> None:
    assert seen.console == []
    assert seen.requests == []


def test_what_an_engineer_looks_for_is_there(seen: Seen) -> None:
    for text in (
        "checked 5 of 6; 1 unknown",
        "a pod CIDR has no route: 10.200.1.0/24",
        "python runbooks/provision.py --limit worker-0",
        "there since<br>2026-03-01 11:55 UTC",
        "<title>worker-0 → worker-1: cut (worker-0 has no way)</title>",
        "no answer from 10.240.0.21 within 10 s",
        "31 checks since",
    ):
        assert text in seen.text
    for state, count in (("cut", 2), ("unknown", 7), ("ok", 6), ("self", 3)):
        assert seen.text.count(f'data-state="{state}"') == count


def test_it_is_drawn(seen: Seen) -> None:
    content = seen.screenshot.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (WIDTH, HEIGHT)
    # A blank page of this size takes some 10 kB.
    assert len(content) > 60_000


@pytest.mark.parametrize("width", [1100, 500])
def test_it_is_laid_out_to_be_read(seen: Seen, tmp_path: Path, width: int) -> None:
    found = measure(seen.screenshot.parent / "page.html", tmp_path, width)
    assert found["overflow"] <= 0
    assert found["font"] >= 15
    cells, labels = found["cells"], found["labels"]
    assert len(cells) == 18
    assert len(labels) == 9
    for cell in cells:
        assert cell["width"] >= 20
    # States differ in colour, besides their marks.
    assert len({cell["fill"] for cell in cells}) == len({cell["state"] for cell in cells}) == 4
    rows = {round(cell["y"] / 26) for cell in cells}
    columns = {round(cell["x"] / 26) for cell in cells}
    assert (len(rows), len(columns)) == (6, 3)
    # Names are neither cut off nor on top of cells or of each other.
    first_x, first_y = min(cell["x"] for cell in cells), min(cell["y"] for cell in cells)
    for label in labels:
        assert label["left"] >= 0
        assert label["right"] <= first_x or label["bottom"] <= first_y
    for one, other in itertools.combinations(labels, 2):
        apart = one["right"] <= other["left"] or other["right"] <= one["left"]
        assert apart or one["bottom"] <= other["top"] + 2 or other["bottom"] <= one["top"] + 2
    assert len(found["bars"]) == 31
    assert len(set(map(round, found["bars"]))) == 3


class _Silent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Silent) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/picture.png"
        http.shutdown()


def test_a_page_that_complains_and_loads_would_be_noticed(tmp_path: Path, server: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><title>x</title><img src='{server}'><script>console.error('complaint')</script>")
    seen = look_at(page, tmp_path)
    assert seen.requests.count(server) >= 1
    assert any("complaint" in line for line in seen.console)
