"""Run folders that can be trusted: owned by one run, bound to it, never half read."""

import ast
import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
import floor_plan

from experiments import contents
from experiments.lab.lock import held
from experiments.lab.options import Output
from experiments.lab.page import main
from experiments.matrl import cells, states
from experiments.matrl.states import Cell
from experiments.nes import train as nes_train
from experiments.psro import __main__ as psro
from matrl.methods import Settings
from metaspiel import files
from metaspiel.learn.mixing import Mixing
from metaspiel.learn.ppo import PPO
from psro import checkpoint

ROOT = Path(__file__).parents[2]
PSRO = ["--game", "kuhn_poker", "--iterations", "3", "--quiet"]
NES = [
    *("--recipe.games.most", "4", "--recipe.work", "256", "--recipe.fewest", "8"),
    *("--recipe.architecture.payoff", "4", "--recipe.architecture.dual", "6"),
    *("--recipe.architecture.hidden", "8", "--recipe.architecture.unrolled", "1"),
    *("--every", "5", "--games", "8"),
    *("--recipe.steps", "10", "--quiet"),
]
TINY = Settings(ppo=PPO(batch=100, envs=2, width=8, steps=2))
FAST = Mixing(kind="vdn", batch=100, envs=2, width=8, warm=50, capacity=200)
CELLS = [
    Cell(
        label="matrl",
        game="switch",
        method="matrl",
        settings=TINY,
        seed=3,
        iterations=4,
        keep=2,
    ),
    Cell(label="vdn", game="switch", method="vdn", settings=FAST, seed=3, iterations=2),
]
Damage = Callable[[Path], None]


def run(page: Any, *words: object) -> int:
    return main(page.page, page.Config, [str(word) for word in words])


def resume(folder: Path, *words: object, page: Any = psro) -> int:
    return run(page, "--resume", "--out", folder, "--quiet", *words)


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    made = [json.loads(line) for line in lines]
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in made]


def strict(folder: Path) -> int:
    """Number of JSON texts in a folder; each is strict."""

    def fail(word: str) -> None:
        raise AssertionError(word)

    count = 0
    for place in folder.rglob("*.json*"):
        lines = [place.read_text()]
        if place.suffix == ".jsonl":
            lines = lines[0].splitlines()
        for line in lines:
            json.loads(line, parse_constant=fail)
            count += 1
    return count


def flip(place: Path) -> None:
    changed = bytearray(place.read_bytes())
    changed[len(changed) // 2] ^= 1
    place.write_bytes(changed)


def edit(name: str, value: object) -> Damage:
    def damage(folder: Path) -> None:
        fields = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(fields | {name: value}))

    return damage


def edit_and_seal(name: str, value: object) -> Damage:
    """As someone who knows the seal; ``name`` is that of a flag."""
    *groups, last = name.split(".")

    def damage(folder: Path) -> None:
        fields = files.read_sealed(folder / "config.json")
        group = fields
        for inside in groups:
            group = group[inside]
        group[last] = value
        files.write_sealed(folder / "config.json", fields)

    return damage


def lines(change: Callable[[list[str]], list[str]]) -> Damage:
    def damage(folder: Path) -> None:
        place = folder / "metrics.jsonl"
        made = change(place.read_text().splitlines())
        place.write_text("".join(line + "\n" for line in made))

    return damage


def newest(folder: Path) -> Path:
    return checkpoint.complete(folder / "checkpoint")[-1]


STATE = "training.safetensors"


def both(folder: Path) -> list[Path]:
    return checkpoint.complete(folder / "checkpoint")


def aged(folder: Path) -> None:
    """The older state under the newest one's name."""
    old, new = both(folder)
    shutil.rmtree(new)
    shutil.copytree(old, new)


def link(name: str) -> Damage:
    def damage(folder: Path) -> None:
        outside = folder.parent / "outside"
        (folder / name).rename(outside) if (folder / name).exists() else outside.touch()
        (folder / name).symlink_to(outside)

    return damage


def refused(capsys: pytest.CaptureFixture[str], sentence: str) -> None:
    error = capsys.readouterr().err
    assert sentence in error, error
    assert error.count("\n") == 1 and error.startswith("error: ")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("psro") / "run"
    assert run(psro, *PSRO, "--out", folder) == 0
    assert strict(folder) == 10  # 4 rows, 2 states, 4 others
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


