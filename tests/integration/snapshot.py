"""Everything about a host that a runbook could change, read from outside, so that two moments can be compared."""

import fnmatch
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab import Lab
from lab.enter import host_pid

# Where a machine keeps what it remembers. /proc, /sys and /dev are the kernel's: what matters of it is asked for below.
ROOTS = ("boot", "etc", "home", "opt", "root", "run", "srv", "tmp", "usr/local", "var")

# What no command on a host can leave alone, each with the reason why.
UNSTABLE = {
    "/run/log": "the journal: every login writes to it",
    "/run/sudo": "sudo's own record of who has used it",
    "/run/systemd": "systemd's notes about units that run at this moment; the units' states are compared below",
    "/tmp/systemd-private-*": "a private /tmp, made by systemd for a unit while that runs",
    "/var/log": "logs: every login writes to them",
    "/var/tmp/systemd-private-*": "likewise",
}

_KERNEL = r"""
part() { printf '\n@part %s\n' "$1"; }
part routes
ip -4 route show table all
ip -6 route show table all
part rules
ip -4 rule show
ip -6 rule show
part addresses
ip -o address show
part sysctls
grep -r '' /proc/sys/net 2>/dev/null
part units
systemctl list-units --all --plain --no-legend --full
systemctl show --property=UnitFileState routes.service
part runtime_units
ls -R /run/systemd/system 2>/dev/null
part end
"""
# Lines that no command on a host can leave alone, likewise.
_UNSTABLE_LINE = re.compile(
    "|".join(
        (
            # IPv6 gives each link an address of its own, tentative at first, and at random where the MAC address is.
            r"\bfe80::[0-9a-f:]+",
            r"nf_conntrack_count",
            # systemd mounts this when anybody looks there.
            r"^proc-sys-fs-binfmt_misc\.(auto)?mount ",
        )
    )
)
_UNSTABLE = re.compile("|".join(fnmatch.translate(pattern) for pattern in UNSTABLE))


@dataclass(frozen=True)
class Entry:
    """A file, a folder or a link.

    Attributes:
        kind: `file`, `folder`, `link`, or another type's number.
        mode: Permission bits.
        owner: User and group ids.
        content: Digest of a file, target of a link.
        modified: Nanoseconds since 1970; 0 for a folder, whose time changes with every name in it, also one that goes.
    """

    kind: str
    mode: int
    owner: tuple[int, int]
    content: str
    modified: int


@dataclass(frozen=True)
class Snapshot:
    """A host at one moment.

    Attributes:
        files: Everything below ROOTS, by path.
        own_layer: Whether these are only the files that the host has written since it was made.
        kernel: Lines of each part: routes of all tables, rules, addresses, sysctls, units. What is enabled are links
            in /etc/systemd/system, and so among the files.
    """

    files: Mapping[str, Entry]
    own_layer: bool
    kernel: Mapping[str, tuple[str, ...]]


def take(lab: Lab, hosts: Iterable[str], *, own_layer: bool = False) -> dict[str, Snapshot]:
    """Read hosts that run.

    Args:
        lab: Theirs.
        hosts: Their names.
        own_layer: Look only at what each host has written since it was made, which is quicker.

    Returns:
        A snapshot of each, by name.
    """
    names = list(hosts)
    with ThreadPoolExecutor(max(1, len(names))) as pool:
        return dict(zip(names, pool.map(lambda name: _take(lab, name, own_layer=own_layer), names), strict=True))


def difference(before: Snapshot, after: Snapshot, *, reboots: bool = False) -> list[str]:
    """What differs, a line each; empty if nothing does.

    Args:
        before: The host at first.
        after: The same host later.
        reboots: Whether the host may have booted in between, or files may have been written anew with what they had:
            then neither times nor /run count.
    """
    lines = []
    for path in sorted(before.files.keys() | after.files.keys()):
        old, new = (_settled(moment.files.get(path), reboots=reboots) for moment in (before, after))
        if old != new and not (reboots and path.startswith("/run/")):
            lines.append(f"{path}: {old} -> {new}")
    for part in before.kernel:
        old_lines, new_lines = before.kernel[part], after.kernel[part]
        lines += [f"{part}: - {line}" for line in old_lines if line not in new_lines]
        lines += [f"{part}: + {line}" for line in new_lines if line not in old_lines]
        if not lines and sorted(old_lines) != sorted(new_lines):
            lines.append(f"{part}: a line is there more or less often")
    return lines


def _settled(entry: Entry | None, *, reboots: bool) -> Entry | None:
    if entry is None or not reboots:
        return entry
    return Entry(entry.kind, entry.mode, entry.owner, entry.content, 0)


def _take(lab: Lab, host: str, *, own_layer: bool) -> Snapshot:
    pid = host_pid(lab.paths.host(host))
    assert pid is not None, f"{host} does not run"
    done = lab.exec(host, ["sh", "-c", _KERNEL])
    parts = re.split(r"^@part (\w+)\n", done.stdout, flags=re.MULTILINE)[1:]
    kernel = {name: tuple(_lines(text)) for name, text in zip(parts[::2], parts[1::2], strict=True)}
    assert kernel.popitem()[0] == "end", done.stderr
    upper = str(lab.paths.host(host).upper)
    return Snapshot(dict(_files(upper if own_layer else f"/proc/{pid}/root", upper)), own_layer, kernel)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.strip() != "" and _UNSTABLE_LINE.search(line) is None:
            yield line.rstrip()


def _files(root: str, upper: str) -> Iterator[tuple[str, Entry]]:
    todo = [f"/{top}" for top in ROOTS]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(root + folder) as found:
                entries = list(found)
        except FileNotFoundError:
            continue
        for one in entries:
            path = f"{folder}/{one.name}"
            if _UNSTABLE.match(path) is None:
                yield path, _entry(root + path, upper + path)
                if one.is_dir(follow_symlinks=False):
                    todo.append(path)


def _entry(path: str, in_upper: str) -> Entry:
    status = os.lstat(path)
    mode, owner = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
    match stat.S_IFMT(status.st_mode):
        case stat.S_IFREG:
            return Entry("file", mode, owner, _digest(path, in_upper), status.st_mtime_ns)
        case stat.S_IFDIR:
            return Entry("folder", mode, owner, "", 0)
        case stat.S_IFLNK:
            return Entry("link", mode, owner, str(Path(path).readlink()), status.st_mtime_ns)
        case other:
            return Entry(f"{other:o}", mode, owner, "", status.st_mtime_ns)


def _digest(path: str, in_upper: str) -> str:
    # What is not in the host's own layer is the template's or the computer's, which never change; /run and /tmp are in
    # no layer.
    if not Path(in_upper).is_file() and re.search("/root/(run|tmp)/", path) is None:
        return "not the host's own"
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
