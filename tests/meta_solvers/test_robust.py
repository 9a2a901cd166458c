"""R2D and R3D by hand, their switches, RD as published, and RD on lower bounds.

``test_replicator.py`` holds single robust steps against the formulas in plain loops.
"""

import numpy as np
import pytest
from payoffs import expected

from meta_solvers import Game, Status, UserError, get, solve
from meta_solvers.robust import judge, regret_bound
from metaspiel.nfg.catalogue import named
from metaspiel.nfg.ensembles import Ensembles
from metaspiel.nfg.sample import sample
from metaspiel.nfg.simplex import project

# Row payoffs of two members of a symmetric game. Entry-wise bounds:
# lower [[0, 3, 0], [0, 3, 0], [0, 0, 0]], upper [[3, 9, 3], [3, 3, 6], [3, 3, 3]].
ROWS = np.array(
    [
        [[0.0, 9, 0], [3, 3, 0], [0, 0, 3]],
        [[3.0, 3, 3], [0, 3, 6], [3, 3, 0]],
    ]
)
SYMMETRIC = Game.ensemble(
    np.stack([np.stack([row, row.T]) for row in ROWS]), symmetric=True
)
PLAIN = Game(SYMMETRIC.payoffs, SYMMETRIC.members)
MIXED = np.array([1 / 2, 1 / 3, 1 / 6])


def growth(spec, game, profile):
    """Growth of each action a player, and the criterion, at ``profile``."""
    batch = [np.asarray(own, dtype=float)[None] for own in profile]
    rates, criterion = get(spec).flow([game])(batch)
    return [rate[0] for rate in rates], float(criterion[0])


# Against MIXED: lo (1, 1, 0), up (5, 7/2, 3), base 1/2 + 1/3 = 5/6, gains
# (25, 16, 13) / 6. By member: (3, 5/2, 1/2) worth 29/12 and (3, 2, 5/2) worth 31/12.
@pytest.mark.parametrize(
    ("fields", "twelfths", "gain"),
    [
        # B (7/2, 5, 5), regrets (5/2, 4, 5); the mean growth is -1/12.
        ("own=exclusive", [20, -16, -34], 25 / 6),
        ("own=exclusive,mass=centred", [21, -15, -33], 25 / 6),
        # B 5 for all, regrets (4, 4, 5); the mean growth is -10/12.
        ("own=inclusive", [2, -16, -34], 25 / 6),
        ("own=inclusive,mass=centred", [12, -6, -24], 25 / 6),
        # lo (3, 2, 1/2), up (3, 5/2, 5/2), base 29/12: gains (7, 1, 1) / 12; B
        # (5/2, 3, 3) or 3, regrets (-1/2 or 0, 1, 5/2).
        ("bounds=mixture", [13, -11, -29], 7 / 12),
        ("bounds=mixture,own=inclusive", [7, -11, -29], 7 / 12),
        # Gains (7, 1, -23) and (5, -7, -1), regrets (-6 or 0, 6, 30) and
        # (-6 or 0, 12, 6), all in twelfths: the largest of each.
        ("bounds=member", [13, -11, -31], 7 / 12),
        ("bounds=member,own=inclusive", [7, -11, -31], 7 / 12),
    ],
)
@pytest.mark.parametrize("game", [SYMMETRIC, PLAIN], ids=["symmetric", "plain"])
@pytest.mark.parametrize("name", ["r2d", "r3d"])
def test_three_actions_by_hand(name, game, fields, twelfths, gain):
    rates, criterion = growth(f"{name}:{fields}", game, [MIXED, MIXED])
    assert len(rates) == 2
    for rate in rates:
        np.testing.assert_allclose(rate, np.array(twelfths) / 12, atol=1e-14)
    assert criterion == pytest.approx(2 * gain)


def test_the_bound_is_that_of_the_direct_minimiser():
    _, criterion = growth("r2d", PLAIN, [MIXED, MIXED])
    assert criterion == pytest.approx(regret_bound(PLAIN, [MIXED, MIXED]))


@pytest.mark.parametrize(
    ("dt", "floor", "wanted"),
    [
        # Uniform play: lo (1, 1, 0), up (5, 4, 3), base 2/3, B (4, 5, 5): the bracket
        # is (13/3 - 3, 10/3 - 4, 7/3 - 5) = (4, -2, -8) / 3.
        (0.3, 0, [16 / 30, 10 / 30, 4 / 30]),  # 2/30 given back to each
        (0.6, 0, [0.7, 0.3, 0]),  # (.6, .2, -.2): the third is out, .1 to the others
        (0.6, 0.05, [0.675, 0.275, 0.05]),
    ],
)
@pytest.mark.parametrize("mass", ["refunded", "centred"])  # the same at uniform play
def test_one_step_with_projection_by_hand(dt, floor, wanted, mass):
    spec = f"r2d:steps=1,dt={dt},floor={floor},mass={mass}"
    for game in (SYMMETRIC, PLAIN):
        for own in solve(get(spec), game, throw=False).marginals:
            np.testing.assert_allclose(own, wanted, atol=1e-14)


