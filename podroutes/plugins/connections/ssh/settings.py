"""What may be set under `connection_options.linux_exec.extras`, under Netmiko's own names."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from podroutes.errors import UsageError
from podroutes.inventory.typed_keys import read_keys
from podroutes.secret import Secret

Seconds = Annotated[float, Meta(gt=0, le=3600)]


class SshSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one connection; every one has a default that is right for most hosts.

    Attributes:
        conn_timeout: Seconds for the TCP connection; `ConnectTimeout` of ssh_config, else 10, where not given.
        banner_timeout: Seconds until the server has named itself, and again until keys are exchanged.
        auth_timeout: Seconds for the server's answer to each key, and for the agent's.
        connect_attempts: How often to try in all where the network failed; never again after a refused key.
        sudo: Become root with `sudo -n`; not needed, and not done, where the user is root.
        use_keys: Offer the keys of ssh_config and the usual ones in `~/.ssh`.
        allow_agent: Offer the keys that the SSH agent holds.
        key_file: The one private key to offer first; then no others than the agent's.
        passphrase: Of private key files.
        ssh_strict: Refuse hosts whose key is not known. Leave it on.
        system_host_keys: Read the known_hosts files that `ssh` reads.
        alt_host_keys: Read `alt_key_file` as well.
        alt_key_file: One more known_hosts file.
        disabled_algorithms: Paramiko's argument of that name.
        keepalive: Seconds between keepalive packets while nothing else is sent; 0 for none.
    """

    conn_timeout: Seconds | None = None
    banner_timeout: Seconds = 15.0
    auth_timeout: Seconds = 15.0
    connect_attempts: Annotated[int, Meta(ge=1, le=10)] = 2
    sudo: bool = True
    use_keys: bool = True
    allow_agent: bool = True
    key_file: Annotated[str, Meta(min_length=1)] | None = None
    passphrase: Secret | None = None
    ssh_strict: bool = True
    system_host_keys: bool = True
    alt_host_keys: bool = False
    alt_key_file: str = ""
    disabled_algorithms: dict[str, list[str]] = {}
    keepalive: Annotated[float, Meta(ge=0, le=3600)] = 0.0


class SshExtras(SshSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that may stand there.

    Attributes:
        ssh_config_file: Path of the ssh_config, instead of the configuration's.
    """

    ssh_config_file: str | None = None


def parse_settings(extras: Mapping[str, Any]) -> SshSettings:
    """Validate the extras of a host.

    Args:
        extras: What the inventory holds under `connection_options.linux_exec.extras`.

    Returns:
        The settings.

    Raises:
        UsageError: One line that names every setting that is unknown or has a wrong value.
    """
    settings, problems = read_keys(SshSettings, extras)
    if settings is None:
        lines = "; ".join(f"{problem.key}: {problem.message}" for problem in problems)
        message = f"connection_options.linux_exec.extras: {lines}"
        raise UsageError(message)
    return settings
