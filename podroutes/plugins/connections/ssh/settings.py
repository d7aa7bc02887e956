"""What may be set under `connection_options.linux_exec.extras`, under Netmiko's own names where it has one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from podroutes.errors import UsageError
from podroutes.inventory.typed_keys import read_keys
from podroutes.secret import Secret

Seconds = Annotated[float, Meta(gt=0, le=3600)]
FileName = Annotated[str, Meta(min_length=1)]
# Settings that name a file; relative to the file that they stand in.
FILES: Final = ("ssh_config_file", "key_file", "alt_key_file", "sudo_password_file")


class SshSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one connection; every one has a default that is right for most hosts."""

    conn_timeout: Annotated[
        Seconds | None, Meta(description="Seconds for the TCP connection; ConnectTimeout of ssh_config, else 10.")
    ] = None
    banner_timeout: Annotated[Seconds, Meta(description="Seconds until the SSH server has answered.")] = 15.0
    auth_timeout: Annotated[
        Seconds, Meta(description="Seconds for the login after that, and for the SSH agent's answer.")
    ] = 15.0
    connect_attempts: Annotated[
        int,
        Meta(ge=1, le=10, description="How often to try where the network failed; a refused key is never tried again."),
    ] = 2
    use_keys: Annotated[bool, Meta(description="Offer the keys of ssh_config, or the usual ones in ~/.ssh.")] = True
    allow_agent: Annotated[bool, Meta(description="Offer the SSH agent's keys.")] = True
    key_file: Annotated[
        FileName | None, Meta(description="The private key to offer first, and no others than the agent's.")
    ] = None
    passphrase: Annotated[Secret | None, Meta(description="Of private key files. An agent is better.")] = None
    ssh_strict: Annotated[bool, Meta(description="Refuse hosts whose key is not known. Leave it on.")] = True
    system_host_keys: Annotated[bool, Meta(description="Read the known_hosts files that ssh reads.")] = True
    alt_host_keys: Annotated[bool, Meta(description="Read alt_key_file as well.")] = False
    alt_key_file: Annotated[str, Meta(description="One more known_hosts file.")] = ""
    keepalive: Annotated[
        float, Meta(ge=0, le=3600, description="Seconds between keepalive packets; ServerAliveInterval where 0.")
    ] = 0.0
    sudo: Annotated[bool, Meta(description="Become root with sudo where the user is not root.")] = True
    sudo_password_file: Annotated[
        FileName | None, Meta(description="A file whose first line is the password for sudo.")
    ] = None
    sudo_password_command: Annotated[
        FileName | None, Meta(description="A shell command that prints the password for sudo, run once.")
    ] = None
    ask_sudo_password: Annotated[bool, Meta(description="Ask for sudo's password on the terminal, once.")] = False


class SshExtras(SshSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that may stand there."""

    ssh_config_file: Annotated[
        FileName | None, Meta(description="The ssh_config, instead of ssh.config_file in config.yaml.")
    ] = None


def parse_settings(extras: Mapping[str, Any]) -> SshSettings:
    """Validate what the inventory holds under `connection_options.linux_exec.extras`.

    Raises:
        UsageError: One line that names every setting that is unknown, has a wrong value or names a file that is not
            there.
    """
    settings, problems = read_keys(SshSettings, extras)
    lines = [f"{problem.key}: {problem.message}" for problem in problems]
    for name in FILES:
        path = extras.get(name)
        if isinstance(path, str) and path and not Path(path).expanduser().exists():
            lines.append(f"{name}: there is no file {path}")
    given = settings and (settings.sudo_password_file, settings.sudo_password_command, settings.ask_sudo_password)
    if given and sum(map(bool, given)) > 1:
        lines.append("sudo_password_file, sudo_password_command and ask_sudo_password: write one of them")
    if settings is None or lines:
        message = f"connection_options.linux_exec.extras: {'; '.join(lines)}"
        raise UsageError(message)
    return settings
