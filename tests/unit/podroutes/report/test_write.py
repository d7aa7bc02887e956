import json
import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from podroutes.errors import UsageError
from podroutes.outcomes import HostOutcome, Outcome, RunReport
from podroutes.report.write import write_reports, write_text

REPORT = RunReport(
    runbook="provision",
    dry_run=False,
    started=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    seconds=1.5,
    hosts=(HostOutcome(host="wörker-0", outcome=Outcome.OK),),
)


def test_a_json_report_is_whole_readable_and_ends_in_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old " * 1000)
    umask = os.umask(0o027)
    try:
        write_reports(REPORT, {"json": str(path)})
    finally:
        os.umask(umask)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert msgspec.json.decode(text, type=RunReport) == REPORT
    assert json.loads(text)["schema_version"] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_reports(REPORT, {"json": "-"})
    assert msgspec.json.decode(capsys.readouterr().out, type=RunReport) == REPORT


@pytest.mark.parametrize(
    ("target", "reason"),
    [("nowhere/report.json", "No such file or directory"), ("folder", "Is a directory"), ("file/x", "Not a directory")],
)
def test_what_can_not_be_written_is_an_error_of_usage_and_leaves_nothing(
    tmp_path: Path, target: str, reason: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f"^{tmp_path / target} can't be written: {reason}$"):
        write_text(str(tmp_path / target), "text")
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "latest.json").symlink_to("report.json")
    write_text(str(tmp_path / "latest.json"), "new\n")
    assert (tmp_path / "latest.json").is_symlink()
    assert (tmp_path / "report.json").read_text() == "new\n"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_text(str(pipe), "new\n")
    reader.join(10)
    assert read == ["new\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_to_and_stays_a_device() -> None:
    before = Path("/dev/null").stat()
    assert stat.S_ISCHR(before.st_mode)
    # Were a rename tried here, it would be in the way of everything on this computer: look before.
    assert not Path("/dev/null").is_file()
    write_text("/dev/null", "text")
    assert Path("/dev/null").stat().st_ino == before.st_ino
