"""MATRL and its rivals on 2 x 2 games: laws, recorded figures, and the gate."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matrl import meta_2x2
from matrl.dynamics import (
    BOX,
    IGA,
    MATRL,
    LookAhead,
    WoLF,
    meta_game,
    path,
    points,
    race,
)
from matrl.matrix_games import CLASSES, START, Games, draw, gather
from meta_solvers.two_action import equilibria as listed_one_by_one
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game

RULES = (
    IGA(0.05),
    LookAhead(0.05, 0.03),
    LookAhead(0.5, 0.5, project=True),
    WoLF(),
    WoLF(0.01, 0.06, "first"),
    MATRL(),
    MATRL(alpha=1.0, beta=1.0),
    MATRL(alpha=0.3, beta=0.5, select="max_welfare", respond=False),
    MATRL(alpha=0.3, beta=0.5, select="risk_dominant"),
    MATRL(alpha=0.3, beta=0.5, gate="random"),
)


@pytest.fixture(scope="module")
def drawn():
    return {kind: Games.of(draw(kind, 300)) for kind in CLASSES}


def normal(count, seed=0):
    return Games.of(np.random.default_rng(seed).normal(size=(count, 2, 2, 2)))


def brute(games, point, predicted):
    """The meta-game's payoffs from expected payoffs in the game."""
    payoffs = np.empty((games.count, 2, 2, 2))
    ends = (point, predicted)
    for r, c in itertools.product((0, 1), repeat=2):
        there = np.stack([ends[r][:, 0], ends[c][:, 1]], axis=1)
        payoffs[:, :, r, c] = games.values(there) - games.values(point)
    return payoffs


# Per cent converged and mean steps on seeds 0 to 999, from an independent script.
TABLE = {
    IGA(0.02): ((99.2, 127.0), (97.2, 97.2), (75.2, 436.8)),
    IGA(0.03): ((99.4, 86.6), (98.4, 74.4), (82.3, 338.3)),
    LookAhead(0.02, 0.01): ((99.3, 126.0), (98.3, 96.1), (79.7, 420.5)),
    LookAhead(0.03, 0.02): ((99.4, 84.1), (99.3, 65.3), (90.9, 310.5)),
    WoLF(0.01, 0.06): ((98.3, 186.9), (95.1, 156.0), (94.8, 169.4)),
    MATRL(alpha=0.02, beta=0.03): ((99.4, 85.5), (98.4, 73.1), (83.8, 335.4)),
    MATRL(alpha=0.02, beta=0.02): ((99.2, 125.4), (97.3, 96.6), (76.9, 431.6)),
    MATRL(respond=False): ((99.2, 127.0), (97.2, 97.2), (75.2, 436.6)),
}


@pytest.mark.slow
def test_table_1_and_its_time():
    for number, kind in enumerate(CLASSES):
        games = Games.of(draw(kind, 1000))
        for rule, rows in TABLE.items():
            begin = time.process_time()
            first = race(rule, games).first
            seconds = time.process_time() - begin
            assert seconds < 4.0  # 2 s, and what checking every call costs
            done = first[first >= 0]
            rate, steps = rows[number]
            assert len(done) / 10 == pytest.approx(rate, abs=0.051), (rule, kind)
            assert done.mean() == pytest.approx(steps, abs=0.11), (rule, kind)


def stays(rule, games):
    return 100 * (race(rule, games).settled >= 0).mean()


def test_large_equal_steps(drawn):
    cyclic, coordination = drawn["cyclic"], drawn["coordination"]
    assert stays(MATRL(alpha=1.0, beta=1.0), cyclic) > 90
    assert 20 < stays(IGA(1.0), cyclic) < 36
    assert 20 < stays(LookAhead(1.0, 1.0), cyclic) < 36
    assert (
        60 < stays(MATRL(alpha=1.0, beta=1.0, gate=0.0), cyclic) < 76
    )  # the gate, left open
    assert stays(MATRL(alpha=1.0, beta=1.0, gate="random"), cyclic) < 65
    assert stays(MATRL(alpha=4.0, beta=4.0), coordination) == 100
    assert stays(IGA(4.0), coordination) < 70
    assert stays(LookAhead(4.0, 4.0), coordination) < 45
    # At moderate steps look-ahead is the better one: its prediction may leave [0, 1].
    assert stays(LookAhead(0.1, 0.1), cyclic) > stays(
        MATRL(alpha=0.1, beta=0.1), cyclic
    )


