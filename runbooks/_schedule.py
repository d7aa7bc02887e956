"""Installing and removing the units that check for drift on a schedule."""

import argparse
import os
import pwd
import subprocess
import sys
from pathlib import Path

from podroutes import exit_codes
from podroutes.atomic_write import replace_file
from podroutes.drift.schedule import SERVICE, TIMER, TimerOptions, is_ours, render_units, uses_state_directory
from podroutes.errors import PodRoutesError, UsageError
from podroutes.text import first_line
from runbooks._schedule_options import SYSTEMD_LOOKS


def timer_options(values: argparse.Namespace, *, runbook: Path) -> TimerOptions:
    """What the engineer asked for, with absolute paths.

    Args:
        values: Of a parser with `add_timer_options`, `--config` and `--limit`.
        runbook: Path of `drift_check.py`.
    """
    return TimerOptions(
        # Not resolved: the link in a virtual environment is what leads to its packages.
        python=Path(sys.executable).absolute(),
        runbook=runbook.resolve(),
        config=values.config.absolute(),
        every=values.every,
        user=values.user,
        state_dir=values.state_dir,
        systemd_dir=values.systemd_dir,
        limit=tuple(values.limit),
    )


def install_timer(options: TimerOptions) -> int:
    """Write the units, and start the timer; say what was done. Does nothing where all is so already.

    Args:
        options: What was asked for.

    Returns:
        The exit code.

    Raises:
        UsageError: Something of it can't be; nothing was changed then.
        PodRoutesError: systemd refused.
    """
    units = render_units(options)
    user = _user(options.user)
    _check_files(options)
    before = {name: _read(options.systemd_dir / name) for name in units}
    _refuse_others(options.systemd_dir, before)
    _make_state_dir(options, user)
    changed = [name for name in units if before[name] != units[name]]
    for name in changed:
        path = options.systemd_dir / name
        _write(path, units[name])
        print(f"{'wrote' if before[name] is None else 'changed'} {path}")
    if options.systemd_dir not in SYSTEMD_LOOKS:
        print(f"not started: systemd does not look into {options.systemd_dir}")
        return exit_codes.OK
    # Not only what was written now: an earlier run may have ended in between.
    if changed or _property("NeedDaemonReload") == "yes":
        _systemctl("daemon-reload")
    started = _start(restart=TIMER in changed)
    if not changed and not started:
        print(f"nothing to do: {TIMER} is installed as asked for, enabled and active")
    print(f"next check: {_next_check()}; reports: {options.state_dir}")
    return exit_codes.OK


def remove_timer(options: TimerOptions) -> int:
    """Stop and remove exactly what `install_timer` wrote; the history and the reports stay.

    Args:
        options: Where it was installed.

    Returns:
        The exit code.

    Raises:
        UsageError: A unit of that name is not ours, or can't be removed; nothing was changed then.
        PodRoutesError: systemd refused.
    """
    options.check()
    found = {name: text for name in (TIMER, SERVICE) if (text := _read(options.systemd_dir / name)) is not None}
    _refuse_others(options.systemd_dir, found)
    if not found:
        print(f"nothing to do: there is no {TIMER} in {options.systemd_dir}")
        return exit_codes.OK
    loaded = options.systemd_dir in SYSTEMD_LOOKS
    if loaded:
        if TIMER in found:
            _systemctl("disable", "--now", TIMER)
            # The time of the last check, which `Persistent=` goes by.
            _systemctl("clean", "--what=state", TIMER)
        if SERVICE in found:
            _systemctl("stop", SERVICE)
    for name in found:
        path = options.systemd_dir / name
        try:
            path.unlink()
        except OSError as error:
            raise UsageError(f"{path} can't be removed: {error.strerror}") from error
        print(f"removed {path}")
    if loaded:
        _systemctl("daemon-reload")
        # A unit that failed would be remembered; one that did not has nothing to reset.
        subprocess.run(["systemctl", "reset-failed", SERVICE, TIMER], capture_output=True, check=False)
    print(f"kept: the history and the reports in {options.state_dir}")
    return exit_codes.OK


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        message = f"--user {name}: there is no such user; make one with: useradd --system --create-home {name}"
        raise UsageError(message) from error


def _check_files(options: TimerOptions) -> None:
    for path in (options.python, options.runbook, options.config):
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file")
    if not options.systemd_dir.is_dir():
        raise UsageError(f"--systemd-dir {options.systemd_dir}: there is no such folder")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from error


def _refuse_others(folder: Path, texts: dict[str, str | None] | dict[str, str]) -> None:
    for name, text in texts.items():
        if text is not None and not is_ours(text):
            message = f"{folder / name} was not made by this software, and is left alone; rename or remove it first"
            raise UsageError(message)


def _make_state_dir(options: TimerOptions, user: pwd.struct_passwd) -> None:
    if uses_state_directory(options) or options.state_dir.is_dir():
        return
    try:
        options.state_dir.mkdir(parents=True, mode=0o755)
        os.chown(options.state_dir, user.pw_uid, user.pw_gid)
    except OSError as error:
        raise UsageError(f"--state-dir {options.state_dir} can't be made: {error.strerror}") from error
    print(f"made {options.state_dir}")


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text, mode=0o644)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}") from error


def _start(*, restart: bool) -> bool:
    """Enable and start the timer, unless it is both; returns whether it was not."""
    enabled = _property("UnitFileState") == "enabled"
    active = _property("ActiveState") == "active"
    if not enabled:
        _systemctl("enable", TIMER)
    if restart or not active:
        _systemctl("restart", TIMER)
    done = [word for word, was in (("enabled", enabled), ("started", active)) if not was]
    if restart and active:
        done.append("restarted")
    if done:
        print(f"{' and '.join(done)} {TIMER}")
    return bool(done)


def _next_check() -> str:
    return _property("NextElapseUSecRealtime") or "not known"


def _property(name: str) -> str:
    return _systemctl("show", f"--property={name}", "--value", TIMER)


def _systemctl(*arguments: str) -> str:
    """Run `systemctl`; an error of its is one line."""
    try:
        done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise PodRoutesError(f"systemctl can't be run: {error.strerror}") from error
    if done.returncode != 0:
        reason = first_line(done.stderr) or f"exit code {done.returncode}"
        raise PodRoutesError(f"systemctl {' '.join(arguments)}: {reason}")
    return done.stdout.strip()
