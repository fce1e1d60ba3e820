"""Who may import whom, and that the rooms which decide stay pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "hedgerow"

# Low to high, as in ARCHITECTURE.md. Rooms on one line stand beside each other.
LAYERS = (
    {"model"},
    {"core", "market"},
    {"strategies", "journal", "venues", "emulators"},
    {"bus"},
    {"runtime"},
    {"api", "sim"},
    {"cli"},
)
LEVELS = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}

PURE_ROOMS = {"model", "core", "strategies"}
IMPURE_MODULES = {
    "asyncio",
    "datetime",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "uuid",
}

# The oracle judges the engine, so it shares no code with it.
ORACLE = Path("sim", "oracle.py")
NOT_FOR_THE_ORACLE = {"core", "strategies", "journal"}


def imported_modules(module: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of each import in a file; `module` is its path inside the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            # One dot means the folder of the file, for a package's own __init__.py as well.
            folder = ("hedgerow", *module.parent.parts)
            start = folder[: len(folder) - node.level + 1] if node.level else ()
            base = ".".join((*start, *((node.module,) if node.module else ())))
            if base == "hedgerow":
                for alias in node.names:
                    yield node.lineno, f"hedgerow.{alias.name}"
            else:
                yield node.lineno, base


def import_violations(module: Path, tree: ast.AST) -> Iterator[str]:
    room = Path(module.parts[0]).stem
    if room == "__init__":
        # The package itself lies under every room, so it may import none.
        level = -1
    elif room == "__main__":
        # The program, above every room.
        level = len(LAYERS)
    elif room in LEVELS:
        level = LEVELS[room]
    else:
        yield f"{module}: {room} is not a room of the house"
        return
    for line, name in imported_modules(module, tree):
        package, *rest = name.split(".")
        if package in IMPURE_MODULES and room in PURE_ROOMS:
            yield f"{module}:{line}: {room} is pure and may not import {package}"
        if package != "hedgerow" or not rest:
            continue
        other = rest[0]
        if module == ORACLE and other in NOT_FOR_THE_ORACLE:
            yield f"{module}:{line}: the oracle may not import {other}"
        elif other in LEVELS and other != room and LEVELS[other] >= level:
            yield f"{module}:{line}: {room} may not import {other}"


def float_violations(module: Path, tree: ast.AST) -> Iterator[str]:
    if module.parts[0] not in PURE_ROOMS:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{module}:{node.lineno}: float literal {node.value}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield f"{module}:{node.lineno}: float() is called"
        for annotation in annotations(node):
            if any(isinstance(part, ast.Name) and part.id == "float" for part in ast.walk(annotation)):
                yield f"{module}:{annotation.lineno}: float is used as a type"


def annotations(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation:
        yield node.annotation
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
        yield node.returns


def violations(source: Path) -> list[str]:
    """Return one sentence for each broken rule in the package folder `source`, by file and line."""
    found: list[str] = []
    for path in sorted(source.rglob("*.py")):
        module = path.relative_to(source)
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        found += import_violations(module, tree)
        found += float_violations(module, tree)
    return found


def test_the_house_keeps_its_layers() -> None:
    """Imports run downwards only, and what decides uses no clock, chance, I/O or float."""
    assert violations(SOURCE) == []


@pytest.mark.parametrize(
    ("module", "text", "complaint"),
    [
        ("core/step.py", "from hedgerow.journal import codec", "core may not import journal"),
        ("core/step.py", "from hedgerow import market", "core may not import market"),
        ("core/step.py", "import hedgerow.market.fees", "core may not import market"),
        ("core/step.py", "from ..journal.codec import encode", "core may not import journal"),
        ("core/step.py", "from .. import cli", "core may not import cli"),
        ("core/step.py", "def f():\n    from hedgerow.runtime import node", "core may not import runtime"),
        ("core/step.py", "import time", "core is pure and may not import time"),
        ("core/step.py", "import os.path", "core is pure and may not import os"),
        ("core/step.py", "from datetime import UTC", "core is pure and may not import datetime"),
        ("core/__init__.py", "from ..venues import gateway", "core may not import venues"),
        ("model/numbers.py", "from hedgerow.core import step", "model may not import core"),
        ("strategies/mirror.py", "from hedgerow.venues import gateway", "strategies may not import venues"),
        ("api/server.py", "from hedgerow.sim import world", "api may not import sim"),
        ("venues/wire/binance.py", "from ...runtime import node", "venues may not import runtime"),
        ("sim/world.py", "from hedgerow.cli import main", "sim may not import cli"),
        ("sim/oracle.py", "from hedgerow.core.step import step", "the oracle may not import core"),
        ("sim/oracle.py", "from hedgerow import journal", "the oracle may not import journal"),
        ("cellar/wine.py", "", "cellar is not a room of the house"),
        ("__init__.py", "from hedgerow.model import order", "__init__ may not import model"),
        ("core/step.py", "half = 0.5", "float literal 0.5"),
        ("core/step.py", "qty = float('1')", "float() is called"),
        ("core/step.py", "qty: float = 1", "float is used as a type"),
        ("core/step.py", "def f(qty: float | None): ...", "float is used as a type"),
        ("core/step.py", "def f() -> list[float]: ...", "float is used as a type"),
    ],
)
def test_a_breach_is_found(tmp_path: Path, module: str, text: str, complaint: str) -> None:
    """A rule that nothing can break holds nothing, so each is broken once."""
    path = tmp_path / module
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

    (found,) = violations(tmp_path)

    assert found.startswith(module)
    assert found.endswith(complaint)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("core/step.py", "from decimal import Decimal\nfrom hedgerow.model.order import Order"),
        ("core/step.py", "from hedgerow.core.events import Filled\nfrom .commands import Submit"),
        ("core/step.py", "from hedgerow import __version__"),
        ("journal/sqlite.py", "import os, time\nlinger_s: float = 0.001\nfrom hedgerow.core import events"),
        ("sim/world.py", "from hedgerow import core, journal, market, model, runtime, strategies, venues"),
        ("sim/oracle.py", "from hedgerow.market import matching\nfrom .faults import Fault"),
        ("cli.py", "from hedgerow.sim import world\nfrom hedgerow.api import server"),
        ("cli/__init__.py", "from .demo import demo\nfrom hedgerow.runtime import node"),
        ("venues/wire/binance.py", "from ..outcomes import Outcome\nfrom ...core import events"),
    ],
)
def test_what_is_allowed_passes(tmp_path: Path, module: str, text: str) -> None:
    """Downwards, within a room, and everything for the rooms that are not pure."""
    path = tmp_path / module
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

    assert violations(tmp_path) == []
