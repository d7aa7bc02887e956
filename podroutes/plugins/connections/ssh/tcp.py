"""A TCP connection, in bounded time, with its failures named. Runs in the event loop."""

import asyncio
import errno
import socket
from typing import Final

from podroutes.errors import UnreachableError
from podroutes.plugins.connections.ssh.failures import MayPassError
from podroutes.plugins.connections.ssh.target import SshTarget

_NO_ROUTE: Final = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


async def open_tcp(target: SshTarget) -> socket.socket:
    """Connect to a host's port.

    Args:
        target: The host.

    Raises:
        MayPassError: It does not answer, or refuses.
        UnreachableError: There is no such name, or no way.
    """
    title = target.title
    try:
        async with asyncio.timeout(target.connect_timeout):
            return await _first_that_answers(target)
    except socket.gaierror as error:
        message = f"{title}: the name {target.hostname} cannot be resolved ({error.strerror})"
        raise (MayPassError if error.errno == socket.EAI_AGAIN else UnreachableError)(message) from error
    except TimeoutError as error:
        message = f"{title}: no answer within {target.connect_timeout:.1f} s"
        raise MayPassError(message) from error
    except ConnectionRefusedError as error:
        message = f"{title}: connection refused; nothing listens on this port"
        raise MayPassError(message) from error
    except ConnectionError as error:
        message = f"{title}: {error.strerror}"
        raise MayPassError(message) from error
    except OSError as error:
        message = f"{title}: {'no route to host' if error.errno in _NO_ROUTE else error.strerror}"
        raise UnreachableError(message) from error


async def _first_that_answers(target: SshTarget) -> socket.socket:
    loop = asyncio.get_running_loop()
    family, bound = target.options.family, target.options.local_addr
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    for kind, _, protocol, _, address in await loop.getaddrinfo(
        target.hostname, target.port, family=family, type=socket.SOCK_STREAM
    ):
        sock = socket.socket(kind, socket.SOCK_STREAM, protocol)
        try:
            sock.setblocking(False)
            if bound:
                sock.bind(bound)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure
