"""Makes both databases of the cloud, Keystone's keys and the accounts, once. Runs in the cloud's own environment.

Reads JSON from standard input: `project`, `user`, and the passwords of the accounts (`admin`, `neutron`, `user`).
"""

import importlib
import io
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Keystone:
    """Keystone's own web application, called without a server."""

    def __init__(self) -> None:
        self._application = importlib.import_module("keystone.wsgi.api").application
        self._token = ""

    def log_in(self, user: str, password: str, project: str) -> None:
        """Get a token for what follows.

        Args:
            user: Name, of the default domain.
            password: The user's.
            project: Name, of the default domain.
        """
        domain = {"id": "default"}
        identity = {
            "methods": ["password"],
            "password": {"user": {"name": user, "domain": domain, "password": password}},
        }
        scope = {"project": {"name": project, "domain": domain}}
        headers, _ = self._call("POST", "/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        self._token = headers["X-Subject-Token"]

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create something.

        Args:
            path: From `/v3` on.
            body: Its representation, below its one key.

        Returns:
            The same as created, without that key.
        """
        _, answer = self._call("POST", path, body)
        created: dict[str, Any] = answer[next(iter(body))]
        return created

    def get(self, path: str) -> dict[str, Any]:
        """Read something.

        Args:
            path: From `/v3` on.
        """
        return self._call("GET", path)[1]

    def put(self, path: str) -> None:
        """Assign something.

        Args:
            path: From `/v3` on.
        """
        self._call("PUT", path)

    def _call(self, method: str, path: str, body: object = None) -> tuple[dict[str, str], dict[str, Any]]:
        sent = b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        environment: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(sent)),
            "HTTP_X_AUTH_TOKEN": self._token,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(sent),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        status = ""
        headers: dict[str, str] = {}

        def start_response(line: str, fields: list[tuple[str, str]], _: object = None) -> None:
            nonlocal status
            status = line
            headers.update(fields)

        answer = b"".join(self._application(environment, start_response))
        if not status.startswith("2"):
            raise SystemExit(f"Keystone answered {method} {path} with {status}: {answer[:300]!r}")
        return headers, json.loads(answer or b"{}")


def make_all() -> None:
    """Fill the folder that is the present one, which holds `keystone.conf`."""
    wanted = json.load(sys.stdin)
    # Neutron settles some things for its whole process when it is imported, Keystone others. It inherits the lock.
    tables = subprocess.Popen([sys.executable, __file__, "neutron"], close_fds=False)
    for repository in ("fernet-keys", "credential-keys"):
        Path(repository).mkdir(mode=0o700)
    urls = wanted["urls"]
    owner = ("--keystone-user", "root", "--keystone-group", "root")
    _manage("db_sync")
    _manage("fernet_setup", *owner)
    _manage("credential_setup", *owner)
    # The password is not for the list of processes.
    os.environ["OS_BOOTSTRAP_PASSWORD"] = wanted["passwords"]["admin"]
    public = ("--bootstrap-region-id", "RegionOne", "--bootstrap-public-url", urls["identity"])
    _manage("bootstrap", *public, "--bootstrap-internal-url", urls["identity_internal"])
    make_accounts(wanted)
    if tables.wait() != 0:
        raise SystemExit("Neutron's tables cannot be made")


def make_accounts(wanted: dict[str, Any]) -> None:
    """Create Neutron's user and endpoints, and the project with its user.

    Args:
        wanted: What was read from standard input.
    """
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(Path.cwd())
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = "keystone.conf"
    sys.argv = ["keystone"]
    passwords, urls = wanted["passwords"], wanted["urls"]
    keystone = Keystone()
    keystone.log_in("admin", passwords["admin"], "admin")
    roles = {role["name"]: role["id"] for role in keystone.get("/v3/roles")["roles"]}

    def account(project: str, user: str, password: str, granted: list[str]) -> None:
        made = keystone.post("/v3/projects", {"project": {"name": project, "domain_id": "default"}})["id"]
        person = {"name": user, "password": password, "domain_id": "default", "default_project_id": made}
        owner = keystone.post("/v3/users", {"user": person})["id"]
        for role in granted:
            keystone.put(f"/v3/projects/{made}/users/{owner}/roles/{roles[role]}")

    account("service", "neutron", passwords["neutron"], ["admin", "service"])
    account(wanted["project"], wanted["user"], passwords["user"], ["member"])
    network = keystone.post("/v3/services", {"service": {"type": "network", "name": "neutron"}})["id"]
    for interface, url in (("public", urls["network"]), ("internal", urls["network_internal"])):
        endpoint = {"service_id": network, "interface": interface, "url": url, "region_id": "RegionOne"}
        keystone.post("/v3/endpoints", {"endpoint": endpoint})


def make_neutron_tables() -> None:
    """Create Neutron's tables, without its migrations, which SQLite cannot do."""
    sqlalchemy = importlib.import_module("sqlalchemy")
    head = importlib.import_module("neutron.db.migration.models.head")
    engine = sqlalchemy.create_engine("sqlite:///neutron.db")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("PRAGMA journal_mode=WAL"))
    head.get_metadata().create_all(engine)
    engine.dispose()


def _manage(*words: str) -> None:
    """Run a command of keystone-manage, in a copy of this process: a fresh one takes seconds to import Keystone."""
    main = importlib.import_module("keystone.cmd.cli").main
    argv = ["keystone-manage", "--config-file", "keystone.conf", *words]
    child = multiprocessing.get_context("fork").Process(target=main, kwargs={"argv": argv})
    child.start()
    child.join()
    if child.exitcode != 0:
        raise SystemExit(f"keystone-manage {words[0]} failed with status {child.exitcode}")


if __name__ == "__main__":
    if sys.argv[1:] == ["neutron"]:
        make_neutron_tables()
    else:
        make_all()
