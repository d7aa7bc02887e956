"""Connections that are begun before a task asks for them, while the run still imports what comes after them.

On a small cluster that is half of a run's time. Nothing else differs: a connection that could not be made fails the
task that asks for it, with the same error, and one that nobody asks for is closed.
"""

import threading
from concurrent.futures import Future

from msgspec import Struct

from podroutes.plugins.connections.ssh.config import SshTarget, resolve_target
from podroutes.plugins.connections.ssh.connect import Connection, connect
from podroutes.plugins.connections.ssh.parameters import SshParameters


class Opened(Struct, frozen=True):
    """A host that is connected to.

    Attributes:
        target: What the inventory and ssh_config together say of it.
        connection: Authenticated.
    """

    target: SshTarget
    connection: Connection


class _Begun:
    def __init__(self, parameters: SshParameters) -> None:
        self.parameters = parameters
        self.opened: Future[Opened] = Future()


_lock = threading.Lock()
_waiting: list[_Begun] = []


def open_connection(parameters: SshParameters) -> Opened:
    """Connect, or wait for the connection with the same parameters that was begun before.

    Args:
        parameters: The host's.

    Raises:
        UsageError: ssh_config can't be used.
        UnreachableError: No connection could be made.
    """
    with _lock:
        begun = next((one for one in _waiting if one.parameters == parameters), None)
        if begun is not None:
            _waiting.remove(begun)
    return _open(parameters) if begun is None else begun.opened.result()


def begin(parameters: SshParameters) -> None:
    """Begin to connect, and return at once.

    Args:
        parameters: The host's.
    """
    begun = _Begun(parameters)
    # A daemon: whoever interrupts a run need not wait for a host that does not answer.
    thread = threading.Thread(target=_fulfil, args=(begun,), name=f"podroutes-connect-{parameters.host}", daemon=True)
    with _lock:
        _waiting.append(begun)
    try:
        thread.start()
    except RuntimeError:  # the system gives no more threads; the task that needs it connects by itself
        with _lock:
            _waiting.remove(begun)


def abandon() -> None:
    """Close what was begun and nobody asked for; waits for nothing."""
    with _lock:
        left = _waiting.copy()
        _waiting.clear()
    for begun in left:
        begun.opened.add_done_callback(_close)


def _open(parameters: SshParameters) -> Opened:
    target = resolve_target(
        host=parameters.host,
        port=parameters.port,
        username=parameters.username,
        settings=parameters.settings,
        config_file=parameters.config_file,
    )
    return Opened(target, connect(target, parameters.settings, parameters.password))


def _fulfil(begun: _Begun) -> None:
    try:
        begun.opened.set_result(_open(begun.parameters))
    except BaseException as error:  # noqa: BLE001  # it is the asking task's
        begun.opened.set_exception(error)


def _close(opened: Future[Opened]) -> None:
    if opened.exception() is None:
        opened.result().connection.close()
