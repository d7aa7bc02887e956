"""Where a daemon is, from the client's own configuration: what `lxc` and `incus` read, read as they do."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from podroutes.errors import UsageError
from podroutes.plugins.lxd.settings import LxdSettings, Server
from podroutes.plugins.lxd.tls import Certificates

LOCAL: Final = "local"
DEFAULT_PROJECT: Final = "default"
_DEFAULT_PORT: Final = 8443


class _Client(Struct, frozen=True):
    """Where a client program looks.

    Attributes:
        program: Its name.
        prefix: Of its environment variables.
        folders: Of its configuration, below the home folder; the first that is there.
        sockets: Of the daemon on this computer; the first that is there.
    """

    program: str
    prefix: str
    folders: tuple[str, ...]
    sockets: tuple[str, ...]


_CLIENTS: Final[Mapping[Server, _Client]] = {
    "lxd": _Client(
        program="lxc",
        prefix="LXD",
        folders=("snap/lxd/common/config", ".config/lxc"),
        sockets=("/var/snap/lxd/common/lxd/unix.socket", "/var/lib/lxd/unix.socket"),
    ),
    "incus": _Client(
        program="incus",
        prefix="INCUS",
        folders=(".config/incus",),
        sockets=("/run/incus/unix.socket", "/var/lib/incus/unix.socket"),
    ),
}


class Remote(Struct, frozen=True):
    """A daemon.

    Attributes:
        name: As the client calls it.
        program: The client's name, for advice.
        project: Whose instances are meant.
        socket: Path of the unix socket; None where it is reached over the network.
        url: `https://HOST:PORT`; `http://NAME` where it is a unix socket.
        certificates: Needed over the network.
    """

    name: str
    program: str
    project: str
    socket: str | None
    url: str
    certificates: Certificates | None = None

    @property
    def label(self) -> str:
        """What a person would call it."""
        project = "" if self.project == DEFAULT_PROJECT else f", project {self.project}"
        return f"{self.program} remote {self.name}{project}"


def find_remote(settings: LxdSettings, environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Remote:
    """Find out where a daemon is.

    Args:
        settings: Of the connection.
        environment: `LXD_CONF`, `LXD_DIR`, `LXD_SOCKET` and `LXD_PROJECT` count, or Incus' own.
        home: The home folder; the user's where None.

    Raises:
        UsageError: There is no such remote, or it can't be used from here.
    """
    client = _CLIENTS[settings.server]
    folder = _config_folder(settings, client, environment, home or Path.home())
    file = folder / "config.yml"
    content = _load(file)
    remotes = content.get("remotes")
    remotes = dict(remotes) if isinstance(remotes, Mapping) else {}
    remotes.setdefault(LOCAL, {"addr": "unix://"})
    name = settings.remote or str(content.get("default-remote") or LOCAL)
    entry = remotes.get(name)
    if not isinstance(entry, Mapping):
        message = f"{client.program} has no remote {name} in {file}; it has: {', '.join(sorted(map(str, remotes)))}"
        raise UsageError(message)
    project = (
        settings.project or environment.get(f"{client.prefix}_PROJECT") or str(entry.get("project") or DEFAULT_PROJECT)
    )
    address = str(entry.get("addr") or "")
    if address.startswith("unix:"):
        path = "/" + address.removeprefix("unix:").lstrip("/")
        socket = path if path != "/" else _socket(client, environment)
        return Remote(name, client.program, project, socket, f"http://{settings.server}")
    if entry.get("protocol") not in (None, "", settings.server) or entry.get("public") is True:
        message = f"{client.program} remote {name} has images, not instances: name another one"
        raise UsageError(message)
    if entry.get("auth_type") not in (None, "", "tls"):
        message = (
            f"{client.program} remote {name} wants {entry['auth_type']}: only client certificates (tls) can be used"
        )
        raise UsageError(message)
    return Remote(name, client.program, project, None, _url(name, address, file), _certificates(name, folder, client))


def _config_folder(settings: LxdSettings, client: _Client, environment: Mapping[str, str], home: Path) -> Path:
    if settings.config_folder is not None:
        return settings.config_folder.expanduser()
    if named := environment.get(f"{client.prefix}_CONF"):
        return Path(named)
    folders = [home / folder for folder in client.folders]
    return next((folder for folder in folders if folder.is_dir()), folders[-1])


def _socket(client: _Client, environment: Mapping[str, str]) -> str:
    if named := environment.get(f"{client.prefix}_SOCKET"):
        return named
    if folder := environment.get(f"{client.prefix}_DIR"):
        return str(Path(folder) / "unix.socket")
    return next((path for path in client.sockets if Path(path).exists()), client.sockets[-1])


def _load(file: Path) -> dict[str, Any]:
    try:
        content = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no YAML"
        raise UsageError(f"{file} can't be read: {reason}") from error
    return dict(content) if isinstance(content, Mapping) else {}


def _url(name: str, address: str, file: Path) -> str:
    parts = urlsplit(address)
    try:
        port = parts.port or _DEFAULT_PORT
    except ValueError:
        port = None
    if parts.scheme != "https" or not parts.hostname or port is None:
        raise UsageError(f"{file}: remote {name}: {address!r} is no https:// address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}:{port}"


def _certificates(name: str, folder: Path, client: _Client) -> Certificates:
    own = folder / "clientcerts" / f"{name}.crt"
    certificate = own if own.exists() else folder / "client.crt"
    key = certificate.with_suffix(".key")
    for file in (certificate, key):
        if not file.exists():
            message = f"{client.program} remote {name}: there is no {file}; `{client.program} remote add` makes it"
            raise UsageError(message)
    server, authority = folder / "servercerts" / f"{name}.crt", folder / "client.ca"
    return Certificates(
        certificate, key, server if server.exists() else None, authority if authority.exists() else None
    )
