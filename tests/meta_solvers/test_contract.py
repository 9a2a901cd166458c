"""What every registered solver owes on every game, however degenerate.

Success rates are part of the contract: ``RATES`` is the table, 1 for exact solvers.
"""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from meta_solvers import (
    Game,
    Progress,
    SolverFailed,
    Status,
    UserError,
    get,
    measure,
    solve,
)
from meta_solvers.base import check
from meta_solvers.registry import names
from metaspiel.games.sequence import from_normal_form
from metaspiel.games.zero_sum import Pools
from metaspiel.nfg.catalogue import catalogue
from metaspiel.nfg.sample import FAMILIES, families, sample

SHAPES = [
    *[(1,), (2,), (5,)],
    *[(1, 1), (1, 4), (2, 2), (2, 3), (3, 3), (5, 2), (4, 4), (6, 6)],
    *[(1, 1, 1), (2, 2, 2), (2, 3, 1), (4, 3, 2), (3, 3, 3)],
    *[(2, 2, 2, 2), (3, 2, 2, 1), (3, 3, 3, 3)],
]
# Solvers that wrap others get one; slow ones get fewer steps or starts.
SPECS = {
    "undominated": "undominated(mgcce)",
    "mix": "mix(mgcce):weight=0.2",
    "average": "average(mgcce):last=1",
    "fallback": "fallback(nash_lp,mgcce)",
    "best": "best(mgce,mwcce)",
    "matched": "matched(nash_lp,mgcce)",
    "rd": "rd:steps=60",
    "prd": "prd:steps=60",
    "rrd": "rrd:steps=60",
    "rd_lower": "rd_lower:steps=60",
    "r2d": "r2d:steps=30,dt=0.02",
    "r3d": "r3d:steps=30,dt=0.02",
    "robust": "robust:starts=0,rounds=2",
    "fp": "fp:steps=300",
    "rm": "rm:steps=200,tolerance=0.01",
    "shor": "shor:over=none,steps=100",
    "shor_eval": "shor_eval:steps=100",
    # Its own default, mgcce, can keep OSQP busy for minutes on badly scaled payoffs.
    "openspiel_jpsro": "openspiel_jpsro:name=mwcce",
    "openspiel_psro_v2": "openspiel_psro_v2:name=prd,steps=50",
}
# Smallest share of games, of those not refused, that must end with status OK; with
# the few steps above for those that step. All others must always be OK.
RATES = {
    "rd": 0.7,
    "prd": 0.5,
    "rrd": 0.85,
    "rd_lower": 0.7,
    "r2d": 0.2,
    "r3d": 0.25,
    "robust": 0.5,
    "fp": 0.8,
    "rm": 0.35,
    "shor": 0.2,
    "shor_eval": 0.4,
    "openspiel_jpsro": 0.9,
    "openspiel_psro_v2": 0.1,
}
# Of the sampled games, where it is not every third; `make slow` sees thousands.
ONE_IN = {
    "openspiel_jpsro": 8,
    "openspiel_psro_v2": 8,
    "robust": 12,
    "cvx": 6,
    "r2d": 4,
    "r3d": 4,
    "nes": 8,
    # One code behind all of these.
    "mece": 12,
    "mecce": 10,
    "mrece": 16,
    "mrecce": 10,
    "mwmece": 16,
    "mwmecce": 10,
    "msce": 28,
    "mscce": 10,
}


def sampled(seeds):
    """Label and game: every family at every shape, ensembles, and repeats."""
    for shape in SHAPES:
        for family in families(len(shape)):
            if FAMILIES[family].square and len(set(shape)) > 1:
                continue
            for seed in seeds:
                rng = np.random.default_rng([seed, *family.encode(), *shape])
                yield f"{family}{shape}#{seed}", sample(family, shape, rng)
        for seed in seeds:
            yield from uncertain_and_repeated(shape, seed)


def uncertain_and_repeated(shape, seed):
    rng = np.random.default_rng([99, seed, *shape])
    mean = rng.normal(size=(len(shape), *shape))
    repeats = [rng.integers(1, 4, size) for size in shape]
    for spread in (0.0, 0.1, 1.0):
        members = mean + spread * rng.normal(size=(3, *mean.shape))
        yield f"ensemble{shape}#{seed}, {spread}", Game.ensemble(members)
    yield f"both{shape}#{seed}", Game.ensemble(members, repeats)
    for scale in (1e-6, 1.0, 1e6):
        game = Game(scale * mean, repeats=repeats)
        yield f"repeats{shape}#{seed}, {scale}", game


@cache
def games():
    named = [(name, entry.game) for name, entry in catalogue().items()]
    chosen = [*named, *sampled([0])]
    assert len(chosen) >= 500 + len(named)
    return chosen


def in_a_loop(solver, game, **more):
    """The progress of a loop whose policies are the actions; None outside of one."""
    pools = None
    if solver.uses_tree:
        plans = [np.hstack([np.ones((a, 1)), np.eye(a)]) for a in game.actions]
        pools = Pools(from_normal_form(game), tuple(plans))
    if pools is None and not more:
        return None
    return Progress(**{"iteration": 0, "pools": pools, **more})


