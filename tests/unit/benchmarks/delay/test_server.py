"""The proxy on real sockets of this computer."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from benchmarks.delay.server import Door, Proxy
from benchmarks.delay.trips import Trips

TRIP = 0.1
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def greet_and_echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello\n")
    while line := await reader.readline():
        writer.write(line)
    writer.close()


@asynccontextmanager
async def proxied(serve: Serve, trip: float = TRIP) -> AsyncIterator[tuple[Proxy, tuple[str, int]]]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = Proxy([Door("one", ("127.0.0.1", 0), server.sockets[0].getsockname()[:2])], trip)
    (address,) = await proxy.open()
    try:
        yield proxy, address
    finally:
        proxy.close()
        server.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(120):
            await scenario()
            # What was closed takes its time to be seen as closed on the other side of the proxy.
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)
            await asyncio.sleep(2 * TRIP)

    asyncio.run(limited())


def only(proxy: Proxy) -> Trips:
    ((name, trips),) = proxy.report()
    assert name == "one"
    return trips


def test_a_conversation_takes_the_time_of_its_counted_trips() -> None:
    async def scenario() -> None:
        async with proxied(greet_and_echo) as (proxy, address):
            started = time.monotonic()
            reader, writer = await asyncio.open_connection(*address)
            assert await reader.readline() == b"hello\n"
            for number in range(3):
                writer.write(b"%d\n" % number)
                assert await reader.readline() == b"%d\n" % number
            took = time.monotonic() - started
            trips = only(proxy)
            # The handshake, the greeting, three questions: counted and felt are the same.
            assert trips.round_trips == 5
            assert took >= 5 * TRIP
            assert (trips.to_server, trips.to_client) == (6, 12)
            writer.close()

    run(scenario)


def test_what_the_client_sends_at_once_arrives_after_the_handshake_and_half_a_trip() -> None:
    arrived: list[float] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(time.monotonic())  # connected
        await reader.readline()
        arrived.append(time.monotonic())
        writer.close()

    async def scenario() -> None:
        async with proxied(note) as (proxy, address):
            started = time.monotonic()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"first\n")
            assert await reader.read() == b""
            assert only(proxy).round_trips == 1
            assert all(when - started >= 1.5 * TRIP for when in arrived)
            writer.close()

    run(scenario)


def test_much_data_arrives_whole_in_order_and_no_later_than_little() -> None:
    blob = bytes(range(256)) * 40_000

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(blob)
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with proxied(send) as (proxy, address):
            started = time.monotonic()
            reader, writer = await asyncio.open_connection(*address)
            assert await reader.read() == blob
            # A window of 64 KiB would have cost more than a hundred trips.
            assert time.monotonic() - started < 100 * TRIP
            trips = only(proxy)
            assert (trips.round_trips, trips.to_client, trips.is_open) == (2, len(blob), False)
            writer.close()

    run(scenario)


def test_a_report_forgets_what_has_ended_and_keeps_what_is_open() -> None:
    async def scenario() -> None:
        async with proxied(greet_and_echo, trip=0) as (proxy, address):
            first, first_writer = await asyncio.open_connection(*address)
            second, second_writer = await asyncio.open_connection(*address)
            await first.readline()
            await second.readline()
            first_writer.close()
            assert await first.read() == b""
            while all(trips.is_open for _, trips in proxy._counted):
                await asyncio.sleep(0.01)
            assert [trips.is_open for _, trips in proxy.report()] == [False, True]
            assert [trips.is_open for _, trips in proxy.report()] == [True]
            second_writer.close()

    run(scenario)


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    async def scenario() -> None:
        async with proxied(greet_and_echo) as (_, (host, port)):
            pass
        proxy = Proxy([Door("gone", (host, 0), (host, port))], 0)
        (address,) = await proxy.open()
        reader, writer = await asyncio.open_connection(*address)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        ((name, trips),) = proxy.report()
        assert (name, trips.is_open, trips.round_trips) == ("gone", False, 1)
        writer.close()
        proxy.close()

    run(scenario)


@pytest.mark.parametrize("connections", [50])
def test_many_at_once_do_not_wait_for_each_other(connections: int) -> None:
    async def one(address: tuple[str, int]) -> None:
        reader, writer = await asyncio.open_connection(*address)
        await reader.readline()
        writer.write(b"x\n")
        await reader.readline()
        writer.close()

    async def scenario() -> None:
        async with proxied(greet_and_echo) as (proxy, address):
            started = time.monotonic()
            await asyncio.gather(*(one(address) for _ in range(connections)))
            assert time.monotonic() - started < connections * 3 * TRIP, "one after the other"
            assert [trips.round_trips for _, trips in proxy.report()] == [3] * connections

    run(scenario)
