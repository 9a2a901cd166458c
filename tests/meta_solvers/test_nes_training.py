"""Games drawn by torch, blocks that try, remember, hear and take Newton steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from meta_solvers import UserError
from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual
from meta_solvers.nes.architecture import Architecture
from meta_solvers.nes.data import Games
from meta_solvers.nes.descents import Eager, Graphs, tame
from meta_solvers.nes.drawn import drawn, generator
from meta_solvers.nes.network import Network
from meta_solvers.nes.newton import newton
from meta_solvers.nes.recipe import Recipe
from meta_solvers.nes.tensors import as_float32
from meta_solvers.nes.train import Training

CPU = torch.device("cpu")
EVERY = {"memory": True, "hears": True, "tries": True, "rounds": 3}
SMALL = Architecture(concept="ce", payoff=(4,), dual=6, hidden=8, unrolled=2, **EVERY)


def recipe(**fields):
    games = Games(least=2, most=5, shapes=("3x3", "2x4"), related=0.5)
    given = {"steps": 12, "work": 256, "draws": "torch", "tamed": True} | fields
    return Recipe(architecture=SMALL, games=games, **given)


def weights(training):
    return [p.detach().numpy().tobytes() for p in training.network.parameters()]


def test_a_training_on_games_of_torch_resumes_bit_for_bit(tmp_path):
    whole, half = Training(recipe()), Training(recipe())
    losses = [float(whole.update()) for _ in range(6)]
    for _ in range(3):
        half.update()
    half.save(tmp_path)
    torch.manual_seed(99)  # nothing may depend on the global generator
    other = Training(recipe())
    other.load(tmp_path)
    assert [float(other.update()) for _ in range(3)] == losses[3:]
    assert weights(other) == weights(whole)
    assert weights(Training(recipe(seed=1))) != weights(Training(recipe()))


@pytest.mark.parametrize("selects", ["entropy", "any"])
def test_torch_draws_the_games_that_numpy_draws(selects):
    games = Games(related=0.6)
    one = drawn(games, 4000, (3, 4), generator(CPU, 3, 1), selects=selects)
    again = drawn(games, 4000, (3, 4), generator(CPU, 3, 1), selects=selects)
    assert torch.equal(one.payoffs, again.payoffs)
    rng = np.random.default_rng(0)
    other = games.draw(4000, (3, 4), rng, selects=selects)
    np.testing.assert_allclose(one.payoffs.mean((2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(one.payoffs.var((2, 3), correction=0), 1, atol=1e-3)
    links = [
        np.asarray(p.payoffs[:, 0] * p.payoffs[:, 1]).mean((1, 2)) for p in (one, other)
    ]
    drawn_parts = [
        (links[0], links[1]),
        (np.asarray(one.epsilon), other.epsilon),
        (np.asarray(one.base).max((1, 2)), other.base.max((1, 2))),
        (np.asarray(one.base).std((1, 2)), other.base.std((1, 2))),
    ]
    for mine, theirs in drawn_parts:
        # Some are exactly 1, but for rounding.
        both = (np.round(np.float64(x.ravel()), 3) for x in (mine, theirs))
        assert ks_2samp(*both).statistic < 0.05
    assert (np.abs(links[0] + 1) < 1e-5).mean() == pytest.approx(0.2, abs=0.03)
    assert (np.abs(links[0] - 1) < 1e-5).mean() == pytest.approx(0.1, abs=0.03)


def test_shapes_are_those_asked_for():
    games = Games(least=2, most=8, shapes=("3x3", "2x8"))
    sizes = {games.sizes(2, np.random.default_rng(s)) for s in range(30)}
    assert sizes == {(3, 3), (2, 8)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Games(shapes=("4x",)),
        lambda: Games(most=8, shapes=("4x9",)),
        lambda: Games(related=1.5),
        lambda: recipe(largest=1),
        lambda: Architecture(rounds=-1),
    ],
)
def test_what_cannot_be_drawn_is_refused(make):
    with pytest.raises(UserError, match="must be"):
        make()


def test_tried_steps_never_end_above_the_untried_one():
    torch.manual_seed(0)
    plain = Network(replace(SMALL, tries=False, rounds=0, unrolled=1))
    for parameter in plain.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    tried = Network(replace(SMALL, tries=True, rounds=0, unrolled=1))
    tried.load_state_dict(plain.state_dict())
    problem, _ = build(torch.randn(50, 2, 4, 4, dtype=torch.float64), "ce")
    with torch.no_grad():
        ends = [n(as_float32(problem)) for n in (plain, tried)]
    values = [Dual(problem).at(alpha.double()).value for alpha in ends]
    assert bool((values[1] <= values[0] + 1e-5).all())
    assert bool((values[1] < values[0] - 1e-4).any())


def test_a_newton_step_and_its_derivative_are_those_of_the_linear_system():
    torch.manual_seed(1)
    problem, _ = build(torch.randn(3, 2, 3, 2, dtype=torch.float64), "ce")
    dual = Dual(problem)
    point = dual.at(torch.rand_like(dual.mask) * dual.mask)
    rhs = (torch.randn_like(dual.mask) * dual.mask).requires_grad_()
    ridge = (torch.rand_like(dual.mask) + 0.1).requires_grad_()
    columns = [dual.product(point, row.expand_as(rhs)) for row in torch.eye(dual.size)]
    hessian = torch.stack(columns, 2)
    matrix = point.alpha[:, :, None] * hessian * point.alpha[:, None]
    matrix = matrix + torch.diag_embed(ridge)
    exact = torch.linalg.solve(matrix, rhs)
    step = newton(dual, point, rhs, ridge, 40)
    torch.testing.assert_close(step, exact)
    wanted = torch.autograd.grad(exact.square().sum(), (rhs, ridge))
    measured = torch.autograd.grad(step.square().sum(), (rhs, ridge))
    torch.testing.assert_close(measured, wanted)


def test_a_tamed_loss_is_the_same_below_that_of_duals_0_and_less_above():
    value, none = torch.tensor([-2.0, 0.5, 1e4]), torch.tensor([-1.0, 1.0, 0.0])
    tamed = np.asarray(tame(value, none))
    np.testing.assert_allclose(tamed[:2], value[:2], rtol=1e-6)
    assert 5 < tamed[2] < 10


def by_hand(work):
    """A capture without a GPU: replaying works again, into the same tensor."""
    result = work().clone()
    return lambda: result.copy_(work()), result


def compare(device, capture):
    """Graphs against gradients op by op, on batches of two sizes."""
    made, network = recipe(), Network(SMALL).to(device)
    problems = [
        drawn(made.games, 8, actions, generator(device, 0, i), concept="ce")
        for i, actions in enumerate([(3, 3), (2, 4), (3, 3)])
    ]
    eager, wanted = Eager(network, made), []
    for problem in problems:
        loss = eager(problem)
        wanted.append((loss, [p.grad.clone() for p in network.parameters()]))
    graphs = Graphs(network, made, capture)
    for problem, (loss, gradients) in zip(problems, wanted, strict=True):
        torch.testing.assert_close(graphs(problem), loss)
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-5)


def test_graphs_leave_the_gradients_that_come_without_them():
    compare(CPU, by_hand)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_graphs_on_a_gpu():
    compare(torch.device("cuda"), None)
