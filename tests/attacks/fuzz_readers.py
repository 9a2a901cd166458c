"""Damaged and hostile files: every reader answers, or refuses in a sentence, at once.

A reader is a name, whole inputs to begin with, and what reads bytes in a scratch
folder; another one is a line in ``readers``. As a script it prints a table of counts::

    python tests/attacks/fuzz_readers.py --inputs 2500
"""

import argparse
import io
import json
import re
import resource
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from safetensors.numpy import save

from experiments.lab import metrics, yaml_file
from experiments.lab.folder import begun, clock, stored
from meta_solvers import get, solve
from meta_solvers.nes import store
from meta_solvers.nes.architecture import Architecture
from meta_solvers.nes.network import Network
from meta_solvers.nes.recipe import Recipe
from metaspiel import files
from metaspiel.games import efg
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.reading import read
from offline import data, validate
from psro import checkpoint, run, start
from psro.metrics import Row, row
from psro.setup import Setup

SECONDS = 2.0
PAYOFFS = np.arange(8.0).reshape(2, 2, 2)
NUMBERS = (
    b"-1", b"0", b"1e999", b"nan", b"inf", b"1_0", b"1.9", b"7/0", b"99999999999999999",
    b"\xc2\xb2", b"0x10", b"1e-400", b"," * 9, b"9" * 5000, b"4" * 40, b"-", b"1,5",
)  # fmt: skip
PIECES = (
    b"[" * 3000, b"{" * 3000, b'"', b'\\"' * 3000, b"\0", b"\xff\xfe", b"\xef\xbb\xbf",
    b"\n\n", b"\r", b"\t", b";", b"}", b"null", b'"\\ud800"', b"*a", b"&a ", b"true",
    b"mix(" * 500, b"PK\x03\x04", b"!!python/none ",
)  # fmt: skip
_NUMBER = re.compile(rb"\d[\d.]*")
_TOKEN = re.compile(rb"\w+|[^\w\s]")


Read = Callable[[bytes, Path], object]


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
      name: for the table.
      seeds: whole inputs.
      read: reads mutated bytes, in a folder that is its own.
    """

    name: str
    seeds: tuple[bytes, ...]
    read: Read


def mutated(reader: Reader, rng: Generator) -> bytes:
    """A whole input after one or two changes."""
    data = bytearray(reader.seeds[rng.integers(len(reader.seeds))])
    for _ in range(rng.integers(1, 3)):
        _change(data, reader, rng)
    return bytes(data)


def _change(data: bytearray, reader: Reader, rng: Generator) -> None:
    at, kind = int(rng.integers(len(data) + 1)), rng.integers(8)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        del data[at : at + int(rng.integers(1, 9))]
    elif kind == 3:
        data[at:at] = PIECES[rng.integers(len(PIECES))]
    elif kind == 4:
        _put(data, _NUMBER, NUMBERS[rng.integers(len(NUMBERS))], rng)
    elif kind == 5:
        tokens = _TOKEN.findall(bytes(data)) or [b"x"]
        _put(data, _TOKEN, tokens[rng.integers(len(tokens))], rng)
    elif kind == 6:
        other = reader.seeds[rng.integers(len(reader.seeds))]
        data[at:] = other[int(rng.integers(len(other) + 1)) :]
    else:
        _put(data, _TOKEN, PIECES[rng.integers(len(PIECES))], rng)


def _put(
    data: bytearray, pattern: re.Pattern[bytes], new: bytes, rng: Generator
) -> None:
    """Writes ``new`` over a random match of the pattern."""
    places = [match.span() for match in pattern.finditer(bytes(data))]
    if places:
        start, end = places[rng.integers(len(places))]
        data[start:end] = new


def packed(content: bytes, name: str = "payoffs.npy") -> bytes:
    """An archive with one member, whose check sum is right."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return made.getvalue()


def npy(array: np.ndarray, **more: Any) -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array(made, array, **more)
    return made.getvalue()


def text(name: str) -> Read:
    """Reads a game from a file of this name."""

    def game(content: bytes, room: Path) -> object:
        (room / name).write_bytes(content)
        return read(room / name)

    return game


def tree(content: bytes, room: Path) -> object:
    """Reads a game tree, and walks it."""
    (room / "game.efg").write_bytes(content)
    return efg.from_file(room / "game.efg")


def inner(content: bytes, room: Path) -> object:
    """Reads an archive that is whole but for the array in it."""
    return text("game.npz")(packed(content), room)


def fields(content: bytes, room: Path) -> object:
    (room / "c.yaml").write_bytes(content)
    return yaml_file.read_fields(room / "c.yaml")


