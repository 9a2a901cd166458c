import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import Game, Status, UserError, get, measure, solve
from meta_solvers.learning import FictitiousPlay, RegretMatching
from metaspiel.nfg.gaps import against

ROCK_PAPER_SCISSORS = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
ZERO_SUM = np.stack([ROCK_PAPER_SCISSORS, -ROCK_PAPER_SCISSORS])
PENNIES = np.array([[[1.0, -1], [-1, 1]], [[-1.0, 1], [1, -1]]])
PRISONERS = np.array([[[3.0, 0], [5, 1]], [[3.0, 5], [0, 1]]])
CHICKEN = np.array([[[6.0, 2], [7, 0]], [[6.0, 7], [2, 0]]])
SHAPLEY = np.array(
    [
        [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.0, 1, 0], [0, 0, 1], [1, 0, 0]],
    ]
)
# Guess one less than the other: each round of elimination removes the largest guess.
GUESS = -np.array([[(a - max(b - 1, 0)) ** 2 for b in range(5)] for a in range(5)])

VARIANTS = [(v, a) for v in ("rm", "rm+") for a in (False, True)]


def random_game(seed, shape):
    return np.random.default_rng(seed).normal(size=(len(shape), *shape))


HARD = random_game(11, (5, 5))


def plain_fictitious_play(payoffs, steps):
    """The textbook loop: one step at a time."""
    game = Game(payoffs)
    counts = [np.zeros(a) for a in game.actions]
    averages = [np.full(a, 1 / a) for a in game.actions]
    for step in range(1, steps + 1):
        replies = []
        for player in range(game.players):
            value = against(game.normalised[player], averages, player)
            replies.append(int(np.argmax(value >= value.max() - 1e-12)))
        for player, action in enumerate(replies):
            counts[player][action] += 1
        averages = [c / step for c in counts]
    return averages


@pytest.mark.parametrize("shape", [(5, 4), (3, 2, 3), (6,), (2, 2, 2, 2)])
@pytest.mark.parametrize("seed", range(4))
def test_blocks_of_steps_give_the_plain_loop(shape, seed):
    payoffs = random_game(seed, shape)
    solution = solve(FictitiousPlay(321, 1e-9), Game(payoffs), throw=False)
    steps = solution.diagnostics["steps"]
    for reached, wanted in zip(
        solution.marginals, plain_fictitious_play(payoffs, steps), strict=True
    ):
        np.testing.assert_allclose(reached, wanted, atol=1e-12)


@pytest.mark.parametrize("payoffs", [ZERO_SUM, PENNIES], ids=["rps", "pennies"])
def test_fictitious_play_finds_the_zero_sum_equilibrium(payoffs):
    solution = solve(FictitiousPlay(tolerance=1e-2), payoffs)
    assert solution.status is Status.OK
    for marginal in solution.marginals:
        np.testing.assert_allclose(marginal, 1 / len(marginal), atol=0.02)
    np.testing.assert_allclose(solution.values, 0, atol=0.01)


@pytest.mark.parametrize("iterate", ["average", "best"])
def test_fictitious_play_does_not_report_ok_on_shapleys_game(iterate):
    solver = FictitiousPlay(20_000, 1e-2, iterate)
    solution = solve(solver, SHAPLEY, throw=False)
    assert solution.status is Status.MAX_STEPS
    assert solution.diagnostics["steps"] == 20_000
    assert solution.gaps.ne.sum() > 0.1


def test_the_best_iterate_is_no_worse_than_the_last():
    last = solve(FictitiousPlay(5000, 1e-9), SHAPLEY, throw=False)
    best = solve(FictitiousPlay(5000, 1e-9, "best"), SHAPLEY, throw=False)
    assert best.gaps.ne.sum() < last.gaps.ne.sum()
    gap = float(best.gaps.ne.sum())  # payoffs range over 1
    assert best.diagnostics["relative_gap"] == pytest.approx(gap)


def test_fictitious_play_stops_at_once_when_one_action_dominates():
    solution = solve(get("fp"), PRISONERS)
    assert solution.joint[1, 1] == 1.0
    assert solution.diagnostics["steps"] == 1


@pytest.mark.parametrize("name", ["fp", "rm"])
def test_dominance_solvable(name):
    solution = solve(get(f"{name}:tolerance=1e-3"), np.stack([GUESS, GUESS.T]))
    assert solution.joint[0, 0] > 0.9


@pytest.mark.parametrize(("variant", "alternating"), VARIANTS)
@pytest.mark.parametrize("shape", [(6, 6), (3, 4, 2), (5,)])
def test_regret_matching_finds_a_cce(shape, variant, alternating):
    payoffs = random_game(3, shape)
    solver = RegretMatching(20_000, 2e-3, variant, alternating)
    solution = solve(solver, Game(payoffs))
    gap = solution.gaps.cce / Game(payoffs).scale
    assert np.all(gap <= 2e-3)
    assert solution.diagnostics["relative_gap"] == pytest.approx(gap.max(), abs=1e-12)


def test_regret_matching_keeps_correlation():
    # From an uneven start it cycles on Shapley's game: the average of products is not
    # the product of averages.
    payoffs = SHAPLEY + 0.05 * random_game(1, (3, 3))
    solution = solve(RegretMatching(50_000, 1e-3), payoffs)
    product = np.multiply.outer(*solution.marginals)
    assert np.abs(solution.joint - product).max() > 0.02
    assert solution.gaps.ne.max() > 10 * solution.gaps.cce.max()


