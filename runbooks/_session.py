"""From a configuration file to everything that a run needs: Nornir, the checked network plan, the chosen hosts."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from fnmatch import fnmatchcase
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import asdict
from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.exceptions import PluginNotRegistered
from nornir.core.inventory import Inventory
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.plugins.inventory import InventoryPluginRegister, TransformFunctionRegister
from nornir.core.plugins.register import PluginRegister
from nornir.core.plugins.runners import RunnersPluginRegister
from nornir.core.state import GlobalState
from nornir.plugins.inventory import SimpleInventory
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from podroutes.errors import InventoryError, Problem, UsageError
from podroutes.inventory.files import check_defaults, check_groups, check_hosts
from podroutes.inventory.key_types import CONTROLLERS, OPENSTACK, WORKERS
from podroutes.inventory.network_plan import NetworkPlan
from podroutes.inventory.typed_keys import read_keys
from podroutes.plugins.inventory.merged import DiscoveredHosts, Files, MergedInventory
from podroutes.text import first_line
from runbooks._connecting import check_connections, resolve_paths
from runbooks._connection_plugins import InstalledPlugins
from runbooks._lock import run_lock
from tasks.plan import plan_of, shown

_FILE_OPTIONS: Final[Mapping[str, str]] = {
    "host_file": "hosts.yaml",
    "group_file": "groups.yaml",
    "defaults_file": "defaults.yaml",
}
_Plugin = TypeVar("_Plugin")
_SIMPLE_INVENTORY: Final = "SimpleInventory"
# Those that read Nornir's own files; LXDInventory has hosts besides them, and needs none of them.
_WITH_FILES: Final = frozenset({_SIMPLE_INVENTORY, "LXDInventory"})


class Settings(Struct, forbid_unknown_fields=True):
    """`user_defined` of Nornir's configuration: this software's own settings."""

    command_timeout: Annotated[float, Meta(gt=0)] = 60.0


class Session(Struct, frozen=True):
    """What a run works with.

    Attributes:
        nornir: Nornir, with the chosen hosts.
        plan: The whole cluster's network.
        hosts: Names of the chosen hosts, in the inventory's order; at least one.
        unmanaged: Chosen hosts that are not connected to (`manage_routes: false`).
        notes: What the inventory's source says of machines that are not in it, a sentence each.
    """

    nornir: Nornir
    plan: NetworkPlan
    hosts: tuple[str, ...]
    unmanaged: tuple[str, ...]
    notes: tuple[str, ...] = ()


@contextmanager
def locked_session(config: Path, limit: Iterable[str], *, dry_run: bool) -> Iterator[Session]:
    """A session, as `connecting_session`, that no other run works on that inventory beside.

    Raises:
        LockHeldError: Another run does.
        UsageError: The configuration or the limit is wrong.
        InventoryError: The inventory is wrong; with every problem.
    """
    with run_lock(config), connecting_session(config, limit, dry_run=dry_run) as session:
        yield session


@contextmanager
def connecting_session(config: Path, limit: Iterable[str], *, dry_run: bool) -> Iterator[Session]:
    """Load and check everything, as `open_session`, and what `ssh` would read for its hosts.

    Raises:
        UsageError: The configuration or the limit is wrong.
        InventoryError: The inventory is wrong; with every problem.
    """
    session = open_session(config, limit, dry_run=dry_run)
    check_connections(session.nornir, session.plan.nodes)
    yield session


def open_session(config: Path, limit: Iterable[str], *, dry_run: bool) -> Session:
    """Load and check everything; connect to nothing.

    Args:
        config: Nornir's configuration file; paths in it are relative to its folder.
        limit: Patterns that choose hosts; none for all.
        dry_run: Nornir's dry run, which every task obeys.

    Raises:
        UsageError: The configuration or the limit is wrong.
        InventoryError: The inventory is wrong; with every problem.
    """
    # Nornir logs tracebacks of failed tasks, and without a handler Python prints them; `-v` shows them instead.
    logging.getLogger("nornir").addHandler(logging.NullHandler())
    settings = _load_config(config)
    files = {name: str(settings["inventory"]["options"].get(name, "")) for name in _FILE_OPTIONS}
    contents, problems = _check_files(files) if settings["inventory"]["plugin"] in _WITH_FILES else (None, [])
    nornir = _init_nornir(settings, config, contents, problems, dry_run=dry_run)
    hosts, groups, defaults = (Path(files[name] or config).resolve().parent for name in _FILE_OPTIONS)
    resolve_paths(nornir.inventory, hosts=hosts, groups=groups, defaults=defaults)
    plan = plan_of(nornir, problems)
    chosen = choose_hosts(nornir.inventory, limit, plan.nodes.keys() | plan.clouds.keys())
    managed = tuple(name for name in chosen if name in plan.managed)
    if not managed:
        message = f"none of the chosen hosts is managed (manage_routes: false): {', '.join(chosen) or 'no host at all'}"
        raise UsageError(message)
    wanted = set(managed)
    return Session(
        nornir=nornir.filter(filter_func=lambda host: host.name in wanted),
        plan=plan,
        hosts=managed,
        unmanaged=tuple(name for name in chosen if name not in wanted),
        notes=getattr(nornir.inventory, "notes", ()),
    )


def _load_yaml(path: Path) -> Any:  # noqa: ANN401  # whatever the file holds; each caller checks it
    with path.open(encoding="utf-8") as file:
        return YAML(typ="safe").load(file)


def _load_config(path: Path) -> dict[str, Any]:
    try:
        content = _load_yaml(path)
    except OSError as error:
        message = f"{path}: {error.strerror}; --config names Nornir's configuration"
        raise UsageError(message) from error
    except YAMLError as error:
        raise UsageError(f"{shown(path)}: {_yaml_message(error)}") from error
    known = {"inventory", "runner", "logging", "ssh", "core", "user_defined"}
    if not isinstance(content, dict) or not content.keys() <= known:
        unknown = ", ".join(sorted(map(str, content.keys() - known))) if isinstance(content, dict) else "no mapping"
        message = f"{shown(path)}: unknown keys: {unknown}; Nornir's are {', '.join(sorted(known))}"
        raise UsageError(message)
    content["inventory"] = dict(content.get("inventory") or {})
    plugin = content["inventory"].setdefault("plugin", _SIMPLE_INVENTORY)
    options = dict(content["inventory"].get("options") or {})
    for name, default in _FILE_OPTIONS.items():
        if name in options or plugin == _SIMPLE_INVENTORY:
            options[name] = str(path.resolve().parent / Path(options.get(name, default)).expanduser())
    content["inventory"]["options"] = options
    ssh = dict(content.get("ssh") or {})
    if isinstance(ssh.get("config_file"), str):
        ssh["config_file"] = str(path.resolve().parent / Path(ssh["config_file"]).expanduser())
        if not Path(ssh["config_file"]).is_file():
            message = f"{shown(path)}: ssh.config_file: there is no file {ssh['config_file']}"
            raise UsageError(message)
    content["ssh"] = ssh
    settings, problems = read_keys(Settings, content.get("user_defined") or {})
    if settings is None:
        raise UsageError("; ".join(problem.below(f"{shown(path)}: user_defined") for problem in problems))
    content["user_defined"] = asdict(settings)
    return content


def _check_files(files: Mapping[str, str]) -> tuple[Files, list[Problem]]:
    """What Nornir's files hold, and what is wrong with it."""
    contents: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, path in files.items():
        file = Path(path)
        if path == "" or not file.exists():
            if name == "host_file" and path != "":
                problems.append(Problem(shown(file), "", "", "there is no such file"))
            contents[name] = None
            continue
        try:
            contents[name] = _load_yaml(file)
        except (YAMLError, UnicodeDecodeError, OSError) as error:
            problems.append(Problem(shown(file), "", "", _yaml_message(error)))
    if problems:
        raise InventoryError(problems)  # the rest can't be read without it
    plugins = InstalledPlugins()
    hosts, groups, defaults = (shown(Path(files[name])) if files[name] else "" for name in _FILE_OPTIONS)
    problems = [
        *check_hosts(contents["host_file"], contents["group_file"], hosts, plugins),
        *check_groups(contents["group_file"], groups, plugins),
        *check_defaults(contents["defaults_file"], defaults, plugins),
    ]
    return Files.of(contents["host_file"], contents["group_file"], contents["defaults_file"]), problems


