"""Replicator dynamics: single steps by hand, OpenSpiel's steps, known failures."""

import numpy as np
import pytest
from payoffs import expected

from meta_solvers import Game, Status, UserError, get, solve
from meta_solvers.replicator import ReplicatorDynamics
from meta_solvers.robust import regret_bound
from metaspiel.nfg.catalogue import named
from metaspiel.nfg.sample import sample
from metaspiel.nfg.simplex import product, project

# Row player: entry-wise bounds [[0, 2], [1, 1]] and [[2, 4], [1, 3]], which no member
# has. Column player: certain, 3/2 and 1/2 against uniform play.
ROW = np.array([[[0.0, 4], [1, 1]], [[2.0, 2], [1, 3]]])
COLUMN = np.array([[3.0, 1], [0, 0]])
BY_HAND = Game.ensemble(np.stack([[row, COLUMN] for row in ROW]))
STEP = "steps=1,dt=0.1"


def marginals(spec, game):
    return solve(get(spec), game, throw=False).marginals


@pytest.mark.parametrize(
    ("switches", "growth"),
    [
        # lo (1, 1), up (3, 2), base 1: gains (2, 1), regrets (2 - 1, 3 - 1).
        ("", [1, -1]),
        # regrets (3 - 1, 3 - 1).
        (",own=inclusive", [0, -1]),
        # by member (2, 1) and (2, 2): lo (2, 1), up (2, 2), base 3/2.
        (",bounds=mixture", [0.5, -0.5]),
        (",bounds=mixture,own=inclusive", [0.5, -0.5]),
    ],
)
@pytest.mark.parametrize("update", ["euclidean", "multiplicative"])
def test_one_robust_step_by_hand(switches, growth, update):
    floor = "" if update == "euclidean" else ",update=multiplicative,floor=0"
    row, _ = marginals(f"r2d:{STEP}{switches}{floor}", BY_HAND)
    if update == "euclidean":
        moved = 0.5 + 0.1 * 0.5 * np.array(growth)
        wanted = moved + (1 - moved.sum()) / 2  # the refund is equal for all
    else:
        wanted = np.exp(0.1 * np.array(growth))
        wanted /= wanted.sum()
    np.testing.assert_allclose(row, wanted, atol=1e-15)


def test_the_certain_player_by_hand():
    # 2 U(s) - U(sigma) - max over the others: 3 - 1 - 1/2 and 1 - 1 - 3/2.
    _, column = marginals(f"r2d:{STEP}", BY_HAND)
    np.testing.assert_allclose(column, [0.575, 0.425], atol=1e-15)


def robust_growth(game, profile, player, mixture, inclusive):
    """Spec of R2D in plain loops: growth of every action and the player's bound."""
    own = profile[player]
    members = [expected(m[player], profile, player) for m in game.members]
    if mixture:
        lo, up = np.min(members, axis=0), np.max(members, axis=0)
        base = min(own @ member for member in members)
    else:
        lo = expected(game.members[:, player].min(axis=0), profile, player)
        up = expected(game.members[:, player].max(axis=0), profile, player)
        base = own @ lo
    growth = np.empty(len(own))
    for action in range(len(own)):
        rivals = [u for s, u in enumerate(up) if inclusive or s != action]
        growth[action] = (up[action] - base) - (max(rivals) - lo[action])
    return growth, up.max() - base


def ensemble(seed, shape, symmetric=False):
    rng = np.random.default_rng([seed, *shape])
    family = "symmetric" if symmetric else "gaussian"
    mean = sample(family, shape, rng).payoffs
    noise = [0.4 * sample(family, shape, rng).payoffs for _ in range(3)]
    return Game.ensemble(mean + np.stack(noise), symmetric=symmetric)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (2, 3), (3, 3, 3), (2, 3, 4)])
@pytest.mark.parametrize("own", ["exclusive", "inclusive"])
@pytest.mark.parametrize("bounds", ["entrywise", "mixture"])
@pytest.mark.parametrize("update", ["euclidean", "multiplicative"])
def test_robust_steps_follow_the_formulas(update, bounds, own, shape, symmetric):
    if symmetric and len(set(shape)) > 1:
        return
    game = ensemble(5, shape, symmetric)
    floor = 1e-6 if update == "euclidean" else 0
    spec = f"steps=3,dt=0.2,bounds={bounds},own={own},update={update},floor={floor}"
    profile = [np.full(size, 1 / size) for size in shape]
    for _ in range(3):
        after = []
        for player, mixed in enumerate(profile):
            flags = (bounds == "mixture", own == "inclusive")
            growth, _ = robust_growth(game, profile, player, *flags)
            if update == "euclidean":
                after.append(project(mixed + 0.2 * mixed * growth, floor))
            else:  # the mean-centred update, exponentiated
                grown = mixed * np.exp(0.2 * (growth - mixed @ growth))
                after.append(grown / grown.sum())
        profile = after
    for rates, wanted in zip(marginals(f"r2d:{spec}", game), profile, strict=True):
        np.testing.assert_allclose(rates, wanted, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 4)])
