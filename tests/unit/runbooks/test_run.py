"""Reports of a run: a format that is in the table has its option and its file, and nothing else knows of it."""

import argparse
from pathlib import Path

import pytest

from podroutes.report import formats
from podroutes.report.formats import ReportFormat
from runbooks._cli import Options, new_parser, run_main
from runbooks._run import finish
from tests.unit.podroutes.report.reports import changed, provisioning

MADE_UP = '''
def render(report, past):
    """The names of the hosts."""
    return " ".join(host.host for host in report.hosts) + "\\n"

def exit_code(report):
    return 40 + len(report.hosts)

def render_error(message):
    return 49, f"ERROR {message}\\n"
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "made_up_format.py").write_text(MADE_UP)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "made_up_format"


def register(monkeypatch: pytest.MonkeyPatch, one: ReportFormat) -> argparse.ArgumentParser:
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, one))
    return new_parser("provision", "Does it.")


def body(options: Options) -> int:
    return finish(provisioning(changed("worker-0"), changed("worker-1")), options)


def test_a_format_in_the_table_has_an_option_and_writes_its_file(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = register(monkeypatch, ReportFormat("names", "the hosts' names", module, mode=0o604))
    assert "--names FILE" in parser.format_help()
    assert "the hosts' names" in parser.format_help()
    file = tmp_path / "names.txt"
    assert run_main(body, parser, ["--names", str(file)]) == 0
    assert file.read_text() == "worker-0 worker-1\n"
    assert file.stat().st_mode & 0o777 == 0o604
    assert run_main(body, parser, ["--names", str(tmp_path / "missing" / "names.txt")]) == 64


def test_a_format_with_exit_codes_is_printed_and_gives_the_exit_code(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = register(monkeypatch, ReportFormat("names", "the hosts' names", module, has_exit_codes=True))
    assert run_main(body, parser, ["--exit-style", "names"]) == 42
    assert capsys.readouterr().out == "worker-0 worker-1\n"
    assert run_main(body, parser, []) == 0
    assert capsys.readouterr().out == ""


def test_a_format_of_another_runbook_has_no_option(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = register(monkeypatch, ReportFormat("names", "the hosts' names", module, runbooks=("drift_check",)))
    assert "--names" not in parser.format_help()
    assert "--names" in new_parser("drift_check", "Does it.").format_help()
