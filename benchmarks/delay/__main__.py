"""Runs a proxy until its standard input ends; each line there is a question for the connections since the last one."""

import asyncio
import json
import sys
from dataclasses import asdict

from benchmarks.delay.server import Door, Proxy


async def serve(doors: list[Door], trip: float) -> None:
    """Listen, say so, and answer.

    Args:
        doors: Where to listen, for whom.
        trip: Seconds that a round trip takes.
    """
    proxy = Proxy(doors, trip)
    print(json.dumps(await proxy.open()), flush=True)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline() != b"":
        report = [{"name": name, "round_trips": trips.round_trips, **asdict(trips)} for name, trips in proxy.report()]
        print(json.dumps(report), flush=True)
    proxy.close()


def main() -> int:
    """Read what to do from the first line of standard input: `{"trip": SECONDS, "doors": [[NAME, LISTEN, SERVER], …]}`.

    Returns:
        The exit status.
    """
    wanted = json.loads(sys.stdin.readline())
    doors = [Door(name, tuple(listen), tuple(server)) for name, listen, server in wanted["doors"]]
    asyncio.run(serve(doors, float(wanted["trip"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
