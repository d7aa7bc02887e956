"""Files that others read at any moment: whole or not at all."""

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, text: str, *, mode: int) -> None:
    """Write a file by temporary file and rename; what was there stays until the new content is on the disk.

    Args:
        path: The file; its folder exists.
        text: All of its content.
        mode: Permission bits, whatever the umask is.

    Raises:
        OSError: It can't be written; nothing is left behind then.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
