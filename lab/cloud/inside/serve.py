"""Serves Keystone's or Neutron's web application. Runs in the cloud's own environment.

python serve.py APPLICATION ADDRESS PORT THREADS, where APPLICATION is `keystone` or `neutron`; the application's own
settings come from its environment variables. Each request is a line in the log.
"""

import importlib
import logging
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

_LOG = logging.getLogger("access")
_Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def logged(application: _Application) -> _Application:
    """Log each request that an application answers.

    Args:
        application: The application.
    """

    def wrapped(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = time.monotonic()
        # Read now: whatever routes the request takes parts of the path away.
        method, path = environment["REQUEST_METHOD"], environment["PATH_INFO"]

        def start(status: str, headers: list[tuple[str, str]], error: object = None) -> object:
            milliseconds = (time.monotonic() - started) * 1000
            _LOG.info("%s %s %s %.0f ms", method, path, status.split(maxsplit=1)[0], milliseconds)
            return start_response(status, headers, error) if error is not None else start_response(status, headers)

        return application(environment, start)

    return wrapped


def main() -> int:
    """Serve until killed."""
    name, address, port, threads = sys.argv[1:]
    # Both applications parse the process's arguments.
    sys.argv = [name]
    application = importlib.import_module(f"{name}.wsgi.api").application
    _LOG.setLevel(logging.INFO)
    waitress = importlib.import_module("waitress")
    waitress.serve(logged(application), host=address, port=int(port), threads=int(threads), ident=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
