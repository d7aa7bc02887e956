"""The proxy itself: an address for each server, one event loop; each chunk is delivered later and in its order.

How much may be under way at once is not limited, so throughput is that of the machine. The TCP handshake takes its
round trip as well: what the client sends at once leaves after it, and the server sees the connection half a trip later.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.delay.trips import Trips

_BACKLOG = 512


@dataclass(frozen=True)
class Door:
    """Where the proxy of one server listens.

    Attributes:
        name: The server's.
        listen: Address and port to listen on.
        server: Address and port of the server.
    """

    name: str
    listen: tuple[str, int]
    server: tuple[str, int]


class _Way:
    """One direction of a connection.

    Args:
        delay: Seconds that each chunk takes.
        reached: Called with the level and the size of a chunk that arrives.
    """

    def __init__(self, delay: float, reached: Callable[[int, int], None]) -> None:
        self._delay = delay
        self._reached = reached
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[tuple[bytes, int]] = deque()
        self._due = 0
        self._out: asyncio.Transport | None = None

    def lead_to(self, out: asyncio.Transport) -> None:
        """There is somebody to deliver to."""
        self._out = out
        while self._due > 0:
            self._deliver()

    def put(self, chunk: bytes, level: int, not_before: float = 0.0) -> None:
        """Take a chunk, or the end if it is empty; it leaves now, or at a time of the loop's clock."""
        self._under_way.append((chunk, level))
        # Times that are the same come in any order, but each takes the oldest chunk.
        self._loop.call_at(max(self._loop.time(), not_before) + self._delay, self._arrive)

    def _arrive(self) -> None:
        self._due += 1
        if self._out is not None:
            self._deliver()

    def _deliver(self) -> None:
        assert self._out is not None
        self._due -= 1
        chunk, level = self._under_way.popleft()
        if self._out.is_closing():
            return
        if chunk == b"":
            self._out.close()
            return
        self._reached(level, len(chunk))
        self._out.write(chunk)


class _End(asyncio.Protocol):
    """One end of a connection.

    Args:
        on_data: Called with what comes in; with nothing when the other side has closed.
        on_open: Called with the transport.
    """

    def __init__(self, on_data: Callable[[bytes], None], on_open: Callable[[asyncio.Transport], None]) -> None:
        self._on_data = on_data
        self._on_open = on_open
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._on_open(transport)

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def eof_received(self) -> bool:
        self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._on_data(b"")


class _Connection:
    """A client's connection and the one to its server."""

    def __init__(self, door: Door, trip: float, trips: Trips) -> None:
        self._door = door
        self._trips = trips
        self._trip = trip
        self._up = _Way(trip / 2, lambda level, _: trips.server_gets(level))
        self._down = _Way(trip / 2, trips.client_gets)
        self._client: asyncio.Transport | None = None
        self._established = 0.0
        self._connecting: asyncio.Task[None] | None = None

    def accept(self) -> _End:
        """The end that the client talks to."""
        return _End(self._from_client, self._accepted)

    def _accepted(self, transport: asyncio.Transport) -> None:
        self._client = transport
        self._down.lead_to(transport)
        loop = asyncio.get_running_loop()
        self._established = loop.time() + self._trip
        self._connecting = loop.create_task(self._connect())

    async def _connect(self) -> None:
        await asyncio.sleep(self._trip * 1.5)
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _End(self._from_server, self._up.lead_to), *self._door.server
            )
        except OSError:
            if self._client is not None:
                self._client.abort()
            self._trips.is_open = False

    def _from_client(self, data: bytes) -> None:
        if data == b"":
            self._trips.is_open = False
        self._up.put(data, self._trips.client_sends(len(data)), self._established)

    def _from_server(self, data: bytes) -> None:
        if data == b"":
            self._trips.is_open = False
        self._down.put(data, self._trips.server_sends())


class Proxy:
    """The proxies of all servers.

    Args:
        doors: Where to listen, for whom.
        trip: Seconds that a round trip takes.
    """

    def __init__(self, doors: Iterable[Door], trip: float) -> None:
        self._doors = tuple(doors)
        self._trip = trip
        self._counted: list[tuple[str, Trips]] = []
        self._servers: list[asyncio.Server] = []

    async def open(self) -> list[tuple[str, int]]:
        """Listen everywhere.

        Returns:
            Addresses and ports, in the order of the doors.
        """
        loop = asyncio.get_running_loop()
        for door in self._doors:
            self._servers.append(await loop.create_server(self._acceptor(door), *door.listen, backlog=_BACKLOG))
        return [server.sockets[0].getsockname()[:2] for server in self._servers]

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()

    def report(self) -> list[tuple[str, Trips]]:
        """Connections since the last report, or still open, by server, in the order in which they came."""
        counted = self._counted
        self._counted = [(name, trips) for name, trips in counted if trips.is_open]
        return counted

    def _acceptor(self, door: Door) -> Callable[[], asyncio.Protocol]:
        def accept() -> asyncio.Protocol:
            trips = Trips()
            self._counted.append((door.name, trips))
            return _Connection(door, self._trip, trips).accept()

        return accept