def spec(content: bytes, room: Path) -> object:
    solver = get(content.decode("utf-8", "surrogateescape"))
    if len(content) < 12:  # others may be long at work, as they were asked to be
        return solve(solver, np.eye(2), throw=False)
    return solver


def sealed(
    name: str, look: Callable[[Path], object]
) -> Callable[[bytes, Path], object]:
    """Reads a file of a run folder; its seal is right where it is JSON at all."""

    def reading(content: bytes, room: Path) -> object:
        (room / name).write_bytes(content)
        value = _parsed(content)
        if isinstance(value, dict):
            value.pop("seal", None)
            try:
                files.write_sealed(room / name, value)
            except (UserError, ValueError):  # not what any run can have written
                (room / name).write_bytes(content)
        return look(room)

    return reading


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def rows(content: bytes, room: Path) -> object:
    (room / "metrics.jsonl").write_bytes(content)
    made = metrics.read(room / "metrics.jsonl", 2, like=Row.shape())
    return [Row.read(one) for one in made.rows]


def state(content: bytes, room: Path) -> object:
    """Reads a checkpoint of PSRO, whose check sum is right where it is JSON at all."""
    (room / "arrays.npz").write_bytes(_begun()[1])
    value = _parsed(content)
    if isinstance(value, dict):
        value.pop("sha256", None)
        try:
            value["sha256"] = checkpoint._checksum(value, room / "arrays.npz")
            content = json.dumps(value).encode()
        except (ValueError, RecursionError):
            pass
    (room / "state.json").write_bytes(content)
    return checkpoint.load(room)


def manifest(content: bytes, room: Path) -> object:
    (room / "manifest.json").write_bytes(content)
    (room / "arrays.npz").write_bytes(_dataset()[1])
    return data.load(room)


def trajectories(content: bytes, room: Path) -> object:
    """Reads a data set with one of its arrays changed and all check sums right."""
    about, arrays = _dataset()
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(arrays)) as old,
        zipfile.ZipFile(made, "w") as archive,
    ):
        for name in old.namelist():
            whole = name != "action.npy"
            archive.writestr(name, old.read(name) if whole else content)
    (room / "arrays.npz").write_bytes(made.getvalue())
    known = json.loads(about) | {"sha256": files.checksum(room / "arrays.npz")}
    (room / "manifest.json").write_text(json.dumps(known))
    return data.load(room)


def weights(content: bytes, room: Path) -> object:
    (room / "w.safetensors").write_bytes(content)
    return store.load(room / "w.safetensors")


def network() -> bytes:
    """Weights of a small network, without a check sum, as some ship."""
    kind = Architecture(payoff=(2,), dual=2, unrolled=1, hidden=2)
    about = json.dumps(asdict(Recipe(architecture=kind)))
    arrays = {n: p.detach().numpy() for n, p in Network(kind).named_parameters()}
    return save(arrays, {"recipe": about, "record": "{}"})


@cache
def _dataset() -> tuple[bytes, bytes]:
    """Manifest and arrays of a small data set."""
    from metaspiel.games.bargaining import Bargaining
    from offline.record import collect

    made = collect(Bargaining(), 8, seed=0)
    with tempfile.TemporaryDirectory() as room:
        data.save(made, Path(room))
        names = ("manifest.json", "arrays.npz")
        about, arrays = ((Path(room) / name).read_bytes() for name in names)
    return about, arrays


def action() -> bytes:
    """The array of actions of the data set."""
    with zipfile.ZipFile(io.BytesIO(_dataset()[1])) as archive:
        return archive.read(next(n for n in validate.AXES if n == "action") + ".npy")


@cache
def _begun() -> tuple[bytes, bytes, bytes]:
    """State and arrays of a checkpoint of PSRO, and its rows of metrics."""
    from metaspiel.games.sequence import from_normal_form
    from metaspiel.nfg import named
    from psro.exact import ExactEvaluator, ExactOracle

    form = from_normal_form(named("rock_paper_scissors").game, "rps")
    setup = Setup(
        oracle=ExactOracle(form),
        evaluator=ExactEvaluator(form),
        solver=get("prd"),
        concept="ne",
    )
    states = list(run(setup, start(setup), 2))
    lines = [json.dumps(files.spelled(row(one, "ne").flat)) for one in states]
    with tempfile.TemporaryDirectory() as room:
        place = checkpoint.save(states[-1], Path(room))
        names = ("state.json", "arrays.npz")
        about, arrays = ((place / name).read_bytes() for name in names)
    return about, arrays, ("\n".join([*lines, ""])).encode()


