"""Mutations of a run folder, each of one kind and of one place in it."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import damage
import numpy as np
from fingerprint import older
from numpy.random import Generator

_OUTPUT = (".html", ".png", ".md", ".svg", ".csv")
_STATES = ("state.json", "manifest.json", "done.json")
# Folders that are as they were; what resumes them is odd.
TWICE, UNLOCKED, ORPHANED = RESUMES = (
    "two resumes at once",
    "lock removed under a run, and a second resume",
    "resume of two workers killed, and another",
)
PIDS = 120  # so many coming process numbers are guessed
PIPES = 2  # of a page: each may take its time out


@dataclass(frozen=True, eq=False, kw_only=True)
class Bench:
    """A mutated folder and what lies around it.

    Attributes:
      folder: a copy of the half-way folder; to be mutated.
      outside: a folder of files that no run may change.
      foreign: the half-way folder of the same page with another seed.
      rng: of this mutation alone.
    """

    folder: Path
    outside: Path
    foreign: Path
    rng: Generator


@dataclass(frozen=True)
class Mutation:
    """One mutation: its kind, its place, what it does."""

    kind: str
    place: str
    apply: Callable[[Bench], None]


def mutations(folder: Path, fields: tuple[tuple[str, object], ...]) -> list[Mutation]:
    """All mutations of a folder.

    Args:
      folder: half-way.
      fields: of config.json, and another value of each.
    """
    every = [*_of_files(folder), *_of_fields(folder, fields), *_of_links(folder)]
    every += [*_of_pairs(folder), *_of_folders(folder), *_planted(folder)]
    every += _of_hidden(folder)
    return [*every, *(Mutation(kind, ".", _nothing) for kind in RESUMES for _ in "ab")]


def chosen(every: list[Mutation], count: int, rng: Generator) -> list[Mutation]:
    """``count`` of them, or all: one of each kind, then another of each, ..."""
    kinds: dict[str, list[Mutation]] = {}
    for number in rng.permutation(len(every)):
        kinds.setdefault(every[number].kind, []).append(every[number])
    for kind in filter(lambda kind: kind.startswith("pipe"), kinds):
        del kinds[kind][PIPES:]
    picked: list[Mutation] = []
    for turn in range(max(map(len, kinds.values()))):
        picked += [kinds[k][turn] for k in sorted(kinds) if turn < len(kinds[k])]
    return picked[:count]


def _nothing(bench: Bench) -> None:
    pass


def files(folder: Path, *endings: str) -> list[str]:
    """Visible files, none of them a report, a picture or of an older checkpoint."""
    paths = []
    for place in sorted(folder.rglob("*")):
        wanted = place.suffix in endings if endings else place.suffix not in _OUTPUT
        if wanted and place.is_file() and not older(place.parent):
            paths.append(str(place.relative_to(folder)))
    return [name for name in paths if not _hidden(name)]


def folders(folder: Path) -> list[str]:
    """Visible folders in it, none of them an older checkpoint."""
    every = [p for p in sorted(folder.rglob("*")) if p.is_dir() and not older(p)]
    names = [str(p.relative_to(folder)) for p in every]
    return [name for name in names if not _hidden(name)]


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


def _edit(name: str, bench: Bench, edit: damage.Edit) -> None:
    edit(bench.folder / name, bench.rng)


def _of_files(folder: Path) -> Iterator[Mutation]:
    for name in files(folder):
        ending, size = Path(name).suffix, (folder / name).stat().st_size
        whole: dict[str, damage.Edit] = {"deleted file": damage.delete}
        if size > 1:
            whole |= {"emptied file": damage.empty, "truncated file": damage.cut}
            whole |= {f"bit flip {ending} {i}": damage.flip for i in "123"}
        if ending in (".npz", ".safetensors"):
            whole["number in an array"] = damage.array
        if ending == ".jsonl" and (folder / name).read_text("utf-8").count("\n") > 1:
            whole |= damage.ROWS
        if ending == ".json":
            whole |= damage.ODD_JSON
            stored = json.loads((folder / name).read_bytes())
            if damage.numbers(stored) and Path(name).name != "config.json":
                whole["number in JSON"] = damage.number(lambda v: v + 1)
        for kind, edit in whole.items():
            plain = kind.rstrip(" 123") if kind.startswith("bit flip") else kind
            yield Mutation(plain, name, partial(_edit, name, edit=edit))


def _of_fields(
    folder: Path, fields: tuple[tuple[str, object], ...]
) -> Iterator[Mutation]:
    def changed(name: str, key: str, change: Callable[[Any], Any]) -> Any:
        return partial(_edit, name, edit=damage.field(key, change))

    for key, value in fields:
        edit = changed("config.json", key, lambda _, new=value: new)
        yield Mutation("field of config.json", f"config.json {key}", edit)
    for name in files(folder, ".json"):
        stored = json.loads((folder / name).read_bytes())
        if name.endswith("cell.json"):
            for key in ("seed", "rate", "steps", "batch"):
                edit = changed(name, key, lambda v: v + 1 if v >= 1 else v / 2)
                yield Mutation("field of cell.json", f"{name} {key}", edit)
        if not name.endswith(_STATES) or not isinstance(stored, dict):
            continue
        for key in {"iteration", "iterations", "seed", "next_uid"} & stored.keys():
            for step in (-1, 1):
                edit = changed(name, key, lambda v, step=step: v + step)
                yield Mutation("iteration or seed", f"{name} {key}", edit)
        if "format" in stored:
            edit = changed(name, "format", lambda v: v - 1)
            yield Mutation("older format", name, edit)


def _of_links(folder: Path) -> Iterator[Mutation]:
    for name in files(folder):
        yield Mutation("link to a file outside", name, partial(_linked, name))
        yield Mutation("link to nothing", name, partial(_dangling, name))
        yield Mutation("pipe instead of a file", name, partial(_pipe, name))
        yield Mutation("folder instead of a file", name, partial(_folder, name))
    for name in folders(folder):
        yield Mutation("link to a folder outside", name, partial(_linked, name))


def _of_hidden(folder: Path) -> Iterator[Mutation]:
    """Files of writers' own, and what writers that were killed have left."""
    acts = {
        "deleted": _deleted,
        "of other bytes": partial(_edit, edit=damage.junk),
        "a link to a file outside": _linked,
        "a link to nothing": _dangling,
        "a pipe": _pipe,
        "a folder": _folder,
    }
    every = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    names = [str(p.relative_to(folder)) for p in every]
    for name in filter(_hidden, names):
        for kind, act in acts.items():
            yield Mutation(f"hidden file: {kind}", name, partial(act, name))


