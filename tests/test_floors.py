"""The house holds: imports between the floors go down only, without circles, and files stay small.

Each rule is a function over parsed source, and is also tried on a bad sample, so that it is known to bite."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES = 400
FUNCTION_LINES = 60
PUBLIC_METHODS = 20

MAY_IMPORT: dict[str, set[str]] = {
    "bridge.api": set(),
    "bridge.store": {"bridge.api"},
    "bridge.core": {"bridge.api", "bridge.store"},
    "bridge.xmpp": {"bridge", "bridge.api", "bridge.core"},
    "bridge.app": {"bridge", "bridge.api", "bridge.store", "bridge.core", "bridge.xmpp"},
    "bridge.testing": {"bridge.api"},
    "bridge.__main__": {"bridge.app"},
    "bridge": set(),
    "backends": set(),
}
"""Floor -> the floors that it may import. Each folder of `backends` is a floor of its own (`allowed`)."""

THIRD_PARTIES: dict[str, set[str]] = {
    "bridge.api": {"msgspec"},
    "bridge.store": {"msgspec", "sqlalchemy", "alembic", "cryptography", "psycopg"},
    "bridge.core": {"msgspec", "aiohttp", "yarl"},
    "bridge.xmpp": {"msgspec", "slixmpp", "aiohttp"},
    "bridge.app": {"msgspec", "click", "pythonjsonlogger"},
    "bridge.testing": {"msgspec", "pytest"},
}
"""Floor -> other people's packages that it may import. A backend may import what it likes."""


def floor(module: str) -> str:
    """`bridge.core.rooms` -> `bridge.core`, `backends.irc.wire` -> `backends.irc`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] in ("bridge", "backends") else parts[0]


def allowed(importer: str, imported: str) -> bool:
    """Whether one floor may import another."""
    if importer == imported:
        return True
    if importer.startswith("backends."):
        return imported == "bridge.api"
    return imported in MAY_IMPORT[importer]


def imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[tuple[str, str]]:
    """(module, name) of every import, type-only ones and those inside functions included."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, base] if base else parent)
            yield from ((base, alias.name) for alias in node.names)


def floor_breaches(module: str, source: str, is_package: bool = False) -> list[str]:
    """The imports that a module should not have."""
    here = floor(module)
    breaches = []
    for base, name in imports(ast.parse(source), module, is_package):
        target = f"{base}.{name}" if base in ("bridge", "backends") and name and name[0].islower() else base
        top = target.split(".")[0]
        if top in ("bridge", "backends"):
            if not allowed(here, floor(target)):
                breaches.append(f"{module} imports {target}")
        elif top not in sys.stdlib_module_names and top not in THIRD_PARTIES.get(here, {top}):
            breaches.append(f"{module} imports {target}")
    return breaches


def import_graph(sources: Mapping[str, tuple[str, bool]]) -> dict[str, set[str]]:
    """Module -> the modules among `sources` (name -> text, whether it is a package) that it imports."""
    graph: dict[str, set[str]] = {}
    for module, (source, is_package) in sources.items():
        found = set()
        for base, name in imports(ast.parse(source), module, is_package):
            whole = f"{base}.{name}"
            found.add(whole if whole in sources else base)
        graph[module] = (found & set(sources)) - {module}
    return graph


def import_circles(graph: Mapping[str, set[str]]) -> list[str]:
    """Every circle met by going depth first, as `a -> b -> a`."""
    circles: list[str] = []
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> None:
        if module in path:
            circles.append(" -> ".join([*path[path.index(module) :], module]))
        elif module not in done:
            path.append(module)
            for imported in sorted(graph[module]):
                visit(imported)
            path.pop()
            done.add(module)

    for module in sorted(graph):
        visit(module)
    return circles


def size_breaches(name: str, source: str) -> list[str]:
    """What is too big in a file, or badly named."""
    breaches = []
    lines = len(source.splitlines())
    if lines > FILE_LINES:
        breaches.append(f"{name}: {lines} lines")
    if Path(name).name in ("utils.py", "util.py", "helpers.py", "misc.py", "common.py"):
        breaches.append(f"{name}: a name that says nothing")
    tree = ast.parse(source)
    if not ast.get_docstring(tree) and tree.body:
        breaches.append(f"{name}: no docstring says what it knows")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                breaches.append(f"{name}:{node.lineno}: {node.name} has {length} lines")
        elif isinstance(node, ast.ClassDef):
            breaches += class_breaches(name, node)
    return breaches


