"""Running commands: to their end, or in the background."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError


def run(argv: Sequence[str], *, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Args:
        argv: The command.
        stdin: Its standard input.
        check: Whether a status other than 0 is an error.

    Returns:
        Status and output.

    Raises:
        LabError: It is not installed, or failed; the message holds the last line of its output.
    """
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    except OSError as error:
        raise LabError(f"cannot run {argv[0]}: {error.strerror}") from error
    if check and done.returncode != 0:
        output = (done.stderr.strip() or done.stdout.strip() or "it printed nothing").splitlines()[-1]
        raise LabError(f"{' '.join(argv[:4])} failed with status {done.returncode}: {output}", status=1)
    return done


def captured(argv: Sequence[str], environment: dict[str, str], stdin: str | None) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail in any way.

    Args:
        argv: The command.
        environment: All of its environment variables.
        stdin: Its standard input; None for none.

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


def start_detached(argv: Sequence[str], log: Path, environment: Mapping[str, str], *, folder: Path = Path("/")) -> None:
    """Start a process in a session of its own, with no parent to wait for it, so that it outlives this command.

    Args:
        argv: The command.
        log: File that its output is appended to.
        environment: All of its environment variables.
        folder: Its working directory.
    """
    with log.open("a") as output:
        subprocess.run(
            ["setsid", "--fork", *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environment,
            check=True,
        )


def last_line(log: Path) -> str:
    """The last line of a log that is not blank, and where the log is.

    Args:
        log: The file.
    """
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip() != ""]
    return f"{lines[-1]} (log: {log})" if lines else f"it printed nothing (log: {log})"
