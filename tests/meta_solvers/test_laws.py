"""Laws: what must not change, or must change along, when a game is rewritten."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import Game, Status, get, solve
from meta_solvers.dominance import survivors
from metaspiel.nfg.sample import FAMILIES, families, sample
from metaspiel.nfg.simplex import entropy

# One answer for each game, so it must move along with the game.
UNIQUE = {
    "uniform": 1e-12,
    "mgcce": 1e-8,
    "mgce": 1e-8,
    "half_mgcce": 1e-8,
    "half_mgce": 1e-8,
    "approx_mgce": 1e-8,
    "alpharank": 1e-7,
    "rd:steps=20,tolerance=0": 1e-9,
    "prd:steps=20,step=fixed,dt=0.01": 1e-9,
    "r2d:steps=20,dt=0.01": 1e-9,
}
WELFARE = {"mwce": 1, "mwcce": 1, "minwce": 1, "minwcce": 1}
SHAPES = [(3,), (2, 2), (3, 4), (4, 4), (2, 3, 2), (3, 3, 3), (2, 2, 2, 2)]

laws = settings(max_examples=25, deadline=None, derandomize=True)


# Family and shape; listed here, for the type checker draws random numbers, which
# hypothesis forbids inside a strategy.
KINDS = [
    (family, shape)
    for shape in SHAPES
    for family in families(len(shape))
    if not (FAMILIES[family].square and len(set(shape)) > 1)
    and family not in ("tiny_scale", "huge_scale")
]


def sampled(players=None):
    """Family, shape and seed of a game; see ``built``."""
    kinds = [kind for kind in KINDS if players is None or len(kind[1]) == players]
    return st.tuples(st.sampled_from(kinds), st.integers(0, 10**6))


def built(drawn):
    """The game, not declared symmetric, and a generator for what a test draws."""
    (family, shape), seed = drawn
    rng = np.random.default_rng(seed)
    return Game(sample(family, shape, rng).payoffs), rng


def answer(spec, game):
    return solve(get(spec), game, 0, throw=False)


def objective(spec, solution):
    """What the solver is judged by where its answer is not unique."""
    if spec.startswith("egal"):
        return solution.values.min()
    if spec in WELFARE:
        return solution.values.sum()
    return entropy(solution.joint)


def with_actions_shuffled(game, rng):
    orders = [rng.permutation(size) for size in game.actions]
    return game.restrict([order.tolist() for order in orders]), orders


@pytest.mark.parametrize("spec", UNIQUE)
@laws
@given(sampled())
def test_answers_follow_the_names_of_actions(spec, drawn):
    game, rng = built(drawn)
    shuffled, orders = with_actions_shuffled(game, rng)
    moved = answer(spec, game).joint[np.ix_(*orders)]
    other = answer(spec, shuffled).joint
    np.testing.assert_allclose(other, moved, atol=UNIQUE[spec])


@pytest.mark.parametrize("spec", UNIQUE)
@laws
@given(sampled())
def test_answers_follow_the_names_of_players(spec, drawn):
    game, rng = built(drawn)
    order = rng.permutation(game.players).tolist()
    renamed = Game(game.payoffs[order].transpose([0, *(1 + p for p in order)]))
    moved = answer(spec, game).joint.transpose(order)
    np.testing.assert_allclose(answer(spec, renamed).joint, moved, atol=UNIQUE[spec])


@pytest.mark.parametrize("spec", [*WELFARE, "egalce", "egalcce"])
@laws
@given(sampled())
def test_objective_values_ignore_names(spec, drawn):
    game, rng = built(drawn)
    shuffled, _ = with_actions_shuffled(game, rng)
    order = rng.permutation(game.players).tolist()
    renamed = Game(shuffled.payoffs[order].transpose([0, *(1 + p for p in order)]))
    value = objective(spec, answer(spec, game))
    again = objective(spec, answer(spec, renamed))
    assert again == pytest.approx(value, abs=1e-7 * float(game.scale.sum()))


@pytest.mark.parametrize("spec", ["mgcce", "mgce", "uniform", "alpharank"])
@laws
@given(sampled(), st.floats(-5, 5))
def test_each_player_may_have_a_unit_of_its_own(spec, drawn, shift):
    game, rng = built(drawn)
    unit = 10.0 ** rng.uniform(-3, 3, game.players)
    shape = (-1, *[1] * game.players)
    other = Game((game.payoffs + shift) * unit.reshape(shape))
    np.testing.assert_allclose(
        answer(spec, other).joint, answer(spec, game).joint, atol=1e-6
    )


@pytest.mark.parametrize("spec", ["half_mgcce", "min_epsilon_mgcce", "prd:steps=30"])
@laws
@given(sampled(), st.integers(-4, 4))
def test_one_unit_for_all_changes_nothing(spec, drawn, power):
    game, _ = built(drawn)
    joint = answer(spec, Game(game.payoffs * 2.0**power)).joint
    np.testing.assert_allclose(joint, answer(spec, game).joint, atol=1e-6)


@pytest.mark.parametrize("spec", WELFARE)
@laws
@given(sampled(), st.floats(0.1, 10), st.floats(-5, 5))
def test_welfare_scales_with_the_payoffs(spec, drawn, unit, shift):
    game, _ = built(drawn)
    other = objective(spec, answer(spec, Game(unit * game.payoffs + shift)))
    value = unit * objective(spec, answer(spec, game)) + shift * game.players
    assert other == pytest.approx(value, abs=1e-6 * unit * float(game.scale.sum()))


def padded(game, player, rng):
    """With one more action of ``player``, strictly worse than its first."""
    worst = np.take(game.payoffs, [0], axis=player + 1).copy()
    worst[player] -= 0.1 * game.scale[player] * rng.uniform(0.5, 1)
    return Game(np.concatenate([game.payoffs, worst], axis=player + 1))


@pytest.mark.parametrize(
    "spec", ["mgce", "mwce", "minwce", "egalce", "undominated(mgcce)"]
)
@laws
@given(sampled())
def test_dominated_actions_mean_nothing_to_ce_solvers(spec, drawn):
    game, rng = built(drawn)
    player = int(rng.integers(game.players))
    more = padded(game, player, rng)
    cut = [list(range(size)) for size in game.actions]
    assert survivors(more, False, False, False)[player][-1] < game.actions[player]
    solution, wider = answer(spec, game), answer(spec, more)
    assert wider.status is solution.status is Status.OK
    lost = np.delete(wider.joint, range(game.actions[player]), axis=player)
    assert lost.sum() < 1e-8
    if "mgc" in spec:
        kept = wider.joint[np.ix_(*cut)]
        np.testing.assert_allclose(kept, solution.joint, atol=1e-7)
    else:
        value = objective(spec, solution)
        slack = 1e-7 * float(more.scale.sum())
        assert objective(spec, wider) == pytest.approx(value, abs=slack)


@pytest.mark.parametrize(
    "spec",
    [
        "r2d:steps=25,dt=0.01",
        "r2d:steps=25,dt=0.01,bounds=mixture,own=inclusive",
        "r3d:steps=25,dt=0.01",
        "robust:starts=1,rounds=5",
        "mgcce",
        "rd:steps=25",
    ],
)
@laws
@given(sampled(), st.integers(1, 4))
def test_an_ensemble_of_equals_is_no_ensemble(spec, drawn, size):
    game, _ = built(drawn)
    alike = Game(game.payoffs, np.stack([game.payoffs] * size))
    np.testing.assert_allclose(
        answer(spec, alike).joint, answer(spec, game).joint, atol=1e-9
    )


@pytest.mark.parametrize("spec", ["r2d:steps=25,dt=0.01", "robust:starts=0,rounds=3"])
@laws
@given(sampled(), st.integers(0, 10**6))
def test_the_order_of_an_ensemble_means_nothing(spec, drawn, seed):
    game, _ = built(drawn)
    rng = np.random.default_rng(seed)
    members = game.payoffs + 0.3 * rng.normal(size=(3, *game.payoffs.shape))
    joints = [
        answer(spec, Game(game.payoffs, members[order])).joint
        for order in ([0, 1, 2], [2, 0, 1])
    ]
    np.testing.assert_allclose(*joints, atol=1e-12)


@pytest.mark.parametrize(
    "spec",
    [
        # Not half_* and approx_*: the gain they allow is that of the table's uniform
        # play, repeats not counted, as in OpenSpiel.
        *("uniform", "mgcce", "mgce", "mgcce:epsilon=0.1"),
        # Steps of one size: sizes that are chosen depend on rounding.
        *("rd:step=fixed,dt=0.002,steps=20", "prd:step=fixed,dt=0.002,steps=20"),
        *("rm:steps=32", "fp:steps=40", "alpharank"),
    ],
)
@laws
@given(sampled())
def test_repeats_are_copies_written_out_and_folded_back(spec, drawn):
    game, rng = built(drawn)
    repeats = [rng.integers(1, 4, size) for size in game.actions]
    counted = Game(game.payoffs, repeats=repeats)
    if counted.expanded().profiles > 400:
        return
    folded = counted.folded(answer(spec, counted.expanded()).joint)
    other = answer(spec, counted).joint
    np.testing.assert_allclose(other, folded, atol=1e-7)


@pytest.mark.parametrize(
    "spec", ["mwce", "mwcce", "minwcce", "egalcce", "robust:starts=1"]
)
@laws
@given(sampled(players=2))
def test_repeats_change_no_objective_over_distributions(spec, drawn):
    game, rng = built(drawn)
    repeats = [rng.integers(1, 4, size) for size in game.actions]
    other = answer(spec, Game(game.payoffs, repeats=repeats))
    if spec.startswith("robust"):
        np.testing.assert_array_equal(other.joint, answer(spec, game).joint)
    else:
        value = objective(spec, answer(spec, game))
        slack = 1e-7 * float(game.scale.sum())
        assert objective(spec, other) == pytest.approx(value, abs=slack)
