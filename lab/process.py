"""Running commands to their end."""

import subprocess
from collections.abc import Sequence

from lab.errors import LabError


def run(argv: Sequence[str], *, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Args:
        argv: The command.
        stdin: What it reads.
        check: Whether a status other than 0 is an error.

    Returns:
        Status and output.

    Raises:
        LabError: It is not installed, or failed; the message holds the last line of what it said.
    """
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    except OSError as error:
        raise LabError(f"cannot run {argv[0]}: {error.strerror}") from error
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise LabError(f"{' '.join(argv[:4])} failed with status {done.returncode}: {said}", status=1)
    return done
