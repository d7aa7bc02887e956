"""The host keys that the user trusts, and what to say of one that is not among them."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import asyncssh
from msgspec import Struct

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.target import SSH_PORT, SshTarget

# What servers have; SHA-1 is not among them. Names and not patterns, which asyncssh takes 2 ms to match.
_ALGORITHMS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_CERTIFICATES: Final = tuple(f"{name}-cert-v01@openssh.com" for name in _ALGORITHMS)


class TrustedKeys(Struct, frozen=True):
    """What known_hosts files say of one host.

    Attributes:
        keys: The host's own.
        authorities: Those of CAs that may have signed the host's.
        revoked: Never to be trusted.
    """

    keys: list[asyncssh.SSHKey]
    authorities: list[asyncssh.SSHKey]
    revoked: list[asyncssh.SSHKey]


class KnownHosts:
    """The lines of some files; what can't be understood is left out, as by `ssh`.

    Args:
        files: Their texts, in order.
    """

    def __init__(self, files: Sequence[tuple[Path, str]]) -> None:
        self._files = files
        self._all = asyncssh.SSHKnownHosts()
        for _, _, line in self._lines():
            try:
                self._all.load(line)
            except ValueError:
                continue

    def of(self, target: SshTarget) -> TrustedKeys:
        """What there is about a host, by its name and port or its HostKeyAlias."""
        return _match(self._all, target)

    def explain(self, target: SshTarget, shown: asyncssh.SSHKey, *, is_authority: bool) -> str:
        """Say why a key is not trusted, and what to do.

        Args:
            target: The host.
            shown: The key that it showed, or that of the CA that signed it.
            is_authority: Whether it is a CA's.
        """
        title = _title(target)
        print_ = f"{shown.get_algorithm()} {shown.get_fingerprint()}"
        if is_authority:
            line = f"@cert-authority {title} {shown.export_public_key().decode().strip()}"
            return f"host key of {title} is signed by a CA that is not known ({print_}): {self._how(target, line)}"
        for file, number, line in self._lines():
            if any(key.algorithm == shown.algorithm for key in _only(line, target).keys):
                return (
                    f"host key of {title} has changed: it showed {print_}, but {file} line {number} has another key; "
                    f"if the host was set up anew, remove the old key with: ssh-keygen -R '{title}'; "
                    "if not, someone may be in between"
                )
        return f"host key of {title} is not known ({print_}): {self._how(target, '')}"

    def revocation(self, target: SshTarget) -> str | None:
        """File and line that revoke a key for a host."""
        return next(
            (f"{file} line {number}" for file, number, line in self._lines() if _only(line, target).revoked), None
        )

    def _how(self, target: SshTarget, line: str) -> str:
        """What makes a key known; `ssh` adds nothing to /dev/null, and no CA's."""
        kept = [file for file in target.known_hosts_files if not file.is_char_device()]
        if not kept:
            return "no file of known hosts is read: name one in UserKnownHostsFile, then " + (
                f"add this line to it after checking it: {line}" if line else "connect once with ssh"
            )
        if line:
            return f"after checking it, add to {kept[0]}: {line}"
        return "connect once with ssh, or add it to known_hosts with ssh-keyscan after checking it"

    def _lines(self) -> Iterator[tuple[Path, int, str]]:
        for file, text in self._files:
            for number, line in enumerate(text.split("\n"), 1):
                yield file, number, _lower(line)


def algorithms(trusted: TrustedKeys) -> list[str]:
    """The host key algorithms to ask for: those of known keys first.

    Args:
        trusted: What is known of the host.
    """
    known = [name for key in trusted.keys for name in map(bytes.decode, key.sig_algorithms)]
    known = [name for name in known if name in _ALGORITHMS or name.startswith("sk-")]
    certificates = _CERTIFICATES if trusted.authorities or not known else ()
    return list(dict.fromkeys([*certificates, *known, *_ALGORITHMS]))


def load_known_hosts(files: Sequence[Path]) -> KnownHosts:
    """Read known_hosts files; once for all hosts, and again only when a file has changed.

    Args:
        files: In order; those that are not there are left out.

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
    texts = []
    for file, *_ in stamps:
        try:
            texts.append((file, "" if file.is_char_device() else file.read_text(encoding="utf-8", errors="replace")))
        except OSError as error:
            message = f"{file}: cannot be read: {error.strerror}"
            raise UsageError(message) from error
    return KnownHosts(texts)


def _only(line: str, target: SshTarget) -> TrustedKeys:
    try:
        return _match(asyncssh.SSHKnownHosts(line), target)
    except ValueError:
        return TrustedKeys([], [], [])


def _match(known: asyncssh.SSHKnownHosts, target: SshTarget) -> TrustedKeys:
    """By name alone: `ssh` does not take a key that is known for the address, either."""
    name = (target.host_key_alias or target.hostname).lower()
    port = None if target.host_key_alias or target.port == SSH_PORT else target.port
    keys, authorities, revoked, *_ = known.match(name, "", port)
    if port is not None:
        # Where no key is known for the port, asyncssh looks without it, as `ssh` does; a key revoked there counts here.
        revoked = [*revoked, *known.match(name, "", None)[2]]
    return TrustedKeys(list(keys), list(authorities), list(revoked))


def _title(target: SshTarget) -> str:
    if target.host_key_alias:
        return target.host_key_alias
    return target.hostname if target.port == SSH_PORT else f"[{target.hostname}]:{target.port}"


def _lower(line: str) -> str:
    """Host names in small letters, as they are looked up."""
    words = line.split(None, 2)
    at = 1 if words and words[0].startswith("@") else 0
    if len(words) > at and not words[at].startswith(("|", "#")):
        words[at] = words[at].lower()
    return " ".join(words)