def test_matching_pennies():
    games = gather(["matching_pennies"])
    for size, steps in ((0.03, 321), (0.1, 32)):
        for rule in (LookAhead(size, size), MATRL(alpha=size, beta=size)):
            assert race(rule, games, 400).settled == [steps]
        assert race(IGA(size), games, 1000).settled == [-1]
    assert race(LookAhead(0.02, 0.02), games).settled == [718]
    assert race(WoLF(0.01, 0.06), games).settled == [36]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("flipped", [(0,), (1,), (0, 1)])
def test_renaming_actions_mirrors_the_path(rule, flipped):
    if isinstance(rule, WoLF) and rule.aim == "first":
        pytest.skip("the order of equilibria depends on the actions' names")
    games = normal(40)
    if isinstance(rule, MATRL) and rule.alpha == 1.0:
        games = normal(40, seed=1)
    payoffs, start = games.payoffs, list(START)
    for player in flipped:
        payoffs = np.flip(payoffs, axis=2 + player)
        start[player] = 1 - start[player]
    first = path(rule, games, 40)
    mirrored = path(rule, Games.of(payoffs), 40, start=tuple(start))
    for player in flipped:
        mirrored[..., player] = 1 - mirrored[..., player]
    # A point that rounding moves across an edge is a tie broken otherwise.
    apart = np.abs(first - mirrored).max(axis=(0, 2))
    assert (apart < 1e-9).mean() >= 0.95


@pytest.mark.parametrize("rule", RULES)
def test_exchanging_the_players_exchanges_the_path(rule):
    if isinstance(rule, MATRL) and rule.gate == "random":
        pytest.skip("the players' random numbers are not exchanged with them")
    games = Games.of(draw("cyclic", 50))
    turned = Games.of(games.payoffs[:, ::-1].swapaxes(2, 3))
    first = path(rule, games, 60)
    second = path(rule, turned, 60, start=START[::-1])
    apart = np.abs(first - second[..., ::-1]).max(axis=(0, 2))
    assert (apart < 1e-9).all()


@pytest.mark.parametrize("rule", RULES)
def test_points_stay_probabilities_and_rest_without_a_gradient(rule, drawn):
    nothing = Games.of(np.full((2, 2, 2, 2), 3.0))
    assert (path(rule, nothing, 5) == np.array(START)).all()
    for games in (*drawn.values(), normal(100)):
        moved = path(rule, games, 30)
        assert (moved >= 0).all() and (moved <= 1).all()
        strict = games.equilibria[:, 0]
        if games is not drawn["cyclic"] and games.equilibria.shape[1] == 3:
            here = np.where(np.isnan(strict), 0.5, strict)
            pure = ((here == 0) | (here == 1)).all(axis=1)
            after = rule.step(games, here, np.full(here.shape, 0.5))
            assert (after[pure] == here[pure]).all()  # a strict equilibrium is rest


def test_scaling_payoffs_is_scaling_steps():
    games = normal(50)
    tripled = Games.of(3 * games.payoffs)
    for small, large in (
        (IGA(0.02), IGA(0.06)),
        (LookAhead(0.02, 0.01), LookAhead(0.06, 0.03)),
        (MATRL(alpha=0.02, beta=0.03), MATRL(alpha=0.06, beta=0.09)),
    ):
        first, second = path(small, tripled, 100), path(large, games, 100)
        assert (np.abs(first - second).max(axis=(0, 2)) < 1e-9).all()


def test_a_gate_that_keeps_all_is_iga_and_one_that_switches_all_looks_ahead():
    games = normal(300)
    closed = path(MATRL(alpha=0.3, beta=0.07, gate=1.0), games, 50)
    np.testing.assert_array_equal(closed, path(IGA(0.07), games, 50))
    opened = path(MATRL(alpha=0.3, beta=0.07, gate=0.0), games, 50)
    projected = path(LookAhead(0.07, 0.3, project=True), games, 50)
    np.testing.assert_array_equal(opened, projected)
    plain = path(LookAhead(0.07, 0.3), games, 50)
    ahead = plain[:-1] + 0.3 * np.stack([games.gradient(p) for p in plain[:-1]])
    inside = ((ahead >= 0) & (ahead <= 1)).all(axis=(0, 2))
    assert 5 < inside.sum() < 295
    np.testing.assert_allclose(opened[:, inside], plain[:, inside], atol=1e-12)
    assert np.abs(opened - plain).max() > 0.1
    without = MATRL(alpha=0.3, beta=0.07, gate=0.0, respond=False)
    np.testing.assert_array_equal(path(without, games, 50), path(IGA(0.3), games, 50))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 0.1, 1.0, 10.0]))
