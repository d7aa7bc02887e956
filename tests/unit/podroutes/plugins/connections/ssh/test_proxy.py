import contextlib
import os
import time
from pathlib import Path

import pytest

from podroutes.plugins.connections.ssh.proxy import Proxy, may_pass


def test_bytes_go_both_ways() -> None:
    proxy = Proxy("cat")
    try:
        proxy.sock.sendall(b"hello")
        assert proxy.sock.recv(100) == b"hello"
    finally:
        proxy.sock.close()
        proxy.close()


def test_the_end_of_the_command_ends_the_connection_and_its_last_words_are_kept() -> None:
    proxy = Proxy("sh -c 'echo first >&2; echo; printf \"the reason\\r\\n\\n\" >&2'")
    try:
        proxy.sock.settimeout(5)
        while proxy.sock.recv(100):
            pass
        assert proxy.failure() == "the reason"
    finally:
        proxy.sock.close()
        proxy.close()


def test_a_command_that_does_not_exist_says_so() -> None:
    proxy = Proxy("/nonexistent/command")
    try:
        assert "not found" in proxy.failure()
    finally:
        proxy.sock.close()
        proxy.close()


def session(leader: int) -> list[str]:
    """The processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rsplit(")", 1)[1].split()[3] == str(leader):
                found.append(stat.parent.name)
    return found


def runs(pid: str) -> bool:
    """Whether a process runs; one whose parent has not noticed its end does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "command", ["sleep 60", "sh -c 'sleep 60; true'", "sh -c 'trap \"\" TERM; while :; do sleep 0.05; done'"]
)
def test_closing_leaves_no_process_no_zombie_and_no_file(command: str) -> None:
    files = len(list(Path("/proc/self/fd").iterdir()))
    proxy = Proxy(command)
    pid = proxy._process.pid
    group = session(pid)
    assert str(pid) in group
    began = time.monotonic()
    proxy.sock.close()
    proxy.close()
    assert time.monotonic() - began < 1.5
    assert not Path(f"/proc/{pid}").exists()
    # Those further down end at the same signal, but nobody waits for them.
    while any(runs(member) for member in group):
        assert time.monotonic() - began < 3
        time.sleep(0.01)
    assert len(list(Path("/proc/self/fd").iterdir())) == files


def test_the_command_has_a_session_of_its_own() -> None:
    """So it has no terminal to ask on, and Ctrl-C does not reach it."""
    proxy = Proxy("cat")
    try:
        assert os.getsid(proxy._process.pid) == proxy._process.pid
    finally:
        proxy.sock.close()
        proxy.close()


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("ssh: connect to host b port 22: Connection refused", True),
        ("ssh: connect to host b port 22: Connection timed out", True),
        ("kex_exchange_identification: Connection closed by remote host", True),
        ("me@bastion: Permission denied (publickey).", False),
        ("Host key verification failed.", False),
        ("", False),
    ],
)
def test_only_the_networks_failures_may_pass(said: str, passes: bool) -> None:
    assert may_pass(said) is passes
