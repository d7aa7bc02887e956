"""The event loop that all SSH connections share, in a thread of its own behind Nornir's threads."""

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

_NAME: Final = "podroutes-ssh"
_Answer = TypeVar("_Answer")
_starting = threading.Lock()
_running: list[asyncio.AbstractEventLoop] = []


def run(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine in the loop, and wait for it; whoever writes it bounds the wait.

    Args:
        work: The coroutine.

    Returns:
        What it returns.
    """
    with _starting:
        if not _running:
            _running.append(_start())
        loop = _running[0]
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _start() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    # For names, key files and agents: what blocks, and is short.
    loop.set_default_executor(ThreadPoolExecutor(4, thread_name_prefix=_NAME))
    thread = threading.Thread(target=loop.run_forever, name=_NAME, daemon=True)
    thread.start()

    def stop() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(1)
        if not thread.is_alive():
            loop.close()

    atexit.register(stop)
    return loop
