"""Reading the command line."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.defaults import DEFAULT_NAME, DEFAULT_NODE_NETWORK, DEFAULT_SIZE, INSIDE, check_name
from lab.errors import LabError


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Args:
        words: The arguments.

    Returns:
        Options; `subcommand` is the command's name, with that of a cloud's command after a blank; `command` is what
        follows `--`.

    Raises:
        LabError: It is wrong.
        SystemExit: Help was asked for.
    """
    own, command = list(words), None
    if "--" in own:
        # What follows is another program's command line and is not looked at.
        split = own.index("--")
        own, command = own[:split], own[split + 1 :]
    options = _parser().parse_args(own)
    if command is not None and options.subcommand != "exec":
        raise LabError(f"{options.subcommand} takes no command: leave out what follows `--`")
    options.command = command
    check_name(options.name)
    if options.subcommand == "cloud":
        options.subcommand = f"cloud {options.cloud_command}"
    return options


def size_of(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of `Layout` that were asked for.

    Args:
        options: The command line's.
    """
    keys = ("controllers", "workers", "node_network", "ipv6", "pods")
    size = {key: getattr(options, key) for key in keys if hasattr(options, key)}
    return size | ({"release": ",".join(options.release)} if hasattr(options, "release") else {})


def machines_of(options: argparse.Namespace) -> list[str] | None:
    """Names of the hosts or services that a command is about; None for all.

    Args:
        options: The command line's.

    Raises:
        LabError: It has both names and `--all`, or neither.
    """
    if options.all == bool(options.hosts):
        raise LabError(f"{options.subcommand} needs either names of hosts or --all")
    return None if options.all else list(options.hosts)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and have the exit status of this project."""

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

    up = commands.add_parser(
        "up", parents=[common, size, _kinds()], help="start the lab or what of it is down, or add hosts"
    )
    up.add_argument(
        "--pods",
        action=argparse.BooleanOptionalAction,
        default=argparse.SUPPRESS,
        help="a pod on each worker (default)",
    )
    commands.add_parser("down", parents=[common], help="remove every trace of it")
    commands.add_parser("status", parents=[common], help="the state of each host; exit status 0 if all run")
    execute = commands.add_parser(
        "exec",
        parents=[common],
        usage="python -m lab exec [HOST] -- COMMAND…",
        help="run a command on a host, or as the operator",
    )
    execute.add_argument("host", nargs="?")
    commands.add_parser("shell", parents=[common], help="a shell in the operator's namespace")
    reboot = commands.add_parser("reboot", parents=[common], help="shut hosts down cleanly and boot them again")
    _add_machines(reboot, "every host")
    reboot.add_argument("--fresh", action="store_true", help="with a pristine root file system")
    break_ = commands.add_parser(
        "break",
        parents=[common],
        usage="python -m lab break ((HOST | cloud | lxd) FAULT [ARGUMENT…] | --list)",
        help="make something go wrong",
    )
    break_.add_argument("words", nargs="*", metavar="HOST FAULT [ARGUMENT]", help="see --list")
    break_.add_argument("--list", action="store_true", help="explain the faults")
    repair = commands.add_parser("repair", parents=[common], help="undo the faults that the runbooks cannot fix")
    _add_machines(repair, "every host, and the cloud or LXD")
    commands.add_parser(
        "demo", parents=[common, size, _kinds()], help="a first run: the lab, its pods before and after"
    )
    _add_cloud(commands.add_parser("cloud", help="the lab's OpenStack: its requests, its faults"), common)
    inventory = commands.add_parser("inventory", parents=[common, size], help="write an inventory that matches the lab")
    inventory.add_argument("folder", metavar="DIR", type=Path)
    return parser


def _kinds() -> _Parser:
    """Options that say which kind of machines a lab has."""
    parser = _Parser(add_help=False)
    parser.add_argument(
        "--release",
        action="append",
        default=argparse.SUPPRESS,
        metavar="RELEASE[,RELEASE…]",
        help="Debian's releases, which hosts take in turn (default: this computer's own system)",
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--cloud", action="store_true", help="a real OpenStack Keystone and Neutron too")
    kinds.add_argument("--lxd", action="store_true", help="containers of a real LXD in place of hosts")
    return parser


def _add_machines(parser: argparse.ArgumentParser, every: str) -> None:
    parser.add_argument("hosts", nargs="*", metavar="HOST")
    parser.add_argument("--all", action="store_true", help=every)


def _add_cloud(parser: argparse.ArgumentParser, common: _Parser) -> None:
    commands = parser.add_subparsers(dest="cloud_command", required=True, metavar="COMMAND", parser_class=_Parser)
    commands.add_parser("up", parents=[common], help="start the cloud of a lab, or what of it is down")
    commands.add_parser("down", parents=[common], help="remove every trace of it; the lab stays")
    commands.add_parser("status", parents=[common], help="the state of each service; exit status 0 if all run")
    requests = commands.add_parser("requests", parents=[common], help="number of requests, by method and path")
    requests.add_argument("--reset", action="store_true", help="count from zero from now on")
    requests.add_argument("--json", action="store_true", help="as JSON")
