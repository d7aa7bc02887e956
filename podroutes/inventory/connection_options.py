"""What stands below `connection_options` in the inventory's files, which Nornir hands to connection plugins unread."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Protocol

from msgspec import Meta, Struct

from podroutes.errors import Problem
from podroutes.inventory.model import Holder
from podroutes.inventory.typed_keys import read_keys
from podroutes.text import closest, did_you_mean

CONNECTION_OPTIONS: Final = "connection_options"
# How alike a misspelling is, as difflib measures it.
_SIMILARITY: Final = 0.8


class Reach(Struct, kw_only=True, forbid_unknown_fields=True):
    """How to reach a host; Nornir's own keys."""

    hostname: Annotated[str | None, Meta(description="Address or name to connect to.")] = None
    port: Annotated[Annotated[int, Meta(ge=1, le=65535)] | None, Meta(description="TCP port.")] = None
    username: Annotated[str | None, Meta(description="Who to log in as.")] = None
    password: Annotated[str | None, Meta(description="Better left out: keys and the agent come first.")] = None
    platform: Annotated[str | None, Meta(description="linux_exec, or linux for the same.")] = None


class ConnectionElement(Reach, kw_only=True, forbid_unknown_fields=True):
    """What stands below a connection plugin's name; it outranks what the host says for all connections."""

    extras: Annotated[dict[str, Any] | None, Meta(description="The plugin's own settings.")] = None


class ConnectionPlugins(Protocol):
    """What is known of the connection plugins that are installed."""

    def names(self) -> Iterable[str]:
        """Their names."""
        ...

    def extras(self, name: str) -> type[Struct] | None:
        """The type of a plugin's extras; None where that is not ours to know."""
        ...


def check_connections(element: Mapping[Any, Any], holder: Holder, plugins: ConnectionPlugins) -> Iterator[Problem]:
    """Check how a host, a group or the defaults are to be connected to.

    Those of a plugin that is not installed are for other programs, unless its name is close to one that is.

    Args:
        element: What stands below its name. That these options are a mapping of texts is for others to say.
        holder: Who it is.
        plugins: Those that there are.

    Yields:
        Every problem.
    """
    data = element.get("data")
    chosen = data.get("connection") if isinstance(data, Mapping) else None
    if isinstance(chosen, str) and chosen not in plugins.names():
        yield holder.problem("data.connection", _no_such_plugin(chosen, plugins.names()))
    written = element.get(CONNECTION_OPTIONS)
    for name, options in written.items() if isinstance(written, Mapping) else ():
        if not isinstance(name, str):
            continue
        key = f"{CONNECTION_OPTIONS}.{name}"
        if name not in plugins.names():
            if closest(name, plugins.names(), similarity=_SIMILARITY) is not None:
                yield holder.problem(key, _no_such_plugin(name, plugins.names()))
        elif options is not None:
            yield from _check(ConnectionElement, options, key, holder)
            extras = options.get("extras") if isinstance(options, Mapping) else None
            kind = plugins.extras(name) if isinstance(extras, Mapping) else None
            if kind is not None:
                yield from _check(kind, extras, f"{key}.extras", holder)


def _check(kind: type[Struct], written: object, key: str, holder: Holder) -> Iterator[Problem]:
    for problem in read_keys(kind, written)[1]:
        yield holder.problem(f"{key}.{problem.key}" if problem.key else key, problem.message)


def _no_such_plugin(name: str, names: Iterable[str]) -> str:
    return f"there is no such connection plugin; {did_you_mean(name, names, 'installed')}"
