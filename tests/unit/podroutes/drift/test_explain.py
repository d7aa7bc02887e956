from pathlib import Path

import pytest

from podroutes.drift.classes import DRIFT_CLASSES
from podroutes.drift.explain import explain, main, render_pages
from podroutes.errors import UsageError

DOCS = Path(__file__).resolve().parents[4] / "docs" / "drift"


def test_the_documentation_is_what_the_table_makes() -> None:
    assert {path.name: path.read_text() for path in DOCS.iterdir()} == render_pages(), (
        "renew with: python -m podroutes.drift.explain docs/drift"
    )


@pytest.mark.parametrize("code", DRIFT_CLASSES)
def test_a_page_says_all_that_the_table_does(code: str) -> None:
    one = DRIFT_CLASSES[code]
    page = explain(code)
    assert all(len(line) <= 80 for line in page.splitlines())
    text = " ".join(page.split())
    for part in (code, one.title, one.layer, one.breaks, one.fix, one.detail):
        assert part in text
        assert part in render_pages()[f"{code}.md"] or part == one.title
    assert f"[{code}]({code}.md)" in render_pages()["README.md"]


@pytest.mark.parametrize(
    ("code", "severity"),
    [("foreign-route", "ok"), ("route-missing", "ends with 2"), ("host-unreachable", "ends with 1")],
)
def test_a_page_says_how_the_check_ends(code: str, severity: str) -> None:
    assert severity in explain(code)


def test_an_unknown_code_is_told_with_close_ones() -> None:
    with pytest.raises(UsageError, match=r"no code 'route-mising'; did you mean route-missing\?"):
        explain("route-mising")
    with pytest.raises(UsageError, match=r"no code ''; there are: address-pair-missing.*unit-without-routes"):
        explain("")


def test_pages_of_codes_that_are_no_more_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old-code.md").touch()
    assert main([str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == render_pages().keys()
    assert main([]) == 64
    assert "usage" in capsys.readouterr().err
