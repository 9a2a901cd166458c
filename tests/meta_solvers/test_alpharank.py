import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payoffs import drawn

from meta_solvers import Game, Status, UserError, solve
from meta_solvers.alpharank import AlphaRank
from meta_solvers.markov import _eliminate, _eliminate_logarithms, stationary

CYCLE = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])


def random_game(seed, shape):
    return np.random.default_rng(seed).normal(size=(len(shape), *shape))


def openspiel(payoffs, **options):
    alpharank = pytest.importorskip("open_spiel.python.egt.alpharank")
    return alpharank.compute([np.array(u) for u in payoffs], **options)[2]


@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (1, 3), (2, 3, 2), (2, 2, 2, 2)])
@pytest.mark.parametrize("alpha", [1e-3, 0.1, 0.5])
def test_as_openspiel_at_fixed_alpha(shape, alpha):
    payoffs = random_game(1, shape)
    wanted = openspiel(payoffs, m=50, alpha=alpha)
    ranking = solve(AlphaRank(alpha=alpha), payoffs)
    np.testing.assert_allclose(ranking.joint.ravel(), wanted, atol=1e-9)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2)])
@pytest.mark.parametrize("epsilon", [0.1, 0.01])
def test_as_openspiel_at_infinite_alpha(shape, epsilon):
    payoffs = np.round(random_game(2, shape), 1)  # with some ties
    wanted = openspiel(payoffs, use_inf_alpha=True, inf_alpha_eps=epsilon)
    ranking = solve(AlphaRank(epsilon=epsilon), payoffs)
    np.testing.assert_allclose(ranking.joint.ravel(), wanted, atol=1e-9)


@pytest.mark.parametrize("alpha", [0.3, None])
def test_as_openspiel_with_one_population(alpha):
    payoff = random_game(3, (5, 5))[0]
    game = Game(np.stack([payoff, payoff.T]), symmetric=True)
    options = {"use_inf_alpha": True} if alpha is None else {"alpha": alpha}
    wanted = openspiel([payoff], m=20, **options)
    solver = AlphaRank(alpha, 20, 0.01, populations="single")
    joint = solve(solver, game).joint
    np.testing.assert_allclose(np.diag(joint), wanted, atol=1e-9)
    assert np.all(joint[~np.eye(5, dtype=bool)] == 0)


@pytest.mark.parametrize("alpha", [None, 1.0, 100.0, 1e12])
def test_ten_by_ten_by_ten_has_one_answer(alpha):
    # OpenSpiel: "Expected 1 stationary distribution, but found 2".
    solution = solve(AlphaRank(alpha=alpha), random_game(4, (10, 10, 10)))
    assert solution.status is Status.OK
    # At 1e12 the logarithms of rates are known to 1e-7.
    assert solution.diagnostics["residual"] < (1e-5 if alpha == 1e12 else 1e-11)
    assert solution.diagnostics["states"] == 1000


def test_symmetry_survives_any_selection_pressure():
    # Two equally good conventions: half each, although leaving one takes longer than
    # any floating-point number can say.
    payoffs = np.stack([np.eye(2), np.eye(2)])
    for alpha in (1e-6, 1.0, 1e3, 1e30, 1e300):
        joint = solve(AlphaRank(alpha=alpha), payoffs).joint
        np.testing.assert_allclose(joint, joint.T, atol=1e-6)
        np.testing.assert_allclose(joint[0, 0], joint[1, 1], atol=1e-6)
    assert joint[0, 0] == pytest.approx(0.5)


def test_the_deeper_convention_wins_where_both_rates_underflow():
    payoffs = np.stack([np.diag([1.0, 1.01])] * 2)
    solution = solve(AlphaRank(alpha=1e4), payoffs)
    assert solution.diagnostics["method"] == "log-gth"
    assert solution.joint[1, 1] == pytest.approx(1)


def test_closed_forms():
    for alpha in (None, 0.7):
        pennies = np.stack([np.eye(2), 1 - np.eye(2)])
        joint = solve(AlphaRank(alpha=alpha), pennies).joint
        np.testing.assert_allclose(joint, 0.25, atol=1e-12)
        cycle = Game(np.stack([CYCLE, -CYCLE]), symmetric=True)
        single = AlphaRank(alpha=alpha, populations="single")
        np.testing.assert_allclose(
            solve(single, cycle).joint, np.eye(3) / 3, atol=1e-12
        )
    prisoners = np.array([[[3.0, 0], [5, 1]], [[3.0, 5], [0, 1]]])
    assert solve(AlphaRank(), prisoners).joint[1, 1] > 0.9999


