import os
from pathlib import Path

import pytest

from podroutes.atomic_write import replace_file


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_the_mode_is_what_was_asked_for_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        replace_file(tmp_path / "file", "text\n", mode=0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o7777 == 0o644


def test_what_was_there_stays_if_the_new_content_cannot_be_written(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(target, "half\ud800", mode=0o644)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_nothing_is_left_behind_where_the_target_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "folder", "text", mode=0o644)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
