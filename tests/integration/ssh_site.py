"""A server with a client's key and files, and what tests of SSH have in common."""

import asyncio
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nornir.core.configuration import Config, SSHConfig

from podroutes.errors import PodRoutesError
from podroutes.plugins.connections.linux_exec import LinuxExec
from podroutes.plugins.connections.ssh import loop
from podroutes.plugins.connections.ssh.host import SshHost
from tests.integration.ssh_server import Sshd, User, ssh_keygen


@dataclass
class Site:
    """A server, a client's key and its files."""

    folder: Path
    server: Sshd
    key: Path

    def config(self, text: str = "") -> Config:
        """Nornir's configuration with an ssh_config that knows the server's key and the client's."""
        file = self.folder / f"ssh_config_{time.monotonic_ns()}"
        known = self.folder / "known_hosts"
        file.write_text(
            f"{text}\nHost *\n IdentityFile {self.key}\n UserKnownHostsFile {known}\n GlobalKnownHostsFile none\n"
        )
        return Config(ssh=SSHConfig(config_file=str(file)))

    @contextlib.contextmanager
    def connect(
        self,
        user: str | None = "root",
        *,
        host: str = "127.0.0.1",
        port: int | None = 0,
        password: str | None = None,
        config: Config | None = None,
        **extras: object,
    ) -> Iterator[SshHost]:
        plugin = LinuxExec()
        plugin.open(
            hostname=host,
            username=user,
            password=password,
            port=self.server.port if port == 0 else port,
            platform="linux",
            extras=extras,
            configuration=config or self.config(),
        )
        try:
            assert isinstance(plugin.connection, SshHost)
            yield plugin.connection
        finally:
            plugin.close()

    def fail(self, expected: type[PodRoutesError], user: str | None = "root", **arguments: object) -> str:
        """Connect, which must fail; the one line that says why."""
        with pytest.raises(expected) as caught, self.connect(user, **arguments):  # type: ignore[arg-type]
            pass
        assert type(caught.value) is expected
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the servers' users may enter, as pytest's own may not be."""
    path = Path(tempfile.mkdtemp(prefix="podroutes-ssh-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def key(folder: Path) -> Path:
    return ssh_keygen(folder / "id_test")


@pytest.fixture
def own(folder: Path, key: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A server of the test's own, to be frozen, killed or counted."""
    path = folder / f"own-{request.node.name.split('[')[0]}-{time.monotonic_ns()}"
    server = Sshd(path, [User("admin")])
    server.authorize(key)
    (path / "known_hosts").write_text(server.known_hosts_line())
    with server:
        yield Site(path, server, key)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No key, agent or file of whoever runs the tests takes part; and nothing is left open."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    loop.run(asyncio.sleep(0))  # it stays for the next connection
    files, threads = open_files(), set(threading.enumerate())
    yield
    deadline = time.monotonic() + 30
    while (open_files() > files or not own_threads() <= threads) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert open_files() <= files
    assert own_threads() <= threads


def own_threads() -> set[threading.Thread]:
    """Without the loop's, which wait for the next connection."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("podroutes-ssh")}


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
