"""Reachability of pods, measured with one ping for each pair."""

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.layout import Host, Layout
from lab.paths import NETNS, LabPaths

OK, FAILED, ITSELF = "ok", "\N{EM DASH}", "\N{MIDDLE DOT}"
MOST = 10
_AT_ONCE = 64


class Namespace(Protocol):
    """Finds the network namespace of a host."""

    def __call__(self, host: Host, *, pod: bool) -> Path:
        """A file that stands for the host's own, or for its pod's."""


@dataclass(frozen=True)
class Matrix:
    """Answers to pings.

    Attributes:
        version: IP version, 4 or 6.
        sources: What the rows stand for.
        targets: Workers whose pods the columns stand for.
        answers: By row and column; None where a pod would ping itself.
        left_out: Number of workers and controllers that have neither row nor column.
    """

    version: int
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    answers: tuple[tuple[bool | None, ...], ...]
    left_out: int = 0

    @property
    def answered(self) -> int:
        """Number of pings that were answered."""
        return sum(answer is True for row in self.answers for answer in row)

    @property
    def asked(self) -> int:
        """Number of pings."""
        return sum(answer is not None for row in self.answers for answer in row)


def measure(layout: Layout, paths: LabPaths, *, most: int = MOST) -> list[Matrix]:
    """Ping pods from pods and from controllers, all at once.

    Args:
        layout: The lab's; it must have pods.
        paths: The lab's.
        most: At most so many workers and so many controllers take part, evenly spread.

    Returns:
        A matrix for each IP version that the lab has.
    """

    def namespace(host: Host, *, pod: bool) -> Path:
        of = paths.host(host.name)
        return NETNS / (of.pod_netns if pod else of.netns)

    return measure_between(layout.hosts, namespace, versions=(4, 6) if layout.ipv6 else (4,), most=most)


def measure_between(
    hosts: Sequence[Host], namespace: Namespace, *, versions: Sequence[int] = (4,), most: int = MOST
) -> list[Matrix]:
    """Ping pods from pods and from controllers, all at once, whichever network namespaces they have.

    Args:
        hosts: All that there are; each worker must have a pod.
        namespace: Gives a file that stands for the network namespace of a host, or of its pod.
        versions: IP versions, 4 first.
        most: At most so many workers and so many controllers take part, evenly spread.

    Returns:
        A matrix for each IP version.
    """
    workers = choose([host for host in hosts if host.role == "worker"], most)
    controllers = choose([host for host in hosts if host.role == "controller"], most)
    rows = [(host.name, namespace(host, pod=False), "") for host in controllers]
    rows += [(f"pod of {host.name}", namespace(host, pod=True), host.name) for host in workers]
    matrices = []
    for family, version in enumerate(versions):
        pings = [
            None if own == target.name else (netns, str(target.pod_addresses[family]))
            for _, netns, own in rows
            for target in workers
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = list(pool.map(lambda ping: None if ping is None else _ping(*ping), pings))
        width = len(workers)
        matrices.append(
            Matrix(
                version=version,
                sources=tuple(name for name, _, _ in rows),
                targets=tuple(worker.name for worker in workers),
                answers=tuple(tuple(answers[row * width : (row + 1) * width]) for row in range(len(rows))),
                left_out=len(hosts) - len(workers) - len(controllers),
            )
        )
    return matrices


def render(matrix: Matrix) -> str:
    """Draw a matrix: a row for each source of pings, a column for each worker whose pod is pinged.

    Args:
        matrix: What to draw.

    Returns:
        Lines with their ends.
    """
    first = max(len(name) for name in (*matrix.sources, "from")) + 2
    widths = [max(len(target), len(OK)) + 2 for target in matrix.targets]
    lines = [" " * first + "to pod of", "from".ljust(first) + _cells(matrix.targets, widths)]
    for source, answers in zip(matrix.sources, matrix.answers, strict=True):
        marks = [ITSELF if answer is None else OK if answer else FAILED for answer in answers]
        lines.append(source.ljust(first) + _cells(marks, widths))
    if matrix.left_out > 0:
        lines.append(f"({matrix.left_out} more hosts are left out)")
    return "".join(f"  {line.rstrip()}\n" for line in lines)


def _cells(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(text.ljust(width) for text, width in zip(texts, widths, strict=True))


def choose(hosts: Sequence[Host], most: int) -> list[Host]:
    """Some of many hosts, evenly spread.

    Args:
        hosts: Hosts of one role.
        most: At most so many.
    """
    if len(hosts) <= most:
        return list(hosts)
    return [hosts[position * len(hosts) // most] for position in range(most)]


def _ping(netns: Path, address: str) -> bool:
    command = ["nsenter", f"--net={netns}", "ping", "-n", "-q", "-c", "1", "-W", "1", address]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
