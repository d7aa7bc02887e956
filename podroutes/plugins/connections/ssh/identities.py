"""Who we are: the keys to offer, one by one."""

import asyncio
import threading
from collections.abc import Iterator
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Final

import asyncssh
from msgspec import Struct

from podroutes.errors import AuthenticationError
from podroutes.plugins.connections.ssh.settings import SshSettings
from podroutes.plugins.connections.ssh.target import SshTarget
from podroutes.plugins.connections.wrapping import one_line

DEFAULT_KEYS: Final = ("id_ed25519", "id_ecdsa", "id_rsa")
_loading = threading.Lock()


class Offer(Struct, frozen=True):
    """A key to offer.

    Attributes:
        label: What a person calls it.
        pair: The key, in memory or in the agent.
    """

    label: str
    pair: asyncssh.SSHKeyPair


class KeyFileError(Exception):
    """A private key file cannot be used; the message says why in one line."""


class Offers:
    """The keys to offer to one host, in order: configured ones, the agent's, and with none configured the usual files.

    Args:
        target: The host.
        settings: Its settings.

    Attributes:
        keys: Each key once, when it is prepared; with its certificate, where it has one, and then without.
        problems: A line for each key that cannot be offered.
    """

    def __init__(self, target: SshTarget, settings: SshSettings) -> None:
        self.keys: list[Offer] = []
        self.problems: list[str] = []
        self._target = target
        self._settings = settings
        self._agent: asyncssh.SSHAgentClient | None = None
        self._in_agent: list[asyncssh.SSHKeyPair] = []
        self._offered: set[bytes] = set()

    async def prepare(self) -> None:
        """Ask the agent and load key files.

        Raises:
            AuthenticationError: The inventory's own `key_file` cannot be used.
        """
        if self._target.agent is not None:
            self._agent = asyncssh.SSHAgentClient(self._target.agent)
            try:
                async with asyncio.timeout(self._settings.auth_timeout):
                    self._in_agent = list(await self._agent.get_keys())
            except (OSError, ValueError, TimeoutError) as error:
                self.problems.append(f"the SSH agent does not answer ({one_line(str(error)) or 'timed out'})")
        self.keys = await asyncio.get_running_loop().run_in_executor(None, lambda: list(self._all()))

    def close(self) -> None:
        """Leave the agent."""
        if self._agent is not None:
            self._agent.close()

    def _all(self) -> Iterator[Offer]:
        certificates = [cert for path in self._target.certificate_files for cert in self._certificates(path)]
        for path in self._target.identity_files:
            yield from self._of_file(path, certificates)
        if not self._target.identities_only:
            for pair in self._in_agent:
                name = pair.get_comment(errors="replace") or pair.get_algorithm()
                yield from self._fresh(f"agent key {name}", pair)
        if self._settings.use_keys and not self._target.identity_files:
            for path in (Path.home() / ".ssh" / name for name in DEFAULT_KEYS):
                if path.exists():
                    yield from self._of_file(path, certificates)

    def _of_file(self, path: Path, certificates: list[asyncssh.SSHCertificate]) -> Iterator[Offer]:
        beside = path.with_name(f"{path.name.removesuffix('.pub')}-cert.pub")
        certificates = [*certificates, *(self._certificates(beside) if beside.exists() else [])]
        public = public_key(path)
        held = [pair for pair in self._in_agent if public is not None and pair.public_data == public.public_data]
        if held:
            mine = [cert for cert in certificates if cert.key.public_data == held[0].public_data]
            for pair in _with_certificates(held[0], mine):
                yield from self._fresh(_label(f"agent key {path}", pair), pair)
            return
        passphrase = self._settings.passphrase
        try:
            key = load_key(path, passphrase.reveal() if passphrase is not None else None)
        except KeyFileError as error:
            if self._settings.key_file is not None:
                raise AuthenticationError(f"{self._target.alias}: {error}") from error
            self.problems.append(str(error))
            return
        for pair in asyncssh.load_keypairs([key], certlist=certificates):
            yield from self._fresh(_label(str(path), pair), pair)

    def _fresh(self, label: str, pair: asyncssh.SSHKeyPair) -> Iterator[Offer]:
        if pair.public_data not in self._offered:
            self._offered.add(pair.public_data)
            yield Offer(label, pair)

    def _certificates(self, path: Path) -> list[asyncssh.SSHCertificate]:
        try:
            return [asyncssh.read_certificate(path)]
        except (OSError, ValueError) as error:
            self.problems.append(f"certificate {path} cannot be used: {one_line(str(error))}")
            return []


def _with_certificates(
    pair: asyncssh.SSHKeyPair, certificates: list[asyncssh.SSHCertificate]
) -> Iterator[asyncssh.SSHKeyPair]:
    for certificate in certificates:
        certified = copy(pair)
        certified.set_certificate(certificate)
        yield certified
    yield pair


def _label(name: str, pair: asyncssh.SSHKeyPair) -> str:
    return f"{name} with its certificate" if pair.has_cert else name


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

    Returns:
        The key.

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
        if public_key(path) is not None and path.suffix == ".pub":
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
