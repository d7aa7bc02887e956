"""When Python looks for garbage: not while a run starts, where it finds none and takes a tenth of the time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postponed() -> Iterator[None]:
    """Look for none until `resume` is called or the block ends."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def resume() -> None:
    """Look again from here on, and never at what there is by now, which is all that was imported."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
