from pathlib import Path

import pytest

from lab.files import add_missing_lines, write_file


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "a\nb\n"),
        ("", "a\nb\n"),
        ("b\nmine\n", "b\nmine\na\n"),
        ("a\nb\n", "a\nb\n"),
        ("mine", "mine\na\nb\n"),
    ],
)
def test_only_missing_lines_are_added(before: str | None, after: str, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    if before is not None:
        path.write_text(before)
    add_missing_lines(path, ["a\n", "b\n"])
    assert path.read_text() == after


def test_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    write_file(tmp_path / "etc/sudoers", "x\n", 0o440)
    assert (tmp_path / "etc/sudoers").stat().st_mode & 0o777 == 0o440
