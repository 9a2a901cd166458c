"""The neural solver: symmetries, padding, training, shipped weights, statuses."""

import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meta_solvers import Game, Status, UserError, get, measure, solve
from meta_solvers.exact.batch import equilibria
from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual
from meta_solvers.nes import store
from meta_solvers.nes.architecture import Architecture
from meta_solvers.nes.data import Games
from meta_solvers.nes.layers import relations
from meta_solvers.nes.measure import references
from meta_solvers.nes.network import Network, parameters
from meta_solvers.nes.recipe import Recipe
from meta_solvers.nes.solver import duals, neural_equilibria
from meta_solvers.nes.tensors import as_float32
from meta_solvers.nes.train import Training, train
from metaspiel import files
from metaspiel.nfg.sample import sample

SMALL = {"payoff": (6, 5), "dual": 8, "hidden": 12}


def network(seed=0, **fields):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Network(Architecture(**{**SMALL, "unrolled": 2, **fields}))
        for parameter in made.parameters():  # biases and zeros too
            parameter.data += 0.05 * torch.randn_like(parameter)
    return made.eval()


def joint_of(made, payoffs, actions=None, **more):
    tensor = torch.as_tensor(payoffs[None])
    concept = made.architecture.concept
    problem, _ = build(tensor, concept, actions=actions, **more)
    joint = Dual(problem).at(duals(made, problem)).sigma[0].numpy()
    assert np.isfinite(joint).all()
    return joint


KINDS = [
    {"concept": "cce", "players": 2},
    {"concept": "ce", "players": 2},
    {"concept": "cce", "players": 3},
    {"concept": "ce", "players": 3},
    {"concept": "cce", "players": 2, "selects": "any"},
    {"concept": "cce", "players": 2, "unrolled": 0, "norm": "standard"},
    {"concept": "cce", "players": 1},
]


@settings(max_examples=20, deadline=None)
@given(kind=st.integers(0, len(KINDS) - 1), seed=st.integers(0, 9999))
@example(kind=5, seed=366)  # 1 x 1: nobody has a deviation
def test_relabelling_the_game_relabels_the_answer(kind, seed):
    rng = np.random.default_rng(seed)
    made = network(seed, **KINDS[kind])
    players = made.architecture.players
    actions = tuple(rng.integers(1, 6, players))
    payoffs = rng.standard_normal((players, *actions))
    joint = joint_of(made, payoffs)
    order = [rng.permutation(n) for n in actions]
    moved = payoffs[np.ix_(np.arange(players), *order)]
    np.testing.assert_allclose(joint_of(made, moved), joint[np.ix_(*order)], atol=1e-5)
    turn = rng.permutation(players)
    swapped = payoffs[turn].transpose(0, *(1 + turn))
    np.testing.assert_allclose(
        joint_of(made, swapped), joint.transpose(turn), atol=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind):
    rng = np.random.default_rng(1)
    made = network(**kind)
    players = made.architecture.players
    actions = (3, 4, 2)[:players]
    payoffs = rng.standard_normal((players, *actions))
    padded = np.full((players, *[n + 2 for n in actions]), 7.7)
    inside = tuple(slice(n) for n in actions)
    padded[(slice(None), *inside)] = payoffs
    measured = joint_of(made, padded, actions=[actions])
    np.testing.assert_allclose(measured[inside], joint_of(made, payoffs), atol=1e-6)
    assert measured.sum() == pytest.approx(measured[inside].sum(), abs=1e-15)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_scale_does_not_matter(kind, scale):
    made = network(**kind)
    players = made.architecture.players
    payoffs = np.random.default_rng(2).standard_normal((players, *[3] * players))
    once = joint_of(made, payoffs)
    np.testing.assert_allclose(joint_of(made, scale * payoffs + 5), once, atol=1e-4)
    flat = joint_of(made, 0 * payoffs + scale)
    np.testing.assert_allclose(flat, 1 / flat.size, atol=1e-6)