def test_without_uncertainty_nash_equilibria_are_at_rest(shape):
    game = sample("gaussian", shape, np.random.default_rng(8))
    certain = Game(game.payoffs, game.payoffs[None])
    profile = [np.full(size, 1 / size) for size in shape]
    for player, own in enumerate(profile):
        growth, _ = robust_growth(certain, profile, player, False, False)
        mean = expected(game.payoffs[player], profile, player)
        for action in range(len(own)):
            best_other = np.delete(mean, action).max()
            wanted = 2 * mean[action] - own @ mean - best_other
            assert growth[action] == pytest.approx(wanted)
    for name in ("rock_paper_scissors", "coordination", "dispersion"):  # at uniform
        solution = solve(get("r2d:steps=50"), named(name).game)
        np.testing.assert_allclose(solution.joint, 1 / solution.joint.size, atol=1e-12)


@pytest.mark.parametrize("bounds", ["entrywise", "mixture"])
def test_r3d_is_r2d_until_the_bound_is_low_enough(bounds):
    game, mixture = ensemble(1, (3, 3)), bounds == "mixture"

    def bound(profile):
        parts = [robust_growth(game, profile, p, mixture, False)[1] for p in (0, 1)]
        return float(sum(parts))

    path = [[np.full(3, 1 / 3)] * 2]
    for steps in range(1, 60):
        words = f"steps={steps},dt=0.02,bounds={bounds}"
        path.append(list(marginals(f"r2d:{words}", game)))
    bounds_seen = [bound(profile) for profile in path]
    threshold = (bounds_seen[0] + min(bounds_seen)) / 2
    first = next(i for i, b in enumerate(bounds_seen) if b <= threshold)
    spec = f"r3d:threshold={threshold!r},steps=1000,dt=0.02,bounds={bounds}"
    solution = solve(get(spec), game)
    assert solution.diagnostics["steps"] == first > 0
    assert solution.diagnostics["criterion"] == pytest.approx(bounds_seen[first])
    for rates, wanted in zip(solution.marginals, path[first], strict=True):
        np.testing.assert_allclose(rates, wanted, atol=1e-12)
    start = solve(get(f"r3d:threshold={bounds_seen[0] + 1}"), game)
    np.testing.assert_allclose(start.joint, 1 / 9, atol=1e-15)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("shape", [(3, 3), (5, 4), (2, 3, 2)])
def test_robust_has_the_lowest_bound(shape, seed):
    game = ensemble(seed, shape, symmetric=seed % 2 == 0 and len(set(shape)) == 1)
    best = solve(get("robust"), game)
    bound = best.diagnostics["bound"]
    assert bound == pytest.approx(regret_bound(game, list(best.marginals)), abs=1e-9)
    slack = 1e-9 * float(game.scale.max())
    for spec in (
        "rd:steps=400",
        "r2d:steps=400,dt=0.02",
        "r2d:steps=400,bounds=mixture",
    ):
        assert bound <= regret_bound(game, list(marginals(spec, game))) + slack


@pytest.mark.parametrize("shape", [(3, 4), (5, 5), (2, 3, 4)])
@pytest.mark.parametrize("floor", [1e-6, 1e-5])
def test_fixed_steps_are_openspiels_projected_replicator(shape, floor):
    peer = pytest.importorskip(
        "open_spiel.python.algorithms.projected_replicator_dynamics"
    )
    game = sample("gaussian", shape, np.random.default_rng(4))
    theirs = peer.projected_replicator_dynamics(
        list(game.payoffs), prd_iterations=200, prd_dt=0.05, prd_gamma=floor
    )
    spec = f"prd:step=fixed,dt=0.05,steps=200,tolerance=0,floor={floor}"
    solution = solve(get(spec), game, throw=False)
    assert solution.diagnostics["steps"] == 200
    last = peer.projected_replicator_dynamics(
        list(game.payoffs), None, 200, 0.05, floor, average_over_last_n_strategies=1
    )
    for player, own in enumerate(solution.marginals):
        # Their average counts the uniform start as one more step.
        uniform = np.full(shape[player], 1 / shape[player])
        average = (200 * own + uniform) / 201
        np.testing.assert_allclose(average, theirs[player], atol=1e-10)
    final = marginals(f"{spec},iterate=last", game)
    for own, peer_own in zip(final, last, strict=True):
        np.testing.assert_allclose(own, peer_own, atol=1e-10)


