"""Paramiko's transport, with its waits bounded and its round trips saved.

All use of what paramiko keeps to itself stands in this file and in `channel.py`.
"""

import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import paramiko
from paramiko.auth_handler import AuthHandler, AuthOnlyHandler
from paramiko.common import cMSG_SERVICE_REQUEST, cMSG_USERAUTH_REQUEST
from paramiko.transport import ServiceRequestingTransport

LOGGER = "podroutes.ssh"
# Encrypts and authenticates in one; the others need a MAC for each packet, which paramiko compares byte by byte.
_FIRST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
JOIN_SECONDS = 1.0
# How long a connection's thread sleeps at most. Paramiko's tenth of a second is worth its cost until somebody is logged
# in; after that hosts are waited for, many at once, and what ends a wait wakes the thread anyway.
IDLE_SECONDS = 1.0


class HandshakeTimeoutError(Exception):
    """The server did not go on in time."""


class SigningError(Exception):
    """A key did not sign; the agent holds it, and did not answer or did not want to."""


class _AuthHandler(AuthOnlyHandler):
    def send_auth_request(
        self, username: str, method: str, finish_message: Callable[[paramiko.Message], None] | None = None
    ) -> list[str]:
        """Send a request and wait; the event is there before the request, so that no answer is missed."""
        self.auth_method = method
        self.username = username
        self.auth_event = threading.Event()
        message = paramiko.Message()
        message.add_byte(cMSG_USERAUTH_REQUEST)
        for word in (username, "ssh-connection", method):
            message.add_string(word)
        if finish_message is not None:
            # Signs: the one thing here that is between us and the agent.
            try:
                finish_message(message)
            except (OSError, paramiko.SSHException) as error:
                raise SigningError(str(error)) from error
        with self.transport.lock:
            self.transport._send_message(message)  # type: ignore[attr-defined]
        if not self.auth_event.wait(self.transport.auth_timeout):
            raise HandshakeTimeoutError
        return self.wait_for_response(self.auth_event)


class SshTransport(ServiceRequestingTransport):
    """An SSH connection without a shell.

    Args:
        sock: The connected socket; belongs to the transport from now on.
        disabled_algorithms: Paramiko's argument.

    Attributes:
        disconnect_reason: What the server said when it closed the connection, as one line.
    """

    auth_handler: AuthHandler | None
    saved_exception: Exception | None
    _handler_table: dict[int, Callable[[paramiko.Message], None]]
    _send_message: Callable[[paramiko.Message], None]
    _send_user_message: Callable[[paramiko.Message], None]

    def __init__(self, sock: socket.socket, disabled_algorithms: Mapping[str, Sequence[str]]) -> None:
        super().__init__(sock, disabled_algorithms=disabled_algorithms)
        options = self.get_security_options()
        options.ciphers = tuple(sorted(options.ciphers, key=lambda name: name not in _FIRST_CIPHERS))
        self._socket = sock
        self.disconnect_reason = ""
        # Paramiko logs whole tracebacks for what is an ordinary error here.
        logger = logging.getLogger(LOGGER)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL)
        self.set_log_channel(LOGGER)

    def handshake(self, timeout: float) -> None:
        """Exchange names and keys.

        Args:
            timeout: Seconds for the names, and again for the keys.

        Raises:
            HandshakeTimeoutError: It took longer.
            Exception: Whatever paramiko found wrong.
        """
        self.banner_timeout = timeout
        self.handshake_timeout = timeout
        done = threading.Event()
        self.start_client(event=done)
        if not done.wait(2 * timeout):
            raise HandshakeTimeoutError
        if not self.is_active():
            if self.packetizer.handshake_timed_out():
                raise HandshakeTimeoutError
            error = self.get_exception() or EOFError()
            # Paramiko wraps whatever happened before the server's first line, and names it in words alone.
            cause = error.__context__ if self.remote_version == "" else None
            if isinstance(cause, TimeoutError):
                raise HandshakeTimeoutError from error
            raise cause if isinstance(cause, OSError | EOFError) else error

    def ensure_session(self) -> None:
        """Ask for authentication to begin, and go on without waiting: the answer to the first key says it as well."""
        if self.auth_handler is None:
            message = paramiko.Message()
            message.add_byte(cMSG_SERVICE_REQUEST)
            message.add_string("ssh-userauth")
            self._send_message(message)
            self.auth_handler = _AuthHandler(self)

    def be_patient(self, keepalive: float) -> None:
        """Look less often whether there is something to do than a login asks for.

        Args:
            keepalive: Seconds between keepalive packets while nothing else is sent; 0 for none.
        """
        self._socket.settimeout(min(IDLE_SECONDS, keepalive or IDLE_SECONDS))
        if keepalive > 0:
            self.set_keepalive(keepalive)

    def _parse_disconnect(self, message: paramiko.Message) -> None:
        message.get_int()
        self.disconnect_reason = "".join(c for c in message.get_text() if c.isprintable())[:200]

    def _parse_debug(self, message: paramiko.Message) -> None:
        """What a server says to whom debugs it; paramiko would make a text of it, byte by byte, that nobody sees."""

    def close(self) -> None:
        """Close the connection at once; never raises, and takes no longer than its thread needs to notice."""
        # The thread sleeps in recv(): only this wakes it.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        # A handshake that was cut short leaves a timer that would keep the interpreter alive.
        self.packetizer.complete_handshake()
        super().close()
        if self.is_alive() and self is not threading.current_thread():
            self.join(JOIN_SECONDS)
        self._socket.close()
        if not self.is_alive():
            self._forget()

    def _forget(self) -> None:
        """Let go of what refers back to the transport, so that its memory is free at once: of hundreds, it adds up."""
        self._handler_table.clear()
        # Its traceback has the thread's frames, and they the last packet.
        self.saved_exception = None
