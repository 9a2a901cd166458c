"""Cross-play in Pong, in small; and what is made of the games."""

import json
from itertools import combinations

import numpy as np
import pytest
import torch

from experiments.lab.page import main
from experiments.matrl import pong as matrl_pong
from experiments.matrl import pong_config
from experiments.matrl import pong_matches as matches
from experiments.matrl import pong_numbers as _matrl_pong
from experiments.matrl.cells import Cell
from experiments.matrl.pong_config import Config
from metaspiel.games.worlds import load
from metaspiel.learn import ppo

GAME = "mini_pong(limit=60)"
TINY = (
    *("--iterations", 4, "--checkpoints", 2, "--games", 6, "--batch", 80),
    *("--envs", 4, "--width", 8, "--seeds", 2),
)


def call(*words):
    return main(matrl_pong.page, Config, [str(word) for word in words])


def arrays(folder):
    with np.load(folder / "scores.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pong") / "run"
    words = (*TINY, "--methods", "matrl", "il", "random-rho", "--game", GAME)
    assert call(*words, "--quiet", "--out", folder) == 0
    return folder


def test_a_small_run(whole):
    saved = arrays(whole)
    assert saved["matrix"].shape == (2, 2, 2, 2, 4)
    assert saved["league"].shape == (6, 6, 4)
    assert saved["script"].shape == (6, 2, 2, 2, 4)
    assert saved["checkpoints"].tolist() == [2, 4]
    assert saved["opponents"].tolist() == ["random", "tracker"]
    assert saved["methods"].tolist() == ["matrl", "il", "random-rho"] * 2
    for name in ("matrix", "league", "script"):
        score, _, won, drawn = np.moveaxis(saved[name], -1, 0)
        assert (np.abs(score) <= 3).all() and score.std() > 0
        assert ((won >= 0) & (won + drawn <= 1)).all()
    summary = json.loads((whole / "summary.json").read_text())
    mean = saved["matrix"][..., 0].mean((0, 1))
    assert np.array(summary["matrix"]["score"]) == pytest.approx(mean)
    each = saved["matrix"][..., 0].mean(1)
    error = each.std(0, ddof=1) / np.sqrt(2)
    assert np.array(summary["matrix"]["error"]) == pytest.approx(error)
    assert len(summary["duels"]) == 3
    assert sum(summary["choice"]["nash_lp"]) == pytest.approx(1)
    claims = [row["claim"] for row in summary["claims"]]
    assert claims[0] == f"matrl beats il in {GAME}, final against final"
    assert summary["claims"][0]["verdict"] == "too few seeds"
    assert len(claims) == 2 + 3 * 2
    text = (whole / "table.md").read_text()
    assert "| matrl against random-rho |" in text
    assert "<svg" in (whole / "report.html").read_text()
    for name in ("matrix", "scripts"):
        assert (whole / "plots" / f"{name}.png").stat().st_size > 10_000


def test_a_run_resumed_widened_and_spread_is_the_same(whole, tmp_path, capsys):
    words = (*TINY, "--methods", "matrl", "il", "--game", GAME, "--seeds", 1)
    assert call(*words, "--json", "--out", tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == 1
    (tmp_path / "matches" / "script-il-s0.json").unlink()
    (tmp_path / "matches" / "league-il-s0.json").unlink()
    more = ("--seeds", 2, "--methods", "matrl", "il", "random-rho", "--jobs", 2)
    assert call("--out", tmp_path, "--resume", *more, "--quiet") == 0
    one, two = arrays(whole), arrays(tmp_path)
    for name in one:
        assert np.array_equal(one[name], two[name]), name
    assert call("--out", tmp_path, "--resume", "--games", 8) == 2
    assert "--games must stay" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--methods", "il"), "--methods must name at least two"),
        (("--methods", "il", "il"), "none twice"),
        (("--methods", "il", "qmix"), "--methods: unknown method 'qmix'"),
        (("--games", 3), "--games must be even"),
        (("--checkpoints", 7), "--iterations must be a multiple of --checkpoints, 7"),
        (("--checkpoints", 0), "--checkpoints must be at least 1"),
        (("--seed", -1), "--seed must be at least 0"),
        (("--game", "tennis"), "Markov game"),
        (("--game", "switch(agents=3)"), "--game must have two agents"),
        (("--game", "mini_pong(points=0)"), "points and limit must be at least 1"),
    ],
)
def test_bad_input(words, sentence, tmp_path, capsys):
    assert call(*words, "--out", tmp_path / "new") == 2
    text = capsys.readouterr().err
    assert sentence in text and text.count("\n") == 1
    assert not (tmp_path / "new").exists()


def cell(method, seed):
    settings = pong_config.settings(Config(batch=80, envs=4, width=8))
    return Cell(
        label=method,
        game=GAME,
        method=method,
        settings=settings,
        seed=seed,
        iterations=4,
        keep=2,
    )


def test_who_plays_which_side(monkeypatch, tmp_path):
    """Weights are strengths, and a game's result is their difference."""
    strength = {
        "matrl": [torch.tensor([[1.0], [2.0]]), torch.tensor([[5.0], [9.0]])],
        "il": [torch.tensor([[0.5], [3.0]]), torch.tensor([[7.0], [4.0]])],
    }

    def play(game, policies, weights, games, rng):
        result = float(weights[0, 0] - weights[1, 0])
        return np.full((games, 2), [result, -result]), None

    monkeypatch.setattr(matches, "play", play)
    monkeypatch.setattr(matches, "_weights", lambda one, _: strength[one.method])
    one, two = cell("matrl", 0), cell("il", 0)
    match = matches.Match(
        kind="matrix", first=one, second=two, folder=tmp_path, games=3, seed=0
    )
    scores = matches._matrix(match)[..., 0]
    for i, ours in enumerate(strength["matrl"]):
        for j, theirs in enumerate(strength["il"]):
            assert scores[0, i, j] == ours[0] - theirs[1]
            assert scores[1, i, j] == ours[1] - theirs[0]
    final = matches._league(
        matches.Match(
            kind="league", first=one, second=two, folder=tmp_path, games=3, seed=0
        )
    )
    assert final.tolist() == [5.0 - 4.0, 0.0, 1.0, 0.0]


