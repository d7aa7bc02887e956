"""Which files of ssh_config there are for a host, and that asyncssh reads them as `ssh` does.

asyncssh's own parser reads a file fifteen times as fast as an `ssh` process. Where the two differ, `ssh -G` is asked
what holds for the host, and asyncssh reads its answer. `docs/decisions/0018-asyncssh.md` has the differences.
"""

import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from glob import glob
from pathlib import Path
from typing import Final

from podroutes.errors import UsageError
from podroutes.plugins.connections.ssh.parameters import DEFAULT_CONFIG_FILE

SYSTEM_FILE: Final = Path("/etc/ssh/ssh_config")
_INCLUDE_DEPTH: Final = 16
_ASK_SECONDS: Final = 60.0
_LINE: Final = re.compile(r"(\w+)(?:\s*(=)\s*|\s+)(.*)")
# asyncssh leaves these out, or takes them at another time than `ssh`.
_ONLY_SSH: Final = re.compile(
    r"canonical|knownhostscommand|revokedhostkeys|proxyusefdpass|bindinterface|pkcs11provider"
)
# asyncssh takes these as they are written.
_LITERAL: Final = frozenset({"userknownhostsfile", "globalknownhostsfile", "hostkeyalias", "proxyjump", "user"})
# What else `ssh -G` says is about terminals and forwarding, or for ssh alone.
_ANSWERS: Final = re.compile(
    "addressfamily|bindaddress|certificatefile|ciphers|connecttimeout|globalknownhostsfile|hostkeyalias|hostname"
    "|identitiesonly|identityagent|identityfile|kexalgorithms|macs|passwordauthentication|port"
    "|preferredauthentications|proxycommand|proxyjump|pubkeyauthentication|serveralivecountmax|serveraliveinterval"
    "|user|userknownhostsfile"
)
_REFUSED: Final = {
    "knownhostscommand": "name files in UserKnownHostsFile",
    "revokedhostkeys": "write @revoked lines into known_hosts",
    "proxyusefdpass": "use a ProxyCommand that carries the connection, or ProxyJump",
    "bindinterface": "use BindAddress",
    "pkcs11provider": "load its keys into the agent with ssh-add -s",
}
_USUAL_KEY: Final = re.compile(r"~/\.ssh/id_\w+")


def config_files(named: Path | None) -> list[Path]:
    """The files that `ssh` reads: the one that is named, else the user's and the system's, as far as they are there.

    Args:
        named: The one that is named, if any.
    """
    files = [Path(DEFAULT_CONFIG_FILE).expanduser(), SYSTEM_FILE] if named is None else [named]
    return [file for file in files if file.is_file()]


def difference(files: list[Path]) -> str | None:
    """Where asyncssh would read something else than `ssh`.

    Args:
        files: In order.

    Returns:
        File and line; None where both read the same.

    Raises:
        UsageError: A file can't be read.
    """
    for file in files:
        found = _difference(file, 0)
        if found is not None:
            return found
    return None


def _difference(file: Path, depth: int) -> str | None:
    for number, keyword, equals, value in _lines(file, file.stat().st_mtime_ns):
        where = f"{file} line {number}"
        if _differs(keyword, equals, value) or depth > _INCLUDE_DEPTH:
            return where
        if keyword == "include":
            included = _included(value, file)
            if included is None:
                return where
            found = [line for one in included if (line := _difference(one, depth + 1)) is not None]
            if found:
                return found[0]
    return None


@lru_cache(maxsize=64)
def _lines(file: Path, _stamp: int) -> tuple[tuple[int, str, bool, str], ...]:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        raise UsageError(message) from error
    lines = ((number, _LINE.match(line.strip())) for number, line in enumerate(text.splitlines(), 1))
    return tuple((number, line[1].lower(), bool(line[2]), line[3]) for number, line in lines if line is not None)


def _differs(keyword: str, equals: bool, value: str) -> bool:
    if _ONLY_SSH.match(keyword) or "%%" in value:
        return True
    if keyword in {"proxycommand", "remotecommand"}:
        return equals
    words = value.lower().split()
    if keyword == "match" and ("%" in value or {"canonical", "final", "!canonical", "!final"} & set(words)):
        return True
    return "#" in value or "\\" in value or (keyword in _LITERAL and ("%" in value or "$" in value))


def _included(value: str, file: Path) -> list[Path] | None:
    """The one file, or none, that is included; None where there are more, whose order asyncssh leaves to chance."""
    try:
        patterns = shlex.split(value)
    except ValueError:
        return None
    names: list[str] = []
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if "%" in pattern or "$" in pattern or (file == SYSTEM_FILE and not path.is_absolute()):
            return None
        found = glob(str(Path("~/.ssh").expanduser() / path))  # noqa: PTH207  # it may be absolute
        if len(found) > 1:
            return None
        names += found
    return [Path(name) for name in names if Path(name).is_file()]


@contextmanager
def answer_of_ssh(host: str, port: int | None, user: str | None, named: Path | None) -> Iterator[list[Path]]:
    """What `ssh -G` says that holds for a host, as a file of ssh_config.

    Args:
        host: The name that `Host` lines match.
        port: The port, where that is decided.
        user: The user, likewise.
        named: The ssh_config that is named, if any.

    Yields:
        The file, which is gone afterwards.

    Raises:
        UsageError: There is no `ssh`, it refuses the file, or an option is set that asyncssh can't do.
    """
    argv = ["ssh", "-G", *(["-F", str(named)] if named is not None else [])]
    argv += [*(["-p", str(port)] if port is not None else []), *(["-l", user] if user else []), "--", host]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"{host}: `ssh -G`, which reads this ssh_config, cannot be run: {error}"
        raise UsageError(message) from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").splitlines()
        message = f"{host}: {next((line for line in said if ' line ' in line), '; '.join(said))}"
        raise UsageError(message)
    with tempfile.NamedTemporaryFile("w", prefix="podroutes-", suffix=".ssh_config") as file:
        file.writelines(f"{line}\n" for line in _relevant(done.stdout.decode(errors="surrogateescape"), host))
        file.flush()
        yield [Path(file.name)]


def _relevant(answer: str, host: str) -> Iterator[str]:
    for line in answer.splitlines():
        keyword, _, value = line.partition(" ")
        if keyword in _REFUSED and value not in {"none", "no", "false", ""}:
            message = f"{host}: ssh_config sets {keyword} {value}, which is not supported: {_REFUSED[keyword]}"
            raise UsageError(message)
        usual = keyword == "identityfile" and _USUAL_KEY.fullmatch(value) is not None
        if _ANSWERS.fullmatch(keyword) is None or (usual and not Path(value).expanduser().exists()):
            continue
        if keyword == "connecttimeout" and value == "none":
            continue
        if keyword == "pubkeyauthentication":
            value = "no" if value in {"no", "false"} else "yes"
        yield f"{keyword} {value.replace('%', '%%') if keyword == 'hostname' else value}"
