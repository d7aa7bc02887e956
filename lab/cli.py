"""The command line: `python -m lab COMMAND`."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence

from lab.arguments import machines_of, parse, size_of
from lab.defaults import command
from lab.errors import EX_USAGE, LabError
from lab.part import Part
from lab.parts import Parts, parts_of
from lab.paths import LabPaths

EX_FAILED = 1
_EX_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments; those of the process by default.

    Returns:
        Exit status: 0 done; 64 the user has to act; 1 the lab failed, is not there or not all of it runs; that of the
        command for `exec`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        options = parse(words)
        return COMMANDS[options.subcommand](options, parts_of(options.name))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return error.status
    except PermissionError as error:
        print(f"lab: {error.filename}: permission denied; the lab needs root, try `sudo` in front", file=sys.stderr)
        return EX_USAGE
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        print(f"lab: {where}{error.strerror}", file=sys.stderr)
        return EX_FAILED
    except KeyboardInterrupt:
        print("lab: interrupted; `up` continues from here, `down` removes what is there", file=sys.stderr)
        return _EX_INTERRUPTED


def wants_containers(options: argparse.Namespace, parts: Parts) -> bool:
    """Whether `up` and `demo` are about containers: asked for, or the lab that is there has nothing else.

    Args:
        options: The command line's.
        parts: The lab's.
    """
    return bool(options.lxd) or (not options.cloud and parts.only_containers)


def _up(options: argparse.Namespace, parts: Parts) -> int:
    size = size_of(options)
    if wants_containers(options, parts):
        parts.lxd.up(size)
        return 0
    parts.hosts.up(size)
    if options.cloud:
        parts.cloud.up({})
    return 0


def _down(_: argparse.Namespace, parts: Parts) -> int:
    parts.hosts.lab().down()
    return 0


def _status(options: argparse.Namespace, parts: Parts) -> int:
    if not LabPaths(options.name).layout.exists():
        print(f"there is no lab {options.name!r}: start one with {command(options.name, 'up')}")
        return EX_FAILED
    running = True
    for number, part in enumerate(part for part in parts.every if part.exists):
        if number > 0:
            print()
        running = _print_status(part) and running
    return 0 if running else EX_FAILED


def _print_status(part: Part) -> bool:
    from lab.table import render_table  # noqa: PLC0415 - not for `exec`

    status = part.status()
    print("\n".join([render_table(status.rows), *status.notes]))
    return status.running


def _exec(options: argparse.Namespace, parts: Parts) -> int:
    if not options.command:
        raise LabError("exec needs a command: python -m lab exec [HOST] -- COMMAND…")
    from lab import enter  # noqa: PLC0415 - not for the others

    if options.host is not None:
        argv = parts.owner(options.host).argv(options.host, options.command)
        environment = enter.host_environment()
    else:
        paths = _paths_of_lab(options)
        argv, environment = enter.operator_argv(paths, options.command), enter.operator_environment(paths)
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - no shell is the point


def _shell(options: argparse.Namespace, _: Parts) -> int:
    from lab import enter  # noqa: PLC0415 - not for the others

    paths = _paths_of_lab(options)
    environment = enter.operator_environment(paths)
    prompt = f"[lab {options.name}] "
    bash = shutil.which("bash")
    if bash is None:
        argv, environment["PS1"] = ["sh", "-i"], prompt + "$ "
    else:
        # The user's own settings first, then what makes this the operator's shell.
        start = paths.operator / "bashrc"
        start.write_text(f"[ ! -r ~/.bashrc ] || . ~/.bashrc\nPATH='{environment['PATH']}'\nPS1='{prompt}\\w \\$ '\n")
        argv = [bash, "--rcfile", str(start), "-i"]
    argv = enter.operator_argv(paths, argv)
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - no shell in between is the point


def _reboot(options: argparse.Namespace, parts: Parts) -> int:
    for part, names in parts.shares(machines_of(options)):
        part.reboot(names, fresh=options.fresh)
    return 0


def _break(options: argparse.Namespace, parts: Parts) -> int:
    if options.list:
        for part in parts.every:
            if part.faults_of != "":
                print(f"\n{part.faults_of}")
            faults = part.faults()
            width = max(len(usage) for usage, _ in faults)
            for usage, explanation in faults:
                print(f"{usage.ljust(width)}  {explanation}")
        print("\nThose marked [repair] are undone by `python -m lab repair HOST`, the others by the runbooks.")
        return 0
    if len(options.words) < 2:
        raise LabError("break needs a host and a fault: see python -m lab break --list")
    host, fault, *arguments = options.words
    print(parts.owner(host).break_(host, fault, *arguments))
    return 0


def _repair(options: argparse.Namespace, parts: Parts) -> int:
    lines = [line for part, names in parts.shares(machines_of(options)) for line in part.repair(names)]
    for line in lines or ["nothing to repair"]:
        print(line)
    return 0


def _demo(options: argparse.Namespace, parts: Parts) -> int:
    if wants_containers(options, parts):
        from lab.lxd.demo import demo as lxd_demo  # noqa: PLC0415 - not for the others

        return lxd_demo(parts.lxd, size_of(options))
    from lab.demo import demo  # noqa: PLC0415 - not for the others

    return demo(parts.hosts, size_of(options), cloud=parts.cloud if options.cloud else None)


def _inventory(options: argparse.Namespace, _: Parts) -> int:
    from lab.inventory import write_inventory  # noqa: PLC0415 - not for the others
    from lab.layout import Layout  # noqa: PLC0415
    from lab.state import read_layout  # noqa: PLC0415

    size = size_of(options)
    paths = LabPaths(options.name)
    layout = read_layout(paths) if paths.layout.exists() and not size else Layout(**size)
    for path in write_inventory(layout, options.folder):
        print(path)
    return 0


def _cloud_up(_: argparse.Namespace, parts: Parts) -> int:
    parts.cloud.up({})
    return 0


def _cloud_down(_: argparse.Namespace, parts: Parts) -> int:
    parts.cloud.cloud().down()
    return 0


def _cloud_status(options: argparse.Namespace, parts: Parts) -> int:
    if not parts.cloud.exists:
        print(f"the lab {options.name!r} has no cloud: start one with {command(options.name, 'up --cloud')}")
        return EX_FAILED
    return 0 if _print_status(parts.cloud) else EX_FAILED


def _cloud_requests(options: argparse.Namespace, parts: Parts) -> int:
    from dataclasses import asdict  # noqa: PLC0415 - not for `exec`

    from lab.cloud.edge.rules import render_counts  # noqa: PLC0415

    counted = parts.cloud.cloud().requests(reset=options.reset)
    print(json.dumps([asdict(one) for one in counted], indent=2) if options.json else render_counts(counted))
    return 0


def _paths_of_lab(options: argparse.Namespace) -> LabPaths:
    paths = LabPaths(options.name)
    if not paths.layout.exists():
        raise LabError(f"there is no lab {paths.name!r}: start one with {command(paths.name, 'up')}")
    return paths


COMMANDS: dict[str, Callable[[argparse.Namespace, Parts], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "exec": _exec,
    "shell": _shell,
    "reboot": _reboot,
    "break": _break,
    "repair": _repair,
    "demo": _demo,
    "inventory": _inventory,
    "cloud up": _cloud_up,
    "cloud down": _cloud_down,
    "cloud status": _cloud_status,
    "cloud requests": _cloud_requests,
}
