"""What ssh_config says of a host, as `ssh` reads it.

asyncssh's own parser takes a fifteenth of the time of an `ssh` process. Where it would read something else than `ssh`,
`ssh -G` is asked what holds for the host, and asyncssh reads the answer. `docs/decisions/0018-asyncssh.md` has the
differences.
"""

import re
import subprocess
import tempfile
from collections import defaultdict
from contextlib import suppress
from functools import lru_cache
from glob import glob
from pathlib import Path
from typing import Any, Final

import asyncssh

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.parameters import DEFAULT_CONFIG_FILE

SYSTEM_FILE: Final = Path("/etc/ssh/ssh_config")
_INCLUDE_DEPTH: Final = 16
_ASK_SECONDS: Final = 60.0
_LINE: Final = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*)")
# asyncssh does without these, and some only `ssh` can do.
_ONLY_SSH: Final = re.compile("canonical|knownhostscommand|revokedhostkeys|bindinterface|pkcs11provider")
# asyncssh takes these as they are written.
_LITERAL: Final = frozenset({"userknownhostsfile", "globalknownhostsfile", "hostkeyalias", "proxyjump", "user"})
_TOKEN: Final = re.compile("[%$]")
_UNLIKE: Final = re.compile(r"#|\\|%%")
_MATCH: Final = re.compile(r"%|\b(canonical|final)\b", re.IGNORECASE)
_REFUSED: Final = {
    "knownhostscommand": "name files in UserKnownHostsFile",
    "revokedhostkeys": "write @revoked lines into known_hosts",
    "proxyusefdpass": "use a ProxyCommand that carries the connection, or ProxyJump",
    "bindinterface": "use BindAddress",
    "pkcs11provider": "load its keys into the agent with ssh-add -s",
}
# Nothing that a terminal or a forwarding would need, no X.509, and no keys yet: they come one by one, when asked for.
_NO: Final[dict[str, Any]] = {
    "agent_forwarding": None,
    "agent_path": None,
    "canonicalize_hostname": False,
    "client_keys": None,
    "known_hosts": None,
    "pkcs11_provider": None,
    "proxy_command": None,
    "tunnel": None,
    "x11_forwarding": False,
    "x509_trusted_certs": None,
    "x509_trusted_cert_paths": [],
}


def read_ssh_config(
    host: str, port: int | None, username: str | None, named: Path | None
) -> asyncssh.SSHClientConnectionOptions:
    """Read what holds for a host; once, and again only when a file has changed.

    Args:
        host: The name that `Host` lines match.
        port: The port, where that is decided.
        username: The user, likewise.
        named: The only file to read, as with `ssh -F`; None for the user's and the system's.

    Returns:
        asyncssh's options, with what else ssh_config says in their `config`.

    Raises:
        UsageError: `ssh` refuses the file, or an option is set that asyncssh can't do.
    """
    stamps = tuple((file, file.stat().st_mtime_ns) for file in config_files(named))
    return _read(host, port, username, named, stamps)


@lru_cache(maxsize=1024)
def _read(
    host: str, port: int | None, username: str | None, named: Path | None, stamps: tuple[tuple[Path, int], ...]
) -> asyncssh.SSHClientConnectionOptions:
    decided = {key: value for key, value in (("port", port), ("username", username)) if value is not None}
    files = [file for file, _ in stamps]
    if all(map(reads_alike, files)):
        # What asyncssh does not understand `ssh` may, or says why nobody does.
        with suppress(asyncssh.ConfigParseError):
            options = _parse(files, host, decided)
            # `ssh` alone says whether a ProxyCommand or a ProxyJump came first.
            if options.config.get("ProxyCommand", "") == "":
                return options
    with tempfile.NamedTemporaryFile("w", prefix="podroutes-", suffix=".ssh_config") as file:
        file.writelines(f"{line}\n" for line in answer_of_ssh(host, port, username, named))
        file.flush()
        try:
            return _parse([Path(file.name)], host, decided)
        except ValueError as error:
            message = f"{named or 'ssh_config'}: for host {host}: {error}"
            raise UsageError(message) from error


