"""Rules about imports among the lab's modules, those within functions among them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import lab

ROOT = Path(lab.__file__).parent
# The command line and the first run put the parts together; all others are below them.
ABOVE_ALL = {"lab.__main__", "lab.cli", "lab.parts"}
# Run by another Python, as files.
OTHERS = ROOT / "cloud" / "inside"
PRODUCT = {"podroutes", "tasks", "runbooks", "benchmarks", "tests"}


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {_module(path): path for path in ROOT.rglob("*.py") if not path.is_relative_to(OTHERS)}


def _names(path: Path) -> Iterator[str]:
    """What a file imports when it runs, as `package.module` or `package.module.name`."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _imports(module: str) -> frozenset[str]:
    """The lab's modules that one of them imports."""
    found = set()
    for name in _names(FILES[module]):
        if name in FILES:
            found.add(name)
        elif name.rpartition(".")[0] in FILES:
            found.add(name.rpartition(".")[0])
    return frozenset(found)


def test_there_is_no_circle() -> None:
    circles: list[str] = []
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        if module in way:
            circles.append(" -> ".join([*way[way.index(module) :], module]))
        elif module not in done:
            for other in sorted(_imports(module)):
                visit(other, (*way, module))
            done.add(module)

    for module in sorted(FILES):
        visit(module, ())
    assert circles == []


def _package(module: str) -> str:
    """`lab.cloud` or `lab.lxd`; `lab` for what both are built on."""
    return next((package for package in ("lab.cloud", "lab.lxd") if f"{module}.".startswith(f"{package}.")), "lab")


def test_hosts_need_neither_cloud_nor_lxd_and_these_not_each_other() -> None:
    wrong = [
        f"{module} imports {other}"
        for module in sorted(set(FILES) - ABOVE_ALL)
        for other in sorted(_imports(module))
        if _package(other) not in ("lab", _package(module))
    ]
    assert wrong == []


def test_the_lab_imports_nothing_of_the_product() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in sorted(FILES.items())
        for name in _names(path)
        if name.split(".")[0] in PRODUCT
    ]
    assert wrong == []
