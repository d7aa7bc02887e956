"""The table of formats: what it says is what its modules have and what the docs say."""

import re
from pathlib import Path

import pytest

from podroutes.report import formats
from podroutes.report.write import Past
from tests.unit.podroutes.report.reports import check, drifted

DOCS = Path(__file__).resolve().parents[4] / "docs"
TABLE = formats.FORMATS


@pytest.mark.parametrize("one", TABLE, ids=lambda one: str(one.name))
def test_every_format_renders_a_report(one: formats.ReportFormat) -> None:
    module = one.load()
    report = check(drifted("worker-0"))
    text = module.render(report, Past())
    assert "worker-0" in text
    assert text.endswith("\n")
    if one.has_exit_codes:
        assert module.exit_code(report) != 0
        code, message = module.render_error("the reason")
        assert code != 0
        assert message.endswith("the reason\n")


def test_names_and_files_are_not_used_twice() -> None:
    assert len({one.name for one in TABLE}) == len(TABLE)
    files = [one.file_name for one in TABLE if one.file_name]
    assert len(set(files)) == len(files)


def test_the_docs_have_every_format() -> None:
    """`docs/how-a-run-works.md` has a row for each format, `docs/schedule.md` one for each file of a schedule."""
    text = (DOCS / "how-a-run-works.md").read_text()
    rows = re.findall(r"^\| `--(?:exit-style )?([a-z-]+)[^|]*\| ([^|]+) \|", text, re.MULTILINE)
    assert rows == [(one.name, one.help) for one in TABLE]
    text = (DOCS / "schedule.md").read_text()
    assert {one.file_name for one in TABLE if one.file_name} <= set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
