"""The host keys that the user trusts, as OpenSSH writes them down (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

Plain and hashed names, `[host]:port`, wildcards, negation and `@revoked` are understood; `@cert-authority` is left out.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from podroutes.errors import HostKeyError, UsageError
from podroutes.plugins.connections.ssh.config import SSH_PORT

RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")


class KnownKey(Struct, frozen=True):
    """One line of a known_hosts file.

    Attributes:
        names: Its comma-separated patterns.
        key_type: `ssh-ed25519`, say.
        key: The public key in base64.
        revoked: Whether the line says never to trust this key.
        where: File and line number.
    """

    names: tuple[str, ...]
    key_type: str
    key: str
    revoked: bool
    where: str

    def matches(self, name: str) -> bool:
        """Whether the line is about this name (`host`, or `[host]:port` for a port other than 22)."""
        found = False
        for pattern in self.names:
            negated = pattern.startswith("!")
            if _matches(pattern.removeprefix("!"), name):
                if negated:
                    return False
                found = True
        return found


def host_name(name: str, port: int) -> str:
    """The name that a host has in known_hosts files."""
    return name if port == SSH_PORT else f"[{name}]:{port}"


class KnownHosts:
    """All known keys, found by name in constant time unless they are hashed or have wildcards.

    Args:
        keys: The lines, in order.
    """

    def __init__(self, keys: Iterable[KnownKey]) -> None:
        self._exact: dict[str, list[KnownKey]] = {}
        self._others: list[KnownKey] = []
        for key in keys:
            if any(character in name for name in key.names for character in "|*?!"):
                self._others.append(key)
            else:
                for name in key.names:
                    self._exact.setdefault(name.lower(), []).append(key)

    def of(self, name: str, port: int) -> list[KnownKey]:
        """Find the keys of a host.

        Args:
            name: The host's name or address.
            port: Its port.

        Returns:
            The lines about it.
        """
        wanted = host_name(name.lower(), port)
        return self._exact.get(wanted, []) + [key for key in self._others if key.matches(wanted)]

    def preferred_types(self, name: str, port: int, supported: Sequence[str]) -> list[str]:
        """Order host key algorithms so that the server proves itself with a key that is known, if it has it.

        Args:
            name: The host's name or address.
            port: Its port.
            supported: The algorithms there are, in their usual order.

        Returns:
            The same algorithms, those of known keys first.
        """
        lines = self.of(name, port) or self.of(name, SSH_PORT)
        types = {line.key_type for line in lines if not line.revoked}
        if "ssh-rsa" in types:
            types.update(RSA_SIGNATURES)
        return sorted(supported, key=lambda algorithm: algorithm not in types)

    def verify(self, name: str, port: int, key_type: str, key: str) -> None:
        """Make sure that a host has the key it is known by.

        Args:
            name: The host's name or address.
            port: Its port.
            key_type: Type of the key that the host has shown, without a signature algorithm: `ssh-rsa`, say.
            key: That key, in base64.

        Raises:
            HostKeyError: The key is not known, has changed or is revoked.
        """
        lines = self.of(name, port)
        shown = f"{key_type} {fingerprint(key)}"
        title = host_name(name, port)
        same_key = [line for line in (*lines, *self.of(name, SSH_PORT)) if (line.key_type, line.key) == (key_type, key)]
        revoked = [line for line in same_key if line.revoked]
        if revoked:
            message = f"host key of {title} is revoked ({shown}, {revoked[0].where}): do not trust this host"
            raise HostKeyError(message)
        if same_key:
            return
        others = [line for line in lines if line.key_type == key_type and not line.revoked]
        if others:
            message = (
                f"host key of {title} has changed: it showed {shown}, but {others[0].where} has another key; "
                f"if the host was set up anew, remove the old key with: ssh-keygen -R '{title}'; "
                "if not, someone may be in between"
            )
            raise HostKeyError(message)
        message = (
            f"host key of {title} is not known ({shown}): "
            "connect once with ssh, or add it to known_hosts with ssh-keyscan after checking it"
        )
        raise HostKeyError(message)


def fingerprint(key: str) -> str:
    """The fingerprint that `ssh-keygen -l` shows.

    Args:
        key: A public key in base64.

    Returns:
        `SHA256:` and the hash.
    """
    digest = hashlib.sha256(base64.b64decode(key)).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def load_known_hosts(files: Sequence[Path]) -> KnownHosts:
    """Read known_hosts files; once for all hosts, and again only when a file has changed.

    Args:
        files: In order; those that are not there are left out.

    Returns:
        The keys in them.

    Raises:
        UsageError: A file is there but cannot be read.
    """
    stamps = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            continue
        stamps.append((file, stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return _load(tuple(stamps))


@lru_cache(maxsize=64)
def _load(stamps: tuple[tuple[Path, int, int, int], ...]) -> KnownHosts:
    keys: list[KnownKey] = []
    for file, *_ in stamps:
        try:
            text = file.read_text(encoding="utf-8", errors="replace") if not file.is_char_device() else ""
        except OSError as error:
            message = f"{file}: cannot be read: {error.strerror}"
            raise UsageError(message) from error
        keys += parse_known_hosts(text, str(file))
    return KnownHosts(keys)


def parse_known_hosts(text: str, where: str) -> list[KnownKey]:
    """Parse a known_hosts file; what cannot be understood is left out, as by `ssh`.

    Args:
        text: Of the file.
        where: Its path, for messages.

    Returns:
        A key for each line.
    """
    keys = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in {"", "@revoked"}:  # names, type, key
            continue
        try:
            base64.b64decode(words[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        names = tuple(words[0].split(","))
        keys.append(KnownKey(names, words[1], words[2], marker == "@revoked", f"{where} line {number}"))
    return keys


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        return _matches_hash(pattern, name)
    if "*" in pattern or "?" in pattern:
        expression = re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".")
        return re.fullmatch(expression, name, re.DOTALL) is not None
    return pattern.lower() == name


def _matches_hash(pattern: str, name: str) -> bool:
    parts = pattern.split("|")
    if len(parts) != 4:  # empty, 1, salt, hash
        return False
    try:
        salt, wanted = base64.b64decode(parts[2]), base64.b64decode(parts[3])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), wanted)