def class_breaches(name: str, node: ast.ClassDef) -> list[str]:
    """What is wrong with a class: too wide, or mixed together."""
    public = [
        each.name
        for each in node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_")
    ]
    protocol = any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    breaches = []
    if len(public) > PUBLIC_METHODS and not protocol:
        breaches.append(f"{name}:{node.lineno}: {node.name} has {len(public)} public methods")
    if "mixin" in node.name.lower():
        breaches.append(f"{name}:{node.lineno}: {node.name} is a mixin")
    return breaches


def project_files() -> dict[str, Path]:
    """Module name -> file, of everything in `bridge` and `backends`."""
    files = {}
    for top in ("bridge", "backends"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


FILES = project_files()


@pytest.mark.parametrize("module", FILES)
def test_imports_go_down_only(module: str) -> None:
    path = FILES[module]
    assert floor_breaches(module, path.read_text(), path.name == "__init__.py") == []


def test_no_import_circles() -> None:
    sources = {module: (path.read_text(), path.name == "__init__.py") for module, path in FILES.items()}
    assert import_circles(import_graph(sources)) == []


@pytest.mark.parametrize("module", FILES)
def test_files_stay_small(module: str) -> None:
    path = FILES[module]
    assert size_breaches(str(path.relative_to(ROOT)), path.read_text()) == []


def test_every_floor_is_known() -> None:
    floors = {floor(module) for module in FILES if not module.startswith("backends.")}
    assert floors <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bridge.api.x", "import bridge.core"),
        ("bridge.api.x", "import click"),
        ("bridge.store.x", "from bridge.core.rooms import Rooms"),
        ("bridge.store.x", "import slixmpp"),
        ("bridge.core.x", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import bridge.xmpp.link"),
        ("bridge.core.x", "def late():\n    from bridge.xmpp import link"),
        ("bridge.core.x", "from bridge import xmpp"),
        ("bridge.core.x", "from ..xmpp import link"),
        ("bridge.core.x", "import sqlalchemy.ext.asyncio"),
        ("bridge.xmpp.x", "from bridge.store import tables"),
        ("bridge.xmpp.x", "from backends.irc import x"),
        ("bridge.app.x", "from backends import irc"),
        ("bridge.testing.x", "from bridge.core.values import RoomMessage"),
        ("backends.irc.x", "from bridge.core.pacing import TokenBucket"),
        ("backends.irc.x", "from bridge.testing import FakeHost"),
        ("backends.irc.x", "import backends.email"),
        ("backends.irc.x", "from backends import email"),
        ("backends.irc.x", "from ..email import x"),
    ],
)
def test_a_floor_breach_is_found(module: str, source: str) -> None:
    assert len(floor_breaches(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bridge.core.x", "from bridge.store.engine import Store\nfrom . import rooms\nimport asyncio"),
        ("bridge.xmpp.x", "import slixmpp.xmlstream\nfrom bridge.api import Event"),
        ("bridge.app.x", "from bridge import __version__"),
        ("backends.irc.x", "import irc.client\nfrom bridge.api import Event\nfrom backends.irc import wire"),
    ],
)
def test_an_allowed_import_is_not(module: str, source: str) -> None:
    assert floor_breaches(module, source) == []


def test_a_circle_is_found() -> None:
    graph = import_graph(
        {
            "bridge.core": ("", True),
            "bridge.core.a": ("from bridge.core.b import B", False),
            "bridge.core.b": (
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import c",
                False,
            ),
            "bridge.core.c": ("def late():\n    import bridge.core.a", False),
        }
    )
    assert import_circles(graph) == ["bridge.core.a -> bridge.core.b -> bridge.core.c -> bridge.core.a"]


def _function(lines: int) -> str:
    return "def f():\n" + "    pass\n" * (lines - 1)


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("a.py", '"""Doc."""\n' + "x = 1\n" * FILE_LINES, "a.py: 401 lines"),
        ("a.py", '"""Doc."""\n' + _function(FUNCTION_LINES + 1), "a.py:2: f has 61 lines"),
        ("bridge/utils.py", '"""Doc."""\n', "bridge/utils.py: a name that says nothing"),
        ("a.py", "x = 1\n", "a.py: no docstring says what it knows"),
        (
            "a.py",
            '"""Doc."""\nclass C:\n'
            + "".join(f"    def f{n}(self): ...\n" for n in range(PUBLIC_METHODS + 1)),
            "a.py:2: C has 21 public methods",
        ),
        ("a.py", '"""Doc."""\nclass RoomsMixin: ...\n', "a.py:2: RoomsMixin is a mixin"),
    ],
)
def test_a_size_breach_is_found(name: str, source: str, found: str) -> None:
    assert size_breaches(name, source) == [found]


def test_just_small_enough_is_fine() -> None:
    source = '"""Doc."""\n' + _function(FUNCTION_LINES)
    assert size_breaches("a.py", source + "\n" * (FILE_LINES - 1 - FUNCTION_LINES)) == []
