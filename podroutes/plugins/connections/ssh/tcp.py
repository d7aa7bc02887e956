"""A TCP connection, in bounded time, with its failures named. Runs in the event loop."""

import asyncio
import errno
import socket
from typing import Final

from podroutes.errors import UnreachableError
from podroutes.plugins.connections.ssh.target import SshTarget

_NO_ROUTE: Final = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


class MayPassError(UnreachableError):
    """A failure that another attempt may not meet."""


async def open_tcp(target: SshTarget) -> socket.socket:
    """Connect to a host's port.

    Raises:
        MayPassError: It does not answer, or refuses.
        UnreachableError: There is no such name, or no way.
    """
    title, may_pass = target.title, True
    failure: OSError
    try:
        async with asyncio.timeout(target.connect_timeout):
            return await _first_that_answers(target)
    except socket.gaierror as error:
        message = f"{title}: the name {target.options.host} cannot be resolved ({error.strerror})"
        failure, may_pass = error, error.errno == socket.EAI_AGAIN
    except TimeoutError as error:
        message, failure = f"{title}: no answer within {target.connect_timeout:.1f} s", error
    except ConnectionRefusedError as error:
        message, failure = f"{title}: connection refused; nothing listens on this port", error
    except OSError as error:
        message = f"{title}: {'no route to host' if error.errno in _NO_ROUTE else error.strerror}"
        failure, may_pass = error, isinstance(error, ConnectionError)
    raise (MayPassError if may_pass else UnreachableError)(message) from failure


async def _first_that_answers(target: SshTarget) -> socket.socket:
    loop, options = asyncio.get_running_loop(), target.options
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        options.host, options.port, family=options.family, type=socket.SOCK_STREAM
    ):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            if options.local_addr:
                sock.bind(options.local_addr)
            await loop.sock_connect(sock, address)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            failure = error
        else:
            return sock
    raise failure
