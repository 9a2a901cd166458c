"""Cross-play in Pong, in small; and what is made of the games."""

import json
import sys
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from refusals import refused

from experiments.lab.estimates import estimate
from experiments.lab.page import main
from experiments.matrl import pong
from experiments.matrl.pong_config import Config
from experiments.matrl.pong_matches import Scores
from experiments.matrl.pong_results import Against, beats, duel, learns

GAME = "mini_pong(limit=60)"
TINY = (
    *("--iterations", 4, "--checkpoints", 2, "--games", 6, "--seeds", 2),
    *("--learner.ppo.batch", 80, "--learner.ppo.envs", 4, "--learner.ppo.width", 8),
)


def call(*words):
    return main(pong.page, Config, [str(word) for word in words])


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
    corrected = [row["corrected"] is not None for row in summary["duels"]]
    assert corrected == [True, True, False]  # those of MATRL are one family
    assert sum(summary["choice"]["nash_lp"]) == pytest.approx(1)
    claims = [row["text"] for row in summary["claims"]]
    assert claims[0] == f"matrl beats il in {GAME}, final against final"
    assert summary["claims"][0]["verdict"] == "undecided"
    assert summary["claims"][0]["remark"].startswith("too few trials")
    assert len(claims) == 2 + 3 * 2
    text = (whole / "table.md").read_text()
    assert "| matrl against random-rho |" in text
    assert 'class="panels"' in (whole / "report.html").read_text()
    for name in ("matrix", "scripts"):
        assert (whole / "plots" / f"{name}.png").stat().st_size > 10_000


@pytest.mark.slow
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
        (("--methods", "il"), "--methods must be at least two"),
        (("--methods", "il", "il"), "each once"),
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
    given = [str(word) for word in words]
    refused(pong, given, sentence, folder=tmp_path, capsys=capsys)


def some(rng, ours=3, theirs=3):
    size = ours + theirs
    league = np.zeros((size, size, 4))
    league[..., 0] = rng.normal(size=(size, size))
    league[..., 2] = rng.uniform(0, 0.6, (size, size))
    league[..., 3] = rng.uniform(0, 0.4, (size, size))
    return Scores(
        matrix=np.zeros((1, 2, 1, 1, 4)),
        league=league,
        script=np.zeros((size, 1, 1, 2, 4)),
        methods=["matrl"] * ours + ["il"] * theirs,
        seeds=[*range(ours), *range(theirs)],
        checkpoints=[1],
        opponents=("random",),
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_duel_is_a_permutation_test_of_the_mean_between_groups(seed):
    scores = some(np.random.default_rng(seed))
    score = scores.final.score
    row = duel(scores, "matrl", "il", seed=0)
    means = {}
    for group in combinations(range(6), 3):
        rest = [r for r in range(6) if r not in group]
        means[group] = score[np.ix_(group, rest)].mean()
    own = means[0, 1, 2]
    assert row.score == pytest.approx(own)
    assert row.p == np.mean([m >= own - 1e-9 for m in means.values()])
    assert row.p_reverse == np.mean([m <= own + 1e-9 for m in means.values()])
    assert row.low < own < row.high


def test_verdicts_of_a_duel():
    scores = some(np.random.default_rng(0))
    gap = 10.0 * (np.arange(6)[:, None] < 3) - 10.0 * (np.arange(6)[None] < 3)
    scores.league[..., 0] += gap
    claim = beats(Config(game=GAME), duel(scores, "matrl", "il", seed=0))
    assert claim.text.startswith("matrl beats il")
    assert claim.verdict == "holds" and "score 9.79" in claim.evidence
    assert claim.published.startswith("Figure 5a")
    scores.league[..., 0] -= 2 * gap
    assert duel(scores, "matrl", "il", seed=0).decided == ("fails", "")


def test_when_agents_beat_who_does_not_learn():
    def verdict(*values):
        score = Against(
            **asdict(estimate(values, 0)), won=0.5, errors=[0.1] * len(values)
        )
        claim = learns("il", "tracker", score)
        assert claim.text.startswith("the final agents of il beat the tracker")
        return claim.verdict

    assert verdict(0.3, 0.5) == "holds"
    assert verdict(0.3, 0.1) == "undecided"  # the second is not clear of 0
    assert verdict(0.3, -0.3) == "undecided"  # one of two
    assert verdict(-0.1, -0.3) == "undecided"
    assert verdict(-0.4, -0.3) == "fails"


def test_atari_pong(tmp_path, capsys):
    pytest.importorskip("multi_agent_ale_py")
    game = "atari_pong(limit=10)"
    words = (
        *TINY,
        "--iterations",
        2,
        "--learner.ppo.batch",
        40,
        "--games",
        2,
        "--seeds",
        1,
    )
    assert call(*words, "--game", game, "--out", tmp_path, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["game"] == game and "tracker" not in summary["scripts"][0]
    assert "random" in summary["scripts"][0]
