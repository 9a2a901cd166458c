"""Runs that go on: after kills, from the state before, and never two in one folder."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from experiments.lab import checkpoints
from experiments.lab.lock import held
from experiments.lab.page import main
from experiments.nes import train as nes_train
from experiments.psro import __main__ as psro
from experiments.psro import run as psro_run
from experiments.psro.config import Config
from experiments.psro_parts.config import Run
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro import checkpoint
from psro.arena import Arena

ROOT = Path(__file__).parents[2]
TRIALS = [
    *("--game", "kuhn_poker", "--iterations", "8", "--trials", "2", "--seed", "5"),
    *("--solver", "mgcce", "--quiet"),
]
NES = [
    *("--recipe.games.most", "4", "--recipe.work", "256", "--recipe.fewest", "8"),
    *("--recipe.architecture.payoff", "4", "--recipe.architecture.dual", "6"),
    *("--recipe.architecture.hidden", "8", "--recipe.architecture.unrolled", "1"),
    *("--every", "5", "--games", "8"),
    *("--recipe.steps", "15", "--quiet"),
]


def run(page: Any, *words: object) -> int:
    return main(page.page, page.Config, [str(word) for word in words])


def resume(folder: Path, *words: object, page: Any = psro) -> int:
    return run(page, "--resume", "--out", folder, "--quiet", *words)


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    made = [json.loads(line) for line in lines]
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in made]


def flip(place: Path) -> None:
    changed = bytearray(place.read_bytes())
    changed[len(changed) // 2] ^= 1
    place.write_bytes(changed)


def states(folder: Path) -> list[Path]:
    return checkpoint.complete(folder / "checkpoint")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trials that nothing disturbed."""
    folder = tmp_path_factory.mktemp("psro") / "run"
    assert run(psro, *TRIALS, "--out", folder) == 0
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    listed = [(task / "children").read_text().split() for task in tasks.iterdir()]
    return [int(child) for one in listed for child in one]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_workers_of_a_killed_run_write_no_more(tmp_path: Path):
    long = [word if word != "8" else "40" for word in TRIALS]
    folder, undisturbed = tmp_path / "run", tmp_path / "undisturbed"
    assert run(psro, *long, "--out", undisturbed) == 0
    start = [sys.executable, "-m", "experiments.psro"]
    words = [*start, *long, "--jobs", "2", "--out", str(folder)]
    with open(tmp_path / "stderr", "w", encoding="utf-8") as errors:
        parent = subprocess.Popen(words, cwd=ROOT, stderr=errors)
        deadline = time.monotonic() + 100
        begun = [folder / f"trial_{i}" / "checkpoint" for i in (0, 1)]
        while not any(map(files.numbered, begun)):
            assert parent.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        workers = children(parent.pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert len(workers) >= 2
    time.sleep(0.5)  # of seconds that they had still to work
    assert not any(map(alive, workers))
    again = [*start, "--resume", "--out", str(folder), "--jobs", "2", "--quiet"]
    done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""
    assert (tmp_path / "stderr").read_text() == ""
    for name in ("trial_0", "trial_1"):
        assert rows(folder / name) == rows(undisturbed / name)


def test_what_fails_in_a_worker_is_one_sentence(tmp_path: Path):
    (tmp_path / "trial_0").touch()
    config = Config(iterations=1, trials=2, run=Run(jobs=2))
    (outcome,) = psro_run._elsewhere([(config, tmp_path / "trial_0")])
    assert outcome.user and "trial_0" in (outcome.fault or "")


def test_a_run_owns_its_folder_whatever_is_removed_from_it(tmp_path: Path):
    start = [sys.executable, "-m", "experiments.psro"]
    words = [*start, "--resume", "--out", str(tmp_path)]
    assert run(psro, "--iterations", 0, "--quiet", "--out", tmp_path) == 0
    with held(tmp_path):
        (tmp_path / ".lock").unlink()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "must have one run at a time" in done.stderr
        assert done.stderr.count("\n") == 1
        with (
            pytest.raises(UserError, match="one that has just begun"),
            held(tmp_path),
        ):
            pass
    with held(tmp_path):
        pass


def test_a_system_without_locks_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(UserError, match="POSIX locks"), held(tmp_path):
        pass


def test_an_older_configuration_is_never_written_over_a_newer(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Another run widens the folder after ours has read it, before it owns it."""
    built, busy = psro_run.built, []

    def late(config: psro.Config) -> Arena:
        if not busy:
            busy.append(1)
            words = ["--iterations", "9", "--stop-gap", "1e-12"]
            start = [sys.executable, "-m", "experiments.psro", "--resume", "--quiet"]
            subprocess.run([*start, "--out", str(copy), *words], check=True)
        return built(config)

    monkeypatch.setattr(psro_run, "built", late)
    assert resume(copy, "--iterations", 10) == 2
    error = capsys.readouterr().err
    assert "config.json' must be as it was when this run began" in error
    assert error.count("\n") == 1
    stored = files.read_sealed(copy / "config.json")
    assert stored["iterations"] == 9 and stored["stop_gap"] == 1e-12
    assert resume(copy, "--iterations", 10) == 0
    assert files.read_sealed(copy / "config.json")["stop_gap"] == 1e-12


def test_only_trials_that_lost_their_newest_state_go_back(
    whole: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
):
    wanted = {p: p.read_bytes() for p in (copy / "trial_0/checkpoint").rglob("*.*")}
    shutil.rmtree(copy / "trial_1" / "checkpoint")
    (copy / "trial_1" / "metrics.jsonl").unlink()
    saved: list[str] = []
    real = checkpoint.save

    def save(state: Any, folder: Path, bound: Any = None) -> Path:
        saved.append(f"{folder.parent.name} {state.iteration}")
        return real(state, folder, bound)

    monkeypatch.setattr(checkpoint, "save", save)
    assert resume(copy, "--resume-from", "previous") == 0
    assert saved == [f"trial_1 {i}" for i in range(9)]
    saved.clear()
    flip(states(copy / "trial_1")[-1] / "arrays.npz")
    assert resume(copy, "--resume-from", "previous") == 0
    assert saved == ["trial_1 8"]
    assert {p: p.read_bytes() for p in wanted} == wanted
    for name in ("trial_0", "trial_1"):
        assert rows(copy / name) == rows(whole / name)


def test_a_state_of_another_run_is_no_way_back(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    other = tmp_path / "other"
    words = ["50" if word == "5" else word for word in TRIALS]
    assert run(psro, *words, "--out", other) == 0
    before, newest = states(copy / "trial_0")
    shutil.rmtree(before)
    shutil.copytree(states(other / "trial_0")[0], before)
    flip(newest / "arrays.npz")
    capsys.readouterr()
    for way in ("last", "previous"):
        assert resume(copy, "--resume-from", way) == 2
        assert "no sound one is before it" in capsys.readouterr().err


def test_a_resume_reads_states_and_rows_once(
    copy: Path, monkeypatch: pytest.MonkeyPatch
):
    read: list[Path] = []
    real = checkpoint.read
    text = Path.read_bytes

    def states_read(place: Path) -> Any:
        read.append(place)
        return real(place)

    def bytes_read(self: Path) -> bytes:
        if self.name == "metrics.jsonl":
            read.append(self)
        return text(self)

    monkeypatch.setattr(checkpoint, "read", states_read)
    monkeypatch.setattr(Path, "read_bytes", bytes_read)
    assert resume(copy, "--iterations", 9) == 0
    places = [(states(copy / f"trial_{i}")[0], copy / f"trial_{i}") for i in (0, 1)]
    once = [[place, room / "metrics.jsonl"] for place, room in places]
    assert read[:4] == [p for pair in once for p in pair]
    assert len([p for p in read if p.name == "000008"]) == 2


def test_a_training_goes_back_to_the_state_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    whole, copy = tmp_path / "whole", tmp_path / "copy"
    assert run(nes_train, *NES, "--out", whole) == 0
    assert [p.name for p in states(whole)] == ["000010", "000015"]
    shutil.copytree(whole, copy)
    assert run(nes_train, *NES, "--out", copy, "--resume-from", "previous") == 2
    assert "goes with --out FOLDER --resume" in capsys.readouterr().err
    flip(states(copy)[-1] / "training.safetensors")
    assert resume(copy, page=nes_train) == 2
    assert "--resume-from previous goes on from it" in capsys.readouterr().err
    assert resume(copy, "--resume-from", "previous", page=nes_train) == 0
    assert rows(copy) == rows(whole)
    assert [p.name for p in states(copy)] == ["000010", "000015"]
    name = "training.safetensors"
    one, two = (files.read_arrays(states(f)[-1] / name)[1] for f in (whole, copy))
    assert one.keys() == two.keys()
    assert all(one[key].tobytes() == two[key].tobytes() for key in one)


def test_states_that_make_way_are_whole_or_gone(
    copy: Path, monkeypatch: pytest.MonkeyPatch
):
    """A disk that fails while an older state is removed leaves no half of one."""
    room = copy / "trial_0"
    newest = states(room)[-1]
    later = newest.with_name("000099")
    shutil.copytree(newest, later)

    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", fails)
        patch.setattr(os, "unlink", fails)
        with pytest.raises(OSError, match="000099"):
            checkpoints.forget_later(newest)
    assert states(room)[-1] == newest
    files.tidy(room)
    assert {p.name for p in newest.parent.iterdir()} == {"000007", "000008"}


def test_an_interrupted_run_has_a_report_without_going_on(tmp_path: Path):
    out = tmp_path / "run"
    words = ("--game", "kuhn_poker", "--solver", "uniform", "--iterations", 2)
    assert run(psro, *words, "--quiet", "--out", out) == 0
    before = rows(out)
    for name in ("report.html", "summary.json"):  # as if it had ended earlier
        (out / name).unlink()
    assert resume(out, "--max-seconds", 0, "--iterations", 3) == 0
    assert (out / "report.html").is_file() and rows(out) == before
    assert resume(out, "--iterations", 3, "--max-seconds", None) == 0
    assert len(rows(out)) == 4
