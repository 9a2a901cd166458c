"""Entropy equilibria: against cvxpy, closed forms, laws, batches, derivatives."""

import functools
import warnings

import cvxpy as cp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import Game, Status, UserError, get, measure, solve
from meta_solvers.exact import interior
from meta_solvers.exact.batch import STATUS, equilibria
from meta_solvers.exact.build import build
from meta_solvers.exact.conic import Tried, entropy_conic
from meta_solvers.exact.dual import Dual
from meta_solvers.exact.implicit import equilibrium
from meta_solvers.exact.linear import factorise
from metaspiel.nfg.catalogue import catalogue
from metaspiel.nfg.sample import families, sample

SIZES = [(2, 2), (4, 4), (3, 5), (3, 3, 3), (2, 3, 4)]


def rows(payoffs, concept):
    """Gain of every deviation at every joint action, and whose it is: plain loops."""
    players, actions = payoffs.shape[0], payoffs.shape[1:]
    solved, owner = [], []
    for p in range(players):
        moved = np.moveaxis(payoffs[p], p, 0)
        for recommended in range(actions[p]) if concept == "ce" else [None]:
            for to in range(actions[p]):
                if to == recommended:
                    continue
                gain = moved[to][None] - moved
                if recommended is not None:
                    keep = np.zeros(actions[p])
                    keep[recommended] = 1
                    gain = gain * keep.reshape(-1, *[1] * (players - 1))
                solved.append(np.moveaxis(gain, 0, p).ravel())
                owner.append(p)
    return np.array(solved), np.array(owner)


def reference(payoffs, concept, target, welfare, epsilon, width=None, rho=None):
    """The primal by cvxpy and Clarabel, as tight as it goes."""
    gains, owner = rows(payoffs, concept)
    x = cp.Variable(payoffs[0].size)
    goal = welfare.ravel() @ x - cp.sum(cp.kl_div(x, target.ravel()))
    allowed = epsilon[owner]
    if rho is not None:
        away = cp.Variable(payoffs.shape[0])
        goal = goal - rho * cp.sum(cp.kl_div(away, width))
        allowed = (epsilon + width)[owner] - away[owner]
    limits = [gains @ x <= allowed, cp.sum(x) == 1]
    problem = cp.Problem(cp.Maximize(goal), limits)
    tight = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(solver="CLARABEL", max_iter=200, **tight)
    return x.value.reshape(payoffs.shape[1:])


@pytest.mark.parametrize("rho", [np.inf, 3.0])
@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_a_conic_solver_finds_the_same_joint(concept, rho):
    payoffs = normal((3, 4), np.random.default_rng(11))
    dual = Dual(build(payoffs[None], concept)[0])
    rows = [dual.deviations()[0][part] for part in dual.parts]
    status, joint = entropy_conic(rows, rho, solver="CLARABEL")
    assert status == "optimal"
    exact = equilibria(payoffs[None], concept, rho=rho).joint
    np.testing.assert_allclose(joint.reshape(1, 3, 4), exact, atol=2e-4)


def test_success_is_a_share_of_the_games_begun():
    assert Tried(asked=3).success is None
    begun = Tried(
        status=["optimal", "error"], seconds=[1.0, 1.0], apart=[0.0, None], asked=3
    )
    assert begun.success == 0.5


def normal(shape, rng):
    return sample("l2_invariant", shape, rng).payoffs


CASES = {
    "ME": {},
    "ME, soft": {"rho": 1.0},
    "MRE": {"target": True},
    "MWME": {"welfare": 1.5},
    "eps-MWMRE": {"target": True, "welfare": 1.5, "epsilon": 0.2},
    "eps-MWMRE, soft": {"target": True, "welfare": 1.5, "epsilon": -0.4, "rho": 2.0},
    "MS": {"epsilon": -4.0, "rho": 5.0, "width": 8.0},
}