def _yaml_message(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        problem = (
            (error.problem or "").replace("found duplicate key", "this key stands here twice:").split(" with value")[0]
        )
        return f"line {error.problem_mark.line + 1}: {problem}"
    return f"can't be read: {first_line(error)}"


def _init_nornir(
    settings: dict[str, Any], path: Path, contents: Files | None, problems: list[Problem], *, dry_run: bool
) -> Nornir:
    try:
        # Of files with problems the plugin tells how far it comes.
        return _new_nornir(Config.from_dict(**settings), None if problems else contents, dry_run=dry_run)
    except InventoryError:
        raise
    except Exception as error:
        if problems:
            raise InventoryError(problems) from error  # they are why it can't be loaded
        if isinstance(error, (TypeError, ValueError, PluginNotRegistered)):
            raise UsageError(f"{shown(path)}: {error}") from error
        raise


def _new_nornir(config: Config, contents: Files | None, *, dry_run: bool) -> Nornir:
    """As `InitNornir`, but of all plugins that are installed, only those that a run needs are imported.

    Connection plugins come when a host first needs one: some take half a second, and a run that ends at a wrong limit,
    or has no cloud, needs none or not all of them.

    Args:
        config: Nornir's.
        contents: What the inventory's files hold, where that has been read.
        dry_run: Whether tasks change nothing.
    """
    config.logging.configure()
    # Asked for once: each time reads what every installed package says of itself.
    select = entry_points().select
    for entry_point in select(group="nornir.plugins.connections"):
        if entry_point.name not in ConnectionPluginRegister.available:
            ConnectionPluginRegister.register(entry_point.name, _on_demand(entry_point))
    inventory = _plugin(select, "nornir.plugins.inventory", InventoryPluginRegister, config.inventory.plugin)
    runner = _plugin(select, "nornir.plugins.runners", RunnersPluginRegister, config.runner.plugin)
    if (
        contents is not None
        and inventory is SimpleInventory
        and config.inventory.options.keys() <= _FILE_OPTIONS.keys()
    ):
        # The plugin would read the files once more: what was checked is what is used.
        loaded: Inventory = MergedInventory(DiscoveredHosts("", {}), contents, {})
    else:
        loaded = inventory(**config.inventory.options).load()
    if name := config.inventory.transform_function:
        transform = _plugin(select, "nornir.plugins.transform_function", TransformFunctionRegister, name)
        for host in loaded.hosts.values():
            transform(host, **(config.inventory.transform_function_options or {}))
    return Nornir(
        inventory=loaded, runner=runner(**config.runner.options), config=config, data=GlobalState(dry_run=dry_run)
    )


def _plugin(select: Callable[..., EntryPoints], group: str, register: PluginRegister[_Plugin], name: str) -> _Plugin:
    """One plugin, imported if it was not yet.

    Raises:
        PluginNotRegistered: There is none of that name.
    """
    if name not in register.available:
        for entry_point in select(group=group, name=name):
            register.register(name, entry_point.load())
    return register.get_plugin(name)


def _on_demand(entry_point: EntryPoint) -> Any:  # noqa: ANN401  # Nornir only ever calls it
    def load_and_make() -> Any:  # noqa: ANN401
        return entry_point.load()()

    return load_and_make


def choose_hosts(inventory: Inventory, limit: Iterable[str], cluster: Set[str]) -> tuple[str, ...]:
    """Names of the cluster's hosts that patterns choose, in the inventory's order.

    Args:
        inventory: Nornir's; hosts that are not part of the cluster are never chosen.
        limit: Patterns of names or groups; none for all.
        cluster: Names of the cluster's machines and clouds.

    Raises:
        UsageError: A pattern matches nothing, or nothing of the cluster.
    """
    patterns = tuple(limit)
    chosen = set() if patterns else set(cluster)
    for pattern in patterns:
        matching = {
            host.name
            for host in inventory.hosts.values()
            if any(
                fnmatchcase(name, pattern) for name in (host.name, *(group.name for group in host.extended_groups()))
            )
        }
        if not matching:
            message = (
                f"--limit {pattern} matches no host and no group; "
                f"hosts: {_some(inventory.hosts)}; groups: {_some(inventory.groups)}"
            )
            raise UsageError(message)
        if matching.isdisjoint(cluster):
            message = (
                f"--limit {pattern}: not part of the cluster: {_some(sorted(matching))}; "
                f"its hosts are in the groups {CONTROLLERS}, {WORKERS} and {OPENSTACK}"
            )
            raise UsageError(message)
        chosen |= matching & cluster
    return tuple(name for name in inventory.hosts if name in chosen)


def _some(names: Iterable[str], most: int = 10) -> str:
    everything = list(names)
    more = f" and {len(everything) - most} more" if len(everything) > most else ""
    return ", ".join(everything[:most]) + more
