"""Cross-play: who plays which side, and what is made of the games."""

import numpy as np
import pytest
import torch

from matrl import crossplay
from matrl.crossplay import Ages, Arena, League, tally
from metaspiel.games.worlds import load
from metaspiel.learn.students import Students


def test_who_plays_which_side(monkeypatch):
    """Weights are strengths, and a game's result is their difference."""
    ours = [torch.tensor([[1.0], [2.0]]), torch.tensor([[5.0], [9.0]])]
    theirs = [torch.tensor([[0.5], [3.0]]), torch.tensor([[7.0], [4.0]])]

    def play(game, policies, weights, *, episodes, rng, numbered):
        result = float(weights[0, 0] - weights[1, 0])
        return np.full((episodes, 2), [result, -result]), np.ones(episodes, np.int64)

    monkeypatch.setattr(crossplay, "play", play)
    game, asked = load("mini_pong"), []

    def numbers(*place):
        asked.append(place)
        return np.random.default_rng(0)

    arena = Arena(game, Students.of(game, 8, False), 3)
    scores = arena.matrix(ours, theirs, numbers)[..., 0]
    for i, one in enumerate(ours):
        for j, two in enumerate(theirs):
            assert scores[0, i, j] == one[0] - two[1]
            assert scores[1, i, j] == one[1] - two[0]
    assert len({*asked}) == len(asked) == 8
    final = tally(arena.scores(ours[-1], theirs[-1], numbers()))
    assert final.tolist() == [5.0 - 4.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("share", [False, True])
def test_a_script_plays_the_other_side(share):
    game = load("mini_pong")
    who = Students.of(game, 8, share)
    own = who.fresh(0).actor.weights
    arena = Arena(game, who, 100)
    for side in (0, 1):
        score = {
            name: arena.against(name, own, side, rng=np.random.default_rng(side)).mean()
            for name in crossplay.opponents(game)
        }
        assert score["tracker"] < -1.5  # who knows nothing loses to it
        assert abs(score["random"]) < 1.0


def test_scripts_are_played_from_both_sides_by_all():
    game = load("mini_pong(limit=20)")
    who = Students.of(game, 8, False)
    own = [who.fresh(seed).actor.weights for seed in (0, 1)]

    def numbers(*place):
        return np.random.default_rng(place)

    arena = Arena(game, who, 6)
    every = arena.scripts(own, numbers)
    assert every.shape == (2, 2, 2, 4)
    one = arena.against("tracker", own[1], 0, rng=numbers(1, 1, 0))
    assert every[1, 1, 0].tolist() == tally(one).tolist()
    assert crossplay.opponents(load("pennies")) == ("random",)


@pytest.fixture
def home():
    rng = np.random.default_rng(0)
    made = np.zeros((6, 6, 4))
    made[..., 0] = rng.normal(size=(6, 6))
    made[..., 2] = rng.uniform(0, 0.6, (6, 6))
    made[..., 3] = rng.uniform(0, 0.4, (6, 6))
    return made


def test_a_league_is_the_same_from_both_sides(home):
    league = League.of(home)
    score, won, drawn = league.score, league.won, league.drawn
    assert score == pytest.approx(-score.T)
    assert won + won.T + drawn == pytest.approx(np.ones((6, 6)))
    assert score[0, 4] == pytest.approx((home[0, 4, 0] - home[4, 0, 0]) / 2)
    lost = 1 - home[4, 0, 2] - home[4, 0, 3]  # by run 4, at home against run 0
    assert won[0, 4] == pytest.approx((home[0, 4, 2] + lost) / 2)


def test_the_choice_of_a_method_as_a_game(home):
    home[..., 0] += 10.0 * (np.arange(6)[:, None] < 3) - 10.0 * (np.arange(6)[None] < 3)
    groups = {"il": [3, 4, 5], "matrl": [0, 1, 2]}
    choice = League.of(home).choice(groups)
    payoff = np.array(choice.payoff)
    assert choice.methods == ["il", "matrl"]
    assert payoff == pytest.approx(-payoff.T) and payoff[1, 0] > 9
    assert choice.nash_lp == pytest.approx([0, 1], abs=1e-6)
    assert choice.alpharank == pytest.approx([0, 1], abs=1e-3)


def test_ages_by_hand():
    played = np.zeros((2, 2, 2, 2, 4))
    played[..., 0] = np.array([[[1.0, 0.2], [3.0, -1.0]], [[2.0, 0.0], [3.0, -1.0]]])
    played[1, ..., 0] += 0.1
    ages = Ages.of(played, 8)
    mean = np.array([[1.5, 0.1], [3.0, -1.0]]) + 0.05
    assert np.array(ages.score) == pytest.approx(mean)
    assert np.array(ages.error) == pytest.approx(np.full((2, 2), 0.05))
    assert ages.mean == pytest.approx(mean.mean())
    assert ages.same_age == pytest.approx((1.55 - 0.95) / 2)
    assert (ages.ahead, ages.behind) == (0.75, 0.25)
    played[..., 1] = 2.0
    single = Ages.of(played[:1], 8)  # one seed: over the games of a pair
    assert np.array(single.error) == pytest.approx(np.full((2, 2), 2 / np.sqrt(8)))


def test_resampled_needs_two_runs_on_either_side():
    rng = np.random.default_rng(0)
    between = rng.normal(size=(4, 5))
    low, high = crossplay.resampled(between, 0)
    assert low < between.mean() < high
    assert crossplay.resampled(between[:1], 0) == (None, None)
    assert crossplay.resampled(np.ones((3, 3)), 0) == (1.0, 1.0)


def test_tally():
    assert tally(np.array([3.0, -1.0, 0.0, 1.0])) == pytest.approx(
        [0.75, np.std([3, -1, 0, 1], ddof=1), 0.5, 0.25]
    )
    assert tally(np.array([2.0])).tolist() == [2.0, 0.0, 1.0, 0.0]