@pytest.mark.parametrize("concept", ["cce", "ce"])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_cvxpy(case, concept):
    options = CASES[case]
    rng = np.random.default_rng([7, *case.encode(), *concept.encode()])
    for number in range(15):
        shape = SIZES[number % len(SIZES)]
        payoffs = normal(shape, rng)
        players = len(shape)
        target = np.full(shape, 1 / np.prod(shape))
        if options.get("target"):
            target = rng.dirichlet(np.ones(target.size)).reshape(shape)
        welfare = options.get("welfare", 0.0) * rng.normal(size=shape)
        epsilon = np.full(players, options.get("epsilon", 0.0))
        width = np.full(players, options.get("width", np.sqrt(target.size)))
        rho = options.get("rho")
        solved = equilibria(
            payoffs[None],
            concept,
            target[None],
            welfare=welfare[None],
            epsilon=epsilon,
            upper=None if rho is None else epsilon + width,
            rho=np.inf if rho is None else rho,
        )
        assert solved.status[0] == 0
        joint = reference(
            payoffs,
            concept,
            target,
            welfare=welfare,
            epsilon=epsilon,
            width=width,
            rho=rho,
        )
        apart = 0.5 * np.abs(joint - solved.joint[0]).sum()
        # Clarabel itself stops at 1e-5 in games whose polytope is almost empty.
        assert apart <= 1e-5 + solved.bound[0], (shape, number, apart)
        assert abs(solved.joint[0].sum() - 1) < 1e-12