def test_the_meta_game_is_brute_force(seed, alpha):
    rng = np.random.default_rng(seed)
    games = normal(4, seed)
    point = rng.random((4, 2))
    predicted = MATRL(alpha=alpha).predicted(games, point)
    meta = meta_game(games, point, predicted)
    np.testing.assert_allclose(
        meta.payoffs, brute(games, point, predicted), atol=1e-13, rtol=0
    )
    assert (meta.gain[..., 0] >= 0).all()  # a trial step improves on its own


def one_by_one(payoffs):
    """Switching probabilities of all equilibria of one game, by enumeration."""
    listed = listed_one_by_one(Game(payoffs))
    return np.array([[s[1] for s in profile] for profile in listed])


@pytest.mark.parametrize("alpha", [0.02, 0.3, 1.0, 4.0])
def test_along_paths_profiles_are_equilibria(alpha, drawn):
    """Regret at most 1e-9 of scale, by the gains and by brute force."""
    checked = 0
    for games in drawn.values():
        for select in meta_2x2.SELECT:
            rule = MATRL(alpha=alpha, beta=alpha, select=select)
            rng = np.random.default_rng(1)
            for point in points(rule, games, 15, 0):
                predicted = rule.predicted(games, point)
                uniform = rng.random(point.shape)
                rho = rule.kept(games, point, predicted, uniform)
                meta = meta_game(games, point, predicted)
                assert meta_2x2.regret(meta, rho).max() <= 1e-9
                payoffs = brute(games, point, predicted)
                row = np.stack([rho[:, 0], 1 - rho[:, 0]], axis=1)
                column = np.stack([rho[:, 1], 1 - rho[:, 1]], axis=1)
                at = np.einsum("brc,bc->br", payoffs[:, 0], column)
                other = np.einsum("brc,br->bc", payoffs[:, 1], row)
                scale = np.abs(games.payoffs).max(axis=(1, 2, 3))
                for value, mixed in ((at, row), (other, column)):
                    gain = value.max(axis=1) - (value * mixed).sum(axis=1)
                    assert (gain <= 1e-9 * scale).all()
                checked += len(rho)
    assert checked == 3 * 4 * 16 * 300


def test_lists_agree_with_enumeration_one_by_one():
    several = 0
    for alpha in (0.3, 2.0):
        for games in (normal(40), Games.of(draw("coordination", 40))):
            for point in path(MATRL(alpha=alpha, beta=alpha), games, 3):
                predicted = MATRL(alpha=alpha).predicted(games, point)
                meta = meta_game(games, point, predicted)
                listed = meta_2x2.equilibria(meta)
                # A player at the border cannot move: the cases are tested below.
                generic = np.flatnonzero((predicted != point).all(axis=1))
                for b in generic:
                    switches = listed.switch[b, listed.mask[b]]
                    wanted = one_by_one(meta.payoffs[b])
                    assert switches.shape == wanted.shape
                    apart = np.abs(switches[:, None] - wanted[None]).max(axis=2)
                    assert (apart.min(axis=1) < 1e-7).all()
                    several += len(switches) > 1
    assert several > 20


def test_at_the_border_both_choices_are_the_same_policy():
    # Coordination at (1, .5): row is pushed outward, so current and predicted agree.
    games = gather(["coordination"])
    for point in ([[1.0, 0.7]], [[1.0, 1.0]], [[0.5, 0.5]]):
        at = np.array(point)
        rule = MATRL(alpha=0.1, beta=0.1)
        predicted = rule.predicted(games, at)
        meta = meta_game(games, at, predicted)
        listed = meta_2x2.equilibria(meta)
        assert listed.mask.any()
        mixtures = set()
        for uniform in np.linspace(0, 0.99, 20):
            rho = meta_2x2.choose(meta, listed, "random", np.array([uniform]))
            assert meta_2x2.regret(meta, rho).max() == 0
            mixture = rho * at + (1 - rho) * predicted
            mixtures.add(tuple(np.round(mixture[0], 12)))
        assert mixtures == {tuple(np.round(predicted[0], 12))}
        if at[0, 0] == 1:
            assert predicted[0, 0] == at[0, 0] and meta.gain[0, 0].tolist() == [0, 0]


def test_tiny_gains_are_still_gains():
    # Near an equilibrium steps are tiny; the list is the same at every scale.
    rng = np.random.default_rng(2)
    gain = rng.normal(size=(500, 2, 2))
    cross = rng.normal(size=(500, 2))
    large = meta_2x2.equilibria(meta_2x2.MetaGames(gain, cross))
    tiny = np.array([1e-30, 1e-12])[None, :, None]
    small = meta_2x2.equilibria(meta_2x2.MetaGames(gain * tiny, cross))
    np.testing.assert_array_equal(large.mask, small.mask)
    np.testing.assert_allclose(large.switch, small.switch, rtol=1e-9)