def _parse(files: list[Path], host: str, decided: dict[str, Any]) -> asyncssh.SSHClientConnectionOptions:
    return asyncssh.SSHClientConnectionOptions(
        config=[str(file) for file in files] or None, host=host, **decided, **_NO
    )


def config_files(named: Path | None) -> list[Path]:
    """The files that `ssh` reads, as far as they are there: the one that is named, else the user's and the system's."""
    files = [Path(DEFAULT_CONFIG_FILE).expanduser(), SYSTEM_FILE] if named is None else [named]
    return [file for file in files if file.is_file()]


def reads_alike(file: Path, depth: int = 0) -> bool:
    """Whether asyncssh reads a file, and what it includes, as `ssh` does.

    Raises:
        UsageError: It can't be read.
    """
    for keyword, value in _lines(file, file.stat().st_mtime_ns):
        if keyword != "include":
            if _differs(keyword, value):
                return False
        elif depth == _INCLUDE_DEPTH or re.search(r'(^|\s)"?[^/~\s"]|[%$]', value):
            return False
        else:
            patterns = (str(Path(pattern.strip('"')).expanduser()) for pattern in value.split())
            included = [Path(name) for pattern in patterns for name in glob(pattern)]  # noqa: PTH207  # it is absolute
            # asyncssh reads the files of one line in any order.
            if len(included) > 1 or not all(reads_alike(one, depth + 1) for one in included):
                return False
    return True


@lru_cache(maxsize=64)
def _lines(file: Path, _stamp: int) -> tuple[tuple[str, str], ...]:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        raise UsageError(message) from error
    return tuple((line[1].lower(), line[2]) for line in map(_LINE.match, text.splitlines()) if line is not None)


def _differs(keyword: str, value: str) -> bool:
    unlike = _MATCH if keyword == "match" else _TOKEN if keyword in _LITERAL else None
    return bool(_ONLY_SSH.match(keyword) or _UNLIKE.search(value) or (unlike is not None and unlike.search(value)))


def answer_of_ssh(host: str, port: int | None, user: str | None, named: Path | None) -> list[str]:
    """What `ssh -G` says that ssh_config changes for a host, as lines of ssh_config.

    Raises:
        UsageError: There is no `ssh`, it refuses the file, or an option is set that asyncssh can't do.
    """
    argv = [*(["-F", str(named)] if named is not None else []), *(["-p", str(port)] if port is not None else [])]
    answer = _ask([*argv, *(["-l", user] if user else []), "--", host], host)
    defaults = _defaults()
    lines: list[str] = []
    for keyword, values in answer.items():
        if keyword == "host" or (keyword != "hostname" and values == defaults.get(keyword)):
            continue
        if keyword in _REFUSED:
            message = f"{host}: ssh_config sets {keyword} {values[0]}, which is not supported: {_REFUSED[keyword]}"
            raise UsageError(message)
        if keyword == "pubkeyauthentication":  # of which there are more kinds than yes and no
            lines.append(f"{keyword} {'no' if values[0] in {'no', 'false'} else 'yes'}")
        else:
            lines += (f"{keyword} {value.replace('%', '%%') if keyword == 'hostname' else value}" for value in values)
    return lines


@lru_cache(maxsize=1)
def _defaults() -> dict[str, list[str]]:
    return _ask(["-F", "none", "--", "localhost"], "localhost")


def _ask(argv: list[str], host: str) -> dict[str, list[str]]:
    try:
        done = subprocess.run(
            ["ssh", "-G", *argv], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"{host}: `ssh -G`, which reads this ssh_config, cannot be run: {error}"
        raise UsageError(message) from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").splitlines()
        message = f"{host}: {next((line for line in said if ' line ' in line), '; '.join(said))}"
        raise UsageError(message)
    answer = defaultdict[str, list[str]](list)
    for line in done.stdout.decode(errors="surrogateescape").splitlines():
        keyword, _, value = line.partition(" ")
        answer[keyword].append(value)
    return answer
