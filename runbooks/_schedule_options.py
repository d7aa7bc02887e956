"""The options of the schedule; what they do is imported when they are used."""

import argparse
from pathlib import Path
from typing import Final

# Where systemd looks for units that are not a package's.
SYSTEMD_LOOKS: Final = (
    Path("/etc/systemd/system"),
    Path("/run/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
)


def add_timer_options(parser: argparse.ArgumentParser) -> None:
    """Add `--install-timer`, `--remove-timer` and what goes with them."""
    timer = parser.add_argument_group("schedule, by systemd on this machine")
    either = timer.add_mutually_exclusive_group()
    either.add_argument("--install-timer", action="store_true", help="check on a schedule from now on")
    either.add_argument("--remove-timer", action="store_true", help="take the schedule back; reports stay")
    timer.add_argument("--every", default="5min", metavar="SPAN", help="how often: 30s, 5min, 1h, 1d; default 5min")
    timer.add_argument("--user", default="root", metavar="NAME", help="who checks, with that user's SSH keys")
    timer.add_argument(
        "--state-dir",
        type=Path,
        default=Path("/var/lib/pod-routes"),
        metavar="FOLDER",
        help="where the history and the reports are kept; default /var/lib/pod-routes",
    )
    timer.add_argument(
        "--systemd-dir",
        type=Path,
        default=SYSTEMD_LOOKS[0],
        metavar="FOLDER",
        help="where the units are written; default /etc/systemd/system",
    )
