"""The shape of the inventory's files.

Nornir's SimpleInventory drops keys that it does not know in silence, and raises on a host without content or a group
that is not there.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from podroutes.errors import Problem
from podroutes.inventory.connection_options import ConnectionPlugins, Reach, check_connections
from podroutes.inventory.model import DEFAULTS, OUR_KEYS, OWN_KEY_PREFIX, Holder
from podroutes.inventory.typed_keys import KeyProblem, read_keys


class DefaultsElement(Reach, kw_only=True, forbid_unknown_fields=True):
    """What stands in the file of the defaults."""

    connection_options: Annotated[
        dict[str, Any] | None, Meta(description="Options of a connection plugin, by its name.")
    ] = None
    data: dict[Any, Any] | None = None


class HostElement(DefaultsElement):
    """What stands below a host's or a group's name."""

    groups: Annotated[list[str], Meta(description="controllers or workers, and groups of your own.")] = []  # noqa: RUF012  # each has its own


def check_hosts(content: object, groups: object, file: str, plugins: ConnectionPlugins) -> list[Problem]:
    """Check the shape of `hosts.yaml`, but for what stands below `data`.

    Args:
        content: What the file holds, parsed.
        groups: What `groups.yaml` holds, parsed.
        file: Path to show.
        plugins: The connection plugins that are installed.
    """
    return _check_elements(content, groups, file, "host", plugins)


def check_groups(content: object, file: str, plugins: ConnectionPlugins) -> list[Problem]:
    """Check the shape of `groups.yaml`, as `check_hosts` does."""
    return [*_check_elements(content, content, file, "group", plugins), *_check_cycles(content, file)]


def check_defaults(content: object, file: str, plugins: ConnectionPlugins) -> list[Problem]:
    """Check the shape of `defaults.yaml`, as `check_hosts` does."""
    if content is None:
        return []
    return _check_element(content, Holder(file, DEFAULTS), DefaultsElement, plugins)


def _check_elements(content: object, groups: object, file: str, what: str, plugins: ConnectionPlugins) -> list[Problem]:
    if content is None:
        return []
    if not isinstance(content, Mapping):
        return [Problem(file, "", "", f"must be a list of `NAME:` entries, one for each {what}")]
    problems: list[Problem] = []
    known = sorted(group for group in groups if isinstance(group, str)) if isinstance(groups, Mapping) else []
    for name, element in content.items():
        holder = Holder(file, str(name))
        if not isinstance(name, str):
            problems.append(holder.problem("", f"{name!r} is no name; write it in quotes"))
        elif element is None:
            hint = f"{name}: {{}}" if what == "group" else f"{name}: with its hostname and groups below"
            problems.append(holder.problem("", f"has nothing below it; write `{hint}`"))
        elif found := _check_element(element, holder, HostElement, plugins):
            problems += found
        else:
            for group in element.get("groups") or []:
                if group not in known:
                    message = f"there is no group {group}; known groups: {', '.join(known) or 'none'}"
                    problems.append(holder.problem("groups", message))
    return problems


def _check_cycles(content: object, file: str) -> list[Problem]:
    """Groups that are their own members; Nornir would follow them for ever."""
    members = {
        str(name): [group for group in element["groups"] if isinstance(group, str)]
        for name, element in (content.items() if isinstance(content, Mapping) else ())
        if isinstance(element, Mapping) and isinstance(element.get("groups"), list)
    }
    chains = {name: _chain_to(name, members) for name in members}
    return [
        Holder(file, name).problem("groups", f"is a member of itself: {', '.join(chain)}")
        for name, chain in chains.items()
        if chain
    ]


def _chain_to(name: str, members: Mapping[str, list[str]]) -> list[str]:
    """Groups from one to itself, each a group of the one before; empty where there is no such way."""
    chains = [[name]]
    seen: set[str] = set()
    while chains:
        chain = chains.pop()
        for group in members.get(chain[-1], []):
            if group == name:
                return [*chain, group]
            if group not in seen:
                seen.add(group)
                chains.append([*chain, group])
    return []


def _check_element(
    content: object, holder: Holder, kind: type[DefaultsElement], plugins: ConnectionPlugins
) -> list[Problem]:
    if not isinstance(content, Mapping):
        return [holder.problem("", "must hold keys such as `hostname:` below it")]
    _, problems = read_keys(kind, content)
    own = [holder.problem(problem.key, _advice(problem)) for problem in problems]
    return [*own, *check_connections(content, holder, plugins)]


def _advice(problem: KeyProblem) -> str:
    if not problem.unknown:
        return problem.message
    if problem.key in OUR_KEYS or problem.key.startswith(OWN_KEY_PREFIX):
        return "belongs below `data:`; indent it there"
    return f"{problem.message} (keys of your own belong below data)"
