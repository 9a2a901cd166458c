"""The grid-world page: in small through its command line, killed, resumed, refused."""

import json
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))
from refusals import refused

from experiments.lab import statistics
from experiments.lab.page import main
from experiments.matrl import grid, grid_config
from experiments.matrl.grid_config import Config
from experiments.matrl.grid_results import MethodLine, TaskResult, claims, pairs
from matrl import loop
from matrl.history import History
from matrl.learners import LEARNERS
from matrl.methods import METHODS, Settings
from metaspiel.games.worlds import load
from metaspiel.learn.ppo import PPO, Diverged

TINY = shlex.split(
    "--games switch2 pennies --methods matrl il il-la qmix il-six-rows --seeds 2 "
    "--iterations 4 --last 2 --learner.ppo.batch 100 --learner.ppo.envs 10 "
    "--learner.ppo.width 8 --learner.ppo.steps 2 --whole-episodes always --quiet"
)
ROOT = Path(__file__).parents[2]


def page(*words: object) -> int:
    return main(grid.page, Config, [str(word) for word in words])


def results(folder: Path) -> dict[str, object]:
    """All that a run computed, without times."""

    def timeless(value: object) -> object:
        if isinstance(value, dict):
            gone = ("seconds", "cpu_seconds", "wall_seconds", "folder", "config")
            return {k: timeless(v) for k, v in value.items() if k not in gone}
        return [timeless(v) for v in value] if isinstance(value, list) else value

    files: dict[str, object] = {}
    for place in sorted(folder.rglob("*")):
        name = str(place.relative_to(folder))
        if place.name == "metrics.jsonl":
            lines = place.read_text("utf-8").splitlines()
            files[name] = [timeless(json.loads(line)) for line in lines]
        elif place.suffix == ".safetensors":
            files[name] = place.read_bytes()
        elif name == "summary.json":
            files[name] = timeless(json.loads(place.read_text("utf-8")))
    return files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grid") / "whole"
    assert page(*TINY, "--out", folder) == 0
    return folder


def test_the_summary_says_what_was_run(whole: Path):
    summary = json.loads((whole / "summary.json").read_text("utf-8"))
    switch, pennies = summary["tasks"]
    assert switch["game"] == "switch(rules=legacy)"
    assert (switch["envs"], switch["iterations"]) == (2, 4)
    assert (pennies["envs"], pennies["reference"]) == (10, None)
    assert switch["reference"]["optimum"] == 7.8
    assert switch["reference"]["waiting"] == -10
    for row in switch["methods"]:
        assert row["n"] == 2 and not row["failed"]
        curve = row["curve"]
        assert curve["steps"] == [100, 200, 300, 400]
        assert row["final"] == pytest.approx(np.mean(curve["mean"][-2:]))
        assert row["final"] == pytest.approx(sum(row["own"]))
        assert -10 <= row["final"] <= 7.8
        assert row["cpu_seconds"] > 0
        assert ("rho" in row) == (row["method"] != "qmix")
        assert ("equilibria" in row) == (row["method"] == "matrl")
    others = [row["second"] for row in summary["pairs"] if row["task"] == "switch2"]
    assert others == ["il", "il-la", "qmix", "il-six-rows"]
    assert len(summary["claims"]) == 2 * (4 + 1 + 1)
    assert summary["failed"] == []


def test_the_report_shows_everything(whole: Path):
    text = (whole / "table.md").read_text("utf-8")
    assert "| exact optimum | - | - | 7.80 |" in text
    assert "matrl ends above il-la" in text
    names = {place.name for place in (whole / "plots").glob("*.png")}
    stems = {"switch2", "switch2-final", "pennies", "pennies-final", "rho"}
    assert names == {f"{stem}.png" for stem in stems}
    html = (whole / "report.html").read_text("utf-8")
    assert html.count('class="panels"') == 5 and "Learning curves, switch2" in html


KILL = """
import os, signal, sys
from experiments.lab.page import main
from experiments.matrl import cells, grid
from matrl import loop
from matrl.history import History
real, calls = loop.step, []
def step(*given):
    calls.append(1)
    if len(calls) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
loop.step, cells.PAUSE = step, 0.0
main(grid.page, grid.Config, sys.argv[1:])
"""