def test_closed_forms():
    chicken = catalogue()["chicken"].game
    joint = solve(get("mece"), chicken).joint
    # Binding: told to dare, each is indifferent; entropy fixes the rest.
    assert joint[0, 1] == pytest.approx(joint[1, 0])
    assert measure(chicken, joint).ce.max() < 1e-9
    for name in ("mece", "mecce"):
        rps = Game(
            [[[0, -1, 1], [1, 0, -1], [-1, 1, 0]]] * 1
            + [[[0, 1, -1], [-1, 0, 1], [1, -1, 0]]]
        )
        np.testing.assert_allclose(solve(get(name), rps).joint, 1 / 9, atol=1e-9)
        dilemma = Game([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
        joint = solve(get(name), dilemma).joint
        np.testing.assert_allclose(joint, [[0, 0], [0, 1]], atol=1e-8)
        same = Game([[[1, 0], [0, 1]]] * 2)  # coordination: uniform is a CE
        np.testing.assert_allclose(solve(get(name), same).joint, 0.25, atol=1e-6)
        # Welfare decides between the two pure equilibria.
        joint = solve(get(name.replace("me", "mwme") + ":weight=50"), same).joint
        np.testing.assert_allclose(joint, np.eye(2) / 2, atol=1e-6)
    # Traffic lights: crossing together is a crash; with weight on welfare the lights.
    lights = Game([[[-10, 1], [0, 0]], [[-10, 0], [1, 0]]])
    joint = solve(get("mwmece:weight=300"), lights).joint
    np.testing.assert_allclose(joint, [[0, 0.5], [0.5, 0]], atol=1e-6)
    strong = solve(get("mscce:rho=1000"), same)
    np.testing.assert_allclose(strong.joint, np.eye(2) / 2, atol=1e-6)
    assert strong.diagnostics["allowed_gain"][0] == pytest.approx(-0.5, abs=1e-3)


def test_entropy_is_maximal_over_vertices():
    game = sample("uniform", (4, 4), np.random.default_rng(0))
    best = solve(get("mecce"), game).joint
    entropy = -np.sum(best * np.log(best))
    for seed in range(20):
        other = solve(get("rvcce"), game, seed).joint
        for share in (0.01, 0.3, 1.0):
            mixed = (1 - share) * best + share * other
            safe = np.where(mixed > 0, mixed, 1.0)
            assert -np.sum(mixed * np.log(safe)) <= entropy + 1e-9


@pytest.mark.parametrize("concept", ["cce", "ce"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2)])
@pytest.mark.parametrize("rho", [np.inf, 2.0])
def test_value_gradient_and_curvature_agree(concept, shape, rho):
    rng = np.random.default_rng(3)
    payoffs = rng.normal(size=(2, len(shape), *shape))
    problem, _ = build(payoffs, concept, epsilon=0.1, rho=rho)
    dual = Dual(problem)
    alpha = rng.uniform(0, 1, dual.mask.shape) * dual.mask
    point = dual.at(alpha)
    gains = dual.deviations()
    flat = point.sigma.reshape(2, -1, 1)
    np.testing.assert_allclose((gains @ flat)[:, :, 0], dual.gains(point.sigma))
    tilted = np.einsum("bm,bma->ba", alpha, gains).reshape(point.sigma.shape)
    np.testing.assert_allclose(tilted, dual.tilt(alpha), atol=1e-12)
    step, direction = 1e-6, rng.normal(size=alpha.shape) * dual.mask
    up, down = (dual.at(alpha + s * step * direction) for s in (1, -1))
    slope = (up.value - down.value) / (2 * step)
    np.testing.assert_allclose(slope, (point.slack * direction).sum(1), atol=1e-8)
    turned = (up.slack - down.slack) / (2 * step)
    np.testing.assert_allclose(turned, dual.product(point, direction), atol=1e-7)
    if concept == "cce":
        hessian = dual.curvature(point)
        np.testing.assert_allclose(
            np.einsum("bij,bj->bi", hessian, direction),
            dual.product(point, direction),
            atol=1e-10,
        )
        if rho == np.inf:
            diagonal = np.diagonal(hessian, axis1=1, axis2=2)
            np.testing.assert_allclose(diagonal, dual.diagonal(point.sigma), atol=1e-12)
    # The linear system as it is near a solution: deviations bind or do not.
    ratio = np.where(rng.random(alpha.shape) < 0.5, 1e-3, 1e4)
    x = factorise(dual, point, ratio).solve(direction) * dual.mask
    left = dual.product(point, x) + ratio * x - direction
    assert np.abs(left * dual.mask).max() < 1e-3 * np.abs(direction).max()


@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_batch_padding_and_one_at_a_time_agree(concept):
    rng = np.random.default_rng(11)
    shapes = [(2, 2), (4, 3), (1, 5), (3, 3), (1, 1), (2, 6)]
    games = [normal(s, rng) * rng.uniform(0.01, 100) + rng.normal() for s in shapes]
    together = equilibria(games, concept)
    assert (together.status == 0).all()
    as_torch = equilibria(
        torch.as_tensor(np.stack([normal((3, 3), np.random.default_rng(1))] * 2)),
        concept,
    )
    assert as_torch.joint.dtype == torch.float64
    for i, (payoffs, shape) in enumerate(zip(games, shapes, strict=True)):
        alone = equilibria(payoffs[None], concept)
        inside = together.joint[i][tuple(slice(n) for n in shape)]
        np.testing.assert_allclose(inside, alone.joint[0], atol=1e-7)
        assert together.joint[i].sum() == pytest.approx(inside.sum(), abs=1e-15)
        torched = equilibria(torch.as_tensor(payoffs)[None], concept)
        np.testing.assert_allclose(torched.joint[0].numpy(), alone.joint[0], atol=1e-8)


GENERIC = [(2, 4), (2, 8), (2, 16), (2, 32), (3, 4), (3, 8)]


def solved_exactly(games, players, n, concept="cce"):
    rng = np.random.default_rng([players, n])
    payoffs = rng.standard_normal((games, players, *[n] * players))
    solved = equilibria(torch.as_tensor(payoffs), concept)
    assert (solved.status == 0).all()
    worst = 0.0
    for game, joint in zip(payoffs, solved.joint.numpy(), strict=True):
        worst = max(worst, measure(Game(game), joint).of(concept).max())
    return worst


@pytest.mark.parametrize(("players", "n"), GENERIC)
def test_every_random_game_is_solved(players, n):
    assert solved_exactly(max(4, min(64, 2**14 // n**players)), players, n) <= 1e-9


@pytest.mark.parametrize("n", [4, 8, 16])
def test_every_random_game_has_its_ce(n):
    assert solved_exactly(max(2, 128 // n), 2, n, "ce") <= 1e-8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("games", "players", "n"),
    [
        *((512, 2, n) for n in (4, 8, 16, 32, 64)),
        *[(64, 2, 128), (512, 3, 4), (512, 3, 8), (64, 3, 16)],
    ],
)
def test_hundreds_of_random_games_are_solved(games, players, n):
    chunk = max(1, min(games, 2**19 // n**players))
    assert games % chunk == 0
    for start in range(0, games, chunk):
        rng = np.random.default_rng([players, n, start])
        payoffs = rng.standard_normal((chunk, players, *[n] * players))
        solved = equilibria(torch.as_tensor(payoffs))
        assert (solved.status == 0).all()
        for game, joint in zip(payoffs, solved.joint.numpy(), strict=True):
            assert measure(Game(game), joint).cce.max() <= 1e-9


@pytest.mark.parametrize("concept", ["cce", "ce"])
@pytest.mark.parametrize("family", families(2))
def test_every_class_of_games_is_solved(family, concept):
    rng = np.random.default_rng([5, *family.encode()])
    games = [sample(family, (6, 6), rng).payoffs for _ in range(16)]
    solved = equilibria(np.stack(games), concept)
    assert (solved.status == 0).all(), solved.status
    for game, joint in zip(games, solved.joint, strict=True):
        gap = measure(Game(game), joint).of(concept) / Game(game).scale
        assert gap.max() <= 1e-9


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), concept=st.sampled_from(["cce", "ce"]))
def test_relabelling_scaling_and_moving_payoffs(seed, concept):
    rng = np.random.default_rng(seed)
    payoffs = normal((3, 4), rng)
    joint = equilibria(payoffs[None], concept).joint[0]
    one, two = rng.permutation(3), rng.permutation(4)
    scale = 10.0 ** rng.uniform(-6, 6, (2, 1, 1))
    changed = payoffs[:, one][:, :, two] * scale + rng.normal(size=(2, 1, 1))
    again = equilibria(changed[None], concept).joint[0]
    np.testing.assert_allclose(again, joint[one][:, two], atol=2e-6)
    turned = payoffs[::-1].transpose(0, 2, 1)
    np.testing.assert_allclose(
        equilibria(turned[None], concept).joint[0], joint.T, atol=1e-7
    )


@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_a_warm_start_saves_steps_and_any_start_is_safe(concept):
    rng = np.random.default_rng(2)
    payoffs = np.stack([normal((6, 6), rng) for _ in range(16)])
    cold = equilibria(payoffs, concept)
    noise = np.exp(0.1 * rng.normal(size=cold.alpha.shape))
    warm = equilibria(payoffs, concept, start=cold.alpha * noise)
    np.testing.assert_allclose(warm.joint, cold.joint, atol=1e-6)
    assert np.median(warm.steps) < np.median(cold.steps)
    for start in (0 * cold.alpha, 1e6 + 0 * cold.alpha):
        other = equilibria(payoffs, concept, start=start, steps=300)
        assert (other.status == 0).all()
        np.testing.assert_allclose(other.joint, cold.joint, atol=1e-6)


@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_bounds_hold_and_feasible_means_feasible(concept):
    rng = np.random.default_rng(4)
    payoffs = np.stack([normal((4, 4), rng) for _ in range(16)])
    exact = equilibria(payoffs, concept)
    for steps in (3, 5, 8, 12):
        rough = equilibria(payoffs, concept, steps=steps, feasible=True)
        apart = 0.5 * np.abs(rough.joint - exact.joint).sum((1, 2))
        sure = rough.feasible
        # A CE that never recommends an action cannot be strict about it.
        assert sure.mean() > (0.5 if concept == "cce" else 0.0)
        assert (apart[sure] <= rough.bound[sure] + 1e-7).all()
        assert rough.joint.min() >= 0
        for game, joint, epsilon in zip(
            payoffs[sure], rough.joint[sure], rough.epsilon[sure], strict=True
        ):
            gains, _ = rows(game, concept)
            assert (gains @ joint.ravel()).max() < epsilon.max() + 1e-15
        plain = equilibria(payoffs, concept, steps=steps)
        inside = plain.violation == 0
        distance = 0.5 * np.abs(plain.joint - exact.joint).sum((1, 2))
        assert (distance[inside] <= plain.bound[inside] + 1e-7).all()


def test_impossible_epsilon_is_infeasible():
    dilemma = np.array([[[3.0, 0.0], [5.0, 1.0]], [[3.0, 5.0], [0.0, 1.0]]])
    # One deviation loses 1 at the only equilibrium, so -2 cannot be had.
    solution = solve(get("mecce:epsilon=-2"), dilemma, throw=False)
    assert solution.status is Status.INFEASIBLE
    # Staying put is a deviation that gains 0, so below 0 nothing is possible.
    assert (
        solve(get("mece:epsilon=-0.1"), dilemma, throw=False).status
        is Status.INFEASIBLE
    )
    soft = solve(get("mscce"), dilemma)
    assert soft.status is Status.OK
    loose = solve(get("mecce:epsilon=10"), dilemma)
    np.testing.assert_allclose(loose.joint, 0.25, atol=1e-9)


@pytest.mark.parametrize(
    "spec",
    [
        "mecce:rho=0",
        "mecce:target=best",
        "mscce:rho=inf",
        "mece:epsilon=nan",
        "mecce:steps=0",
        "mscce:strength=-1",
        "mscce:epsilon=1",
    ],
)
def test_bad_fields_are_refused(spec):
    with pytest.raises(UserError, match=r"must|unknown"):
        get(spec)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"payoffs": np.full((1, 2, 2, 2), np.nan)}, "finite"),
        ({"payoffs": np.zeros((1, 3, 2, 2))}, "shape"),
        ({"target": np.zeros((1, 2, 2))}, "positive"),
        ({"target": np.ones((1, 3, 2))}, "target"),
        ({"epsilon": np.inf}, "epsilon"),
        ({"rho": -1.0}, "rho"),
        ({"rho": 1.0, "upper": -1.0}, "upper"),
        ({"upper": 1.0}, "upper"),
        ({"steps": -1}, "steps"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"start": np.full((1, 4), -1.0)}, "start"),
        ({"start": np.full((1, 4), np.nan)}, "start"),
        ({"payoffs": [np.zeros((2, 2, 2))], "actions": [[2, 2]]}, "actions"),
        ({"payoffs": [np.zeros((2, 2, 2))], "target": [np.ones((3, 2))]}, "target"),
        ({"actions": [[3, 2]]}, "actions"),
        ({"start": np.zeros((1, 3))}, "start"),
        ({"payoffs": []}, "at least one"),
        ({"payoffs": [np.zeros((2, 2, 2)), np.zeros((1, 2))]}, "equally many"),
    ],
)
def test_bad_batches_are_refused(wrong, message):
    arguments = {"payoffs": np.ones((1, 2, 2, 2)), **wrong}
    with pytest.raises(UserError, match=message):
        equilibria(**arguments)


