"""Neutron's database in MariaDB, for tests in which many requests must really run at the same time."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.cache import made_once, run_tool
from lab.cloud import config
from lab.cloud.environment import environment_folder
from lab.cloud.services import Service
from lab.cloud.template import template_digest
from lab.errors import LabError

_SERVER = "/usr/sbin/mariadbd"
_DATABASE = "neutron"
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05


def data_folder(root: Path) -> Path:
    """Folder of the data of a cloud's MariaDB.

    Args:
        root: The cloud's folder.
    """
    return root / "mariadb"


def connection(root: Path) -> str:
    """SQLAlchemy's URL of Neutron's database.

    Args:
        root: The folder with the server's socket.
    """
    return f"mysql+pymysql://root@localhost/{_DATABASE}?charset=utf8mb4&unix_socket={_socket(root)}"


def service(root: Path) -> Service:
    """The server, as a service of the cloud.

    Args:
        root: The cloud's folder.
    """
    return Service("mariadb", tuple(_server(root)), (), lambda: _answers(root))


def ensure_data(environment: Path, say: Callable[[str], None]) -> Path:
    """Make Neutron's empty database, unless it is there.

    Args:
        environment: The cloud's own Python environment.
        say: Called with each line of progress.

    Returns:
        The folder with the server's data.

    Raises:
        LabError: MariaDB is not installed, or the database cannot be made.
    """
    if not Path(_SERVER).exists():
        raise LabError("MariaDB is not installed: install the package mariadb-server-core")
    made = made_once(
        environment_folder() / f"mariadb-{template_digest('serve.py')}",
        lambda folder, lock: _make(folder, environment, lock),
        announce=lambda: say("making an empty MariaDB database, only once"),
    )
    return data_folder(made)


def _make(folder: Path, environment: Path, lock: int) -> None:
    data = data_folder(folder)
    data.mkdir()
    # No system tables: there are no accounts, and only root can reach the socket.
    (data / _DATABASE).mkdir()
    (data / _DATABASE / "db.opt").write_text("default-character-set=utf8mb4\ndefault-collation=utf8mb4_general_ci\n")
    (folder / "neutron.conf").write_text(config.neutron_conf(folder, environment, "none", connection(folder)))
    with _running(folder, lock):
        migrate = [str(environment / "bin/neutron-db-manage"), "--config-file", "neutron.conf", "upgrade", "heads"]
        run_tool(migrate, "make Neutron's tables in MariaDB", lock=lock, folder=folder)


@contextmanager
def _running(folder: Path, lock: int) -> Iterator[None]:
    """A server while the data is made, which ends with this process, however that ends."""
    setpriv = shutil.which("setpriv") or "setpriv"
    with (folder / "mariadb.log").open("w") as log:
        argv = [setpriv, "--pdeathsig", "KILL", *_server(folder)]
        process = subprocess.Popen(argv, stdout=log, stderr=log, pass_fds=(lock,))
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not _answers(folder):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"MariaDB does not start; its log: {folder / 'mariadb.log'}", status=1)
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _server(folder: Path) -> list[str]:
    return [
        _SERVER,
        "--no-defaults",
        "--user=root",
        f"--datadir={data_folder(folder)}",
        f"--socket={_socket(folder)}",
        f"--pid-file={folder / 'mariadb.pid'}",
        "--skip-networking",
        "--skip-grant-tables",
        "--max-connections=400",
        "--performance-schema=OFF",
        "--innodb-log-file-size=16M",
        "--innodb-buffer-pool-size=64M",
        # As MariaDB before 11.6 had it: later ones refuse a transaction that read before somebody else wrote.
        "--loose-innodb-snapshot-isolation=OFF",
        # Nothing here has to survive a power cut.
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=OFF",
    ]


def _socket(folder: Path) -> Path:
    return folder / "mariadb.sock"


def _answers(folder: Path) -> bool:
    """Whether the server sends its greeting."""
    with socket.socket(socket.AF_UNIX) as connection_:
        connection_.settimeout(1.0)
        try:
            connection_.connect(str(_socket(folder)))
            return connection_.recv(5) != b""
        except OSError:
            return False