def test_a_script_plays_the_other_side():
    game, settings = load("mini_pong"), cell("il", 0).settings
    agents = ppo.students(game, settings.ppo).fresh(0)
    policies = ppo.students(game, settings.ppo).policies
    for side in (0, 1):
        scores = {
            name: matches.scripted(
                game,
                policies,
                agents.actor.weights,
                side=side,
                opponent=name,
                games=100,
                rng=np.random.default_rng(side),
            ).mean()
            for name in ("tracker", "random")
        }
        assert scores["tracker"] < -1.5  # who knows nothing loses to it
        assert abs(scores["random"]) < 1.0


def some(rng, ours=3, theirs=3):
    runs = tuple(("matrl", s) for s in range(ours))
    runs += tuple(("il", s) for s in range(theirs))
    size = len(runs)
    league = np.zeros((size, size, 4))
    league[..., 0] = rng.normal(size=(size, size))
    league[..., 2] = rng.uniform(0, 0.6, (size, size))
    league[..., 3] = rng.uniform(0, 0.4, (size, size))
    empty = np.zeros((1, 2, 1, 1, 4)), np.zeros((size, 1, 1, 2, 4))
    return matches.Scores(
        matrix=empty[0],
        league=league,
        script=empty[1],
        runs=runs,
        checkpoints=(1,),
        opponents=("random",),
    )


def test_a_league_is_the_same_from_both_sides():
    scores = some(np.random.default_rng(0))
    score, won, drawn = (_matrl_pong.league(scores, f) for f in (0, 2, 3))
    assert score == pytest.approx(-score.T)
    assert won + won.T + drawn == pytest.approx(np.ones((6, 6)))
    home = scores.league
    assert score[0, 4] == pytest.approx((home[0, 4, 0] - home[4, 0, 0]) / 2)
    lost = 1 - home[4, 0, 2] - home[4, 0, 3]  # by run 4, at home against run 0
    assert won[0, 4] == pytest.approx((home[0, 4, 2] + lost) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_a_duel_is_a_permutation_test_of_the_mean_between_groups(seed):
    scores = some(np.random.default_rng(seed))
    score = _matrl_pong.league(scores)
    row = _matrl_pong.duel(scores, "matrl", "il", 0)
    means = {}
    for group in combinations(range(6), 3):
        rest = [r for r in range(6) if r not in group]
        means[group] = score[np.ix_(group, rest)].mean()
    own = means[0, 1, 2]
    assert row["score"] == pytest.approx(own)
    assert row["p"] == np.mean([m >= own - 1e-9 for m in means.values()])
    assert row["p_reverse"] == np.mean([m <= own + 1e-9 for m in means.values()])
    assert row["low"] < own < row["high"]


def test_verdicts_of_a_duel_whichever_comes_first():
    scores = some(np.random.default_rng(0))
    gap = 10.0 * (np.arange(6)[:, None] < 3) - 10.0 * (np.arange(6)[None] < 3)
    scores.league[..., 0] += gap
    config = Config(game=GAME)
    for pair in (("matrl", "il"), ("il", "matrl")):
        row = _matrl_pong._beats(config, _matrl_pong.duel(scores, *pair, 0))
        assert row["claim"].startswith("matrl beats il") and row["verdict"] == "holds"
        assert row["paper"].startswith("Figure 5a") and "score 9.79" in row["here"]
    scores.league[..., 0] -= 2 * gap
    assert _matrl_pong.duel(scores, "matrl", "il", 0)["verdict"] == "reversed"


def test_the_choice_of_a_method_as_a_game():
    scores = some(np.random.default_rng(0))
    gap = 10.0 * (np.arange(6)[:, None] < 3) - 10.0 * (np.arange(6)[None] < 3)
    scores.league[..., 0] += gap
    choice = _matrl_pong.choice(scores, ("il", "matrl"), 0)
    payoff = np.array(choice["payoff"])
    assert payoff == pytest.approx(-payoff.T) and payoff[1, 0] > 9
    assert choice["nash_lp"] == pytest.approx([0, 1], abs=1e-6)
    assert choice["alpharank"] == pytest.approx([0, 1], abs=1e-3)


def test_figures():
    assert matches.figures(np.array([3.0, -1.0, 0.0, 1.0])) == pytest.approx(
        [0.75, np.std([3, -1, 0, 1], ddof=1), 0.5, 0.25]
    )
    assert matches.figures(np.array([2.0])).tolist() == [2.0, 0.0, 1.0, 0.0]


def test_atari_pong(tmp_path, capsys):
    pytest.importorskip("multi_agent_ale_py")
    game = "atari_pong(limit=10)"
    words = (*TINY, "--iterations", 2, "--batch", 40, "--games", 2, "--seeds", 1)
    assert call(*words, "--game", game, "--out", tmp_path, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["game"] == game and "tracker" not in summary["scripts"][0]
    assert "random" in summary["scripts"][0]
