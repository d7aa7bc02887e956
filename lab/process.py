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


def captured(argv: Sequence[str], environment: dict[str, str], stdin: str | None) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail in any way, and take down what it says.

    Args:
        argv: The command.
        environment: All of its environment variables.
        stdin: What it reads; None for nothing.

    Returns:
        Status and output, whatever the status is.
    """
    return subprocess.run(
        argv,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
