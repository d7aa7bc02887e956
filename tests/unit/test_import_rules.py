"""What each room may import, imports within functions included; and that no modules import each other in a circle."""

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = ("podroutes", "tasks", "runbooks")
# Modules at the top of podroutes that import no room, so that every room may import them.
BASE: Final = tuple(
    f"podroutes.{name}"
    for name in ("addresses", "atomic_write", "errors", "exit_codes", "script_runner", "secret", "text")
)
INVENTORY, HOST, PLAN, DRIFT = (f"podroutes.{room}" for room in ("inventory", "host", "plan", "drift"))
OUTCOMES, TERMINAL = "podroutes.outcomes", "podroutes.terminal"
# By room or module, the most exact name first: what of the product it may import besides itself.
RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "podroutes.inventory.network_plan": (*BASE, INVENTORY, "podroutes.host.routes"),
    INVENTORY: BASE,
    HOST: BASE,
    PLAN: (*BASE, INVENTORY, HOST),
    DRIFT: (*BASE, PLAN, HOST, "podroutes.inventory.network_plan", OUTCOMES),
    "podroutes.report": (*BASE, INVENTORY, HOST, PLAN, DRIFT, OUTCOMES, TERMINAL),
    "podroutes.plugins": (
        *BASE,
        OUTCOMES,
        TERMINAL,
        "podroutes.inventory.key_types",
        "podroutes.inventory.typed_keys",
    ),
    OUTCOMES: (*BASE, "podroutes.host.changes", "podroutes.drift.findings"),
    # Writes the schemas of what others define, and is imported by nothing.
    "podroutes.schemas": ("podroutes.inventory", "podroutes.report", "podroutes.plugins"),
    "podroutes": BASE,
    "tasks": ("podroutes",),
    "runbooks": ("podroutes", "tasks"),
    "lab": (),
}
# These rooms are pure: of others' libraries they import only this one.
PURE: Final = (INVENTORY, HOST, PLAN, DRIFT)
LIBRARY: Final = "msgspec"


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES: Final = {name_of(path): path for room in (*PRODUCT, "lab") for path in sorted((ROOT / room).rglob("*.py"))}


def imports_of(module: str) -> Iterator[str]:
    """Every module that one imports; of `from a import b`, `a.b` where that is a module of ours."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module is not None
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (inner & MODULES.keys()) or {node.module}


def is_in(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def room_of(module: str) -> str:
    return next(room for room in RULES if is_in(module, room))


@pytest.mark.parametrize("room", RULES)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    allowed = (*RULES[room], *([] if room == "podroutes" else [room]))
    wrong = [
        f"{module} imports {imported}"
        for module in MODULES
        if room_of(module) == room
        for imported in imports_of(module)
        if is_in(imported, imported.partition(".")[0])
        and imported.partition(".")[0] in (*PRODUCT, "lab")
        and not any(is_in(imported, one) for one in allowed)
    ]
    assert wrong == []


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_imports_no_library_but_one(room: str) -> None:
    known = {*sys.stdlib_module_names, *PRODUCT, LIBRARY}
    wrong = [
        f"{module} imports {imported}"
        for module in MODULES
        if is_in(module, room)
        for imported in imports_of(module)
        if imported.partition(".")[0] not in known
    ]
    assert wrong == []


def test_every_base_module_is_there() -> None:
    assert {*BASE, OUTCOMES, TERMINAL} <= MODULES.keys()


@pytest.mark.parametrize("room", PRODUCT)
def test_no_modules_import_each_other_in_a_circle(room: str) -> None:
    graph = {module: set(imports_of(module)) & MODULES.keys() for module in MODULES if is_in(module, room)}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"in a circle: {' imports '.join(reversed(error.args[1]))}")