NFG = (
    b'NFG 1 R "t" { "a" "b" } { 2 2 }\n1 1 2 2 3 3 4 4\n',
    b'NFG 1 D "t" { "a" "b" } { { "x" "y" } { "x" "y" } } "c"\n'
    b'{ { "o\\"1" 1/2, 1 } { "" .5 2e0 } }\n1 2 0 1\n',
)
EFG = (
    b'EFG 2 R "t" { "a" "b" } "c"\nc "" 1 "" { "x" 1/2 "y" .5 } 0\n'
    b'p "" 1 1 "i" { "l" "r" } 1 "" { 1, -1 }\nt "" 2 "" { 2 0 }\nt "" 0\n'
    b'p "" 1 1 0\np "" 2 1 "j" { "u" } 0\nt "" 3 "" { 0 1e1 }\nt "" 2\n',
    b'EFG 2 D "a \\"q\\"" { "a" }\nt "" 1 "o" { 1.5 }\n',
)
CSV = (
    b"1,2\n3,4\n", b"1,2\r\n \r\n3,4\r\n", b'"";"L";"R"\n"U";1,5;2\n"D";3;4,25\n',
    b"1\t2\t\n1/3\t4\t\n", "L,R\n1,2\n".encode("utf-16"),
)  # fmt: skip
YAML = (
    b"seed: 1\ngame: chicken\nsolver: mgce:epsilon=0.5\n",
    b"run:\n  json: true\nddqn: {batch: 32, rate: 1.0e-3}\nseeds: [1, 2]\n",
)
SPECS = (
    b"mgce", b"prd:steps=50,rate=0.1", b"mix(r2d:steps=5):weight=0.05", b"rd_lower",
    b"fallback(mgcce,mwcce)", b"best(mecce,uniform):by=entropy", b"cvx:objective=gini",
    b"undominated(mgce)", b"nash:method=support,select=max_welfare",
)  # fmt: skip
ENV = b'{"commit": "abc", "versions": {"metaspiel": "0.1"}, "resumed": [{}]}'
CONFIG = b'{"game": "kuhn_poker", "seed": 0, "iterations": 3, "run": {"out": "x"}}'


@cache
def readers() -> tuple[Reader, ...]:
    """All readers; another file format is another line."""
    begins = _begun()
    objects = npy(np.array([None, "x"], dtype=object), allow_pickle=True)
    fortran = npy(np.asfortranarray(PAYOFFS))
    return (
        Reader("nfg", NFG, text("game.nfg")),
        Reader("efg", EFG, tree),
        Reader("npy", (npy(PAYOFFS), fortran, objects), text("game.npy")),
        Reader("npz", (packed(npy(PAYOFFS)), packed(fortran, "x")), text("game.npz")),
        Reader("npz, inside", (npy(PAYOFFS), fortran, objects), inner),
        Reader("csv", CSV, text("game.CSV")),
        Reader("weights", (network(),), weights),
        Reader("YAML", YAML, fields),
        Reader("spec", SPECS, spec),
        Reader("config.json", (CONFIG,), sealed("config.json", stored)),
        Reader("env.json", (ENV,), sealed("env.json", begun)),
        Reader("clock.json", (b'{"wall_seconds": 1.5}',), sealed("clock.json", clock)),
        Reader("metrics.jsonl", (begins[2],), rows),
        Reader("state.json", (begins[0],), state),
        Reader("data set, manifest", (_dataset()[0],), manifest),
        Reader("data set, arrays", (action(),), trajectories),
    )


def faults(reader: Reader, count: int, seed: int = 0) -> Iterator[str]:
    """What becomes of each input: "read", "refused", or what is wrong with it."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as room:
        for _ in range(count):
            content, begin = mutated(reader, rng), time.process_time()
            try:
                reader.read(content, Path(room))
                said = "read"
            except UserError as error:
                one = str(error).isprintable() and len(str(error)) < 3000
                said = "refused" if one else f"not one sentence: {error!r:.300}"
            except Exception:  # noqa: BLE001  # any is what is looked for
                said = f"{content[:200]!r}\n{traceback.format_exc(limit=-4)}"
            spent = time.process_time() - begin
            yield said if spent < SECONDS else f"{spent:.1f} s: {content[:200]!r}"


def main() -> int:
    """Prints counts of all readers and every fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1500, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", action="append", help="these only")
    given = parser.parse_args()
    wrong, head = 0, ("reader", "inputs", "read", "refused", "faults", "MB")
    sys.stdout.write(f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n")
    for reader in readers():
        if given.reader and reader.name not in given.reader:
            continue
        ended = Counter(faults(reader, given.inputs, given.seed))
        sound = [ended.pop("read", 0), ended.pop("refused", 0)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        wrong += ended.total()
        cells = [reader.name, given.inputs, *sound, ended.total(), peak]
        sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
        sys.stderr.writelines(f"{fault}\n" for fault in list(ended)[:5])
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
