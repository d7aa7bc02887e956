"""Connecting to the first hosts while the rest of the program is still being imported."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from nornir.core import Nornir
from nornir.core.inventory import Host

from podroutes.errors import UsageError
from tasks.remote import SSH_CONNECTION, connection_name


@contextmanager
def begun_connections(nornir: Nornir, machines: Iterable[str]) -> Iterator[None]:
    """Begin to connect to the machines that the runner takes first; at the end, close what no task has asked for.

    Args:
        nornir: With the hosts of the run.
        machines: Names of those that are machines.
    """
    names = set(machines)
    first = list(nornir.inventory.hosts.values())[: getattr(nornir.runner, "num_workers", 0)]
    over_ssh = [host for host in first if host.name in names and connection_name(host) == SSH_CONNECTION]
    if not over_ssh:
        yield
        return
    # Half of a start: a run over LXD or a cloud does not need it.
    from podroutes.plugins.connections.ssh.ahead import abandon

    try:
        for host in over_ssh:
            # What is wrong with its parameters is for the host's own task to say.
            with suppress(UsageError):
                _begin(host, nornir)
        yield
    finally:
        abandon()


def _begin(host: Host, nornir: Nornir) -> None:
    from podroutes.plugins.connections.ssh.ahead import begin
    from podroutes.plugins.connections.ssh.parameters import parse_parameters

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
    begin(parameters)
