"""Installing and removing the units that check for drift on a schedule."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from podroutes import exit_codes
from podroutes.atomic_write import replace_file
from podroutes.drift.schedule import SERVICE, TIMER, TimerOptions, is_ours, render_units, uses_state_directory
from podroutes.errors import PodRoutesError, UsageError
from podroutes.report.formats import file_formats
from runbooks._cli import Options

# Where systemd looks for units that are not a package's.
_SYSTEMD_FOLDERS: Final = (
    Path("/etc/systemd/system"),
    Path("/run/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
)


def timer_options(options: Options, *, runbook: Path) -> TimerOptions:
    """The options of `drift_check.py` with absolute paths; `runbook` is its path."""
    return TimerOptions(
        # Not resolved: the link in a virtual environment is what leads to its packages.
        python=Path(sys.executable).absolute(),
        runbook=runbook.resolve(),
        config=options.config.absolute(),
        every=options.own.every,
        user=options.own.user,
        state_dir=options.own.state_dir,
        systemd_dir=options.own.systemd_dir,
        limit=options.limit,
        reports={one.name: one.file_name for one in file_formats("drift_check") if one.file_name},
    )


def install_timer(options: TimerOptions) -> int:
    """Write the units, start the timer, and print what was done; changes only what differs.

    Returns:
        The exit code.

    Raises:
        UsageError: An option can't be used; nothing was changed then.
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
        with _saying(f"{path} can't be written"):
            replace_file(path, units[name], mode=0o644)
        print(f"{'wrote' if before[name] is None else 'changed'} {path}")
    if options.systemd_dir not in _SYSTEMD_FOLDERS:
        print(f"not started: systemd does not look into {options.systemd_dir}")
        return exit_codes.OK
    # Not only what was written now: an earlier run may have ended in between.
    if changed or _property("NeedDaemonReload") == "yes":
        _systemctl("daemon-reload")
    started = _start(restart=TIMER in changed)
    if not changed and not started:
        print(f"nothing to do: {TIMER} is up to date, enabled and active")
    print(f"next check: {_property('NextElapseUSecRealtime') or 'unknown'}; reports: {options.state_dir}")
    return exit_codes.OK


def remove_timer(options: TimerOptions) -> int:
    """Stop and remove exactly what `install_timer` wrote; the history and the reports stay.

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
    loaded = options.systemd_dir in _SYSTEMD_FOLDERS
    if loaded:
        if TIMER in found:
            _systemctl("disable", "--now", TIMER)
            # The time of the last check, which `Persistent=` relies on.
            _systemctl("clean", "--what=state", TIMER)
        if SERVICE in found:
            _systemctl("stop", SERVICE)
    for name in found:
        path = options.systemd_dir / name
        with _saying(f"{path} can't be removed"):
            path.unlink()
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


def _refuse_others(folder: Path, texts: Mapping[str, str | None]) -> None:
    for name, text in texts.items():
        if text is not None and not is_ours(text):
            message = f"{folder / name} was not made by this software, and is left alone; rename or remove it first"
            raise UsageError(message)


def _make_state_dir(options: TimerOptions, user: pwd.struct_passwd) -> None:
    if uses_state_directory(options) or options.state_dir.is_dir():
        return
    with _saying(f"--state-dir {options.state_dir} can't be made"):
        options.state_dir.mkdir(parents=True, mode=0o755)
        os.chown(options.state_dir, user.pw_uid, user.pw_gid)
    print(f"made {options.state_dir}")


@contextmanager
def _saying(problem: str) -> Iterator[None]:
    """Turn an error of the operating system into one of usage."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{problem}: {error.strerror}") from error


def _start(*, restart: bool) -> bool:
    """Enable and start the timer where it is not; return whether anything was done."""
    enabled = _property("UnitFileState") == "enabled"
    active = _property("ActiveState") == "active"
    if not enabled:
        _systemctl("enable", TIMER)
    if restart or not active:
        _systemctl("restart", TIMER)
    actions = [word for word, was in (("enabled", enabled), ("started", active)) if not was]
    if restart and active:
        actions.append("restarted")
    if actions:
        print(f"{' and '.join(actions)} {TIMER}")
    return bool(actions)


def _property(name: str) -> str:
    return _systemctl("show", f"--property={name}", "--value", TIMER)


def _systemctl(*arguments: str) -> str:
    """The output of `systemctl`."""
    try:
        process = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise PodRoutesError(f"systemctl can't be run: {error.strerror}") from error
    if process.returncode != 0:
        lines = process.stderr.strip().splitlines()
        raise PodRoutesError(
            f"systemctl {' '.join(arguments)}: {lines[0] if lines else f'exit code {process.returncode}'}"
        )
    return process.stdout.strip()