def supported(solver, game):
    try:
        check(solver, game, in_a_loop(solver, game))
    except UserError as refusal:
        assert type(solver).__name__ in str(refusal)
        return False
    return True


def stored(game):
    arrays = [game.payoffs, game.members, *(game.repeats or ())]
    return [array.tobytes() for array in arrays if array is not None]


def assert_contract(solver, game, twin=None):
    """The whole contract on one game; returns the status."""
    before = stored(game)
    progress = in_a_loop(solver, game)
    solution = solve(solver, game, 3, throw=False, progress=progress)
    assert stored(game) == before
    if twin is not None:
        # As it is configured here, no solver reads how far a loop is.
        past = (np.ones((1,) * game.players),)
        progress = in_a_loop(twin, game, iteration=3, horizon=10, gap=0.5, past=past)
        again = solve(twin, game, 3, throw=False, progress=progress)
        assert again.joint.tobytes() == solution.joint.tobytes()
        assert again.status is solution.status
    if np.isnan(solution.joint).any():
        assert solution.status in (Status.INFEASIBLE, Status.NUMERICAL)
        return solution.status
    joint = solution.joint
    assert joint.shape == game.actions
    assert joint.min() >= 0
    assert joint.sum() == pytest.approx(1, abs=1e-12)
    if solution.status is Status.OK:
        epsilon = np.asarray(solution.diagnostics.get("epsilon", 0.0))
        gap = measure(game, joint).of(solver.concept)
        assert np.all(gap <= epsilon + 1e-6 * game.scale)
    return solution.status


def run_contract(name, spec, chosen, record_property, rate):
    counts, wrong = Counter(), []
    for number, (label, game) in enumerate(chosen):
        solver = get(spec)
        if not supported(solver, game):
            counts["refused"] += 1
            continue
        twin = get(spec) if number % 25 == 0 else None
        try:
            status = assert_contract(solver, game, twin)
        except Exception as error:
            error.add_note(f"{spec} on {label}")
            raise
        counts[status.name] += 1
        if status is not Status.OK:
            wrong.append(f"{label}: {status.name}")
    tried = counts.total() - counts["refused"]
    record_property("counts", dict(counts))
    assert tried > 0
    assert counts["OK"] >= rate * tried, (name, counts, wrong[:20])


@pytest.mark.parametrize("name", names())
def test_contract(name, record_property):
    if name.startswith("openspiel_"):
        pytest.importorskip("psro.openspiel")
        pytest.importorskip("absl")
    chosen = games()[:: ONE_IN.get(name, 3)]
    spec = SPECS.get(name, name)
    run_contract(name, spec, chosen, record_property, RATES.get(name, 1.0))


EXACT = [
    *("mwce", "mwcce", "rmwce", "rmwcce", "rvce", "rvcce", "minwce", "minwcce"),
    *("egalce", "egalcce", "mgce", "mgcce", "approx_mgce", "approx_mgcce"),
    *("half_mgce", "half_mgcce", "min_epsilon_mgce", "min_epsilon_mgcce"),
    *("mece", "mecce", "mrece", "mrecce", "mwmece", "mwmecce", "msce", "mscce"),
    *("nash_lp", "nash", "two_action", "cvx", "undominated(mgce)", "nes"),
]


@pytest.mark.slow
@pytest.mark.parametrize("spec", EXACT)
def test_exact_solvers_on_thousands_of_games(spec, record_property):
    run_contract(spec, spec, sampled(range(1, 9)), record_property, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["rd", "prd", "rrd", "r2d", "r3d", "robust", "fp"])
def test_heuristics_with_their_defaults(spec, record_property):
    run_contract(spec, spec, games()[::10], record_property, 0.0)


def test_throwing_is_the_same_answer_loudly():
    game = sample("gaussian", (4, 4), np.random.default_rng(1))
    solver = get("rm:steps=16,tolerance=1e-9")
    quiet = solve(solver, game, throw=False)
    assert quiet.status is Status.MAX_STEPS
    with pytest.raises(SolverFailed, match="RegretMatching") as raised:
        solve(solver, game)
    assert raised.value.solution.joint.tobytes() == quiet.joint.tobytes()


@pytest.mark.parametrize("spec", ["rj", "rdirichlet", "rvcce", "rvce", "rmwcce"])
def test_stochastic_solvers_draw_from_the_generator_alone(spec):
    game = catalogue()["dispersion"].game
    np.random.seed(0)  # noqa: NPY002
    state = np.random.get_state()[1].tobytes()  # noqa: NPY002
    joints = [solve(get(spec), game, seed).joint for seed in range(12)]
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002
    assert len({joint.tobytes() for joint in joints}) > 1
    rng = np.random.default_rng(5)
    first, second = (solve(get(spec), game, rng).joint for _ in range(2))
    assert first.tobytes() == solve(get(spec), game, 5).joint.tobytes()
    assert first.shape == second.shape


def test_arrays_are_accepted_and_left_alone():
    payoffs = np.random.default_rng(0).normal(size=(2, 3, 4))
    copy = payoffs.copy()
    joint = solve(get("mgcce"), payoffs).joint
    assert np.array_equal(payoffs, copy)
    assert payoffs.flags.writeable
    assert not joint.flags.writeable