def _deleted(name: str, bench: Bench) -> None:
    (bench.folder / name).unlink()


def _linked(name: str, bench: Bench) -> None:
    """What was there goes outside, and a link stays."""
    place, away = bench.folder / name, bench.outside / Path(name).name
    shutil.move(place, away)
    place.symlink_to(away)


def _dangling(name: str, bench: Bench) -> None:
    (bench.folder / name).unlink()
    (bench.folder / name).symlink_to(bench.outside / "not-there-yet")


def _pipe(name: str, bench: Bench) -> None:
    (bench.folder / name).unlink()
    os.mkfifo(bench.folder / name)


def _folder(name: str, bench: Bench) -> None:
    (bench.folder / name).unlink()
    (bench.folder / name).mkdir()


def _of_pairs(folder: Path) -> Iterator[Mutation]:
    """Files of one name and place in two folders that lie side by side."""
    for old in sorted(p for p in folder.rglob("*") if p.is_dir() and older(p)):
        new = old.with_name(max(p.name for p in old.parent.iterdir()))
        pair = (str(p.relative_to(folder)) for p in (old, new))
        yield Mutation(
            "older checkpoint as the newest", str(new), partial(_back, *pair)
        )
    for ending in (".npz", ".safetensors", ".jsonl", ".json"):
        for one, other in combinations(files(folder, ending), 2):
            parts = zip(Path(one).parts, Path(other).parts, strict=False)
            apart = sum(a != b for a, b in parts)
            same = len(Path(one).parts) == len(Path(other).parts)
            bytes_differ = (folder / one).read_bytes() != (folder / other).read_bytes()
            if same and apart == 1 and bytes_differ:
                act = partial(_swapped, one, other)
                yield Mutation("swapped files", f"{one} and {other}", act)
    for name in files(folder):
        yield Mutation("file of another run", name, partial(_transplanted, name))