def test_a_target_array_must_fit_the_game():
    solver = functools.partial(type(get("mrecce")))
    game = catalogue()["chicken"].game
    target = np.array([[0.7, 0.1], [0.1, 0.1]])
    solved = solve(solver(target=target), game)
    assert solved.status is Status.OK
    with pytest.raises(UserError, match="target"):
        solve(solver(target=np.ones((3, 3))), game)
    with pytest.raises(UserError, match="target"):
        solve(solver(target=np.array([[1.0, 0.0], [0.0, 0.0]])), game)


@pytest.mark.parametrize("concept", ["cce", "ce"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (2, 2, 2)])
def test_the_equilibrium_is_differentiable(concept, shape):
    torch.manual_seed(0)
    payoffs = torch.randn(1, len(shape), *shape, dtype=torch.float64)
    payoffs.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda g: equilibrium(g, concept),
        (payoffs,),
        atol=1e-5,
        rtol=1e-4,
        fast_mode=True,
    )


@pytest.mark.parametrize("rho", [float("inf"), 3.0])
def test_every_argument_is_differentiable(rho):
    torch.manual_seed(1)
    payoffs, target, welfare, epsilon = (
        torch.randn(2, 2, 3, 3, dtype=torch.float64),
        torch.rand(2, 3, 3, dtype=torch.float64) + 0.2,
        torch.randn(2, 3, 3, dtype=torch.float64),
        torch.full((2, 2), 0.1, dtype=torch.float64),
    )
    arguments = tuple(x.requires_grad_() for x in (payoffs, target, welfare, epsilon))
    assert torch.autograd.gradcheck(
        lambda g, t, w, e: equilibrium(g, "cce", t, w, e, rho=rho),
        arguments,
        atol=1e-5,
        rtol=1e-4,
        fast_mode=True,
    )