@pytest.mark.parametrize("floor", [0.0, 1e-6, 0.05, 0.2])
def test_projection_is_openspiels(floor):
    peer = pytest.importorskip(
        "open_spiel.python.algorithms.projected_replicator_dynamics"
    )
    rows = np.random.default_rng(0).normal(0.2, 0.5, (200, 5))
    theirs = [peer._simplex_projection(row.copy(), floor) for row in rows]
    np.testing.assert_allclose(project(rows, floor), theirs, atol=1e-12)


def test_replicator_gains_by_hand():
    # Uniform play in the prisoner's dilemma: (3 + 0) / 2 and (5 + 1) / 2, so +-0.75.
    spec = "rd:step=fixed,dt=0.1,steps=1,update=euclidean"
    for own in marginals(spec, named("prisoners_dilemma").game):
        np.testing.assert_allclose(own, [0.4625, 0.5375], atol=1e-15)


PERTURBED = Game(
    named("shapley").game.payoffs
    + 0.05 * np.random.default_rng(0).normal(size=(2, 3, 3))
)


@pytest.mark.parametrize(
    "spec",
    ["rd", "prd", "fp", "rd:step=fixed,dt=0.01,steps=20000", "fp:iterate=best"],
)
def test_shapleys_game_defeats_dynamics_and_they_say_so(spec):
    # The unperturbed game's equilibrium is uniform play, where the dynamics start.
    solution = solve(get(spec), PERTURBED, throw=False)
    assert solution.status is Status.MAX_STEPS
    assert solution.gaps.ne.sum() > 0.01
    assert solve(get("nash"), PERTURBED).gaps.ne.sum() < 1e-9
    assert solve(get("rd"), named("shapley").game).diagnostics["steps"] == 0


# Symmetric games keep one shared mixture.


def test_a_symmetric_ensemble_must_be_symmetric_member_by_member():
    game = ensemble(2, (3, 3), symmetric=True)
    members = game.members.copy()
    members[0, 0, 0, 1] += 0.5
    members[1, 0, 0, 1] -= 0.5  # the mean is still symmetric
    with pytest.raises(UserError, match="exchanging players 0 and 1"):
        Game(game.payoffs, members, symmetric=True)


@pytest.mark.parametrize(
    "spec", ["rd:steps=20", "prd:steps=20", "r3d:steps=50", "r2d:steps=50"]
)
@pytest.mark.parametrize("players", [2, 3])
def test_declaring_symmetry_changes_no_symmetric_flow(spec, players):
    game = ensemble(2, (3,) * players, symmetric=True)
    plain = Game(game.payoffs, game.members)
    joint = solve(get(spec), game, throw=False).joint
    np.testing.assert_allclose(joint, joint.T, atol=1e-15)
    one = marginals(spec, plain)[0]
    np.testing.assert_allclose(joint, product([one] * players), atol=1e-6)


def test_rounding_does_not_part_the_players_of_a_symmetric_game():
    # Left alone, players of an anti-coordination flow part at the first lost digit.
    row = named("chicken").game.payoffs[0] + 1e-3
    game = Game(np.stack([row, row.T]), symmetric=True)
    solution = solve(get("rd"), game)
    one, two = solution.marginals
    np.testing.assert_allclose(one, [2 / 3, 1 / 3], atol=1e-6)
    assert one.tobytes() == two.tobytes()


def test_batches_are_what_each_game_alone_would_get():
    games = [ensemble(seed, (3, 4)) for seed in range(5)]
    for solver in (ReplicatorDynamics(), get("prd:steps=200"), get("r2d:steps=100")):
        answers = solver.distributions(games)
        for game, answer in zip(games, answers, strict=True):
            alone = solver.distribution(game, np.random.default_rng(0))
            np.testing.assert_allclose(answer.joint, alone.joint, atol=1e-9)
            assert answer.status is alone.status
    mixed = [ensemble(0, (3, 3)), ensemble(0, (3, 3), symmetric=True)]
    with pytest.raises(UserError, match="symmetric all or none"):
        ReplicatorDynamics().distributions(mixed)