def test_selections():
    # Both keeping and both switching are strict, and so is a mixture.
    gain = np.array([[[-1.0, 2.0], [-1.0, 1.0]]])
    stag = meta_2x2.MetaGames(gain, np.array([[0.0, 0.0]]))
    listed = meta_2x2.equilibria(stag)
    assert listed.switch[0, listed.mask[0]].tolist() == [
        [0, 0],
        [1, 1],
        [0.5, pytest.approx(1 / 3)],
    ]

    def chosen(meta, select, uniform=0.0):
        listed = meta_2x2.equilibria(meta)
        return meta_2x2.choose(meta, listed, select, np.array([uniform]))[0].tolist()

    assert chosen(stag, "first") == [1, 1]
    assert chosen(stag, "risk_dominant") == [0, 0]  # losses 2 x 1 against 1 x 1
    assert chosen(stag, "max_welfare") == [0, 0]  # 2 + 1 against 0
    worse = meta_2x2.MetaGames(gain, np.array([[-3.0, -3.0]]))
    assert chosen(worse, "max_welfare") == [1, 1]
    assert chosen(worse, "risk_dominant") == [0, 0]
    drawn = [tuple(chosen(stag, "random", u)) for u in (0.0, 0.32, 0.34, 0.65, 0.67)]
    assert drawn[0] == drawn[1] == (1, 1) and drawn[2] == drawn[3] == (0, 0)
    assert drawn[4] == (0.5, pytest.approx(2 / 3))


def test_random_selection_is_uniform():
    gain = np.tile(np.array([[[-1.0, 1.0], [-1.0, 1.0]]]), (6000, 1, 1))
    meta = meta_2x2.MetaGames(gain, np.zeros((6000, 2)))
    listed = meta_2x2.equilibria(meta)
    uniform = np.random.default_rng(0).random(6000)
    rho = meta_2x2.choose(meta, listed, "random", uniform)
    counts = [int((rho == share).all(axis=1).sum()) for share in (0.0, 0.5, 1.0)]
    assert sum(counts) == 6000 and min(counts) > 1850 and max(counts) < 2150


def test_first_and_settled_by_hand():
    """A rule that plays a list of points: in, out, in another box, and stays."""
    games = gather(["coordination"])

    class Played:
        def __init__(self, rows):
            self.rows = iter(rows)

        def step(self, games, point, uniform):
            return np.array([next(self.rows)])

    rows = [(0.5, 0.04), (0.96, 0.96), (0.5, 0.9), (0.03, 0.03), (0.04, 0.0)]
    raced = race(Played(rows), games, len(rows))
    assert raced.first == [2] and raced.settled == [4]
    np.testing.assert_array_equal(raced.last, [rows[-1]])
    never = race(Played([(0.5, 0.0)] * 3), games, 3)
    assert never.first == [-1] and never.settled == [-1]
    left = race(Played([(1.0, 1.0), (0.9, 1.0)]), games, 2)
    assert left.first == [1] and left.settled == [-1]
    start = race(IGA(0.01), games, 3, start=(0.5 + BOX / 2, 0.5))
    assert start.first == [0]


def test_a_game_does_not_depend_on_its_neighbours_and_seeds_reproduce():
    games = Games.of(draw("coordination", 60))
    rule = MATRL(alpha=2.0, beta=2.0)
    first, again = path(rule, games, 30), path(rule, games, 30)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, path(rule, games, 30, seed=1))
    payoffs = games.payoffs.copy()
    payoffs[5] = -payoffs[5]
    other = path(rule, Games.of(payoffs), 30)
    np.testing.assert_array_equal(np.delete(first, 5, 1), np.delete(other, 5, 1))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: IGA(-0.1), r"IGA\(\): alpha must be a number of at least 0; got -0.1"),
        (lambda: LookAhead(0.1, float("nan")), "gamma must be a number"),
        (lambda: WoLF(aim="last"), "unknown aim 'last'"),
        (lambda: MATRL(beta=float("inf")), "beta must be a number"),
        (lambda: MATRL(select="frist"), "unknown selection 'frist'.*'first'"),
        (lambda: MATRL(gate="open"), "unknown gate 'open'"),
        (lambda: MATRL(gate=1.5), r"gate must lie in \[0, 1\]; got 1.5"),
        (lambda: race(IGA(), normal(1), -1), "steps and seed must be at least 0"),
        (lambda: race(IGA(), normal(1), 1, 0, (0.5, 1.2)), "start must be two"),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(UserError, match=sentence):
        call()
