"""Many training runs in one folder: the same bits however they are run."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import contents
from experiments.matrl import cells, states
from experiments.matrl.states import Cell
from matrl import loop
from matrl.methods import Settings
from metaspiel import files
from metaspiel.learn.ppo import PPO, Diverged
from metaspiel.nfg.errors import UserError

TINY = Settings(ppo=PPO(batch=100, envs=2, width=8, steps=2))
CELLS = [
    Cell(
        label=f"a/{m}",
        game="switch",
        method=m,
        settings=TINY,
        seed=3,
        iterations=6,
        keep=2,
    )
    for m in ("il", "matrl")
]
FAST = CELLS[0]


def results(folder: Path) -> dict[str, object]:
    """All that was learned, without times."""
    kept: dict[str, object] = {}
    for place in sorted(folder.rglob("*")):
        name = str(place.relative_to(folder))
        if place.suffix == ".safetensors":
            kept[name] = place.read_bytes()
        elif place.name == "metrics.jsonl":
            rows = [json.loads(line) for line in place.read_text().splitlines()]
            kept[name] = [{**row, "seconds": None} for row in rows]
    return kept


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    cells.check(CELLS)
    assert cells.train(CELLS, folder) == []
    return folder


def test_a_cell_has_rows_states_and_a_mark(whole: Path):
    for cell in CELLS:
        rows = states.rows(cell, whole)
        assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 6]
        assert list(states.kept(cell, whole)) == [2, 4, 6]
        assert states.finished(cell, whole)
        assert not states.finished(replace(cell, iterations=7), whole)
        good = states.last_good(cell, whole)
        assert good is not None and good["iteration"] == 6
    assert {p.name for p in (whole / "cells").iterdir()} == {"a-il-s3", "a-matrl-s3"}


@pytest.mark.parametrize(
    "page", [name for name in contents.pages() if name.startswith("matrl_")]
)
def test_the_help_of_a_page_loads_nothing_heavy(page: str):
    heavy = ("torch", "scipy", "cvxpy", "pyspiel", "vl_convert", "joblib", "ray")
    code = (
        "import sys\nfrom experiments import contents\n"
        f"contents.module({page!r}).Config()\nimport matrl.learners\n"
        f"try: contents.main('metaspiel', [{page!r}, '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        f"print('loaded', [name for name in {heavy} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"usage: metaspiel {page}" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_processes_change_nothing(whole: Path, tmp_path: Path):
    assert cells.train(CELLS, tmp_path, jobs=2) == []
    assert results(tmp_path) == results(whole)


def test_a_longer_run_goes_on(whole: Path, tmp_path: Path):
    cells.train([replace(FAST, iterations=3)], tmp_path)
    cells.train([FAST], tmp_path)
    rows, wanted = results(tmp_path), results(whole)
    assert rows == {name: wanted[name] for name in rows} and len(rows) == 6


KILL = """
import os, signal, sys
from pathlib import Path
from experiments.matrl import cells
from matrl import loop
from tests.experiments.test_cells import CELLS
real, calls = loop.step, []
def step(*given):
    calls.append(1)
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
loop.step, cells.PAUSE = step, float(sys.argv[3])
cells.train(CELLS, Path(sys.argv[1]))
"""


# In the first cell with a checkpoint after every iteration, and in the second without.
@pytest.mark.parametrize(("at", "pause", "rows"), [(5, 0.0, 4), (10, 1e9, 3)])
def test_a_killed_run_ends_with_the_same_bits(
    whole: Path, tmp_path: Path, at: int, pause: float, rows: int
):
    words = [sys.executable, "-c", KILL, str(tmp_path), str(at), str(pause)]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, capture_output=True, check=False, cwd=root)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    hit = CELLS[at > 6]
    made = (hit.room(tmp_path) / "metrics.jsonl").read_text().splitlines()
    assert len(made) == rows  # of which only those before a checkpoint are vouched for
    assert len(states.rows(hit, tmp_path)) == (rows if pause == 0 else 0)
    assert not states.finished(hit, tmp_path)
    (hit.room(tmp_path) / ".writing-1").mkdir()  # as a writer may leave behind
    assert cells.train(CELLS, tmp_path) == []
    assert results(tmp_path) == results(whole)
    assert not list(tmp_path.rglob(".*"))


def test_a_cell_that_diverges_leaves_the_others_alone(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = loop.step

    def step(game, method, settings, state):  # type: ignore[no-untyped-def]
        if method.gate == "predicted" and state.iteration == 4:
            raise Diverged("PPO: it must not do this")
        return real(game, method, settings, state)

    monkeypatch.setattr(loop, "step", step)
    faults = cells.train(CELLS, tmp_path)
    assert [(f.cell, f.outcome.user) for f in faults] == [(FAST, True)]
    room = FAST.room(tmp_path)
    failed = files.read_json(room / "failed.json")
    assert failed["fault"] == "PPO: it must not do this" and "step" in failed["trace"]
    assert failed["last_good"]["iteration"] == 4
    told = states.failed(FAST, tmp_path)
    assert told is not None and (told.fault, told.user) == (failed["fault"], True)
    assert told.name == FAST.title and states.failed(CELLS[1], tmp_path) is None

    def stopped(*given):  # type: ignore[no-untyped-def]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # what is tried again has not failed
        patch.setattr(loop, "step", stopped)
        with pytest.raises(KeyboardInterrupt):
            cells.train(CELLS, tmp_path)
    assert states.failed(FAST, tmp_path) is None
    assert len(states.rows(FAST, tmp_path)) == 4
    with pytest.raises(UserError) as caught:
        raise cells.complaint(faults, tmp_path)
    assert str(caught.value) == (
        "a/il, seed 3: PPO: it must not do this; the last good one is iteration 4, "
        f"'{room / 'checkpoint' / '000004'}'"
    )
    monkeypatch.undo()
    assert cells.train(CELLS, tmp_path) == []
    assert not (room / "failed.json").exists()
    assert results(tmp_path) == results(whole)


def test_a_fault_of_ours_is_not_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def step(*given: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(loop, "step", step)
    faults = cells.train(CELLS, tmp_path)
    with pytest.raises(RuntimeError, match=r"2 cells failed.*ZeroDivisionError: ours"):
        raise cells.complaint(faults, tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"game": "switsch"}, "switch"),
        ({"game": "switch(agents=9)"}, "agents"),
        ({"method": "ill"}, "il"),
        ({"iterations": 0}, "iterations must be at least 1"),
        ({"settings": Settings(ppo=PPO(share=True))}, "share"),
    ],
)
def test_cells_that_cannot_begin_are_refused(changes: dict[str, object], says: str):
    with pytest.raises(UserError, match=says):
        cells.check([CELLS[1], replace(FAST, **changes)])


def test_every_cell_is_there_once():
    with pytest.raises(UserError, match="once"):
        cells.check([FAST, replace(FAST, iterations=9)])


def test_rows_of_a_failed_cell_are_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Those after its last checkpoint too."""
    real = loop.step

    def broken(game, method, settings, state):  # type: ignore[no-untyped-def]
        if state.iteration == 3:
            raise ZeroDivisionError
        return real(game, method, settings, state)

    monkeypatch.setattr(loop, "step", broken)
    (fault,) = cells.train([FAST], tmp_path)
    assert fault.outcome.fault == "ZeroDivisionError: " and not fault.outcome.user
    made = states.rows(FAST, tmp_path)
    assert [row["iteration"] for row in made] == [1, 2, 3]
    place = FAST.room(tmp_path) / "metrics.jsonl"
    text = place.read_text()
    lines = text.splitlines(keepends=True)
    edited = lines[-1].replace('"iteration": 3', '"iteration": 4')
    for changed in ([*lines[:-1], edited], [*lines[:-1], "[1]\n"], lines[:-1]):
        place.write_text("".join(changed))
        with pytest.raises(UserError, match=r"metrics\.jsonl' must hold"):
            states.rows(FAST, tmp_path)
    place.write_text(text)
    failed = place.with_name("failed.json")
    failed.write_text(failed.read_text().replace('"iterations": 3', '"iterations": 2'))
    with pytest.raises(UserError, match="it was changed"):
        states.rows(FAST, tmp_path)


def test_a_folder_of_another_cell_is_refused(whole: Path):
    other = replace(FAST, iterations=9, settings=replace(TINY, br_steps=9))
    (fault,) = cells.train([other], whole)
    assert fault.outcome.user
    assert "must hold the cell that is asked for" in (fault.outcome.fault or "")
    (FAST.room(whole) / "failed.json").unlink()
