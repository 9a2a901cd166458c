"""Some Nash equilibrium of any game: ``nash`` with more than two players."""

import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import Game, Status, get, solve, tracing, two_action
from meta_solvers.mixing import Mixing, polished
from meta_solvers.nash import Nash, equilibria
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.gaps import against
from metaspiel.nfg.sample import sample
from tests.helpers.many_player_games import MAKERS, draw, exact_regret, games, names

seeds = st.integers(0, 2**32 - 1)
SIZES = [(3, 3, 3), (4, 4, 4), (2, 3, 4), (5, 1, 2), (3, 3, 3, 3)]


def profile_of(solution):
    return [np.asarray(own) for own in solution.marginals]


def assert_solved(game: Game, solution, label: str = "") -> None:
    assert solution.status is Status.OK, (label, dict(solution.diagnostics))
    assert exact_regret(game, profile_of(solution)) <= 1.1e-9, label
    assert solution.diagnostics["regret"] <= 1e-9


@pytest.mark.parametrize("actions", SIZES)
def test_a_game_of_every_family_is_solved(actions):
    for label, game in games(actions, range(1)):
        assert_solved(game, solve("nash", game, throw=False), label)


def test_six_players_with_three_actions_take_seconds():
    start = time.process_time()
    for name in ("covariant", "matching_round", "zero_sum"):
        game = draw(name, (3,) * 6, 0)
        solution = solve("nash", game)
        assert solution.gaps.ne.max() <= 1e-9 * game.scale.max()
    assert time.process_time() - start < 20  # 0.3 s on an idle core


@pytest.mark.slow
def test_thousands_of_games(record_property):
    """Shares, regrets and times of the sweep are in the properties of the report."""
    counts, regrets, seconds, failed = Counter(), [], [], []
    for actions, number in [*((size, 12) for size in SIZES), ((3,) * 6, 2)]:
        for label, game in games(actions, range(100, 100 + number)):
            solution = solve("nash", game, throw=False)
            regret = exact_regret(game, profile_of(solution))
            counts[solution.status.name] += 1
            counts[f"{solution.diagnostics.get('paths', 0)} paths"] += 1
            regrets.append(regret)
            seconds.append(solution.seconds)
            if regret > 1.1e-9 or solution.status is not Status.OK:
                failed.append((label, solution.status.name, regret))
    record_property("counts", dict(counts))
    record_property("largest regret", max(regrets))
    record_property("seconds", np.percentile(seconds, (50, 90, 99, 100)).tolist())
    assert len(regrets) > 2_000
    assert not failed


def test_where_the_equilibrium_is_unique_it_is_the_one():
    # Jordan 1993: three players round a table, matching pennies with the next
    game = Game(MAKERS["matching_round"]((2, 2, 2), np.random.default_rng(0)) > 0)
    for own in solve("nash:method=tracing", game).marginals:
        assert np.allclose(own, 0.5, atol=1e-12)
    # dominance solves a prisoners' dilemma of three players
    played = np.indices((3, 3, 3))
    dilemma = Game(2.0 * played - (played.sum(axis=0) - played) * 3.0)
    assert solve("nash", dilemma).joint[2, 2, 2] == pytest.approx(1, abs=1e-12)


def test_one_player_takes_the_best_action():
    solution = solve("nash", Game(np.array([[1.0, 5.0, 3.0]])))
    assert solution.joint.round(9).tolist() == [0, 1, 0]


@settings(max_examples=20, deadline=None)
@given(seeds, st.booleans())
def test_the_end_of_the_path_is_on_the_list_of_all_equilibria(seed, more_players):
    rng = np.random.default_rng(seed)
    game = sample("gaussian", (2, 2, 2) if more_players else (3, 4), rng)
    every = two_action.equilibria(game) if more_players else equilibria(game)
    solution = solve("nash:method=tracing", game)
    distances = [
        max(np.abs(a - b).max() for a, b in zip(solution.marginals, other, strict=True))
        for other in every
    ]
    assert min(distances) < 1e-7


@settings(max_examples=30, deadline=None)
@given(seeds, st.data())
def test_names_and_units_decide_nothing(seed, data):
    """Players and actions in another order, each payoff in another unit."""
    rng = np.random.default_rng(seed)
    name = data.draw(st.sampled_from(names((2, 3, 4))))
    game = draw(name, (2, 3, 4), seed % 1000)
    order = rng.permutation(3)
    index = [rng.permutation(game.actions[p]) for p in order]
    payoffs = game.payoffs[order].transpose(0, *(1 + order))
    payoffs = payoffs[np.ix_(range(3), *index)]
    unit = 10.0 ** rng.uniform(-6, 6, (3, 1, 1, 1))
    moved = Game(unit * payoffs + unit * rng.uniform(-1, 1, (3, 1, 1, 1)))
    solution = solve("nash", moved, throw=False)
    assert solution.diagnostics["regret"] <= 1e-9
    assert exact_regret(moved, profile_of(solution)) <= 1e-8


