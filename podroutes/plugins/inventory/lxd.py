"""A Nornir inventory of the instances that LXD or Incus has, and what an engineer adds to it in YAML."""

from typing import Any, Final

from msgspec import to_builtins
from nornir.core.inventory import Inventory

from podroutes.inventory.key_types import CONTROLLERS, WORKERS

_CONNECTION: Final = "lxd"


class LXDInventory:
    """Inventory plugin `LXDInventory`: each controller and worker is an instance; one request lists them all.

    An instance is a controller or worker by its name, or by its own `user.group` (`controllers`, `workers`, `none`);
    a worker's pod index is the number at the end of its name, or its own `user.pod-index`. What `hosts.yaml` says of
    an instance of the same name outranks that, key by key; other hosts of that file are as in every inventory.

    Args:
        **options: As in `config.yaml`; see `podroutes.plugins.inventory.lxd_options.InventoryOptions`.

    Raises:
        UsageError: An option is unknown or wrong.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # whatever the file holds; parsed at once
        # Nornir loads every inventory plugin that is installed, also for runs that need none of this.
        from podroutes.plugins.inventory.lxd_options import InventoryOptions  # noqa: PLC0415
        from podroutes.plugins.lxd.settings import parse_options  # noqa: PLC0415

        self.options = parse_options(InventoryOptions, options, "inventory.options")

    def load(self) -> Inventory:
        """Ask the daemon.

        Returns:
            A `podroutes.plugins.inventory.merged.MergedInventory`.

        Raises:
            UsageError: lxc's own configuration can't be used.
            HostError: The daemon does not answer, or refuses.
        """
        from podroutes.errors import RemoteCommandError  # noqa: PLC0415  # see above
        from podroutes.plugins.inventory.instances import Rules, hosts_from, parse_node_networks  # noqa: PLC0415
        from podroutes.plugins.inventory.merged import Files, MergedInventory  # noqa: PLC0415
        from podroutes.plugins.lxd.client import ApiError, LxdClient  # noqa: PLC0415
        from podroutes.plugins.lxd.remotes import find_remote  # noqa: PLC0415
        from podroutes.plugins.lxd.settings import LxdSettings  # noqa: PLC0415

        options = self.options
        settings = LxdSettings(**{key: getattr(options, key) for key in LxdSettings.__struct_fields__})
        remote = find_remote(settings)
        client = LxdClient(remote, settings.conn_timeout, patient=False)
        try:
            answer = client.instances()
        except ApiError as error:
            raise RemoteCommandError(f"{remote.label}: {error}") from error
        finally:
            client.close()
        files = Files.load(options.host_file, options.group_file, options.defaults_file)
        rules = Rules(
            patterns={CONTROLLERS: options.controllers, WORKERS: options.workers},
            interface=options.interface,
            node_networks=parse_node_networks(files.defaults),
            connection=_CONNECTION,
            host_file=options.host_file or "a host_file",
        )
        found = hosts_from(answer, rules, remote.label, files.hosts)
        given = to_builtins(settings, enc_hook=str)
        extras = {key: value for key, value in given.items() if value is not None}
        return MergedInventory(found, files, {_CONNECTION: {"extras": extras}})
