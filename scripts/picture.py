"""Draws docs/provision.svg: what the runbooks print on a lab of their own, in the colours of a terminal."""

import io
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from lab import Lab

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run provisioning first, again, and with one host down and one route dropped.

    Returns:
        The exit code.
    """
    lab = Lab("picture")
    console = Console(record=True, width=110, file=io.StringIO(), highlight=False)
    try:
        lab.up()
        _show(lab, console, 0, "provision.py", "--yes")
        lab.break_("worker-1", "drop-route")
        lab.break_("controller-2", "sshd-stopped")
        _show(lab, console, 1, "provision.py", "--yes", "--diff")
    finally:
        lab.down()
    target = ROOT / "docs" / "provision.svg"
    console.save_svg(str(target), title="pod-routes", unique_id="pod-routes")
    print(f"wrote {target.relative_to(ROOT)}")
    return 0


def _show(lab: Lab, console: Console, status: int, runbook: str, *options: str) -> None:
    command = [sys.executable, str(ROOT / "runbooks" / runbook), *options]
    done = lab.operator(command, environment=os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color"})
    if done.returncode != status:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    console.print(Text(f"$ python runbooks/{runbook} {' '.join(options)}", style="bold"))
    console.print(Text.from_ansi(done.stdout))


if __name__ == "__main__":
    sys.exit(main())