@pytest.mark.parametrize("players", [2, 3, 4])
def test_the_basis_is_complete(players):
    assert len(relations(players)) == 6 * players - 4


def test_a_layer_spans_all_equivariant_maps():
    # Orbits of pairs (own entry, input entry) under relabelling, counted by brute force
    # in a 3x3 game: as many as there are weights.
    from itertools import permutations, product

    entries = list(product(range(2), range(3), range(3)))
    group = list(
        product([(0, 1), (1, 0)], permutations(range(3)), permutations(range(3)))
    )

    def act(move, entry):
        turn, first, second = move
        player, *played = entry
        relabelled = (first[played[0]], second[played[1]])
        if turn == (1, 0):
            return (1 - player, relabelled[1], relabelled[0])
        return (player, *relabelled)

    orbits = {
        min((act(g, a), act(g, b)) for g in group) for a in entries for b in entries
    }
    assert len(orbits) == len(relations(2))


def recipe(**fields):
    architecture = Architecture(**SMALL, unrolled=2)
    games = Games(least=2, most=5)
    return Recipe(
        architecture=architecture, games=games, **{"steps": 24, "work": 512, **fields}
    )


def weights(training):
    return [p.detach().numpy().tobytes() for p in training.network.parameters()]


def test_training_resumes_bit_for_bit(tmp_path):
    whole = Training(recipe())
    for _ in range(12):
        whole.update()
    half = Training(recipe())
    for _ in range(5):
        half.update()
    half.save(tmp_path)
    torch.manual_seed(99)  # nothing may depend on the global generator
    other = Training(recipe())
    other.load(tmp_path)
    for _ in range(7):
        other.update()
    assert weights(other) == weights(whole)
    for name, tensor in whole.average.items():
        assert torch.equal(tensor, other.average[name])
    assert weights(Training(recipe(seed=1))) != weights(Training(recipe()))
    with pytest.raises(UserError, match="same recipe"):
        Training(recipe(rate=0.5)).load(tmp_path)
    (tmp_path / "training.safetensors").write_bytes(b"junk")
    with pytest.raises(UserError, match="safetensors"):
        Training(recipe()).load(tmp_path)


def test_training_learns_without_labels():
    training = Training(recipe(steps=240))
    held = references(training.recipe, [(4, 4)], 64, seed=12345)
    rows = list(train(training, 120, held))
    assert [row.step for row in rows] == [120, 240]
    measured = rows[-1].sizes[0]
    assert measured.solver_gap < 0.75 * measured.solver_gap_uniform


def test_a_run_that_explodes_says_so():
    training = Training(recipe())
    next(training.network.parameters()).data[:] = float("nan")
    with pytest.raises(UserError, match="finite"):
        training.update()


