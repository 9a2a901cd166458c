"""The Bargaining page: what it refuses, its units, and how its processes end."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.bargaining import __main__ as bargaining
from experiments.bargaining import steps
from experiments.bargaining.checks import check
from experiments.bargaining.config import SIZES, Config
from experiments.bargaining.steps import Job, pieces
from experiments.bargaining.store import Store
from experiments.bargaining.units import ALL_TRIALS, Unit, units
from experiments.lab.lock import held
from experiments.lab.page import main, parse
from experiments.lab.work import Outcome, run
from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.settings import DDQN
from metaspiel.nfg.errors import UserError
from offline import baselines
from offline.record import collect
from offline.settings import JUDGING, Cloning, Training

TINY = shlex.split("--size tiny --ddqn.decisions 300 --trajectories 40 --quiet")


def asked(words: str) -> Config:
    return parse(Config, words.split(), "bargaining")


def page(*words: str) -> int:
    return main(bargaining.page, bargaining.Config, [*TINY, *words])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--trials", "0"], "--trials must be at least 1"),
        (["--k", "3"], "--k must be at most the 2 iterations"),
        (["--curve", "2"], "--curve must be of iterations from 1 to 1"),
        (["--weights", "1.5"], "--weights must be in [0, 1]"),
        (["--anneal", "-1"], "--anneal must be at least 0"),
        (["--penalties", "-1"], "--penalties must be finite and at least 0"),
        (["--penalties", "inf"], "--penalties must be finite and at least 0"),
        (["--penalties", "2", "2"], "--penalties must differ"),
        (["--coverages", "2"], "--coverages must be in [0, 1]"),
        (["--trajectories", "41"], "even with mirrors counted"),
        (["--explorations", "r2dd"], "r2dd"),
        (["--evaluations", "mecce"], "a mixture of its own"),
        (["--behaviours", "file"], "must be named with --data"),
        (["--data", "/nowhere"], "manifest.json"),
        (["--executor", "cluster"], "cluster"),
        (["--jobs", "2", "--executor", "processes"], "--jobs must be 1"),
        (["--ddqn.minimum", "200", "--ddqn.capacity", "100"], "capacity"),
        (
            ["--ddqn.minimum", "321", "--ddqn.capacity", "400"],
            "minimum must be at most the 300 decisions",
        ),
        (["--training.members", "1"], "--training.members must be at least 2"),
        (
            ["--training.members", "1", "--approaches", "oef"],
            "at least 2 with the solver r2d",
        ),
        (["--game.discount", "0"], "discount must be in (0, 1]"),
        (["--report"], "--report goes with"),
    ],
)
def test_impossible_wishes_are_refused_in_a_sentence(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    if words[0] == "--data":
        words = [*words, "--trajectories"]
    assert page(*words, "--out", str(tmp_path / "none")) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_a_gpu_that_is_not_there_is_missed_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert page("--ddqn.device", "cuda", "--out", str(tmp_path / "none")) == 2
    error = capsys.readouterr().err
    sentence = "device cuda was asked for, but torch sees no CUDA device"
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_a_plan_needs_the_gpu_that_it_measures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert page("--plan", "--report", "--ddqn.device", "cuda") == 2
    assert "torch sees no CUDA device" in capsys.readouterr().err


def test_profiles_are_judged_before_models_are_looked_at():
    kinds = [unit.kind for unit in units(Config())]
    assert kinds.index("judge") < kinds.index("fidelity")


def test_what_a_gpu_made_is_reported_on_any_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    words = ("--ddqn.device", "cuda", "--out", str(tmp_path))
    with monkeypatch.context() as there:
        there.setattr("torch.cuda.is_available", lambda: True)
        there.setattr("experiments.bargaining.run._work", lambda *_: [])
        assert page(*words) == 0
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "report.html").unlink()
    assert page("--out", str(tmp_path), "--resume", "--report") == 0
    assert (tmp_path / "report.html").is_file()
    assert page("--out", str(tmp_path), "--resume") == 2  # there is work to do
    assert "torch sees no CUDA device" in capsys.readouterr().err


def test_one_member_is_enough_where_none_is_doubted():
    words = "--training.members 1 --approaches oef --explorations rd --evaluations rd"
    check(asked(words))


def test_units_come_after_what_they_need():
    config = asked("--grid --size tiny --stack 3")
    chosen = units(config)
    assert len(chosen) == len(set(chosen)) == len({u.name for u in chosen})
    seen: set[Unit] = set()
    for unit in chosen:
        assert set(unit.needs(config)) <= seen
        seen.add(unit)
    order: list[str] = []
    sizes: list[int] = []

    def do(asked: Sequence[Job]) -> list[Outcome]:
        for job in asked:
            assert {need.name for need in job.unit.needs(config)} <= set(order)
        names = [job.unit.name for job in asked]
        order.extend(names)
        sizes.append(len(names))
        return [Outcome(name=name) for name in names]

    made = pieces(chosen, Store(config, Path("nowhere")), do)
    assert run(made, lambda outcome: None, stack=config.stack) == []
    assert sorted(order) == sorted(unit.name for unit in chosen)
    assert max(sizes) == 3 and len(set(order)) == len(order)


def test_seeds_are_the_units_own():
    one = Unit(kind="data", trial=0, behaviour="uniform", trajectories=40)
    assert one.seed(0) == Unit(
        kind="data", trial=0, behaviour="uniform", trajectories=40
    ).seed(0)
    others = (
        one.seed(1),
        Unit(kind="data", trial=1, behaviour="uniform", trajectories=40).seed(0),
        Unit(kind="data", trial=0, behaviour="uniform", trajectories=60).seed(0),
        Unit(kind="model", trial=0, behaviour="uniform", trajectories=40).seed(0),
        Unit(kind="behaviour", trial=ALL_TRIALS, number=1).seed(0),
    )
    assert len({one.seed(0), *others}) == 6


def test_a_termination_is_an_interruption(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def stopped(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setitem(steps.DO, "data", stopped)
    assert page("--out", str(tmp_path / "stopped")) == 130
    assert "what is finished is kept" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before
    with held(tmp_path / "stopped"):
        pass


ORPHANS = """
import multiprocessing, os, signal, subprocess, sys, time
from experiments.lab.process import end_with_parent

