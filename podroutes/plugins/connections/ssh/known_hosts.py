"""The host keys that the user trusts, and what to say of one that is not among them."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import asyncssh

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.target import SSH_PORT, SshTarget

# What servers have; SHA-1 is not among them. Names and not patterns, which asyncssh takes 2 ms to match.
_ALGORITHMS: Final = (
    "ssh-ed25519",
    *(f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521)),
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_CERTIFICATES: Final = tuple(f"{name}-cert-v01@openssh.com" for name in _ALGORITHMS)
_FILES: Final = {
    "UserKnownHostsFile": ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"),
    "GlobalKnownHostsFile": ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"),
}
_Lines = tuple[tuple[Path, int, str], ...]


class TrustedKeys:
    """What known_hosts files say of a host, by its name and port or its HostKeyAlias.

    Args:
        target: The host.

    Attributes:
        keys: The host's own.
        authorities: Those of CAs that may have signed the host's.
        revoked: Never to be trusted.

    Raises:
        UsageError: A file is there but cannot be read.
    """

    def __init__(self, target: SshTarget) -> None:
        alias, name, port = target.text("HostKeyAlias"), target.options.host, target.options.port
        self._name = (alias or name).lower()
        self._port = None if alias or port == SSH_PORT else port
        self._title = alias or (name if port == SSH_PORT else f"[{name}]:{port}")
        settings = target.parameters.settings
        files = [path for key in _FILES for path in target.paths(key, _FILES[key])] if settings.system_host_keys else []
        if settings.alt_host_keys and settings.alt_key_file:
            files.append(Path(settings.alt_key_file).expanduser())
        # `ssh` adds nothing to /dev/null.
        self._kept = [file for file in files if not file.is_char_device()]
        known, self._lines = _load(tuple((file, _stamp(file)) for file in self._kept if file.exists()))
        self.keys, self.authorities, self.revoked = self._match(known)

    def _match(
        self, known: asyncssh.SSHKnownHosts
    ) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        """By name alone: `ssh` does not take a key that is known for the address, either."""
        keys, authorities, revoked, *_ = known.match(self._name, "", self._port)
        if self._port is not None:
            # Where no key is known for the port, asyncssh looks without it, as `ssh` does; revoked ones count anyway.
            revoked = [*revoked, *known.match(self._name, "", None)[2]]
        return list(keys), list(authorities), list(revoked)

    def algorithms(self) -> list[str]:
        """The host key algorithms to ask for: those of known keys first."""
        known = [name for key in self.keys for name in map(bytes.decode, key.sig_algorithms)]
        known = [name for name in known if name in _ALGORITHMS or name.startswith("sk-")]
        certificates = _CERTIFICATES if self.authorities or not known else ()
        return list(dict.fromkeys([*certificates, *known, *_ALGORITHMS]))

    def explain(self, shown: asyncssh.SSHKey, *, is_authority: bool) -> str:
        """Say why a key is not trusted, and what to do.

        Args:
            shown: The key that the host showed, or that of the CA that signed it.
            is_authority: Whether it is a CA's.
        """
        print_ = f"{shown.get_algorithm()} {shown.get_fingerprint()}"
        for file, number, line in () if is_authority else self._lines:
            if any(key.algorithm == shown.algorithm for key in self._of_line(line)[0]):
                return (
                    f"host key of {self._title} has changed: it showed {print_}, but {file} line {number} has another "
                    f"key; if the host was set up anew, remove the old key with: ssh-keygen -R '{self._title}'; "
                    "if not, someone may be in between"
                )
        # `ssh` adds no CA's key to its files.
        line = f"@cert-authority {self._title} {shown.export_public_key().decode().strip()}" if is_authority else ""
        if not self._kept:
            how = "no file of known hosts is read: name one in UserKnownHostsFile, then " + (
                f"add this line to it after checking it: {line}" if line else "connect once with ssh"
            )
        elif line:
            how = f"after checking it, add to {self._kept[0]}: {line}"
        else:
            how = "connect once with ssh, or add it to known_hosts with ssh-keyscan after checking it"
        what = "is signed by a CA that is not known" if is_authority else "is not known"
        return f"host key of {self._title} {what} ({print_}): {how}"

    def revocation(self) -> str | None:
        """File and line that revoke a key for the host."""
        return next((f"{file} line {number}" for file, number, line in self._lines if self._of_line(line)[2]), None)

    def _of_line(self, line: str) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        try:
            return self._match(asyncssh.SSHKnownHosts(line))
        except ValueError:
            return [], [], []


def _stamp(file: Path) -> tuple[int, int, int]:
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


@lru_cache(maxsize=64)
def _load(stamps: tuple[tuple[Path, tuple[int, int, int]], ...]) -> tuple[asyncssh.SSHKnownHosts, _Lines]:
    """What some files say, once for all hosts; lines that can't be understood are left out, as by `ssh`."""
    known, lines = asyncssh.SSHKnownHosts(), tuple(_read([file for file, _ in stamps]))
    for _, _, line in lines:
        try:
            known.load(line)
        except ValueError:
            continue
    return known, lines


def _read(files: list[Path]) -> Iterator[tuple[Path, int, str]]:
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            message = f"{file}: cannot be read: {error.strerror}"
            raise UsageError(message) from error
        for number, line in enumerate(text.split("\n"), 1):
            # Host names in small letters, as they are looked up.
            words = line.split(None, 2)
            at = 1 if words and words[0].startswith("@") else 0
            if len(words) > at and not words[at].startswith(("|", "#")):
                words[at] = words[at].lower()
            yield file, number, " ".join(words)
