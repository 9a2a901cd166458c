"""Which module imports which, read off the source; for tests of the structure."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = re.compile(r"```floors\n(.*?)```", re.DOTALL)


def floors() -> dict[str, int]:
    """Floor of each room, as docs/architecture.md draws them."""
    (text,) = PICTURE.findall((ROOT / "docs/architecture.md").read_text("utf-8"))
    lines = [line.split() for line in text.splitlines()]
    return {room: int(floor) for floor, *rooms in lines for room in rooms}


def room_of(module: str) -> str:
    """The room that a module is in: the longest one that its name begins with."""
    inside = [r for r in floors() if f"{module}.".startswith(f"{r}.")]
    return max(inside, key=len, default="")


@cache
def modules() -> dict[str, Path]:
    """Every module of the project by its full name; packages are named alone."""
    every = {}
    for top in dict.fromkeys(room.partition(".")[0] for room in floors()):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            every[name] = path
    return every


@cache
def imports() -> dict[str, frozenset[str]]:
    """Modules of the project that each one imports, wherever in the file it does so."""
    return {
        name: frozenset(_imports(path) - {name}) for name, path in modules().items()
    }


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in modules() else node.module)
    return names & modules().keys()


def circles() -> list[list[str]]:
    """Modules that import each other, directly or through others."""
    beyond = {name: reached(name) for name in modules()}
    rings = {
        tuple(sorted(o for o in beyond[name] if name in beyond[o]))
        for name in modules()
        if name in beyond[name]
    }
    return [list(ring) for ring in sorted(rings)]


def reached(name: str) -> set[str]:
    """Modules that a module imports, directly or through others."""
    seen: set[str] = set()
    todo = list(imports()[name])
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += imports()[one]
    return seen