def test_regret_matching_in_a_zero_sum_game_has_nash_marginals():
    payoffs = random_game(5, (7, 7))
    payoffs[1] = -payoffs[0]
    solution = solve(RegretMatching(50_000, 1e-3, "rm+", True), payoffs)
    exact = solve(get("nash_lp"), payoffs)
    scale = Game(payoffs).scale
    assert np.all(solution.gaps.ne <= 2.1e-3 * scale)
    assert solution.values[0] == pytest.approx(exact.values[0], abs=2e-3 * scale[0])


@pytest.mark.parametrize("name", ["fp", "rm"])
def test_too_few_steps_are_reported(name):
    solution = solve(get(f"{name}:steps=20,tolerance=1e-9"), HARD, throw=False)
    assert solution.status is Status.MAX_STEPS
    assert solution.diagnostics["steps"] == 20
    assert np.all(measure(Game(HARD), solution.joint).cce >= 0)


def test_fictitious_play_finds_the_mixed_equilibrium_of_chicken():
    # From equal beliefs both always reply alike, so neither pure one can be reached.
    solution = solve(get("fp:tolerance=1e-3"), CHICKEN)
    for marginal in solution.marginals:
        np.testing.assert_allclose(marginal, [2 / 3, 1 / 3], atol=0.01)
    started = CHICKEN.copy()
    started[0, 0, 1] -= 3  # the first player dares at first, the second gives way
    assert solve(get("fp"), started).status is Status.OK


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e6])
@pytest.mark.parametrize("name", ["fp:steps=500", "rm:steps=500"])
def test_units_of_payoff_do_not_matter(name, scale):
    payoffs = random_game(2, (4, 3))
    one = solve(get(name), payoffs, throw=False)
    two = solve(get(name), payoffs * scale - 7 * scale, throw=False)
    assert one.status is two.status
    np.testing.assert_allclose(one.joint, two.joint, atol=1e-6)


@pytest.mark.parametrize("name", ["fp:steps=200", "rm:steps=200"])
@given(seed=st.integers(0, 2**20), players=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_answers_are_distributions_with_honest_statuses(name, seed, players):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 5, players).tolist())
    payoffs = rng.normal(size=(players, *shape))
    before = payoffs.copy()
    solver = get(name)
    one, two = (solve(solver, Game(payoffs), rng=s, throw=False) for s in (0, 1))
    np.testing.assert_array_equal(one.joint, two.joint)  # not stochastic
    np.testing.assert_array_equal(payoffs, before)
    assert one.joint.shape == shape
    assert one.joint.min() >= 0
    assert one.joint.sum() == pytest.approx(1)
    allowed = (solver.tolerance + 1e-6) * Game(payoffs).scale
    met = bool(np.all(one.gaps.of(solver.concept) <= allowed))
    if one.status is Status.OK:
        assert met


@pytest.mark.parametrize("name", ["fp", "rm"])
def test_one_player_one_action_and_constant_games(name):
    alone = solve(get(name), Game([[1.0, 3.0, 2.0]]))
    assert alone.joint[1] > 0.99
    assert solve(get(name), np.ones((2, 1, 1))).joint.item() == 1.0
    assert solve(get(name), np.ones((2, 1, 3))).status is Status.OK


@pytest.mark.parametrize("name", ["fp:steps=300", "rm:steps=300"])
def test_repeats_count_as_copies(name):
    payoffs = random_game(4, (2, 3))
    game = Game(payoffs, repeats=[[2, 1], [1, 1, 3]])
    folded = solve(get(name), game, throw=False).joint
    spread = solve(get(name), game.expanded(), throw=False).joint
    np.testing.assert_allclose(folded, game.folded(spread), atol=1e-12)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: FictitiousPlay(0), r"FictitiousPlay\(\): steps must be at least 1"),
        (lambda: RegretMatching(-3), r"RegretMatching\(\): steps must .* got -3"),
        (lambda: FictitiousPlay(tolerance=0.0), "tolerance must be a finite number"),
        (lambda: RegretMatching(tolerance=float("nan")), "tolerance must .* got nan"),
        (lambda: get("rm:variant=rmplus"), "unknown value 'rmplus'"),
        (lambda: get("fp:stepps=3"), "unknown field 'stepps' .*did you mean 'steps'"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()


def test_where_replies_tie_fictitious_play_says_so():
    rng = np.random.default_rng(8)
    seen = set()
    for number in range(60):
        shape = (2, *rng.integers(2, 5, 2))
        drawn = rng.integers(-1, 2, shape) if number % 2 else rng.normal(size=shape)
        game = Game(drawn)
        orders = [rng.permutation(size).tolist() for size in game.actions]
        solver = get("fp:steps=40")
        one = solve(solver, game, throw=False)
        other = solve(solver, game.restrict(orders), throw=False)
        ties = one.diagnostics["ties"]
        seen.add(ties > 0)
        if ties == 0:
            moved = one.joint[np.ix_(*orders)]
            np.testing.assert_allclose(other.joint, moved, atol=1e-12)
    assert seen == {True, False}