WAYS: list[tuple[Damage, str]] = [
    (edit("seed", 5), "config.json' must be as this run wrote it"),
    (edit("tie_break", "first"), "config.json' must be as this run wrote it"),
    (edit_and_seal("seed", 5), "must belong to this run's configuration"),
    (edit_and_seal("tie_break", "first"), "must belong to this run's configuration"),
    (lambda p: (p / "config.json").write_text("[" * 9999) and None, "readable JSON"),
    (lambda p: (p / "config.json").write_bytes(b"\xff") and None, "readable JSON"),
    (lines(lambda x: [x[0].replace("0", "1"), *x[1:]]), "they were changed"),
    (lines(lambda x: [x[1], x[0], *x[2:]]), "they were changed"),
    (lines(lambda x: [x[0], x[0], *x[2:]]), "they were changed"),
    (lines(lambda x: x[1:]), "must hold 4 rows"),
    (lambda p: flip(newest(p) / "arrays.npz"), "--resume-from previous goes on"),
    (lambda p: flip(newest(p) / "state.json"), "--resume-from previous goes on"),
    (lambda p: (newest(p) / "state.json").unlink(), "--resume-from previous goes on"),
    (lambda p: shutil.rmtree(p / "checkpoint"), "their checkpoint is gone"),
    (link("metrics.jsonl"), "metrics.jsonl' must be a file or folder of its own"),
    (link("plots"), "plots' must be a file or folder of its own"),
    (link("checkpoint"), "checkpoint' must be a file or folder of its own"),
    (link(".meta_game.npz"), ".meta_game.npz' must be a file or folder of its own"),
    (link("config.json"), "config.json' must be a file or folder of its own"),
]


@pytest.mark.parametrize(("damage", "sentence"), WAYS)
def test_a_changed_folder_is_not_continued(
    copy: Path, capsys: pytest.CaptureFixture[str], damage: Damage, sentence: str
):
    damage(copy)
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    assert resume(copy, "--iterations", 5) == 2
    refused(capsys, sentence)
    assert before == {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}


def test_the_checkpoint_before_gives_the_same_bits(
    whole: Path, copy: Path, capsys: pytest.CaptureFixture[str]
):
    flip(newest(copy) / "arrays.npz")
    assert run(psro, "--out", copy, "--resume-from", "previous") == 2
    capsys.readouterr()
    assert resume(copy, "--resume-from", "previous") == 0
    assert rows(copy) == rows(whole)
    for name in ("arrays.npz",):
        one, two = ((newest(f) / name).read_bytes() for f in (whole, copy))
        assert one == two
    assert (copy / "meta_game.npz").read_bytes() == (
        whole / "meta_game.npz"
    ).read_bytes()
    assert resume(copy) == 0
    for place in checkpoint.complete(copy / "checkpoint"):
        flip(place / "arrays.npz")
    assert resume(copy) == 2
    refused(capsys, "no sound one is before it")


def test_an_older_folder_says_who_wrote_it(
    copy: Path, capsys: pytest.CaptureFixture[str]
):
    fields = json.loads((copy / "config.json").read_text())
    del fields["seal"]
    (copy / "config.json").write_text(json.dumps(fields))
    assert resume(copy) == 2
    refused(capsys, "was made by an earlier metaspiel (0.1.0, commit")


