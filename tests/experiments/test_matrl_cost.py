"""The page on MATRL's cost, in small: that it measures what it says, and goes on."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from refusals import refused

from experiments.lab.page import main
from experiments.matrl import cost, cost_run
from experiments.matrl.cost_config import Config
from experiments.matrl.cost_measures import Iteration
from matrl.timing import PHASES, MethodTime

TINY = shlex.split(
    "--games switch pennies(agents=3) --methods il matrl il-matched --rounds 2 "
    "--warm 1 --learner.ppo.batch 100 --learner.ppo.envs 10 --learner.ppo.width 8 "
    "--learner.ppo.steps 2 --learner.br-steps 1 --most 3 --quiet"
)
ROOT = Path(__file__).parents[2]


def page(*words: object) -> int:
    return main(cost.page, Config, [str(word) for word in words])


def test_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert page(*TINY, "--json", "--out", tmp_path / "r") == 0
    summary = json.loads(capsys.readouterr().out)
    rows = summary["rows"]
    timed = [row for row in rows if row["part"] == "iteration"]
    assert [(row["game"], row["agents"]) for row in timed] == [
        ("switch", 2),
        ("pennies(agents=3)", 3),
    ]
    for row in timed:
        assert list(row["methods"]) == ["il", "matrl", "il-matched"]
        assert row["methods"]["il"]["ratio"] == 1
        for one in row["methods"].values():
            assert one["samples_per_second"] == pytest.approx(100 / one["seconds"])
            assert 0 < one["least"] <= one["seconds"]
            assert set(one["phases"]) == set(PHASES)
    simulated = [row for row in rows if row["part"] == "simulator"]
    assert [row["ma_gym"] for row in simulated] == [12_600, 34_800, 21_000]
    for row in simulated:
        assert all(rate > 0 for rate in row["steps_per_second"].values())
    solved = [row for row in rows if row["part"] == "nash"]
    assert [row["agents"] for row in solved] == [2, 3]
    assert all(row["all_regret"] <= 1e-9 for row in solved)
    names = [row["goal"] for row in summary["goals"]]
    assert names == [
        "switch: matrl at most 1.3 times il",
        "pennies(agents=3): matrl at most 1.3 times il",
        "switch(agents=4): at least 200,000 steps a second",
    ]
    text = (tmp_path / "r" / "table.md").read_text("utf-8")
    assert "| matrl |" in text and "| 1.1 to 1.2 |" in text and "500 to 6400" in text
    assert (tmp_path / "r" / "plots" / "iteration.png").is_file()
    assert 'class="panels"' in (tmp_path / "r" / "report.html").read_text("utf-8")


def test_goals_are_of_matrl():
    times = dict(phases={}, seconds=3.0, least=3.0, samples_per_second=1.0)
    methods = {"matrl": MethodTime(**times, ratio=3.0)}
    (goal,) = cost_run.goals([Iteration(game="switch", agents=2, methods=methods)])
    assert goal == cost_run.Goal("switch: matrl at most 1.3 times il", 3.0, False)
    assert not cost_run.goals([Iteration(game="switch", agents=5, methods=methods)])


KILL = """
import os, signal, sys
from experiments.lab.page import main
from experiments.matrl import cost, cost_measures
def simulator(config, name):
    os.kill(os.getpid(), signal.SIGKILL)
cost_measures.simulator = simulator
main(cost.page, cost.Config, sys.argv[1:])
"""


@pytest.mark.slow
def test_a_killed_run_keeps_what_it_measured(tmp_path: Path):
    out = tmp_path / "r"
    words = [sys.executable, "-c", KILL, *TINY, "--out", str(out)]
    done = subprocess.run(
        words, capture_output=True, check=False, cwd=ROOT, env={**os.environ}
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    before = {p.name: p.read_bytes() for p in (out / "parts").glob("*.json")}
    assert sorted(before) == [
        "iteration-pennies-agents-3.json",
        "iteration-switch.json",
    ]
    assert page("--out", out, "--resume", "--quiet", "--rounds", 9) == 2
    assert page("--out", out, "--resume", "--quiet") == 0
    after = {p.name: p.read_bytes() for p in (out / "parts").glob("*.json")}
    assert len(after) == 2 + 3 + 2
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--games switsch", "did you mean 'switch'"),
        ("--games pennies(agents=9)", "agents 2 to 8"),
        ("--games switch switch", "each once"),
        ("--methods matrl il", "--methods must begin with il"),
        ("--methods il mattrl", "unknown method 'mattrl'"),
        ("--rounds 0", "--rounds must be at least 1"),
        ("--most 9", "--most must be from 2 to 8"),
        ("--learner.ppo.steps 0", "steps must be at least 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    refused(cost, shlex.split(words), says, folder=tmp_path, capsys=capsys)