def _back(old: str, new: str, bench: Bench) -> None:
    """What the older checkpoint holds stands under the newest one's name."""
    shutil.rmtree(bench.folder / new)
    shutil.copytree(bench.folder / old, bench.folder / new)


def _swapped(one: str, other: str, bench: Bench) -> None:
    first, second = bench.folder / one, bench.folder / other
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)


def _transplanted(name: str, bench: Bench) -> None:
    """A file or folder of the run with another seed, whose names may tell the seed."""
    place = bench.folder / name
    theirs = bench.foreign / name
    if not theirs.exists():
        alike = sorted(bench.foreign.rglob("*" + (place.suffix or place.name)))
        theirs = next((p for p in alike if p.name == place.name), alike[0])
    if place.is_dir():
        shutil.rmtree(place)
        shutil.copytree(theirs, place)
    else:
        place.write_bytes(theirs.read_bytes())


def _of_folders(folder: Path) -> Iterator[Mutation]:
    for name in folders(folder):
        yield Mutation("deleted folder", name, partial(_removed, name))
        if (folder / name / "state.json").is_file():
            act = partial(_transplanted, name)
            yield Mutation("checkpoint of another run", name, act)


def _removed(name: str, bench: Bench) -> None:
    shutil.rmtree(bench.folder / name)


def _planted(folder: Path) -> Iterator[Mutation]:
    for place in sorted(folder.glob("cells/*")):
        if place.is_dir() and not (place / "done.json").exists():
            name = str((place / "done.json").relative_to(folder))
            act = partial(_plant, name, b'{"iterations": 4}\n')
            yield Mutation("planted done.json", name, act)
    for name in (".", *folders(folder)):
        for what in ("a file", "nothing"):
            act = partial(_leftovers, name, what == "nothing")
            yield Mutation(f"leftovers are links to {what}", name, act)


def _plant(name: str, data: bytes, bench: Bench) -> None:
    (bench.folder / name).write_bytes(data)


def _leftovers(name: str, dangling: bool, bench: Bench) -> None:
    """Links under all names that killed writers may leave behind in a folder."""
    room = bench.folder / name
    victim = bench.outside / ("not-there-yet" if dangling else "victim")
    if not dangling:
        victim.write_text("precious\n", "utf-8")
    written = [p.name for p in sorted(room.iterdir()) if not p.name.startswith(".")]
    stems = [*written, "meta_game.npz", "summary.json", "report.html", "probe", "lock"]
    numbers = range(newest := _newest(), newest + PIDS)
    names = [f".{stem}" for stem in stems]
    names += [f".{stem}.{pid}" for stem in stems for pid in numbers]
    names += [f".probe-{pid}" for pid in numbers]
    for stem in filter(str.isdigit, written):
        following = f"{int(stem) + 1:0{len(stem)}d}"
        names += [f".writing-{following}-{pid}" for pid in numbers]
    for one in dict.fromkeys(names):
        if not os.path.lexists(room / one):
            (room / one).symlink_to(victim)


def _newest() -> int:
    """The newest process number of this machine, or nearly."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def seeded(*parts: int) -> Generator:
    """Randomness of one mutation."""
    return np.random.default_rng(parts)
