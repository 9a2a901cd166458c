"""The grid-world page: in small through its command line, killed, resumed, refused."""

import json
import shlex
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments.lab.page import main
from experiments.matrl import grid as matrl_grid
from experiments.matrl import grid_config
from experiments.matrl import grid_numbers as rows
from experiments.matrl.learners import LEARNERS
from matrl import loop
from matrl.methods import METHODS, Settings
from metaspiel.learn.ppo import PPO, Diverged

TINY = shlex.split(
    "--games switch2 pennies --methods matrl il il-la qmix il-six-rows --seeds 2 "
    "--iterations 4 --last 2 --batch 100 --width 8 --steps 2 --quiet"
)
ROOT = Path(__file__).parents[2]


def page(*words: object) -> int:
    return main(matrl_grid.page, grid_config.Config, [str(word) for word in words])


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
    assert html.count("<svg") == 5 and "Learning curves, switch2" in html


KILL = """
import os, signal, sys
from experiments.lab.page import main
from experiments.matrl import cells as _cells, grid as matrl_grid
from matrl import loop
real, calls = loop.step, []
def step(*given):
    calls.append(1)
    if len(calls) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
loop.step, _cells.PAUSE = step, 0.0
main(matrl_grid.page, matrl_grid.Config, sys.argv[1:])
"""


def test_killed_resumed_and_asked_for_more_it_is_the_same(whole: Path, tmp_path: Path):
    out = tmp_path / "r"
    first = ["switch2" if w == "pennies" else w for w in TINY if w != "switch2"]
    first[first.index("--seeds") + 1] = "1"
    words = [sys.executable, "-c", KILL, *first, "--out", str(out)]
    done = subprocess.run(words, capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(list(out.glob("cells/*/done.json"))) == 1
    again = ["--out", out, "--resume", "--quiet"]
    assert page(*again, "--rate", 0.1) == 2
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
    assert (
        summary["claims"][0]["verdict"] == "not decided: fewer than two pairs of runs"
    )
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
        ("--envs 0", "--envs must be at least 1"),
        ("--envs 7", "multiple of envs"),
        ("--rate nan", "rate must be positive"),
        ("--br-steps 0", "br_steps must be at least 1"),
        ("--held-out 1.5", "held_out"),
        ("--games checkers-team --reward own", "checkers-team must have 'team'"),
        ("--games pennies --methods qmix --gamma 2", "gamma"),
    ],
)
def test_what_is_impossible_is_refused_before_anything_is_written(
    words: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert page("--out", tmp_path / "r", *shlex.split(words)) == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ") and text.count("\n") == 1 and says in text
    assert not (tmp_path / "r").exists()


def test_defaults_are_those_of_the_learners():
    own = ("reward", "envs", "br_rate", "meta_clip")
    ours = vars(grid_config.Config())
    for cls in (PPO, Settings):
        shared = [f for f in fields(cls) if f.name in ours and f.name not in own]
        assert {f.name: ours[f.name] for f in shared} == {
            f.name: f.default for f in shared
        }
    config = grid_config.Config(rate=0.5)
    settings = grid_config.settings(
        config, grid_config.task(config, "checkers"), "matrl"
    )
    assert settings == Settings(ppo=PPO(rate=0.5, envs=20), br_rate=0.5)
    team = grid_config.task(config, "checkers-team-modern")
    assert (team.game, team.reward) == ("checkers(rules=modern)", "team")
    six = grid_config.settings(config, team, "il-six-rows").ppo
    assert (six.rows, six.reward) == (6, "team")
    assert set(grid_config.METHODS) == set(METHODS)
    assert {*grid_config.METHODS, *grid_config.MORE_METHODS} == {
        *LEARNERS,
        "il-six-rows",
    }
    assert grid_config.envs(config, 50) == 40
    steps = {name: grid_config.iterations(config, one) for name, one in TASKS}
    assert steps == {
        **dict.fromkeys(("checkers", "checkers-team"), 200),
        **dict.fromkeys(("switch2", "switch3", "switch4"), 500),
    }


TASKS = grid_config.TASKS.items()


def test_students_interval_and_test():
    values = [1.0, 2.0, 4.0, 3.5]
    low, high = rows.t_interval(values)
    error = stats.sem(values)
    assert (low, high) == pytest.approx(
        stats.t.interval(0.95, 3, np.mean(values), error)
    )
    assert rows.t_test(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert rows.t_interval([1.0]) == (None, None) and rows.t_test([1.0]) is None
    assert rows.t_test([2.0, 2.0]) == 0.0 and rows.t_test([0.0, 0.0]) == 1.0


def test_blocks_keep_every_iteration():
    ends, means = rows.blocks(list(range(120)))
    assert len(ends) <= 50 and ends[-1] == 120
    sizes = np.diff([0, *ends])
    assert means @ sizes == pytest.approx(sum(range(120)))


def made(method: str, finals: list[float]) -> rows.Row:
    runs = {
        seed: {
            "final": value,
            "final_own": [value, 0.0],
            "length": 1.0,
            "average": 0.0,
            "best": 0.0,
            "cpu_seconds": 1.0,
            "curve": {"steps": [1.0], "returns": [value]},
            **({"rho": 0.2, "rho_inside": 0.1, "rho_any": 0.3} if finals else {}),
            "rho_curve": [0.2],
            "equilibria": 1.0,
            "several": 0.0,
            "meta_regret": 0.0,
            "approximate": 0,
        }
        for seed, value in enumerate(finals)
    }
    return rows.of_method(method, runs, 0)


@pytest.mark.parametrize(
    ("others", "verdict", "apart"),
    [
        ([1.0, 1.1, 0.9, 1.0, 1.2], "holds", True),
        ([9.0, 9.1, 9.2, 9.3, 9.4], "the opposite holds", True),
        ([5.0, 5.2, 4.9, 5.1, 5.0], "no difference shown", False),
        ([5.0, 4.5, 4.0, 3.8, 3.3], "holds before correction only", True),
    ],
)
def test_claims_follow_their_rule(others: list[float], verdict: str, apart: bool):
    mine = made("matrl", [5.0, 5.1, 5.0, 5.2, 5.1])
    third = made("il-la", [5.0, 5.1, 5.0, 5.2, 5.1])
    task = {
        "task": "t",
        "methods": [mine, made("il", others), third],
        "published": [["matrl", 5.1], ["il", -2.0]],
    }
    compared = rows.pairs([task])
    assert compared[0]["apart"] == apart and compared[1]["same"] == 5
    verdicts = {
        claim["claim"]: claim["verdict"] for claim in rows.claims([task], compared)
    }
    assert verdicts["matrl ends above il"] == verdict
    assert verdicts["matrl ends above il-la"] == "no difference shown"
    assert verdicts["matrl ends at 5.1, as the figure shows"] == "reproduced"
    assert verdicts["il ends at -2, as the figure shows"].endswith("ours is higher")
    assert (
        verdicts["the meta-game holds steps back (mean rho at least 0.05)"] == "holds"
    )
