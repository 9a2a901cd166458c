"""PSRO without the tensor: the same as with it, resumable, and small."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import get, names, ordered
from meta_solvers.base import Status
from meta_solvers.solving import solve
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.population import population_game
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import against, expected, measure
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import entropy, independent, marginals, product, support
from psro import implicit
from psro.checkpoint import load, save
from psro.exact import ExactEvaluator, ExactOracle
from psro.implicit import ImplicitEvaluator, with_tree
from psro.loop import run, start
from psro.metrics import row
from psro.mixture import Mixture
from psro.parts import CONCEPTS, Table
from psro.setup import Setup
from psro.targets import targets

COUNTS = ([2, 1, 1], [3], [1, 1, 2, 1])
FREE = ("fp", "last", "prd", "rd", "rm", "rrd", "shor", "shor_eval", "uniform")


@functools.cache
def tree(name):
    return sequence_form(name)


def setup(form, spec, evaluator=ImplicitEvaluator, **more):
    solver = get(spec)
    concept = "cce" if solver.concept == "none" else solver.concept
    return Setup(
        oracle=ExactOracle(form, tie_break="first"),
        evaluator=evaluator(form),
        solver=solver,
        concept=more.pop("concept", concept),
        prune=0.0,
        **more,
    )


def as_implicit(game):
    """A game whose tensor is there, in the form of one whose tensor is not."""

    def worth(player, profiles):
        rows = zip(*profiles, strict=True)
        payoffs = game.payoffs[player]
        return np.stack([against(payoffs, list(one), player) for one in rows])

    return ImplicitGame(
        actions=game.actions, worth=worth, scale=game.scale, repeats=game.repeats
    )


def mixed(rng, shape, rows):
    return Products(
        rng.dirichlet(np.ones(rows)),
        tuple(rng.dirichlet(np.full(size, 0.5), size=rows) for size in shape),
    )


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_sums_of_products_are_what_they_are_written_out(shape, rows, seed):
    rng = np.random.default_rng(seed)
    joint, game = mixed(rng, shape, rows), Game(rng.normal(size=(len(shape), *shape)))
    cells, free = joint.array(), as_implicit(game)
    assert joint.shape == cells.shape and joint.size == cells.size
    for one, two in zip(marginals(joint), marginals(cells), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12)
    np.testing.assert_allclose(expected(free, joint), expected(game, cells), atol=1e-12)
    ours, theirs = measure(free, joint), measure(game, cells)
    for name in ("ce", "cce", "ne"):
        one, two = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_allclose(one, two, atol=1e-12)
    for concept in CONCEPTS:
        pairs = zip(
            targets(free, joint, concept), targets(game, cells, concept), strict=True
        )
        for one, two in pairs:
            assert (one.player, one.recommendation) == (two.player, two.recommendation)
            np.testing.assert_allclose(one.own, two.own, atol=1e-12)
            np.testing.assert_allclose(
                [one.value, one.weight], [two.value, two.weight], atol=1e-12
            )
            if len(shape) > 1:
                np.testing.assert_allclose(one.co_play.array(), two.co_play, atol=1e-12)
    alone = Products.of(joint.marginals)
    assert support(alone) == support(alone.array())
    np.testing.assert_allclose(entropy(alone), entropy(alone.array()), atol=1e-9)
    assert independent(joint) == independent(cells) or rows > 1
    assert independent(alone)


@pytest.mark.parametrize("players", [2, 3, 4])
def test_the_tree_says_what_the_tensor_does(players):
    form, rng = tree(f"kuhn_poker(players={players})"), np.random.default_rng(players)
    plans = [
        np.stack([own.plan(own.random_deterministic(rng)) for _ in range(size)])
        for own, size in zip(form.trees, (3, 4, 2, 5), strict=False)
    ]
    dense = Game(form.tensor(plans))
    free = population_game(form, plans, dense.scale)
    joint = mixed(rng, dense.actions, 3)
    np.testing.assert_allclose(
        measure(free, joint).ce, measure(dense, joint.array()).ce, atol=1e-12
    )
    low, high = form.extremes([0] * players, plans)
    np.testing.assert_array_equal(high - low, dense.scale)
    sizes = [1] * players
    low, high = form.extremes(sizes, plans)
    first = form.tensor([own[:1] for own in plans]).ravel()
    np.testing.assert_array_equal(
        np.maximum(high, first) - np.minimum(low, first), dense.scale
    )
    for concept in CONCEPTS:
        one, two = (
            Mixture.of(form, plans, own, concept) for own in (joint, joint.array())
        )
        np.testing.assert_allclose(one.gap, two.gap, atol=1e-12)
        np.testing.assert_allclose(one.values, two.values, atol=1e-12)


@pytest.mark.parametrize("repeats", [None, [[2, 1, 3], [1, 4], [1, 1, 1, 2]]])
@pytest.mark.parametrize(
    "spec",
    [
        *("uniform", "last", "rd:steps=40", "prd:steps=40", "rrd:steps=40"),
        *("fp:steps=60", "fp:steps=60,iterate=best", "rm:steps=60"),
        *("rm:steps=60,variant=rm+,alternating=true", "shor:over=none,steps=60"),
        *("shor_eval:steps=60", "average(rm:steps=20)", "average(fp:steps=20)"),
    ],
)
def test_solvers_answer_as_they_do_with_the_tensor(spec, repeats):
    game = Game(np.random.default_rng(4).normal(size=(3, 3, 2, 4)), repeats=repeats)
    dense = solve(spec, game, throw=False)
    free = solve(spec, as_implicit(game), throw=False)
    np.testing.assert_allclose(free.joint.array(), dense.joint, atol=1e-10)
    np.testing.assert_allclose(free.gaps.cce, dense.gaps.cce, atol=1e-10)
    np.testing.assert_allclose(free.values, dense.values, atol=1e-10)
    assert free.status is dense.status


def test_solvers_that_need_the_tensor_say_so():
    game = as_implicit(Game(np.ones((2, 2, 2))))
    plain = [name for name in names() if not name.startswith("openspiel")]
    taken = []
    for name in plain:
        try:
            solver = get(name)
        except UserError:  # a wrapper, or what is not installed
            continue
        if solver.needs_tensor:
            with pytest.raises(UserError, match="must have its tensor") as error:
                solve(solver, game)
            assert "\n" not in str(error.value)
        else:
            taken.append(name)
    assert sorted(taken) == sorted(FREE)
    assert not get("average(rm)").needs_tensor and get("average(mgcce)").needs_tensor
    with pytest.raises(UserError, match="must be Products"):
        measure(game, np.full((2, 2), 0.25))


def test_no_answer_has_no_cells():
    def worth(player, profiles):
        return np.full((len(profiles[0]), 2), np.nan)

    game = ImplicitGame(actions=(2, 2), worth=worth, scale=np.ones(2))
    solution = solve("rm:steps=3", game, throw=False)
    assert solution.status is Status.NUMERICAL
    assert isinstance(solution.joint, Products)


@pytest.mark.parametrize(
    "spec",
    [
        *("rm:steps=30", "rm:steps=30,variant=rm+,alternating=true", "fp:steps=30"),
        *("prd:steps=30", "rrd:steps=30", "shor_eval:steps=30"),
    ],
)
def test_numba_changes_no_bit(spec):
    form, rng = tree("kuhn_poker(players=3)"), np.random.default_rng(1)
    plans = [
        np.stack([own.plan(own.random_deterministic(rng)) for _ in range(size)])
        for own, size in zip(form.trees, (3, 1, 4), strict=True)
    ]
    game = population_game(form, plans, np.ones(3), tuple(map(np.array, COUNTS)))
    quick = solve(spec, game, throw=False)
    assert quick.diagnostics["kernel"] == "numba"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordered, "compiled", lambda *_: None)
        plain = solve(spec, game, throw=False)
    assert plain.diagnostics["kernel"] == "numpy"
    for one, two in zip(quick.joint.strategies, plain.joint.strategies, strict=True):
        assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize(
    ("name", "specs", "iterations"),
    [
        ("kuhn_poker", ("uniform", "rm:steps=60", "prd:steps=40", "shor:steps=40"), 4),
        ("kuhn_poker(players=3)", ("uniform", "fp:steps=60", "rm:steps=60"), 5),
        ("leduc_poker", ("uniform", "fp:steps=60", "average(fp:steps=40)"), 4),
    ],
)
def test_runs_are_those_with_the_tensor(name, specs, iterations):
    form = tree(name)
    for spec in specs:
        more = {"measured": CONCEPTS, "evaluation": get("uniform")}
        parts = [
            setup(form, spec, evaluator, **more)
            for evaluator in (ExactEvaluator, ImplicitEvaluator)
        ]
        pairs = zip(*(run(one, start(one), iterations) for one in parts), strict=True)
        for dense, free in pairs:
            assert dense.population.sizes == free.population.sizes
            for one, two in zip(
                marginals(dense.train.joint), free.train.joint.marginals, strict=True
            ):
                np.testing.assert_allclose(two, one, atol=1e-10)
            concept = parts[0].concept
            one, two = row(dense, concept).flat, row(free, concept).flat
            for field in ("gap", "ne_gap", "ce_gap", "eval_gap", "values", "meta_gap"):
                np.testing.assert_allclose(two[field], one[field], atol=1e-10)


@pytest.mark.parametrize("spec", ["rm:steps=50", "average(shor:steps=30):last=3"])
def test_a_resumed_run_has_the_same_bits(tmp_path, spec):
    parts = setup(tree("kuhn_poker(players=3)"), spec, evaluation=get("fp:steps=20"))
    visited = list(run(parts, start(parts), 5))
    read = load(save(visited[2], tmp_path))
    *_, resumed = run(parts, read, 5)
    for name in ("train", "evaluation"):
        one, two = (getattr(own, name).joint for own in (visited[-1], resumed))
        assert one.weights.tobytes() == two.weights.tobytes()
        for mine, theirs in zip(one.strategies, two.strategies, strict=True):
            assert mine.tobytes() == theirs.tobytes()
    assert visited[-1].gap(parts.concept) == resumed.gap(parts.concept)
    assert visited[-1].population.uids == resumed.population.uids
    with pytest.raises(UserError, match="must have the tree"):
        row(read, parts.concept)
    again = with_tree(read, tree("kuhn_poker(players=3)"))
    assert row(again, parts.concept) == row(visited[2], parts.concept)


def test_a_range_is_looked_at_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(implicit, "MOST", 12)
    parts = setup(tree("kuhn_poker"), "uniform")
    *_, last = run(parts, start(parts), 10)
    looked = last.table.looked
    assert np.prod(looked) <= 12 < np.prod(last.population.sizes)
    plans = [
        own[:size] for own, size in zip(last.population.stacked(), looked, strict=True)
    ]
    known = Game(tree("kuhn_poker").tensor(plans)).scale
    np.testing.assert_array_equal(last.table.scale, known)


def test_what_is_hardly_played_is_pruned():
    joint = Products.of([np.array([0.5, 0.5 - 1e-9, 1e-9]), np.array([1.0, -1e-17])])
    mended, off, lost = joint.mended(1e-8)
    assert mended.strategies[0][0, 2] == 0.0 and lost == pytest.approx(1e-9)
    assert off == pytest.approx(1e-17, abs=1e-15)
    np.testing.assert_allclose(product(mended.marginals).sum(), 1.0)


def test_four_players_grow_past_what_a_tensor_would_hold():
    parts = setup(tree("kuhn_poker(players=4)"), "uniform", selection="all")
    *_, last = run(parts, start(parts), 30)
    assert 4 * np.prod(last.population.sizes, dtype=float) > 1e5
    assert last.gap("cce") < 0.3


def test_a_shared_pool_is_refused():
    from psro.arena import exact_arena

    with pytest.raises(UserError, match="shared pool must have its tensor"):
        exact_arena(tree("kuhn_poker"), shared=True, tensor=False)
    arena = exact_arena(tree("kuhn_poker"), tensor=False)
    with pytest.raises(UserError, match="must have its tensor"):
        arena.require(get("mgcce"))
    assert replace(arena).probe.actions == (2, 2)


def test_the_unit_of_payoffs_is_known_of_a_first_population_that_is_large():
    form = sequence_form("kuhn_poker")
    rng = np.random.default_rng(0)
    oracle = ExactOracle(form, initial_policies="random_deterministic")
    population = oracle.initial(rng)
    for player, tree in enumerate(form.trees):
        for _ in range(40):
            two = [tree.plan(tree.random_deterministic(rng)) for _ in range(2)]
            share = rng.random()
            population = population.add(player, share * two[0] + (1 - share) * two[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(implicit, "MOST", 100)
        few = ImplicitEvaluator(form).fill(
            population, Table.empty(2, 1), np.random.default_rng(0)
        )
    assert few.looked == (10, 10)
    assert np.all(few.scale > 0) and not np.all(few.scale == 1.0)