OWN = "from experiments.lab.process import end_with_parent as end; import time; end()"
OWN += "; "
OWN += "print('ready', flush=True); time.sleep(60)"

def serve(line):
    end_with_parent()
    line.send("ready")
    time.sleep(60)

if __name__ == "__main__":
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,)).start()
    ours.recv()
    words = [sys.executable, "-c", OWN]
    other = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=sys.stderr)
    other.stdout.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_die_with_their_parent_whatever_started_them(tmp_path: Path):
    script = tmp_path / "orphan.py"
    script.write_text(ORPHANS, "utf-8")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script)]
    # It returns once nobody can write to its output any more: the worker neither.
    done = subprocess.run(
        command, env=env, capture_output=True, timeout=50, check=False
    )
    assert done.returncode == -signal.SIGKILL and not done.stderr


def test_a_solver_that_anneals_over_an_unknown_horizon_is_refused_at_once():
    config = asked("--grid")
    with pytest.raises(UserError, match="the loop knows no horizon"):
        check(replace(config, explorations=("r3d:final=0",)))
    check(replace(config, explorations=("r3d:final=0,over=5",)))
    with pytest.raises(UserError, match="final must have a loop"):
        check(replace(config, evaluations=("r3d:final=0,over=5",)))


def test_a_size_fills_in_what_is_not_given(tmp_path: Path):
    config = asked("--size paper --grid --trials 3 --ddqn.games 1")
    assert (config.iterations, config.trials) == (40, 3)
    assert config.trajectories == (500, 1000, 2000)
    assert config.ddqn == replace(DDQN(), games=1)
    # Coverage is annealed over the published share of the iterations, 10 of 40.
    assert config.anneal == 10
    for flags, anneal in (
        ("", 2), ("--iterations 20", 5), ("--iterations 40", 10), ("--iterations 3", 1),
        ("--size tiny", 1), ("--size paper --iterations 8", 2),
        ("--iterations 20 --anneal 10", 10),
    ):  # fmt: skip
        assert asked(flags).anneal == anneal
    # The learner's schedule is in proportion to its decisions.
    config = asked("--size tiny --ddqn.decisions 400 --ddqn.rate 0.01")
    assert config.ddqn == replace(DDQN.budget(400), rate=0.01)
    # So is that of the judge, which no size but the tiny one changes.
    assert asked("--size paper").judge == asked("--ddqn.decisions 9").judge == JUDGING
    assert asked("--judge.decisions 40000 --judge.rate 0.01").judge == replace(
        JUDGING, decisions=40_000, minimum=10_000, explore_decisions=32_000, rate=0.01
    )
    wide = {"minimum": 10_000, "capacity": 10_000}
    assert asked("--ddqn.minimum 10000").ddqn == replace(DDQN.budget(30_000), **wide)
    assert config.training == Training(steps=300)
    # A file gives what words do not.
    (tmp_path / "some.yaml").write_text("{size: tiny, ddqn: {decisions: 800}, k: 2}")
    config = asked(f"--config {tmp_path / 'some.yaml'} --k 1")
    assert (config.iterations, config.k) == (2, 1)
    assert config.ddqn == DDQN.budget(800)


def test_a_stored_clone_is_of_the_network_that_is_configured(tmp_path: Path):
    unit = Unit(kind="clone", trial=0, behaviour="uniform", trajectories=40)
    store = Store(SIZES["tiny"], tmp_path)
    made = baselines.clone(collect(Bargaining(), 40, 1), 0, Cloning(steps=1))
    unit.place(tmp_path).parent.mkdir()
    baselines.save(made, unit.place(tmp_path), store.bound(unit.name))
    with np.load(unit.place(tmp_path)) as stored:
        assert "width" not in stored  # a shape is not rebuilt from a number beside it
    again = store.clone(unit)
    assert again.network == made.network
    assert again.weights.tobytes() == made.weights.tobytes()
    assert again.measured == made.measured
    with pytest.raises(UserError, match="it is another's"):
        Store(replace(SIZES["tiny"], seed=1), tmp_path).clone(unit)
