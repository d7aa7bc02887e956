"""Who we are: the keys to offer, one by one."""

import asyncio
import os
import threading
from collections.abc import Iterator
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import asyncssh

from podroutes.errors import AuthenticationError
from podroutes.plugins.connections.ssh.target import SshTarget
from podroutes.plugins.connections.wrapping import one_line

DEFAULT_KEYS: Final = ("id_ed25519", "id_ecdsa", "id_rsa")
_loading = threading.Lock()


class Offer(NamedTuple):
    """A key to offer, as a person calls it and as asyncssh does."""

    label: str
    pair: asyncssh.SSHKeyPair


class KeyFileError(Exception):
    """A private key file cannot be used; the message says why in one line."""


class Offers:
    """The keys to offer to one host, in order: configured ones, the agent's, and with none configured the usual files.

    Args:
        target: The host.

    Attributes:
        keys: Each key once, when it is prepared; with its certificate, where it has one, and then without.
        problems: A line for each key that cannot be offered.
    """

    def __init__(self, target: SshTarget) -> None:
        self.keys: list[Offer] = []
        self.problems: list[str] = []
        self._target = target
        self._settings = target.parameters.settings
        agent = target.options.config.get("IdentityAgent", "SSH_AUTH_SOCK") if self._settings.allow_agent else None
        path = _agent_path(str(agent or "none"))
        self._agent = asyncssh.SSHAgentClient(path) if path else None
        self._in_agent: list[asyncssh.SSHKeyPair] = []

    async def prepare(self) -> None:
        """Ask the agent and load key files.

        Raises:
            AuthenticationError: The inventory's own `key_file` cannot be used.
        """
        if self._agent is not None:
            try:
                async with asyncio.timeout(self._settings.auth_timeout):
                    self._in_agent = list(await self._agent.get_keys())
            except (OSError, ValueError, TimeoutError) as error:
                self.problems.append(f"the SSH agent does not answer ({one_line(str(error)) or 'timed out'})")
        found = await asyncio.get_running_loop().run_in_executor(None, lambda: list(self._all()))
        first: dict[bytes, Offer] = {}
        for offer in found:
            first.setdefault(offer.pair.public_data, offer)
        self.keys = list(first.values())

    def close(self) -> None:
        """Leave the agent."""
        if self._agent is not None:
            self._agent.close()

    def _all(self) -> Iterator[Offer]:
        settings, target = self._settings, self._target
        files = target.paths("IdentityFile") if settings.use_keys else []
        if settings.key_file:
            files = [Path(settings.key_file).expanduser()]
        certificates = [cert for path in target.paths("CertificateFile") for cert in self._certificates(path)]
        for path in files:
            yield from self._of_file(path, certificates)
        if not target.options.config.get("IdentitiesOnly"):
            for pair in self._in_agent:
                yield Offer(f"agent key {pair.get_comment(errors='replace') or pair.get_algorithm()}", pair)
        if settings.use_keys and not files:
            for path in (Path.home() / ".ssh" / name for name in DEFAULT_KEYS):
                if path.exists():
                    yield from self._of_file(path, certificates)

    def _of_file(self, path: Path, certificates: list[asyncssh.SSHCertificate]) -> Iterator[Offer]:
        beside = path.with_name(f"{path.name.removesuffix('.pub')}-cert.pub")
        certificates = [*certificates, *(self._certificates(beside) if beside.exists() else [])]
        public, secret = public_key(path) if self._in_agent else None, self._settings.passphrase
        held = [pair for pair in self._in_agent if public is not None and pair.public_data == public.public_data]
        try:
            # A pair remembers what it is used for, so each host has its own.
            pair = held[0] if held else asyncssh.load_keypairs([load_key(path, secret.reveal() if secret else None)])[0]
        except KeyFileError as error:
            if self._settings.key_file is not None:
                raise AuthenticationError(f"{self._target.alias}: {error}") from error
            self.problems.append(str(error))
            return
        label = f"agent key {path}" if held else str(path)
        for certificate in certificates:
            if certificate.key.public_data == pair.public_data:
                certified = copy(pair)
                certified.set_certificate(certificate)
                yield Offer(f"{label} with its certificate", certified)
        yield Offer(label, pair)

    def _certificates(self, path: Path) -> list[asyncssh.SSHCertificate]:
        try:
            return [asyncssh.read_certificate(path)]
        except (OSError, ValueError) as error:
            self.problems.append(f"certificate {path} cannot be used: {one_line(str(error))}")
            return []


def _agent_path(name: str) -> str | None:
    """The agent's socket: a path, the name of a variable that holds one, or `SSH_AUTH_SOCK`, which is one."""
    if name == "SSH_AUTH_SOCK" or name.startswith("$"):
        name = os.environ.get(name.removeprefix("$"), "none")
    return None if name.lower() in {"none", ""} else str(Path(name).expanduser())


def public_key(path: Path) -> asyncssh.SSHKey | None:
    """The public half of a key, from the file itself or the one beside it; None where there is none."""
    for name in (path, path.with_name(f"{path.name}.pub")):
        try:
            return asyncssh.read_public_key(name)
        except (OSError, ValueError):
            continue
    return None


def load_key(path: Path, passphrase: str | None) -> asyncssh.SSHKey:
    """Load a private key; once for all hosts.

    Args:
        path: Of the file.
        passphrase: To decrypt it with, where it is encrypted.

    Raises:
        KeyFileError: It is missing, unreadable, encrypted or no key.
    """
    try:
        stamp = path.stat().st_mtime_ns
        # Decrypting is meant to be slow: the first thread does it, all others wait for it.
        with _loading:
            return _load(path, stamp, passphrase)
    except FileNotFoundError:
        message = f"key file {path} does not exist"
    except OSError as error:
        message = f"key file {path} cannot be read: {error.strerror}"
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        if path.suffix == ".pub" and public_key(path) is not None:
            message = f"key file {path} is a public key, and the agent does not have the private one"
        elif passphrase is None and "passphrase" in str(error).lower():
            message = f"key file {path} needs a passphrase: load it into the agent with ssh-add"
        elif passphrase is not None:
            message = f"key file {path} cannot be used: the passphrase does not fit"
        else:
            message = f"key file {path} cannot be used: it holds no private key of a supported type"
    raise KeyFileError(message)


@lru_cache(maxsize=64)
def _load(path: Path, _stamp: int, passphrase: str | None) -> asyncssh.SSHKey:
    return asyncssh.read_private_key(path, passphrase)