def test_a_full_disk_loses_nothing(
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    real, folder = os.fsync, tmp_path / "run"
    # A few calls reach the disk, then it is full: at the start, and in an iteration.
    for calls in (0, 3, 9, 16):
        left = [calls]

        def full(handle: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            old = ["--resume"] if (folder / "config.json").exists() else PSRO
            assert run(psro, *old, "--out", folder, "--quiet") == 2
        error = capsys.readouterr().err
        assert "No space left on device" in error and str(folder) in error
        assert error.count("\n") == 1
    assert resume(folder) == 0
    assert rows(folder) == rows(whole)


SECOND = """
import sys
from experiments.lab.page import main
from experiments.psro import __main__ as psro
sys.exit(main(psro.page, psro.Config, sys.argv[1:]))
"""


def test_a_second_run_is_refused_by_name(copy: Path):
    words = [sys.executable, "-c", SECOND, "--resume", "--out", str(copy)]
    with held(copy):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert f"another process is writing to it: {os.getpid()}: " in done.stderr


def test_every_page_owns_its_folder():
    """A folder is only had from ``claim``, as the block of a ``with``."""
    modules = {name: contents.module(name) for name in contents.pages()}
    owning = [n for n, m in modules.items() if isinstance(m.Config().run, Output)]
    assert {"psro", "nes_train", "bargaining", "demo", "matrl_grid"} < {*owning}
    claiming = set()
    for path in sorted((ROOT / "experiments").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        nodes = list(ast.walk(tree))
        calls = [
            n
            for n in nodes
            if isinstance(n, ast.Call) and ast.unparse(n.func) == "claim"
        ]
        withs = [item for n in nodes if isinstance(n, ast.With) for item in n.items]
        owned = [item.context_expr for item in withs]
        assert all(call in owned for call in calls), path
        if calls:
            claiming.add(path)
    claiming = {name for name, path in floor_plan.modules().items() if path in claiming}
    for name in owning:
        home = str(modules[name].__spec__.name)
        assert {home, *floor_plan.reached(home)} & claiming, name


def test_a_training_is_bound_to_its_rows_and_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    whole = tmp_path / "whole"
    assert run(nes_train, *NES, "--out", whole) == 0
    assert strict(whole) == 5
    ways: list[tuple[Damage, str]] = [
        (edit("seed", 9), "must be as this run wrote it"),
        (edit_and_seal("recipe.seed", 9), "must hold a run of the same recipe"),
        (edit_and_seal("games", 9), "must belong to this run's configuration"),
        (lines(lambda x: [x[0].replace("5", "6", 1), x[1]]), "they were changed"),
        (lambda p: flip(newest(p) / STATE), "--resume-from previous goes on"),
        (lambda p: [flip(s / STATE) for s in both(p)] and None, "in another folder"),
        (aged, "must belong to this run's step"),
        (lambda p: shutil.rmtree(p / "checkpoint"), "their checkpoint is gone"),
    ]
    for number, (damage, sentence) in enumerate(ways):
        copy = Path(shutil.copytree(whole, tmp_path / str(number)))
        damage(copy)
        assert resume(copy, page=nes_train) == 2
        refused(capsys, sentence)
    with held(whole):
        assert resume(whole, page=nes_train) == 2
    refused(capsys, "must have one run at a time")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    assert cells.train(CELLS, folder) == []
    assert strict(folder) == 17  # 6 rows, 6 seals, 2 of each other kind, the clock
    return folder


CELL_WAYS: list[tuple[Damage, str]] = [
    (lambda p: flip(newest(p) / "seal.json"), "the one before is sound: remove"),
    (lambda p: [flip(f) for f in newest(p).glob("*.safetensors")] and None, "sound"),
    (lines(lambda x: [x[0].replace("1", "2", 1), *x[1:]]), "they were changed"),
    (lines(lambda x: x[:1]), "rows for this checkpoint"),
    (lambda p: (p / "metrics.jsonl").unlink(), "rows for this checkpoint"),
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.label)
@pytest.mark.parametrize(("damage", "sentence"), CELL_WAYS)
def test_a_changed_cell_is_not_finished(
    trained: Path, tmp_path: Path, cell: Cell, damage: Damage, sentence: str
):
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    damage(cell.room(copy))
    assert not states.finished(cell, copy)
    (fault,) = cells.train(CELLS, copy)
    assert fault.cell == cell and fault.outcome.user
    assert sentence in (fault.outcome.fault or "")


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.label)
def test_a_cell_goes_back_or_begins_again(trained: Path, tmp_path: Path, cell: Cell):
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    room = cell.room(copy)
    wanted = [
        {**row, "seconds": None, "cpu": None} for row in states.rows(cell, trained)
    ]
    shutil.rmtree(newest(room))
    assert not states.finished(cell, copy)
    assert cells.train(CELLS, copy) == []
    shutil.rmtree(room)
    assert cells.train(CELLS, copy) == []
    made = [{**row, "seconds": None, "cpu": None} for row in states.rows(cell, copy)]
    assert made == wanted
    for place in (cell.room(trained) / "checkpoint").rglob("*.safetensors"):
        assert place.read_bytes() == (copy / place.relative_to(trained)).read_bytes()


def test_states_do_not_change_places(trained: Path, tmp_path: Path):
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    cell = CELLS[0]
    kept = cell.room(copy) / "kept"
    shutil.rmtree(kept / "000004")
    shutil.copytree(kept / "000002", kept / "000004")
    (fault,) = cells.train(CELLS, copy)
    assert fault.outcome.user and "must be a state of this cell" in str(
        fault.outcome.fault
    )


def test_a_cell_of_an_earlier_format_says_so(trained: Path, tmp_path: Path):
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    place = CELLS[0].room(copy) / "checkpoint"
    shutil.rmtree(place)
    place.mkdir()
    (place / "state.json").write_text('{"format": 1, "iteration": 4, "seed": 3}')
    (fault,) = cells.train(CELLS, copy)
    assert fault.outcome.user and "an earlier metaspiel wrote it" in str(
        fault.outcome.fault
    )


def test_a_file_in_the_place_of_a_folder_is_named_so(tmp_path: Path, capsys: Any):
    file = tmp_path / "file"
    file.write_text("mine")
    assert run(psro, *PSRO, "--out", file) == 2
    assert "must be a folder, new or empty; it is a file" in capsys.readouterr().err
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert run(psro, *PSRO, "--out", tmp_path / "link") == 2
    assert "it is a link that leads nowhere" in capsys.readouterr().err
    assert file.read_text() == "mine"


def test_a_folder_that_a_full_disk_left_without_a_run_is_taken(tmp_path: Path):
    folder = tmp_path / "run"
    (folder / ".writing-0123").mkdir(parents=True)
    (folder / ".writing-4567").write_text("{")
    (folder / ".lock").write_text("")
    assert run(psro, *PSRO, "--out", folder) == 0
    assert not list(folder.glob(".writing-*"))
