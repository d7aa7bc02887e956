"""Writing files."""

from collections.abc import Iterable
from pathlib import Path


def add_missing_lines(path: Path, lines: Iterable[str]) -> None:
    """Append those lines that a file lacks; all others stay.

    Args:
        path: The file.
        lines: Lines with their ends.
    """
    text = path.read_text() if path.exists() else ""
    present = text.splitlines()
    missing = [line for line in lines if line.rstrip("\n") not in present]
    if missing:
        with path.open("a") as file:
            file.write("" if text == "" or text.endswith("\n") else "\n")
            file.writelines(missing)


def replace_file(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that others see all of it or what was there before.

    Args:
        path: The file.
        text: All that it will hold.
        mode: Its permissions.
    """
    new = path.with_name(f"{path.name}.new")
    write_file(new, text, mode)
    new.rename(path)


def write_file(path: Path, text: str, mode: int) -> None:
    """Write a file, and make the folders above it.

    Args:
        path: The file.
        text: All that it will hold.
        mode: Its permissions, whatever the umask.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