@pytest.mark.parametrize("selects", ["entropy", "any"])
def test_games_are_drawn_from_the_seed_and_normalised(selects):
    games = Games(most=9)
    first, second = (
        games.draw(64, games.sizes(2, rng), rng, selects=selects)
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert first.payoffs.tobytes() == second.payoffs.tobytes()
    np.testing.assert_allclose(first.payoffs.mean((2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(first.payoffs.var((2, 3)), 1, atol=1e-9)
    assert np.isfinite(first.base).all()
    sizes = {n for s in range(99) for n in games.sizes(2, np.random.default_rng(s))}
    assert sizes == set(range(2, 10))


def test_weights_survive_the_disk(tmp_path):
    training = Training(recipe(steps=3))
    for _ in range(3):
        training.update()
    path = tmp_path / "w.safetensors"
    store.save(path, training.averaged(), training.recipe, {"note": "x"})
    loaded, stored, record = store.load(path)
    assert stored == training.recipe
    assert record == {"note": "x"}
    payoffs = np.random.default_rng(0).standard_normal((1, 2, 3, 3))
    one = neural_equilibria(payoffs, network=path).joint
    two = neural_equilibria(payoffs, network=loaded).joint
    assert torch.equal(one, two)
    training.save(tmp_path)
    from_checkpoint = neural_equilibria(
        payoffs, network=tmp_path / "training.safetensors"
    ).joint
    torch.testing.assert_close(from_checkpoint, two)
    with pytest.raises(UserError, match="players"):
        neural_equilibria(np.zeros((1, 3, 2, 2, 2)), network=path)
    with pytest.raises(UserError, match="safetensors"):
        store.load(tmp_path / "absent")


# The published network of Marris et al. 2022, Table 1: CCE gap and solver gap.
PUBLISHED = {4: (0.0274, 0.0120), 8: (0.0163, 0.0054), 16: (0.0173, 0.0034)}


@pytest.mark.parametrize("n", PUBLISHED)
def test_shipped_weights_beat_the_published_network(n):
    made, stored, record = store.shipped("mecce2")
    assert parameters(made) < 60_000
    assert record["steps"] == stored.steps
    row = references(stored, [(n, n)], 128, seed=2024)[0].distance(made)
    gap, solver_gap = PUBLISHED[n]
    assert row.gap <= gap
    assert row.solver_gap <= solver_gap


@pytest.mark.parametrize("name", store.SHIPPED.values())
def test_every_shipped_network_is_far_better_than_uniform(name):
    made, stored, _ = store.shipped(name)
    size = (6,) * stored.architecture.players
    row = references(stored, [size], 64, seed=7)[0].distance(made)
    assert row.solver_gap < 0.5 * row.solver_gap_uniform
    assert row.gap < 0.2 * row.gap_uniform


def refined_gap(held, games=24):
    """Mean solver gap after ``refine=2`` on the first games of a reference."""
    problem = held.dual.problem.take(torch.arange(games))
    flat = problem.base.flatten(1)
    target = flat.softmax(1).reshape(problem.base.shape)
    asked = {"target": target, "epsilon": problem.epsilon}
    if bool((flat == flat[:, :1]).all()):
        asked = {}
    concept = problem.concept
    refined = neural_equilibria(problem.payoffs, concept, refine=2, **asked)
    return 0.5 * float(
        (refined.joint - held.exact[:games]).abs().flatten(1).sum(1).mean()
    )


@pytest.mark.parametrize(
    ("n", "games", "alone"),
    [
        (4, 64, 0.09),
        pytest.param(8, 128, 0.12, marks=pytest.mark.slow),
        (16, 24, 0.03),
    ],
)
def test_the_ce_network_alone_and_refined(n, games, alone):
    made, stored, _ = store.shipped("mece2")
    fair = replace(stored, games=Games())  # L2-invariant, none with related payoffs
    held = references(fair, [(n, n)], games, seed=31)[0]
    assert held.distance(made).solver_gap <= alone
    assert refined_gap(held) <= 1e-3


@pytest.mark.parametrize(("n", "games"), [(4, 128), (8, 48)])
def test_the_three_player_network_sees_target_welfare_and_epsilon(n, games):
    made, stored, record = store.shipped("mwmrecce3")
    assert record["steps"] == stored.steps
    held = references(stored, [(n,) * 3], games, seed=31)[0]
    row = held.distance(made)
    assert row.solver_gap <= 0.015
    assert row.gap <= 0.02 * row.gap_uniform
    assert refined_gap(held) <= 1e-3


@pytest.mark.parametrize("shape", [(8, 8), (16, 16), (5, 9), (4, 4, 4)])
def test_two_newton_steps_after_the_network_are_nearly_exact(shape):
    rng = np.random.default_rng([1, *shape])
    payoffs = rng.standard_normal((64, len(shape), *shape))
    exact = equilibria(torch.as_tensor(payoffs))
    refined = neural_equilibria(payoffs, refine=2)
    apart = 0.5 * (refined.joint - exact.joint).abs().flatten(1).sum(1)
    assert float(apart.mean()) <= 3e-4
    done = neural_equilibria(payoffs, refine=None)
    assert (done.status == 0).all()
    torch.testing.assert_close(done.joint, exact.joint, atol=1e-5, rtol=0)
    assert float(done.steps.double().mean()) < float(exact.steps.double().mean())


@pytest.mark.parametrize("concept", ["cce", "ce"])
@pytest.mark.parametrize("family", ["zero_sum", "war_of_attrition", "l2_invariant"])
def test_what_two_steps_do_not_settle_is_solved(family, concept):
    rng = np.random.default_rng(3)
    payoffs = np.stack([sample(family, (8, 8), rng).payoffs for _ in range(12)])
    exact = equilibria(torch.as_tensor(payoffs), concept)
    refined = neural_equilibria(payoffs, concept, refine=2)
    apart = 0.5 * (refined.joint - exact.joint).abs().flatten(1).sum(1)
    assert float(apart.mean()) <= 0.02
    assert ((refined.bound <= 0.02) | (refined.status == 0)).all()
    two = neural_equilibria(payoffs, concept, refine=2, sure=np.inf)
    assert int(two.steps.max()) == 2
    same = refined.steps == 2
    assert torch.equal(two.joint[same], refined.joint[same])
    assert (two.bound[~same] > 0.02).all()
    if family == "zero_sum":
        assert not same.any()
    elif concept == "cce":
        assert same.any()


def test_statuses_tell_how_far_an_answer_can_be_trusted():
    game = Game(np.random.default_rng(5).standard_normal((2, 7, 7)))
    whole = solve(get("nes"), game)
    assert whole.status is Status.OK
    assert measure(game, whole.joint).cce.max() < 1e-9
    np.testing.assert_allclose(whole.joint, solve(get("mecce"), game).joint, atol=1e-6)
    two = solve(get("nes:refine=2"), game)
    assert two.status is Status.OK
    assert two.diagnostics["steps"] == 2
    assert max(two.diagnostics["epsilon"]) < 0.1
    more = solve(get("nes:refine=2,sure=0,steps=1"), game, throw=False)
    assert more.diagnostics["steps"] == 3 and more.status is Status.MAX_STEPS
    alone = solve(get("nes:refine=0,accuracy=0"), game, throw=False)
    assert alone.status is Status.INACCURATE
    ce = solve(get("nes:equilibrium=ce"), game)
    assert measure(game, ce.joint).ce.max() < 1e-8


@pytest.mark.parametrize("actions", [(2,) * 4, (70, 3), (3,), (9, 2, 2)])
def test_outside_the_trained_range_the_status_says_so(actions):
    game = Game(np.random.default_rng(6).standard_normal((len(actions), *actions)))
    solution = solve(get("nes"), game)
    assert solution.status is Status.OK
    assert "range" in solution.diagnostics
    short = solve(get("nes:refine=3"), game, throw=False)
    network = len(actions) in (2, 3)  # without one, the game is solved
    assert short.status is (Status.OUTSIDE if network else Status.OK)


def test_the_ce_network_is_for_fewer_actions():
    game = Game(np.random.default_rng(6).standard_normal((2, 40, 3)))
    ce = solve(get("nes:equilibrium=ce,refine=2,sure=inf"), game, throw=False)
    assert ce.status is Status.OUTSIDE
    assert "up to 32 actions" in ce.diagnostics["range"]
    assert "range" not in solve(get("nes:refine=2"), game).diagnostics


@pytest.mark.parametrize("shape", [(6, 6), (3, 4, 2)])
def test_targets_welfare_and_epsilon_are_inputs(shape):
    players = len(shape)
    game = Game(np.random.default_rng(8).standard_normal((players, *shape)))
    for fields in ("target=welfare", "weight=2", "epsilon=0.2", "target=last,weight=1"):
        exact = solve(get(f"mecce:{fields}"), game).joint
        refined = solve(get(f"nes:{fields}"), game)
        assert "range" not in refined.diagnostics
        np.testing.assert_allclose(refined.joint, exact, atol=1e-5)
        alone = solve(get(f"nes:{fields},refine=0"), game, throw=False)
        assert alone.status is not Status.OUTSIDE
        assert 0.5 * np.abs(alone.joint - exact).sum() <= 0.06
    # A soft epsilon has no network, and is solved all the same.
    soft = solve(get("nes:rho=5"), game)
    assert "no network" in soft.diagnostics["range"]
    below = solve(get("nes:epsilon=-0.001,refine=2"), game, throw=False)
    assert "epsilon >= 0" in below.diagnostics["range"]


def test_a_network_is_asked_only_for_what_it_sees():
    three, two = np.zeros((1, 3, 2, 2, 2)), np.zeros((1, 2, 2, 2))
    welfare = np.ones((1, 2, 2, 2)).cumsum(1)
    with pytest.raises(UserError, match="must see target, welfare and epsilon"):
        neural_equilibria(three, welfare=welfare, network="mecce3")
    with pytest.raises(UserError, match="cce of 2 players; got one for cce of 3"):
        neural_equilibria(two, network="mwmrecce3")
    with pytest.raises(UserError, match="ce of 3 players; got one for cce of 3"):
        neural_equilibria(three, "ce", network="mwmrecce3")
    with pytest.raises(UserError, match="none is for 3 players, ce"):
        neural_equilibria(three, "ce", welfare=welfare)


def test_a_ce_with_epsilon_counts_copies_as_the_exact_solver_does():
    payoffs = np.random.default_rng(7).standard_normal((2, 3, 2))
    game = Game(payoffs, repeats=[[2, 1, 3], [1, 2]])
    exact = solve(get("mece:epsilon=0.1"), game)
    neural = solve(get("nes:equilibrium=ce,epsilon=0.1"), game)
    np.testing.assert_allclose(neural.joint, exact.joint, atol=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        "nes:refine=-1",
        "nes:equilibrium=ne",
        "nes:accuracy=-1",
        "nes:steps=0",
        "nes:sure=-1",
        "nes:sure=nan",
    ],
)
def test_bad_fields_are_refused(spec):
    with pytest.raises(UserError, match=r"must|unknown"):
        get(spec)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Games(least=0),
        lambda: Games(least=5, most=4),
        lambda: Architecture(payoff=()),
        lambda: Architecture(hidden=0),
        lambda: Architecture(unrolled=-1),
        lambda: recipe(steps=0),
        lambda: recipe(rate=2.0),
        lambda: recipe(seed=-1),
        lambda: recipe(warm=-1),
        lambda: recipe(decay=-1e-5),
        lambda: recipe(deep=-0.1),
        lambda: recipe(clip=-1.0),
        lambda: recipe(clip=0.0),
    ],
)
def test_a_training_that_cannot_be_is_refused(make):
    with pytest.raises(UserError, match="must be"):
        make()


def test_no_network_fits():
    with pytest.raises(UserError, match="shipped network"):
        neural_equilibria(np.zeros((1, 4, 2, 2, 2, 2)))
    with pytest.raises(UserError, match="unknown network"):
        store.shipped("mecce9")


# What neural_equilibria can be asked: concept, players, a welfare for every other game.
ASKED = [
    *(("cce", 2, False), ("ce", 2, False), ("cce", 3, False)),
    *(("cce", 2, True), ("cce", 3, True)),
]


def apart(one, other):
    """Total variation between joints, of one game each."""
    return 0.5 * float((one - other).abs().sum())


@pytest.mark.parametrize("refine", [0, 2, None])
@pytest.mark.parametrize(("concept", "players", "mixed"), ASKED)
def test_a_game_is_answered_in_any_batch_as_alone(concept, players, mixed, refine):
    rng = np.random.default_rng([players, mixed])
    most = 9 if players == 2 else 5
    shapes = [tuple(rng.integers(1, most, players)) for _ in range(6)]
    shapes += [(4,) * players, (most,) * players, (most,) * players]
    games = [rng.normal(size=(players, *shape)) for shape in shapes]
    welfare = None
    if mixed:
        welfare = [(i % 2) * g.sum(0) for i, g in enumerate(games)]
    asked = {"concept": concept, "refine": refine}
    answers = neural_equilibria(games, welfare=welfare, **asked).joint
    for i, shape in enumerate(shapes):
        own = None if welfare is None else welfare[i][None]
        alone = neural_equilibria(games[i][None], welfare=own, **asked).joint[0]
        part = answers[i][tuple(slice(size) for size in shape)]
        assert apart(alone, part) <= 1e-9
        assert float(part.sum()) == pytest.approx(1, abs=1e-12)


def test_gradients_of_arguments_end_before_the_network():
    payoffs = torch.eye(2, dtype=torch.float64).repeat(1, 2, 1, 1).requires_grad_()
    welfare = torch.zeros(1, 2, 2, dtype=torch.float64, requires_grad=True)
    epsilon = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    solved = neural_equilibria(payoffs, welfare=welfare, epsilon=epsilon)
    assert not solved.joint.requires_grad


def test_order_and_padding_of_a_batch_change_no_answer():
    rng = np.random.default_rng(3)
    games = [rng.normal(size=(2, *rng.integers(1, 7, 2))) for _ in range(8)]
    for concept in ("cce", "ce"):
        usual = neural_equilibria(games, concept, refine=1).joint
        turned = neural_equilibria(games[::-1], concept, refine=1).joint
        assert max(map(apart, usual, turned.flip(0))) <= 1e-9
        wide = np.pad(games[0], [(0, 0), (0, 3), (0, 5)], constant_values=7.0)
        sizes = [games[0].shape[1:]]
        padded = neural_equilibria(wide[None], concept, actions=sizes).joint[0]
        alone = neural_equilibria(games[0][None], concept).joint[0]
        assert apart(padded[tuple(map(slice, *sizes))], alone) <= 1e-9


def test_weights_of_the_caller_stay_as_they_are():
    made = store.shipped("mecce2")[0]
    neural_equilibria(np.zeros((1, 2, 2, 2)), network=made)
    assert next(made.parameters()).dtype == torch.float32


def test_the_network_is_the_same_network_in_any_batch():
    made = store.shipped("mecce2")[0]
    payoffs = torch.randn(40, 2, 5, 5, dtype=torch.float64)
    problem, _ = build(payoffs)
    with torch.no_grad():
        whole = made(as_float32(problem))
        part = made(as_float32(problem.take(torch.arange(3))))
    torch.testing.assert_close(whole[:3], part, atol=1e-5, rtol=1e-4)
    smaller = replace(made.architecture, dual=4)
    assert parameters(Network(smaller)) < parameters(made)


@pytest.mark.parametrize(
    "changes",
    [{"unrolled": 10**9}, {"dual_layers": 10**9}, {"dual": 10**9}, {"hidden": 10**12},
     {"payoff": [10**9]}, {"players": 10**9}, {"dual": "24"}, {"hidden": 3}],
)  # fmt: skip
def test_an_architecture_that_does_not_fit_its_file_is_not_built(tmp_path, changes):
    kind = Architecture(payoff=(2,), dual=2, unrolled=1, hidden=2)
    facts = {"recipe": asdict(Recipe(architecture=kind)), "record": {}}
    arrays = {n: p.detach().numpy() for n, p in Network(kind).named_parameters()}
    files.write_arrays(tmp_path / "w.safetensors", arrays, facts)
    assert store.load(tmp_path / "w.safetensors")[0] is not None
    facts["recipe"]["architecture"] |= changes
    files.write_arrays(tmp_path / "w.safetensors", arrays, facts)
    begin = time.process_time()
    with pytest.raises(UserError, match="must hold the weights of a network"):
        store.load(tmp_path / "w.safetensors")
    assert time.process_time() - begin < 2


def test_a_network_loads_without_torchs_compiler():
    code = (
        "import sys\nfrom meta_solvers.nes.store import shipped\n"
        "shipped('mecce3')\nassert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
