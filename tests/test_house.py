"""The house: floors, wings and small files, as docs/architecture.md draws them."""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import floor_plan

ROOT = Path(__file__).parents[1]
FLOORS = floor_plan.floors()
DOOR = ("metaspiel", "metaspiel.cli", "metaspiel.__main__")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(path)))


def files(room: str) -> list[Path]:
    return sorted((ROOT / room.replace(".", "/")).rglob("*.py"))


@cache
def everything() -> tuple[Path, ...]:
    return tuple(sorted({path for room in FLOORS for path in files(room)}))


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports, and the packages they are in."""
    names = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {".".join(p[:n]) for p in parts for n in range(1, len(p) + 1)}


def test_imports_go_downward():
    """From a room to lower floors only: no wing imports another."""
    wrong = []
    for name, others in floor_plan.imports().items():
        room = floor_plan.room_of(name)
        for other in others if room else ():
            there = floor_plan.room_of(other)
            if there and there != room and FLOORS[there] >= FLOORS[room]:
                wrong.append(f"{name} imports {other}")
    assert not wrong


def test_every_room_is_in_the_picture():
    """All packages are drawn but the door and parts of a room."""
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in floor_plan.modules().values()
        if path.name == "__init__.py"
    }
    assert FLOORS.keys() <= packages
    inner = {"meta_solvers.exact", "meta_solvers.nes"}
    assert packages - FLOORS.keys() == {"metaspiel", *inner}


def test_no_circles():
    """No module imports one that imports it, for type checking neither."""
    assert floor_plan.circles() == []


def test_the_configuration_of_a_wing_is_at_its_bottom():
    for name, others in floor_plan.imports().items():
        if name.endswith("config") and name.startswith("experiments."):
            wing = name.rpartition(".")[0]
            beside = [other for other in others if other.startswith(f"{wing}.")]
            assert all(other.endswith("config") for other in beside), (name, beside)


def test_nothing_imports_the_door():
    """``metaspiel`` and its command import every room; no room imports them."""
    wrong = []
    for path in everything():
        for node in nodes(path):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [n for n in inner if n in DOOR]
                if not {*inner} <= FLOORS.keys():  # a room is no door
                    names.append(str(node.module))
            else:
                continue
            wrong += [f"{path.relative_to(ROOT)}: {n}" for n in names if n in DOOR]
    assert not wrong


def test_only_experiments_print_or_plot():
    for room in FLOORS:
        for path in () if room.startswith("experiments") else files(room):
            assert not imports(path) & {
                "matplotlib",
                "vl_convert",
                "rich",
                "tyro",
                "pickle",
            }, path


def writes(call: ast.Call) -> bool:
    """Whether a call puts something on the disk by itself."""
    name = ast.unparse(call.func)
    last = name.rsplit(".", 1)[-1]
    if last in ("savez", "savez_compressed", "save_file", "rename", "touch", "dump"):
        return True
    if name in ("np.save", "numpy.save", "os.replace", "os.write", "shutil.move"):
        return True
    if last in ("write_text", "write_bytes"):
        return name.split(".")[0] != "files"
    if last == "savefig":  # into memory only
        return not any(word.arg == "format" for word in call.keywords)
    if name == "os.open":
        return "os.devnull" not in ast.unparse(call)
    if last == "open":
        mode = call.args[1] if len(call.args) > 1 else None
        given = [word.value for word in call.keywords if word.arg == "mode"]
        word = ast.unparse(given[0] if given else mode) if given or mode else "'r'"
        return not set(word.strip("'\"")) <= set("rbt")
    return False


def test_one_room_writes():
    """Every file goes through ``metaspiel.files``; only the lock of a run does not."""
    wrong = []
    for path in {*everything()} - {*files("metaspiel.files")}:
        for node in nodes(path):
            if isinstance(node, ast.Call) and writes(node):
                wrong.append(f"{path.relative_to(ROOT)}: {ast.unparse(node)[:60]}")
    assert {line.split(":")[0] for line in wrong} == {"experiments/lab/lock.py"}, wrong


def test_files_stay_small():
    long = [
        f"{path.relative_to(ROOT)}: {lines}"
        for path in everything()
        if (lines := len(path.read_text("utf-8").splitlines())) > 350
    ]
    assert not long
    assert len((ROOT / "psro/loop.py").read_text("utf-8").splitlines()) <= 100


def test_functions_stay_small():
    """Without their documentation, which may take the room it needs."""
    long = []
    for path in everything():
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                first, size = node.body[0], node.end_lineno - node.lineno + 1
                if ast.get_docstring(node) and first.end_lineno is not None:
                    size -= first.end_lineno - first.lineno + 1
                if size > 60:
                    long.append(f"{path.name}:{node.name}: {size}")
    assert not long


def test_long_values_and_long_calls_use_keywords():
    """Five fields or more are named; nobody counts to the sixth argument."""
    classes = _classes(map(parsed, everything()))
    wrong = []
    for path in everything():
        for node in nodes(path):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and len(node.args) > 5:
                wrong.append(where)
            if not isinstance(node, ast.ClassDef) or _mark(node) is None:
                continue
            if len(_positional_fields(node, classes)) > 4:
                wrong.append(f"{where}: {node.name}")
    assert not wrong


def _classes(trees: Iterable[ast.Module]) -> dict[str, ast.ClassDef]:
    """Classes by name, as far as a name is that of one class."""
    found = [n for t in trees for n in ast.walk(t) if isinstance(n, ast.ClassDef)]
    count = Counter(node.name for node in found)
    return {node.name: node for node in found if count[node.name] == 1}


def _mark(node: ast.ClassDef) -> dict[str, str] | None:
    """What ``dataclass`` is told of a class; None where it makes no dataclass of it."""
    for mark in node.decorator_list:
        call = mark if isinstance(mark, ast.Call) else ast.Call(mark, [], [])
        if ast.unparse(call.func).split(".")[-1] == "dataclass":
            return {str(word.arg): ast.unparse(word.value) for word in call.keywords}
    return None


def _positional_fields(
    node: ast.ClassDef, classes: dict[str, ast.ClassDef]
) -> set[str]:
    """Fields of a dataclass that may be given by position, inherited ones included."""
    if any(getattr(part, "name", "") == "__init__" for part in node.body):
        return set()
    names: set[str] = set()
    for base in node.bases:
        parent = classes.get(ast.unparse(base).split("[")[0].split(".")[-1])
        if parent is not None:
            names |= _positional_fields(parent, classes)
    mark = _mark(node)
    if mark is None:
        return names
    by_name = mark.get("kw_only") == "True"
    for part in node.body:
        if not isinstance(part, ast.AnnAssign):
            continue
        kind, name = ast.unparse(part.annotation), ast.unparse(part.target)
        if kind.split(".")[-1] == "KW_ONLY":
            by_name = True
        elif not kind.removeprefix("typing.").startswith("ClassVar"):
            names -= {name}  # a field that is declared again is as it is declared here
            names |= set() if by_name else {name}
    return names


@pytest.mark.parametrize(
    ("mark", "positional"),
    [
        ("@dataclass", {"a", "b", "c"}),
        ("@dataclass(frozen=True, kw_only=False)", {"a", "b", "c"}),
        ("@dataclasses.dataclass(kw_only=True)", {"a"}),
        ("", {"a", "b"}),
    ],
)
def test_what_counts_as_a_field_by_position(mark: str, positional: set[str]):
    own = "    b: int\n    c: int\n    d: ClassVar[int] = 1\n    _: KW_ONLY\n    e: int"
    text = f"@dataclass\nclass A:\n    a: int\n    b: int\n{mark}\nclass B(A):\n{own}"
    tree = ast.parse(text)
    classes = _classes([tree])
    assert _positional_fields(classes["B"], classes) == positional


def test_only_a_game_sets_fields_of_a_frozen_value():
    """Its own, while it is made; class facts that depend on fields are properties."""
    setters = set()
    for path in everything():
        if not any(getattr(node, "attr", "") == "__setattr__" for node in nodes(path)):
            continue  # most files: scopes in scopes are walked again below
        for scope in nodes(path):
            name = getattr(scope, "name", "module")
            if not isinstance(scope, ast.FunctionDef | ast.Module):
                continue
            setters |= {
                (path.name, name, ast.unparse(call.args[0]))
                for call in ast.walk(scope)
                if isinstance(call, ast.Call)
                and ast.unparse(call.func) == "object.__setattr__"
            }
    assert setters == {("game.py", "module", "self"), ("game.py", "__init__", "self")}


def test_nobody_reads_the_text_of_an_error():
    """Errors are told apart by type: their sentences are for people."""
    asked = ("startswith", "endswith", "find", "index", "count")
    readers = []
    for path in everything():
        for node in nodes(path):
            read: list[ast.expr] = []
            if isinstance(node, ast.Compare):
                read = [node.left, *node.comparators]
            elif isinstance(node, ast.Attribute) and node.attr in asked:
                read = [node.value]
            if "str(error)" in map(ast.unparse, read):
                readers.append(f"{path.relative_to(ROOT)}:{read[0].lineno}")
    assert not readers


def test_the_licence_and_readme_ship():
    text = (ROOT / "README.md").read_text("utf-8")
    for word in ("make demo", "make test", "register(", "psro_v2", "@@"):
        assert (word in text) == (word != "@@"), word
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")


RIDDLE = re.compile(r"(Of|It|Its|They|Their|Them|Those|That|Likewise)\b")


def _riddles(text: str) -> Iterable[str]:
    """Docstrings and descriptions of fields in a file's text that lack a subject."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        for place, part in enumerate(node.body):
            value = part.value if isinstance(part, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                first = value.value.strip().partition("\n")[0]
                least = 2 if place else 3  # the name of a field says the rest
                if RIDDLE.match(first) or len(first.split()) < least:
                    yield f"{part.lineno}: {first}"


def test_docstrings_name_their_subject():
    """Riddles are refused: one word, or the middle of a sentence."""
    assert not [
        f"{path.relative_to(ROOT)}:{line}"
        for path in everything()
        for line in _riddles(path.read_text("utf-8"))
    ]


@pytest.mark.parametrize(
    ("text", "riddle"),
    [
        ("E.", True),
        ("Of torch.", True),
        ("Of the trial policies to those that played.", True),
        ("The discount factor.", False),
        ("Offline baselines of the paper.", False),
    ],
)
def test_what_counts_as_a_riddle(text: str, riddle: bool):
    assert bool([*_riddles(f'"""{text}"""')]) is riddle
    assert not [*_riddles(f'"""A file of numbers."""\nE = "{text}"')]
    assert bool([*_riddles(f'class A:\n    e: int\n    """{text}"""')]) is riddle
