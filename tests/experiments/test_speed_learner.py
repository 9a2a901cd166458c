"""Speed of learned responses, in small: that it measures what it says."""

import json
from functools import partial

import pytest
import torch
from pretend_gpu import PretendGPU, again

from experiments.lab.page import main
from experiments.speed import learner, learning, our_learner
from metaspiel.games.bargaining import Bargaining
from metaspiel.learn import ddqn, speed
from metaspiel.learn.graphs import Captured
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.settings import DDQN
from metaspiel.learn.speed import fresh


def call(*words):
    return main(learner.page, learner.Config, [str(word) for word in words])


def test_the_page(tmp_path, capsys):
    pytest.importorskip("tree")
    out = tmp_path / "r"
    parts = [p for p in learning.PARTS if p != "cuda"]
    assert call("--quick", "--json", "--part", *parts, "--out", out) == 0
    rows = json.loads(capsys.readouterr().out)
    assert json.loads((out / "summary.json").read_text())["rows"] == rows
    assert {row["part"] for row in rows} == set(parts)
    assert all(row["value"] > 0 for row in rows)
    named = {row["what"]: row for row in rows}
    assert len(named) == len(rows)
    shares = [row["value"] for row in rows if row["what"].startswith("share of")]
    assert len(shares) == 5 and sum(shares) == pytest.approx(100)
    stacked = [row for row in rows if row["part"] == "stacked"]
    same, times = stacked[::2], stacked[1::2]
    assert len(same) == 4 and all(row["met"] for row in same)
    for row, size in zip(times, (1, 2, 4, 8), strict=True):
        assert row["what"] == f"times its FLOPs at torch.mm's rate, {size} stacked"
        assert row["goal"] == "at most 1.3 x" and row["met"] == (row["value"] <= 1.3)
    once = named["to the uniform policy"]["value"]
    for text in our_learner.GAMES.values():
        ratio = named[f"ours is faster than that, {text}"]
        assert ratio["value"] == pytest.approx(
            named[f"response, {text}"]["value"] / once
        )
        assert ratio["met"] == (ratio["value"] >= 4)
    assert "| update | times its FLOPs at that rate |" in (out / "table.md").read_text()
    assert "<table" in (out / "report.html").read_text()


def test_without_dm_tree_the_rest_is_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(learning, "installed", lambda: False)
    words = ("--quick", "--json", "--part", "openspiel", "payoffs", "--out", tmp_path)
    assert call(*words) == 0
    rows = json.loads(capsys.readouterr().out)
    kept = (tmp_path / "parts" / "payoffs.json").read_bytes()
    (tmp_path / "parts" / "update.json").unlink()
    assert call("--resume", "--json", "--out", tmp_path) == 0
    assert (tmp_path / "parts" / "payoffs.json").read_bytes() == kept
    again = json.loads(capsys.readouterr().out)
    assert [row["what"] for row in again] == [row["what"] for row in rows]
    lines = [row for row in rows if row["part"] == "openspiel"]
    assert [row["note"] for row in lines] == [learning.NOTE]
    assert {"update", "response", "payoffs"} <= {row["part"] for row in rows}


def test_updates_of_whole_responses_are_those_that_training_makes():
    # The same rule at a size that can be run: 3 of 10 rounds are silent.
    settings = DDQN(decisions=640, minimum=200, batch=4)
    network = MLP.of(Bargaining(), 8)
    asked = our_learner.task(
        Bargaining(), network, settings, opponents=Pool.uniform(network), seed=0
    )
    _, learned = our_learner.response(asked, 200_000)
    assert learned.updates == settings.total_updates == 7 * 40
    assert DDQN().total_updates == 93_760


def test_a_part_of_a_response_has_every_phase():
    part = DDQN().part(1 / 1000)
    assert (part.decisions, part.minimum, part.explore_decisions) == (200, 64, 160)
    assert part.capacity == DDQN().capacity and DDQN().part(1.0) == DDQN()


def test_the_other_agent_plays_our_policy():
    pytest.importorskip("tree")
    from experiments.speed import openspiel_dqn

    network = MLP.of(Bargaining())
    (vector,) = fresh(network, 1, 3)
    env = openspiel_dqn.environment("bargaining_generalized", 0)
    agent = openspiel_dqn.agent(env, 0, DDQN(), 0)
    openspiel_dqn.load(agent, network, vector)
    x = torch.rand(7, network.inputs, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = agent._q_network(x)
    torch.testing.assert_close(theirs, network.scores(torch.as_tensor(vector), x))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--part", "updates"), "did you mean 'update'"),
        (("--fraction", 0), "--fraction must be"),
        (("--fraction", 1.5), "--fraction must be"),
        (("--rounds", 0), "--rounds must be"),
        (("--policies", 1), "--policies must be"),
        (("--episodes", 1), "--episodes must be"),
        (("--seed", -1), "--seed must be"),
        (("--stacks", 0), "--stacks must name"),
        (("--ddqn.batch", 0), "--ddqn.batch must be"),
    ],
)
def test_bad_input(tmp_path, capsys, words, sentence):
    assert call(*words, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_a_gpu_is_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ddqn, "Captured", partial(Captured, capture=again))
    monkeypatch.setattr(speed, "Captured", partial(Captured, capture=again))
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda: 1e9)
    words = ("--quick", "--json", "--part", "cuda", "--ddqn.games", 4, "--stacks", 2)
    with PretendGPU(monkeypatch):
        assert call(*words, "--ddqn.capacity", 64, "--ddqn.minimum", 64,
                    "--out", tmp_path / "r") == 0  # fmt: skip
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert len(rows) == 10 and all(row["value"] > 0 for row in rows.values())
    for how in ("eager", "graph"):
        assert "TFLOP/s" in rows[f"an update of 2 stacked, {how}"]["note"]
    assert "a response of 2 stacked in a learned model" in rows


def test_no_gpu_is_said(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert call("--part", "cuda", "--out", tmp_path / "r") == 2
    assert "needs a GPU" in capsys.readouterr().err
