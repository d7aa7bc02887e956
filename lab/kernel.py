"""System calls that Python 3.11 has no function for."""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lab.paths import NETNS

CLONE_NEWNET = 0x40000000
_T = TypeVar("_T")


def in_netns(netns: str, function: Callable[[], _T]) -> _T:
    """Call a function inside a network namespace.

    Only the thread that makes the call enters it, so it gets a thread of its own. Sockets that it opens, and what it
    reads and writes in /proc/sys/net, are the namespace's.

    Args:
        netns: Name of the namespace.
        function: What to call.

    Returns:
        What it returns.

    Raises:
        OSError: There is no such namespace.
    """
    results: list[_T] = []
    errors: list[BaseException] = []

    def enter_and_call() -> None:
        try:
            descriptor = os.open(NETNS / netns, os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {netns}")
            finally:
                os.close(descriptor)
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised for the caller below
            errors.append(error)

    thread = threading.Thread(target=enter_and_call)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def is_in_netns(pid: int | None, netns: str) -> bool:
    """Whether a process is in a network namespace.

    Args:
        pid: Process id; None for no process.
        netns: Name of the namespace; of one that was deleted and made again, the new one is meant.
    """
    try:
        return pid is not None and Path(f"/proc/{pid}/ns/net").stat().st_ino == (NETNS / netns).stat().st_ino
    except OSError:
        return False


def write_sysctls(netns: str, values: dict[str, str]) -> None:
    """Set kernel parameters of a network namespace.

    Args:
        netns: Name of the namespace.
        values: By path below /proc/sys/net. One that the kernel does not have (IPv6 compiled out, say) is left out.
    """

    def write() -> None:
        for key, value in values.items():
            path = Path("/proc/sys/net") / key
            if path.exists():
                path.write_text(value)

    in_netns(netns, write)
