"""What has to be right about SSH connections before the first is made."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from nornir.core import Nornir
from nornir.core.inventory import ConnectionOptions, Host, Inventory

from tasks.remote import NETMIKO_CONNECTION, SSH_CONNECTION, connection_name

# Options of these that name a file.
_FILE_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    SSH_CONNECTION: ("ssh_config_file", "key_file", "alt_key_file", "sudo_password_file"),
    NETMIKO_CONNECTION: ("ssh_config_file", "key_file", "alt_key_file"),
}


def resolve_paths(inventory: Inventory, *, hosts: Path, groups: Path, defaults: Path) -> None:
    """Make the paths in connections' options absolute: they are relative to the file that they stand in.

    Args:
        inventory: Nornir's; changed.
        hosts: The folder of the file of hosts.
        groups: Of the file of groups.
        defaults: Of the file of defaults.
    """
    for folder, elements in (
        (hosts, inventory.hosts.values()),
        (groups, inventory.groups.values()),
        (defaults, [inventory.defaults]),
    ):
        for element in elements:
            for extras, name in _files(element.connection_options):
                extras[name] = str(folder / Path(extras[name]).expanduser())


def _files(options: Mapping[str, ConnectionOptions]) -> Iterator[tuple[dict[str, Any], str]]:
    for plugin, names in _FILE_OPTIONS.items():
        extras = options[plugin].extras if plugin in options else None
        for name in names:
            if extras is not None and isinstance(extras.get(name), str) and extras[name]:
                yield extras, name


def check_connections(nornir: Nornir, machines: Iterable[str]) -> None:
    """Read what ssh_config says of each host that SSH reaches, and the password for sudo where one is to be asked for.

    Args:
        nornir: With the hosts of the run.
        machines: Names of those that are machines.

    Raises:
        UsageError: A setting or ssh_config is wrong, or a file that they name is not there.
    """
    names = set(machines)
    over_ssh = [
        host
        for host in nornir.inventory.hosts.values()
        if host.name in names and connection_name(host) == SSH_CONNECTION
    ]
    for host in over_ssh:
        _check(host, nornir)


def _check(host: Host, nornir: Nornir) -> None:
    # Half of a start: a run over LXD or a cloud does not need it.
    from podroutes.plugins.connections.ssh.parameters import parse_parameters
    from podroutes.plugins.connections.ssh.sudo_password import sudo_password
    from podroutes.plugins.connections.ssh.target import resolve_target

    options = host.get_connection_parameters(SSH_CONNECTION)
    parameters = parse_parameters(
        hostname=options.hostname,
        username=options.username,
        password=options.password,
        port=options.port,
        platform=options.platform,
        extras=options.extras,
        config_file=nornir.config.ssh.config_file,
    )
    target = resolve_target(parameters)
    if parameters.settings.sudo and target.username != "root":
        sudo_password(parameters.settings)