def test_a_two_state_chain_has_its_textbook_answer():
    m, alpha, gain = 30, 0.02, 1.5
    up = (1 - np.exp(-alpha * gain)) / (1 - np.exp(-m * alpha * gain))
    down = (1 - np.exp(alpha * gain)) / (1 - np.exp(m * alpha * gain))
    joint = solve(AlphaRank(alpha, m), Game([[0.0, gain]])).joint
    np.testing.assert_allclose(joint, [down / (up + down), up / (up + down)])


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e6])
def test_alpha_is_in_units_of_one_over_payoff(scale):
    payoffs = random_game(5, (3, 4))
    for alpha in (0.4, 300.0):
        one = solve(AlphaRank(alpha=alpha), payoffs).joint
        two = solve(AlphaRank(alpha=alpha / scale), payoffs * scale + scale).joint
        np.testing.assert_allclose(one, two, atol=1e-8)
    np.testing.assert_allclose(
        solve(AlphaRank(), payoffs).joint,
        solve(AlphaRank(), payoffs * scale - 3 * scale).joint,
        atol=1e-12,
    )


@given(seed=st.integers(0, 2**20), log_alpha=st.floats(-9, 12))
@settings(max_examples=40, deadline=None)
def test_laws_hold_at_any_pressure(seed, log_alpha):
    rng = np.random.default_rng(seed)
    payoffs = drawn(rng)
    before = payoffs.copy()
    solver = AlphaRank(alpha=10.0**log_alpha)
    one = solve(solver, Game(payoffs))
    np.testing.assert_array_equal(payoffs, before)
    np.testing.assert_array_equal(one.joint, solve(solver, Game(payoffs), rng=9).joint)
    assert one.diagnostics["residual"] < 1e-5
    order = rng.permutation(payoffs.shape[1])
    moved = solve(solver, Game(payoffs[:, order])).joint
    np.testing.assert_allclose(moved, one.joint[order], atol=1e-6)