@pytest.mark.slow
def test_killed_resumed_and_asked_for_more_it_is_the_same(whole: Path, tmp_path: Path):
    out = tmp_path / "r"
    first = ["switch2" if w == "pennies" else w for w in TINY if w != "switch2"]
    first[first.index("--seeds") + 1] = "1"
    words = [sys.executable, "-c", KILL, *first, "--out", str(out)]
    done = subprocess.run(words, capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(list(out.glob("cells/*/done.json"))) == 1
    again = ["--out", out, "--resume", "--quiet"]
    assert page(*again, "--learner.ppo.rate", 0.1) == 2
    more = ["--games", "switch2", "pennies", "--seeds", 2, "--jobs", 2]
    assert page(*again, *more) == 0
    assert results(out) == results(whole)
    before = (out / "summary.json").stat().st_mtime_ns
    assert page(*again, "--methods", "il") == 0  # the folder remembers the others
    assert (out / "summary.json").stat().st_mtime_ns > before
    assert results(out) == results(whole)


def test_learning_that_diverges_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    real = loop.step

    def step(game, method, settings, state):  # type: ignore[no-untyped-def]
        if method.gate == "nash" and (state.seed, state.iteration) == (1, 2):
            raise Diverged("MATRL: ratios must not explode")
        return real(game, method, settings, state)

    monkeypatch.setattr(loop, "step", step)
    words = [*TINY, "--games", "switch2", "--methods", "matrl", "il"]
    assert page(*words, "--json", "--out", tmp_path) == 2
    captured = capsys.readouterr()
    place = tmp_path / "cells" / "switch2-matrl-s1" / "checkpoint" / "000002"
    assert captured.err == (
        "error: switch2 matrl, seed 1: MATRL: ratios must not explode; "
        f"the last good one is iteration 2, '{place}'\n"
    )
    summary = json.loads(captured.out)
    assert summary["failed"][0]["last_good"]["iteration"] == 2
    matrl, il = summary["tasks"][0]["methods"]
    assert (matrl["n"], matrl["failed"]) == (1, 1) and (il["n"], il["failed"]) == (2, 0)
    claim = summary["claims"][0]
    assert claim["verdict"] == "undecided"
    assert claim["remark"] == "fewer than two pairs of runs"
    assert "Runs that failed" in (tmp_path / "table.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--games chequers", "did you mean 'checkers'"),
        ("--games switch(agents=7)", "agents"),
        ("--games switch5", "unknown task or world 'switch5'"),
        ("--games switch2 switch2", "each once"),
        ("--methods ill", "unknown method 'ill'"),
        ("--seeds 0", "--seeds must be at least 1"),
        ("--iterations 0", "--iterations must be at least 1"),
        ("--learner.ppo.envs 0", "envs must be at least 1"),
        ("--learner.ppo.envs 7", "multiple of envs"),
        ("--learner.ppo.rate nan", "rate must be positive"),
        ("--learner.br-steps 0", "--learner.br-steps must be at least 1"),
        ("--learner.held-out 1.5", "--learner.held-out must be in"),
        ("--games switch2 --learner.held-out .001", "held-out must leave at least one"),
        ("--games pennies --methods qmix --learner.ppo.gamma 2", "gamma"),
    ],
)
def test_what_is_impossible_is_refused_before_anything_is_written(
    words: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    refused(grid, shlex.split(words), says, folder=tmp_path, capsys=capsys)


def test_a_task_is_trained_as_the_learner_says():
    config = Config(learner=Settings(ppo=PPO(rate=0.5, envs=200)))
    settings = config.plan("checkers").settings("matrl")
    assert settings == Settings(ppo=PPO(rate=0.5, envs=20))
    assert config.plan("switch4").learner.ppo.envs == 40
    given = Config(learner=Settings(ppo=PPO(envs=100)))  # as it was asked for
    assert given.plan("checkers").learner.ppo.envs == 100
    most = replace(given, whole_episodes="always")
    assert most.plan("checkers").settings("vdn").envs == 20
    assert replace(config, whole_episodes="never").plan("switch4").learner == (
        config.learner
    )
    team = config.plan("checkers-team-modern")
    assert team.game == "checkers(rules=modern)"
    six = team.settings("il-six-rows").ppo
    assert (six.rows, six.reward) == (6, "team")
    asked = Settings(ppo=PPO(batch=200, envs=10, gamma=0.5, reward="team"))
    plan = Config(learner=asked).plan("pennies")
    for method in LEARNERS.keys() - METHODS.keys():
        replayed = plan.settings(method)
        assert (replayed.batch, replayed.envs, replayed.gamma) == (200, 10, 0.5)
        assert replayed.reward == "team"
    assert plan.settings("qtran").kind == "qtran"
    assert Config().plan("pennies").settings("maddpg").reward == "own"
    assert Config(methods=(*LEARNERS, "il-six-rows")).learner == Config().learner


def test_runs_are_as_long_as_published():
    steps = {name: Config().plan(name).iterations for name in grid_config.TASKS}
    assert steps == {
        **dict.fromkeys(("checkers", "checkers-team"), 200),
        **dict.fromkeys(("switch2", "switch3", "switch4"), 500),
    }


def test_students_interval_and_test():
    values = [1.0, 2.0, 4.0, 3.5]
    low, high = statistics.t_interval(values)
    error = stats.sem(values)
    assert (low, high) == pytest.approx(
        stats.t.interval(0.95, 3, np.mean(values), error)
    )
    assert statistics.t_test(values) == pytest.approx(
        stats.ttest_1samp(values, 0).pvalue
    )
    assert (
        statistics.t_interval([1.0]) == (None, None)
        and statistics.t_test([1.0]) is None
    )
    assert statistics.t_test([2.0, 2.0]) == 0.0 and statistics.t_test([0.0, 0.0]) == 1.0


def made(method: str, finals: list[float], kept: float = 0.2) -> MethodLine:
    facts = History(rho_inside=0.1, rho_any=0.3)
    facts = replace(facts, equilibria=1.0, several=0.0, own=[1.0, 0.0])
    runs = {
        seed: replace(facts, final=value, rho=kept * (1 + seed / 100))
        for seed, value in enumerate(finals)
    }
    return MethodLine.of(method, runs, 0)


@pytest.mark.parametrize(
    ("others", "verdict", "apart"),
    [
        ([1.0, 1.1, 0.9, 1.0, 1.2], "holds", True),
        ([9.0, 9.1, 9.2, 9.3, 9.4], "fails", True),
        ([5.0, 5.2, 4.9, 5.1, 5.0], "undecided", False),
        ([5.0, 4.5, 4.0, 3.8, 3.3], "undecided: holds before correction only", True),
        ([5.0, 5.7, 6.0, 6.6, 6.9], "undecided: fails before correction only", False),
        ([], "not tested: fewer than two pairs of runs", None),
    ],
)
def test_claims_follow_their_rule(
    others: list[float], verdict: str, apart: bool | None
):
    mine = made("matrl", [5.0, 5.1, 5.0, 5.2, 5.1])
    third = made("il-la", [5.0, 5.1, 5.0, 5.2, 5.1])
    plan = replace(Config().plan("pennies"), published=(("matrl", 5.1), ("il", -2.0)))
    task = TaskResult(plan, load("pennies"), [mine, made("il", others), third])
    compared = pairs([task])
    assert compared[0].apart is apart and compared[1].same == 5
    judged = {one.text: one.judged for one in claims([task], compared)}
    assert judged["matrl ends above il"] == verdict
    assert judged["matrl ends above il-la"] == "undecided"
    assert judged["matrl ends at 5.1, as the figure shows"] == "holds"
    if others:
        text = judged["il ends at -2, as the figure shows"]
        assert text == "fails: ours is higher"
    assert judged["the meta-game holds steps back (mean rho at least 0.05)"] == "holds"


@pytest.mark.parametrize(
    ("kept", "runs", "judged"),
    [
        (0.06, 3, "holds"),
        (0.03, 3, "fails: it lets nearly every step pass"),
        (0.0495, 3, "undecided"),
        (0.0, 3, "fails: it lets nearly every step pass"),
        (0.06, 1, "undecided: one run"),
    ],
)
def test_the_gate_is_judged_by_an_interval(kept: float, runs: int, judged: str):
    task = TaskResult(
        Config().plan("pennies"), load("pennies"), [made("matrl", [5.0] * runs, kept)]
    )
    (claim,) = claims([task], [])
    assert claim.judged == judged
    assert claim.evidence.startswith(f"mean rho {kept * (1 + (runs - 1) / 200):.3f} ")


def test_what_a_method_does_not_have_is_left_out():
    line = made("matrl", [5.0])
    assert {"mean", "curve", "length"}.isdisjoint(line.record)
    assert line.record["low"] is None and line.record["final"] == 5.0
    assert made("matrl", []).record == {
        "method": "matrl",
        "n": 0,
        "failed": 0,
        "finals": {},
        "low": None,
        "high": None,
        "rho_low": None,
        "rho_high": None,
    }
