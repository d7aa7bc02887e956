"""The cloud's databases, keys and accounts in their initial state: made once, copied for each lab."""

import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from lab.cache import digest, made_once, run_tool
from lab.cloud import config
from lab.cloud.environment import environment_folder
from lab.cloud.paths import IDENTITY_PORT, INSIDE, NETWORK_PORT, url
from lab.files import write_file

SECRETS = "secrets.json"
_TOKEN_BYTES = 18


def ensure_template(environment: Path, say: Callable[[str], None]) -> Path:
    """Make the template, unless it is there.

    Args:
        environment: The cloud's own Python environment.
        say: Called with each line of progress.

    Returns:
        Its folder.

    Raises:
        LabError: It cannot be made.
    """
    return made_once(
        environment_folder() / f"template-{template_digest('make_template.py')}",
        lambda folder, lock: _make(folder, environment, lock),
        announce=lambda: say("making the cloud's empty databases (only once)"),
    )


def template_digest(program: str) -> str:
    """A short text that differs when a template would.

    Args:
        program: The program in `inside/` that makes it.
    """
    sources = [INSIDE / program, Path(config.__file__), Path(__file__)]
    return digest(*(path.read_bytes() for path in sources))


def copy_template(template: Path, folder: Path) -> dict[str, str]:
    """Give a lab its own databases.

    Args:
        template: The template's folder.
        folder: The lab's own.

    Returns:
        The passwords of the accounts, by `admin`, `neutron` and `user`.
    """
    for name in ("keystone.db", "neutron.db"):
        shutil.copy(template / name, folder / name)
    for name in ("fernet-keys", "credential-keys"):
        shutil.copytree(template / name, folder / name, dirs_exist_ok=True)
    passwords: dict[str, str] = json.loads((template / SECRETS).read_text())
    return passwords


def _make(folder: Path, environment: Path, lock: int) -> None:
    passwords = {account: secrets.token_urlsafe(_TOKEN_BYTES) for account in ("admin", "neutron", "user")}
    write_file(folder / SECRETS, json.dumps(passwords), 0o600)
    (folder / "keystone.conf").write_text(config.keystone_conf(folder))
    wanted = {
        "project": config.PROJECT,
        "user": config.USER,
        "passwords": passwords,
        "urls": {
            "identity": url(IDENTITY_PORT, path="/v3"),
            "identity_internal": url(IDENTITY_PORT, direct=True, path="/v3"),
            "network": url(NETWORK_PORT),
            "network_internal": url(NETWORK_PORT, direct=True),
        },
    }
    program = [str(environment / "bin/python"), str(INSIDE / "make_template.py")]
    run_tool(program, "make the cloud's databases", lock=lock, stdin=json.dumps(wanted), folder=folder)