def test_the_method_follows_the_game():
    def used(*actions: int, spec: str = "nash") -> str:
        game = sample("gaussian", actions, np.random.default_rng(1))
        return str(solve(spec, game).diagnostics["used"])

    assert used(3, 4) == used(2, 2) == "lemke_howson"
    assert used(2, 2, 2).startswith("two_action: ")
    assert used(2, 2, 3) == used(2, 2, 2, spec="nash:method=tracing") == "tracing"
    assert used(*[2] * 7) == used(4) == "tracing"


def test_random_starts_come_to_several_equilibria():
    # six pure equilibria: all on one action, or on another
    game = Game(MAKERS["unanimity"]((3, 3, 3), np.random.default_rng(0)))
    ends = {
        solve("nash:select=random", game, seed).joint.round(6).tobytes()
        for seed in range(12)
    }
    assert len(ends) > 1
    one, same = (solve("nash:select=random", game, 3).joint for _ in range(2))
    assert one.tobytes() == same.tobytes()


def test_what_is_short_of_an_equilibrium_says_so():
    game = draw("covariant", (3, 3, 3), 1)
    for limits, limit in (
        ({"steps": 3}, "stopped after 3 steps"),
        ({"seconds": 1e-9}, "stopped after 1e-09 s"),
    ):
        solution = solve(Nash(**limits), game, throw=False)
        assert solution.status is Status.INACCURATE
        assert solution.diagnostics["tried"][-1] == limit
        regret = exact_regret(game, profile_of(solution))
        assert solution.diagnostics["regret"] == pytest.approx(regret, abs=1e-14)


def test_a_path_that_comes_to_nothing_is_followed_by_another(monkeypatch):
    monkeypatch.setattr(tracing, "LONGEST", 3)
    game = draw("covariant", (3, 3, 3), 1)
    solution = solve("nash:starts=2", game, throw=False)
    assert solution.status is Status.INACCURATE
    assert [sentence[:7] for sentence in solution.diagnostics["tried"]] == [
        "path 1:",
        "path 2:",
    ]
    assert (solution.diagnostics["paths"], solution.diagnostics["steps"]) == (2, 6)


def test_refusals():
    game = sample("uniform", (2, 3, 2), np.random.default_rng(0))
    for method in ("lemke_howson", "support"):
        with pytest.raises(UserError, match=r"two players; got 3 players"):
            solve(Nash(method=method), game)
    with pytest.raises(UserError, match=r"compares all .* actions \[2, 3, 2\]"):
        solve("nash:select=max_welfare", game)
    with pytest.raises(UserError, match="starts must be at least 1; got 0"):
        get("nash:starts=0")
    best = solve(
        "nash:select=max_welfare", np.array([np.eye(4).reshape(2, 2, 2, 2)] * 4)
    )
    assert best.values.sum() == pytest.approx(4.0)


@pytest.mark.parametrize("actions", [(4,), (2, 3), (2, 1, 3), (2, 3, 2, 2, 3)])
def test_values_of_actions_and_their_slopes(actions):
    rng = np.random.default_rng(0)
    mixing = Mixing(rng.uniform(size=(len(actions), *actions)))
    x = rng.uniform(0.1, 1, sum(actions))
    worth, slopes = mixing.values(x)
    for player, part in enumerate(mixing.parts):
        expected = against(mixing.payoffs[player], mixing.split(x), player)
        assert np.allclose(worth[part], expected, rtol=1e-13)
    step = 1e-6 * np.eye(len(x))
    numeric = [(mixing.values(x + d)[0] - mixing.values(x - d)[0]) / 2e-6 for d in step]
    assert np.allclose(slopes, np.transpose(numeric), atol=1e-8)


def test_polishing_ends_where_all_are_indifferent():
    game = draw("rock_paper_scissors", (3, 3, 3), 0)
    mixing = Mixing(game.normalised)
    start = mixing.normalised(np.random.default_rng(1).uniform(0.9, 1.1, 9))
    x, regret = polished(mixing, start, np.ones(9, dtype=bool))
    assert regret < 1e-15
    assert regret == mixing.regret(x, mixing.values(x)[0])


def test_a_path_starts_at_a_prior_of_ones_own():
    game = draw("zero_sum", (3, 3, 3), 2)
    limits = tracing.Limits(tolerance=1e-9, starts=1, steps=1000, seconds=60.0)
    prior = [np.array([0.2, 0.3, 0.5])] * 3
    traced = tracing.equilibrium(game, limits, iter([prior]))
    assert (traced.paths, traced.failed) == (1, [])
    assert traced.regret == pytest.approx(exact_regret(game, traced.profile), abs=1e-15)