@given(seed=st.integers(0, 2**20), states=st.integers(1, 150))
@settings(max_examples=25, deadline=None)
def test_both_eliminations_agree_with_linear_algebra(seed, states):
    rng = np.random.default_rng(seed)
    rates = rng.random((states, states)) * 10.0 ** rng.integers(-3, 1, (states, states))
    np.fill_diagonal(rates, 0)
    with np.errstate(divide="ignore"):
        log_rates = np.log(rates)
    plain, logs = _eliminate(rates.copy()), _eliminate_logarithms(log_rates.copy())
    np.testing.assert_allclose(plain, np.exp(logs), rtol=1e-11)
    balance = (rates - np.diag(rates.sum(axis=1))).T
    balance[-1] = 1
    wanted = np.linalg.solve(balance, np.eye(states)[-1])
    np.testing.assert_allclose(plain, wanted, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(stationary(log_rates).weights, plain, rtol=1e-11)


@given(
    seed=st.integers(0, 2**20),
    shape=st.sampled_from([(24, 24), (9, 64), (9, 9, 9), (5, 5, 5, 5)]),
    kind=st.sampled_from(["generic", "ties", "zero-sum", "repeats"]),
)
@settings(max_examples=12, deadline=None)
def test_iterating_agrees_with_eliminating(seed, shape, kind):
    rng, repeats = np.random.default_rng(seed), None
    payoffs = rng.normal(size=(len(shape), *shape))
    if kind == "ties":
        payoffs = np.round(payoffs)
    if kind == "zero-sum":
        payoffs -= payoffs.mean(0)
    if kind == "repeats":
        repeats = [rng.integers(1, 9, size) for size in shape]
    solver, game = AlphaRank(), Game(payoffs, repeats=repeats)
    chain, pressure = solver._jumps(game), solver._pressure(game)[0]
    wanted = stationary(solver._multi(game, pressure))
    answer = solve(solver, game)
    np.testing.assert_allclose(answer.joint.ravel(), wanted.weights, atol=1e-10)
    one = chain.closed[0] == 1
    assert answer.diagnostics["method"] == ("krylov" if one else "gth")
    assert answer.diagnostics["residual"] < 1e-10


def test_closed_classes_are_those_that_nothing_leaves_without_loss():
    coordination = AlphaRank()._jumps(Game(np.stack([np.eye(3)] * 2)))
    count, first = coordination.closed
    assert count == 3 and first.sum() == 1 and np.diag(first.reshape(3, 3)).any()
    count, everything = AlphaRank()._jumps(Game(np.stack([CYCLE, -CYCLE]))).closed
    assert count == 1 and everything.all()


def test_a_chain_that_is_too_large_to_be_eliminated():
    # Rock, paper, scissors with 30 copies of each that are no repeats: by symmetry all
    # joint actions have the same weight.
    payoff = np.kron(CYCLE, np.ones((30, 30)))
    solution = solve(AlphaRank(), np.stack([payoff, -payoff]))
    assert solution.status is Status.OK
    assert solution.diagnostics["states"] == 8100
    np.testing.assert_allclose(solution.joint, 1 / 8100, rtol=1e-6)
    # A dominant pair of actions is where evolution stays.
    worth = np.random.default_rng(0).permutation(70)
    best = np.stack([np.repeat(worth[:, None], 70, 1), np.repeat(worth[None], 70, 0)])
    assert (
        solve(AlphaRank(), best * 1.0).joint[[worth.argmax()] * 2][0, worth.argmax()]
        > 0.99
    )


def test_a_birth_death_chain_beyond_the_range_of_floats():
    # Rates up exp(-a_k), down exp(-b_k): detailed balance gives every weight.
    rng = np.random.default_rng(6)
    a, b = rng.uniform(0, 5000, (2, 40))
    log_rates = np.full((41, 41), -np.inf)
    log_rates[np.arange(40), np.arange(1, 41)] = -a
    log_rates[np.arange(1, 41), np.arange(40)] = -b
    log_weights = np.concatenate([[0], np.cumsum(b - a)])
    wanted = np.exp(log_weights - log_weights.max())
    ranking = stationary(log_rates)
    assert ranking.method == "log-gth"
    np.testing.assert_allclose(ranking.weights, wanted / wanted.sum(), atol=1e-9)


def test_one_action_and_constant_games():
    assert solve(AlphaRank(), np.ones((2, 1, 1))).joint.item() == 1.0
    np.testing.assert_allclose(
        solve(AlphaRank(alpha=5.0), np.ones((2, 2, 3))).joint, 1 / 6
    )


@given(seed=st.integers(0, 2**20), alpha=st.sampled_from([None, 0.2, 50.0]))
@settings(max_examples=30, deadline=None)
def test_repeats_count_as_copies(seed, alpha):
    rng = np.random.default_rng(seed)
    payoffs = drawn(rng)
    repeats = [rng.integers(1, 4, size) for size in payoffs.shape[1:]]
    game = Game(payoffs, repeats=repeats)
    joint = solve(AlphaRank(alpha=alpha), game).joint
    spread = solve(AlphaRank(alpha=alpha), game.expanded()).joint
    np.testing.assert_allclose(joint, game.folded(spread), atol=1e-9)


@pytest.mark.parametrize("alpha", [None, 0.2])
def test_one_population_with_repeats(alpha):
    payoff = random_game(8, (3, 3))[0]
    both = np.stack([payoff, payoff.T])
    solver = AlphaRank(alpha=alpha, populations="single")
    game = Game(both, repeats=[[2, 3, 1], [2, 3, 1]], symmetric=True)
    joint = solve(solver, game).joint
    spread = solve(solver, game.expanded()).joint
    np.testing.assert_allclose(joint, game.folded(spread), atol=1e-12)
    with pytest.raises(UserError, match="same repeats for both players"):
        solve(solver, Game(both, repeats=[[2, 3, 1], [3, 2, 1]], symmetric=True))


def test_copies_are_no_states():
    game = Game(random_game(3, (4, 5)), repeats=[[1000] * 4, [1000] * 5])
    assert solve(AlphaRank(), game).diagnostics["states"] == 20


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: AlphaRank(alpha=0.0), r"AlphaRank\(\): alpha must .* got 0.0"),
        (lambda: AlphaRank(alpha=float("inf")), "alpha must be a finite number"),
        (lambda: AlphaRank(m=1), "m must be at least 2; got 1"),
        (lambda: AlphaRank(epsilon=0.7), "epsilon must be between 0 and 1/2"),
        (
            lambda: solve(AlphaRank(alpha=1.0), np.zeros((3, 17, 17, 17))),
            r"AlphaRank: the chain must have at most 4096 states .* got 4913 .* GiB",
        ),
        (
            lambda: solve(AlphaRank(), np.stack([np.eye(65)] * 2)),
            r"got 4225 states \(0.4 GiB\); only a chain with one closed class, not 65",
        ),
        (
            lambda: solve(AlphaRank(), Game(np.zeros((2, 400, 400)))),
            "the chain must have at most 25000000 steps; got 128000000",
        ),
        (
            lambda: solve(AlphaRank(populations="single"), np.zeros((2, 3, 3))),
            "needs a two-player game declared symmetric",
        ),
    ],
)
def test_bad_input_is_refused_with_a_sentence(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