def test_no_derivative_where_there_is_no_equilibrium():
    with pytest.raises(UserError, match="INFEASIBLE"):
        equilibrium(torch.eye(2, dtype=torch.float64).repeat(1, 2, 1, 1), epsilon=-9.0)


def test_unfinished_business_is_reported():
    payoffs = normal((8, 8), np.random.default_rng(0))[None]
    problem, _ = build(payoffs)
    solved = interior.solve(problem, steps=2)
    assert solved.status[0] == interior.STEPS
    assert solved.steps[0] == 2
    assert solve(get("mecce:steps=2"), payoffs[0], throw=False).status is (
        Status.MAX_STEPS
    )


@pytest.mark.parametrize(
    "spec", ["mecce", "mece", "mece:epsilon=0.05", "mecce:rho=5", "mscce", "msce"]
)
def test_repeated_actions_count_as_often_as_they_are_repeated(spec):
    rng = np.random.default_rng(12)
    game = Game(rng.normal(size=(2, 3, 3)), repeats=[[3, 1, 2], [1, 4, 1]])
    whole = Game(game.expanded().payoffs)
    folded = game.folded(solve(get(spec), whole).joint)
    np.testing.assert_allclose(solve(get(spec), game).joint, folded, atol=1e-5)
    if spec == "mecce":
        batch = equilibria([game, Game(game.payoffs)])
        np.testing.assert_allclose(batch.joint[0], folded, atol=1e-5)
        assert np.abs(batch.joint[1] - folded).max() > 1e-3


