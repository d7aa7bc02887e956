"""The command line: `python -m lab COMMAND`."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.cloud.cli import (
    CLOUD_HOST,
    add_commands,
    break_cloud,
    exists,
    mend_cloud,
    print_faults,
    print_status,
    up_cloud,
)
from lab.defaults import DEFAULT_NAME, DEFAULT_NODE_NETWORK, DEFAULT_SIZE, INSIDE, check_name, command
from lab.errors import EX_USAGE, LabError
from lab.lxd import cli as lxd_cli
from lab.lxd.paths import container_names
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
        return int(options.run(options))
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
        print("lab: interrupted; `up` goes on from here, `down` removes what is there", file=sys.stderr)
        return _EX_INTERRUPTED


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Args:
        words: The arguments.

    Returns:
        Options; `run` is the function for the command, `command` what follows `--`.

    Raises:
        LabError: It is wrong.
        SystemExit: Help was asked for.
    """
    own, command = list(words), None
    if "--" in own:
        # What follows is somebody else's command line and is not looked at.
        split = own.index("--")
        own, command = own[:split], own[split + 1 :]
    options = _parser().parse_args(own)
    if command is not None and options.subcommand != "exec":
        raise LabError(f"{options.subcommand} takes no command: leave out what follows `--`")
    options.command = command
    check_name(options.name)
    return options


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and with the status that all of this project uses."""

    def error(self, message: str) -> Any:  # noqa: ANN401 - never returns; argparse's own signature is NoReturn
        raise LabError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m lab", description="Real hosts on this computer.")
    # In a lab's own shell, that lab is meant.
    parser.add_argument(
        "--name",
        default=os.environ.get(INSIDE, DEFAULT_NAME),
        metavar="NAME",
        help=f"the lab's name (default {DEFAULT_NAME})",
    )
    # After the subcommand too, where its default must not override what stood before.
    common = _Parser(add_help=False)
    common.add_argument("--name", default=argparse.SUPPRESS, metavar="NAME", help=argparse.SUPPRESS)
    size = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    size.add_argument("--controllers", type=int, metavar="N", help=f"how many (default {DEFAULT_SIZE})")
    size.add_argument("--workers", type=int, metavar="N", help=f"how many (default {DEFAULT_SIZE})")
    size.add_argument("--node-network", metavar="CIDR", help=f"default {DEFAULT_NODE_NETWORK}")
    size.add_argument("--ipv6", action="store_true", help="IPv6 addresses too")
    commands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND", parser_class=_Parser)

    up = commands.add_parser("up", parents=[common, size], help="start the lab, mend it, or add hosts to it")
    up.add_argument(
        "--pods",
        action=argparse.BooleanOptionalAction,
        default=argparse.SUPPRESS,
        help="a pod on each worker (default)",
    )
    _add_release(up)
    _add_kinds(up)
    up.set_defaults(run=_up)
    down = commands.add_parser("down", parents=[common], help="remove every trace of it")
    down.set_defaults(run=_down)
    status = commands.add_parser("status", parents=[common], help="how each host is; exit status 0 if all run")
    status.set_defaults(run=_status)
    execute = commands.add_parser(
        "exec",
        parents=[common],
        usage="python -m lab exec [HOST] -- COMMAND…",
        help="run a command on a host, or as the operator",
    )
    execute.add_argument("host", nargs="?")
    execute.set_defaults(run=_exec)
    shell = commands.add_parser("shell", parents=[common], help="a shell where the operator sits")
    shell.set_defaults(run=_shell)
    reboot = commands.add_parser("reboot", parents=[common], help="shut hosts down in good order and boot them again")
    reboot.add_argument("hosts", nargs="*", metavar="HOST")
    reboot.add_argument("--all", action="store_true", help="every host")
    reboot.add_argument("--fresh", action="store_true", help="with a pristine root file system")
    reboot.set_defaults(run=_reboot)
    break_ = commands.add_parser(
        "break",
        parents=[common],
        usage="python -m lab break ((HOST | cloud | lxd) FAULT [ARGUMENT…] | --list)",
        help="make something go wrong",
    )
    break_.add_argument("words", nargs="*", metavar="HOST FAULT [ARGUMENT]", help="see --list")
    break_.add_argument("--list", action="store_true", help="explain the faults")
    break_.set_defaults(run=_break)
    mend = commands.add_parser("mend", parents=[common], help="undo the faults that the runbooks cannot repair")
    mend.add_argument("hosts", nargs="*", metavar="HOST")
    mend.add_argument("--all", action="store_true", help="every host, and the cloud or LXD")
    mend.set_defaults(run=_mend)
    demo = commands.add_parser("demo", parents=[common, size], help="a first run: the lab, its pods before and after")
    _add_release(demo)
    _add_kinds(demo)
    demo.set_defaults(run=_demo)
    cloud = commands.add_parser("cloud", help="the lab's OpenStack: its requests, its faults")
    add_commands(cloud, [common], _Parser)
    inventory = commands.add_parser("inventory", parents=[common, size], help="write an inventory that matches the lab")
    inventory.add_argument("folder", metavar="DIR", type=Path)
    inventory.set_defaults(run=_inventory)
    return parser


def _add_release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--release",
        action="append",
        default=argparse.SUPPRESS,
        metavar="RELEASE[,RELEASE…]",
        help="Debian's releases, which hosts take in turn (default: this computer's own system)",
    )


def _add_kinds(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--cloud", action="store_true", help="a real OpenStack Keystone and Neutron too")
    kinds.add_argument("--lxd", action="store_true", help="containers of a real LXD in place of hosts")


def _lab(options: argparse.Namespace) -> Any:  # noqa: ANN401 - Lab, which is imported late
    from lab.machines import Lab  # noqa: PLC0415 - `exec` does without

    return Lab(options.name, say=lambda line: print(f"lab: {line}", flush=True))


def _size(options: argparse.Namespace) -> dict[str, Any]:
    keys = ("controllers", "workers", "node_network", "ipv6", "pods")
    size = {key: getattr(options, key) for key in keys if hasattr(options, key)}
    return size | ({"release": ",".join(options.release)} if hasattr(options, "release") else {})


def _up(options: argparse.Namespace) -> int:
    size = _size(options)
    if lxd_cli.is_meant(options):
        return lxd_cli.up(options, size)
    _lab(options).up(**size)
    return up_cloud(options) if options.cloud else 0


def _down(options: argparse.Namespace) -> int:
    _lab(options).down()
    return 0


def _status(options: argparse.Namespace) -> int:
    lab = _lab(options)
    if not lab.exists:
        print(f"there is no lab {options.name!r}: start one with {command(options.name, 'up')}")
        return EX_FAILED
    states = lab.status()
    containers = container_names(lab.paths) != []
    rows: list[tuple[str, ...]] = [("HOST", "ADDRESS", "STATE", "POD", "PID")]
    releases = ["RELEASE"] + [one.host.release or "" for one in states]
    for one in states:
        pods = [str(address) for address in one.host.pod_addresses] if lab.layout.pods else []
        addresses = [str(address.ip) for address in one.host.addresses]
        pid = "-" if one.pid is None else str(one.pid)
        rows.append((one.host.name, ",".join(addresses), one.state, ",".join(pods) or "-", pid))
    if any(releases[1:]):
        rows = [(*row, release) for row, release in zip(rows, releases, strict=True)]
    if states or not containers:
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    whole = all(one.state == "running" for one in states)
    if exists(options):
        print()
        whole = print_status(options) and whole
    if containers:
        if states:
            print()
        whole = lxd_cli.print_status(options) and whole
    return 0 if whole else EX_FAILED


def _exec(options: argparse.Namespace) -> int:
    if not options.command:
        raise LabError("exec needs a command: python -m lab exec [HOST] -- COMMAND…")
    from lab import enter  # noqa: PLC0415 - not for the others

    paths = LabPaths(options.name)
    containers = container_names(paths)
    if options.host is not None and containers and not paths.host(options.host).dir.is_dir():
        from lab.lxd.enter import container_argv  # noqa: PLC0415
        from lab.lxd.paths import LxdPaths  # noqa: PLC0415

        if options.host not in containers:
            raise LabError(f"there is no container {options.host!r}: {', '.join(containers)}")
        argv = container_argv(LxdPaths(paths), options.host, options.command)
        os.execvpe(argv[0], argv, enter.host_environment())  # noqa: S606 - no shell is the point
    # The layout takes long to load and is needed only to say what is wrong.
    if not paths.layout.exists() or (options.host is not None and not paths.host(options.host).dir.is_dir()):
        _layout(paths).host(options.host)
    if options.host is None:
        argv = enter.operator_argv(paths, options.command)
        environment = enter.operator_environment(paths)
    else:
        argv = enter.host_argv(paths.host(options.host), options.command)
        environment = enter.host_environment()
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - no shell is the point


def _shell(options: argparse.Namespace) -> int:
    from lab import enter  # noqa: PLC0415 - not for the others

    paths = LabPaths(options.name)
    _layout(paths)
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


def _reboot(options: argparse.Namespace) -> int:
    hosts, containers = lxd_cli.split(options, _hosts(options))
    if containers != []:
        lxd_cli.reboot(options, containers)
    if hosts != []:
        _lab(options).reboot(hosts, fresh=options.fresh)
    return 0


def _break(options: argparse.Namespace) -> int:
    if options.list:
        from lab.faults import FAULTS  # noqa: PLC0415 - not for the others

        width = max(len(fault.usage) for fault in FAULTS)
        for fault in FAULTS:
            print(f"{fault.usage.ljust(width)}  {fault.explanation}")
        print("\nOf the cloud:")
        print_faults()
        print("\nOf LXD, and of containers besides the first ten above:")
        lxd_cli.print_faults()
        print("\nThose marked [mend] are undone by `python -m lab mend HOST`, the others by the runbooks.")
        return 0
    if len(options.words) < 2:
        raise LabError("break needs a host and a fault: see python -m lab break --list")
    host, fault, *arguments = options.words
    if host == CLOUD_HOST:
        print(break_cloud(options, fault, *arguments))
        return 0
    if lxd_cli.is_its(options, host):
        print(lxd_cli.break_(options, host, fault, *arguments))
        return 0
    print(_lab(options).break_(host, fault, *arguments))
    return 0


def _mend(options: argparse.Namespace) -> int:
    hosts, lines = _hosts(options), []
    named = hosts is not None and CLOUD_HOST in hosts
    machines = None if hosts is None else [host for host in hosts if host != CLOUD_HOST]
    machines, containers = lxd_cli.split(options, machines)
    if containers != []:
        lines += lxd_cli.mend(options, containers)
    if machines != []:
        lines += _lab(options).mend(machines)
    if named or (hosts is None and exists(options)):
        lines += mend_cloud(options)
    for line in lines or ["nothing to mend"]:
        print(line)
    return 0


def _demo(options: argparse.Namespace) -> int:
    from lab.demo import demo  # noqa: PLC0415 - not for the others

    if lxd_cli.is_meant(options):
        from lab.lxd.demo import demo as lxd_demo  # noqa: PLC0415

        return lxd_demo(_lab(options), lxd_cli.size(_size(options)))
    return demo(_lab(options), _size(options), cloud=options.cloud)


def _hosts(options: argparse.Namespace) -> list[str] | None:
    """Names of hosts, or None for all."""
    if options.all == bool(options.hosts):
        raise LabError(f"{options.subcommand} needs either names of hosts or --all")
    return None if options.all else options.hosts


def _layout(paths: LabPaths) -> Any:  # noqa: ANN401 - Layout, which is imported late
    from lab.state import read_layout  # noqa: PLC0415 - `exec` does without

    return read_layout(paths)


def _inventory(options: argparse.Namespace) -> int:
    from lab.inventory import write_inventory  # noqa: PLC0415 - not for the others
    from lab.layout import Layout  # noqa: PLC0415
    from lab.state import read_layout  # noqa: PLC0415

    size = _size(options)
    paths = LabPaths(options.name)
    layout = read_layout(paths) if paths.layout.exists() and not size else Layout(**size)
    for path in write_inventory(layout, options.folder):
        print(path)
    return 0