def test_three_players_by_hand():
    members = np.zeros((2, 3, 2, 2, 2))
    members[0, 0] = [[[0, 4], [2, 2]], [[1, 1], [1, 1]]]
    members[1, 0] = [[[4, 0], [2, 2]], [[1, 1], [1, 5]]]
    profile = [(2 / 3, 1 / 3), (3 / 4, 1 / 4), (1 / 2, 1 / 2)]
    # lo (1/2, 1), up (7/2, 3/2), base 2/3: gains (17, 5) / 6, regrets (1, 5/2).
    rates, criterion = growth("r2d", Game.ensemble(members), profile)
    np.testing.assert_allclose(rates[0], [11 / 6, -10 / 6], atol=1e-14)
    np.testing.assert_array_equal(rates[1:], np.zeros((2, 2)))
    assert criterion == pytest.approx(17 / 6)
    # The first member gives (2, 1), the second (2, 3/2); both are worth 1/2 for the
    # second action of player 0 in each third of play: base 5/3 and 11/6.
    rates, criterion = growth("r2d:bounds=member", Game.ensemble(members), profile)
    np.testing.assert_allclose(rates[0], [1 / 3 + 1 / 2, -1 / 3 - 1], atol=1e-14)
    assert criterion == pytest.approx(1 / 3)


def test_a_single_action_stays_and_has_no_regret():
    game = Game.ensemble(np.array([[[[1.0, 2]], [[3, 4]]], [[[2.0, 0]], [[5, 1]]]]))
    for bounds in ("entrywise", "mixture", "member"):
        row, column = solve(
            get(f"r2d:steps=50,bounds={bounds}"), game, throw=False
        ).marginals
        assert row == pytest.approx([1.0]) and column[0] > 0.5


@pytest.mark.parametrize("bounds", ["entrywise", "mixture", "member"])
@pytest.mark.parametrize("rest", ["own=exclusive", "own=inclusive", "mass=centred"])
@pytest.mark.parametrize(
    ("shape", "symmetric"), [((3, 3), True), ((5, 4), False), ((2, 3, 2), False)]
)
def test_equal_members_give_the_form_without_uncertainty(
    shape, symmetric, rest, bounds
):
    family = "symmetric" if symmetric else "gaussian"
    payoffs = sample(family, shape, np.random.default_rng(3)).payoffs
    alone = Game(payoffs, symmetric=symmetric)
    equals = Game(payoffs, np.stack([payoffs] * 4), symmetric=symmetric)
    spec = f"r2d:steps=40,dt=0.05,bounds={bounds},{rest}"
    joints = [solve(get(spec), g, throw=False).joint for g in (alone, equals)]
    assert joints[0].tobytes() == joints[1].tobytes()
    rng = np.random.default_rng(4)
    profile = [rng.dirichlet(np.ones(size)) for size in shape]
    if symmetric:
        profile = [profile[0]] * len(shape)
    rates, _ = growth(spec, equals, profile)
    for player, own in enumerate(profile):
        values = expected(payoffs[player], profile, player)
        rivals = [
            max(v for s, v in enumerate(values) if s != a or rest == "own=inclusive")
            for a in range(len(own))
        ]
        wanted = 2 * values - own @ values - np.array(rivals)
        if rest == "mass=centred":
            wanted -= own @ wanted
        np.testing.assert_allclose(rates[player], wanted, atol=1e-13)


def test_where_the_two_masses_come_to_rest():
    rng = np.random.default_rng(1)
    draws = [sample("symmetric", (4, 4), rng).payoffs for _ in range(4)]
    members = draws[0] + 0.4 * np.stack(draws[1:])
    game = Game.ensemble(members, symmetric=True)
    for mass in ("refunded", "centred"):
        solution = solve(get(f"r2d:steps=4000,dt=0.05,mass={mass}"), game, throw=False)
        played = solution.marginals[0] > 0.01
        assert played.sum() == 2 and solution.diagnostics["movement"] < 1e-6
        (rate, _), _ = growth("r2d", game, solution.marginals)
        pull = solution.marginals[0] * rate
        # An equal refund levels sigma * growth, centring the growth itself.
        level, uneven = (pull, rate) if mass == "refunded" else (rate, pull)
        assert np.ptp(level[played]) < 1e-5 < 1e-3 < np.ptp(uneven[played])


def test_bad_fields_are_refused():
    with pytest.raises(UserError, match=r"mass=centred needs update=euclidean"):
        get("r2d:mass=centred,update=multiplicative,floor=0")
    with pytest.raises(UserError, match="did you mean 'member'"):
        get("r2d:bounds=members")
    with pytest.raises(UserError, match="bounds"):
        get("rd:bounds=member")


# Replicator dynamics as published: Euler steps of the payoffs as they are, an exact
# projection with a floor, the last iterate, an absolute threshold.

PUBLISHED = "step=fixed,dt=1e-3,steps=20000,update=euclidean,floor=1e-6"