def test_a_constant_payoff_has_a_derivative():
    payoffs = torch.randn(1, 2, 3, 3, dtype=torch.float64)
    payoffs[:, 1] = 0
    payoffs.requires_grad_()
    (equilibrium(payoffs)[0, 0, 0]).backward()
    assert torch.isfinite(payoffs.grad).all()


def test_no_step_is_better_than_a_wrong_one():
    """Starts far away, and games of any unit: an answer is right or says it is not."""
    rng = np.random.default_rng(9)
    payoffs = np.stack([normal((4, 4), rng) for _ in range(8)])
    exact = equilibria(payoffs)
    for size in (1e3, 1e10, 1e100):
        solved = equilibria(payoffs, start=size * rng.random(exact.alpha.shape))
        assert (solved.status == 0).all()
        np.testing.assert_allclose(solved.joint, exact.joint, atol=1e-6)
    assert exact.steps.dtype == np.int64


@pytest.mark.parametrize("concept", ["cce", "ce"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 2), (2, 1, 2)])
def test_who_cannot_lose_cannot_be_asked_to(shape, concept):
    still = np.ones((len(shape), *shape))
    answers = equilibria([still], concept, epsilon=-0.1)
    assert STATUS[int(answers.status[0])] == "INFEASIBLE"
    assert not answers.feasible[0]
    for family in ("me", "mg"):
        solution = solve(f"{family}{concept}:epsilon=-0.1", still, throw=False)
        assert solution.status is Status.INFEASIBLE
    # What deviations of nobody may gain is 0, and no reward.
    strength = solve(f"ms{concept}", still)
    assert min(strength.diagnostics.get("allowed_gain", [0.0])) >= -1e-6


@pytest.mark.parametrize("concept", ["cce", "ce"])
@pytest.mark.parametrize("method", ["projection", "clarabel"])
def test_nor_who_gains_by_rounding_only(method, concept):
    coordination = np.eye(2)
    payoffs = np.stack([[[0.0, 1.0], [1e-16, 1.0]], coordination])
    spec = f"mg{concept}:epsilon=-0.01,method={method}"
    assert solve(spec, payoffs, throw=False).status is Status.INFEASIBLE
    assert solve(spec, np.stack([coordination] * 2)).diagnostics["allowed_gain"] < 0


@pytest.mark.parametrize("least", [1e-16, 1e-15, 1e-14, 1e-12, 1e-9])
@pytest.mark.parametrize("level", [1.0, -1e7, 3e-9])
def test_payoffs_that_differ_in_their_last_digits_differ(least, level):
    rng = np.random.default_rng(4)
    games = level * (1 + least * rng.normal(size=(6, 2, 3, 4)))
    exact = equilibria(games)
    assert (np.asarray(exact.status) == 0).all()
    for payoffs, joint in zip(games, exact.joint, strict=True):
        game = Game(payoffs)
        # The same game in whole numbers of the last digit: differences are exact.
        whole = Game(
            (payoffs - payoffs.min(axis=(1, 2), keepdims=True))
            / np.spacing(np.abs(payoffs).max())
        )
        for solver in ("mecce", "mgce", "mwcce", "nash", "uniform"):
            solution = solve(solver, game)
            one, other = measure(whole, solution.joint), measure(whole, joint)
            gap = one.of(get(solver).concept)
            assert np.all(gap <= 1e-6 * whole.scale)
            assert np.all(other.cce <= 1e-6 * whole.scale)


def test_a_welfare_target_is_shared_by_those_who_tie():
    rng = np.random.default_rng(6)
    for payoffs in (rng.integers(-1, 2, (2, 3, 4)), [m := rng.normal(size=(3, 4)), -m]):
        game = Game(payoffs)
        orders = [rng.permutation(3).tolist(), rng.permutation(4).tolist()]
        for spec in ("mrecce", "mrece"):
            moved = solve(spec, game).joint[np.ix_(*orders)]
            other = solve(spec, game.restrict(orders)).joint
            np.testing.assert_allclose(other, moved, atol=1e-5)