def published(game, dt, steps, floor, threshold):
    """The published loop; returns the last profile and the steps taken."""
    profile = [np.full(size, 1 / size) for size in game.actions]
    for step in range(steps):
        values = [
            expected(payoff, profile, p) if game.players > 2 else two(game, profile, p)
            for p, payoff in enumerate(game.payoffs)
        ]
        means = [own @ v for own, v in zip(profile, values, strict=True)]
        if sum(v.max() - m for v, m in zip(values, means, strict=True)) < threshold:
            return profile, step
        profile = [
            project(own + dt * own * (v - m), floor)
            for own, v, m in zip(profile, values, means, strict=True)
        ]
        if game.symmetric:
            profile = [profile[0]] * game.players
    return profile, steps


def two(game, profile, player):
    matrix = game.payoffs[player]
    return (matrix if player == 0 else matrix.T) @ profile[1 - player]


@pytest.mark.parametrize(
    ("family", "shape", "steps"),
    [
        ("symmetric", (6, 6), 2000),
        ("gaussian", (4, 3), 2000),
        ("gaussian", (2, 3, 2), 60),
    ],
)
def test_the_published_loop(family, shape, steps):
    game = sample(family, shape, np.random.default_rng(11))
    game = Game(5 * game.payoffs, symmetric=family == "symmetric")
    wanted, _ = published(game, 5e-3, steps, 1e-6, 1e-5)
    fields = PUBLISHED.replace("dt=1e-3", "dt=5e-3").replace("20000", str(steps))
    spec = f"rrd:{fields},threshold=1e-5,tolerance=0"
    solution = solve(get(spec), game, throw=False)
    assert solution.diagnostics["steps"] == steps
    for own, theirs in zip(solution.marginals, wanted, strict=True):
        np.testing.assert_allclose(own, theirs, atol=1e-11)


@pytest.mark.parametrize("unit", [1.0, 0.5])
def test_the_published_threshold_is_absolute(unit):
    # Uniform play ends at the dominant action; its regret is what the floor costs.
    payoffs = unit * named("prisoners_dilemma").game.payoffs
    game = Game(payoffs, symmetric=True)
    wanted, steps = published(game, 0.02, 20000, 1e-6, 1e-5)
    assert 0 < steps < 20000
    fields = PUBLISHED.replace("dt=1e-3", "dt=0.02")
    solution = solve(get(f"rrd:{fields},threshold=1e-5,tolerance=0"), game)
    assert solution.status is Status.OK and solution.diagnostics["steps"] == steps
    np.testing.assert_allclose(solution.marginals[0], wanted[0], atol=1e-12)
    # `rd` has a tolerance relative to the payoffs and adds what the floor costs.
    relative = solve(get(f"rd:{fields},tolerance=0"), game)
    assert relative.diagnostics["criterion"] > 1e-6 * unit
    rescaled = solve(get(f"rrd:{fields},threshold={1e-5 * unit},tolerance=0"), game)
    assert (rescaled.diagnostics["steps"] == steps) == (unit == 1)


# Replicator dynamics on lower bounds.


def test_lower_bounds_drive_the_pessimist():
    lower, certain = Game(PLAIN.lower), Game(PLAIN.payoffs)
    fixed = PUBLISHED.replace("20000", "300")
    # Adaptive steps are in units of the mean payoffs' range, so only rest is shared.
    for fields, atol in ((fixed, 0), ("steps=500", 1e-4)):
        for game, driven_by in ((PLAIN, lower), (certain, certain)):
            solution = solve(get(f"rd_lower:{fields}"), game, throw=False)
            wanted = solve(get(f"rd:{fields}"), driven_by, throw=False)
            np.testing.assert_allclose(solution.joint, wanted.joint, rtol=0, atol=atol)
    solution = solve(get("rd_lower"), PLAIN, throw=False)
    assert (
        np.abs(solution.joint - solve(get("rd"), PLAIN, throw=False).joint).max() > 0.1
    )
    _, criterion = growth("rd_lower", SYMMETRIC, [MIXED, MIXED])
    assert criterion == pytest.approx(2 * (1 - 5 / 6))  # lo (1, 1, 0), base 5/6


@pytest.mark.parametrize("spec", ["robust", "rrd:steps=2", "uniform"])
def test_an_answer_is_judged_in_the_game_that_it_is_about(spec):
    rng = np.random.default_rng(3)
    sure, unsure = Ensembles(actions=3, width=0.0), Ensembles(actions=3, width=2.0)
    games = [draw.draw(rng) for draw in (sure, unsure)]
    certain, other = judge(get(spec), games, np.random.default_rng(0))
    assert certain.bound == pytest.approx(certain.true_regret, abs=1e-9)
    assert other.true_regret >= 0
    assert certain.settled is (spec != "rrd:steps=2")


def test_members_of_a_batch_are_as_many():
    two, three = (np.zeros((n, 2, 2, 2)) for n in (2, 3))
    games = [Game.ensemble(two), Game.ensemble(three)]
    with pytest.raises(UserError, match="have as many members"):
        get("r2d:bounds=mixture").distributions(games)
    assert len(get("rd:steps=5").distributions(games)) == 2  # which reads the mean
