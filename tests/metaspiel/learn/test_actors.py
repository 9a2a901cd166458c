import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metaspiel.games.markov import Continuous, Discrete
from metaspiel.learn.actors import (
    LOG_DEVIATION,
    Categorical,
    Gaussian,
    Policies,
)
from metaspiel.learn.mlp import LeakyMLP, layers
from metaspiel.learn.random import generators


def policies(actions, agents=3, inputs=4, width=8):
    made = Policies(LeakyMLP(inputs, width, actions.size), actions)
    return made, made.initial(generators((0,), agents))


@pytest.mark.parametrize("actions", [Discrete(5), Continuous(2)])
def test_a_fresh_policy_is_nearly_uniform_or_nearly_zero(actions):
    made, weights = policies(actions)
    assert weights.shape == (3, made.size)
    distribution = made.at(
        weights, torch.randn(3, 50, 4, generator=generators((1,), 1)[0])
    )
    if isinstance(distribution, Categorical):
        assert (distribution.logs.exp() - 0.2).abs().max() < 0.02
    else:
        assert distribution.mean.abs().max() < 0.05
        assert (distribution.log_deviation == LOG_DEVIATION).all()


def test_outputs_are_those_of_the_network_written_out():
    made, weights = policies(Discrete(3))
    x = torch.randn(3, 7, 4, generator=generators((1,), 1)[0])
    w1, b1, w2, b2, w3, b3 = layers(made.network, weights[1])
    h = torch.nn.functional.leaky_relu(x[1] @ w1 + b1, 0.2)
    h = torch.nn.functional.leaky_relu(h @ w2 + b2, 0.2)
    wanted = h @ w3.T + b3
    alone = made.network.scores(weights[1], x[1])
    for scores in (made.network.stacked(weights, x)[1], alone):
        torch.testing.assert_close(scores, wanted, rtol=1e-4, atol=1e-5)


def test_categorical_against_torch():
    generator = generators((2,), 1)[0]
    one = Categorical(torch.randn(2, 6, 4, generator=generator).log_softmax(2))
    two = Categorical(torch.randn(2, 6, 4, generator=generator).log_softmax(2))
    theirs = [torch.distributions.Categorical(logits=d.logs) for d in (one, two)]
    torch.testing.assert_close(one.entropy(), theirs[0].entropy())
    torch.testing.assert_close(
        one.kl(two), torch.distributions.kl_divergence(theirs[0], theirs[1])
    )
    index = torch.tensor([[0, 5, 5], [2, 1, 0]])
    actions = torch.tensor([[3, 0, 1], [2, 2, 0]])
    wanted = torch.stack([one.logs[n, index[n], actions[n]] for n in range(2)])
    torch.testing.assert_close(
        one.table(index, actions).gather(1, one.cells(index, actions)), wanted
    )


def test_gaussian_against_torch():
    generator = generators((2,), 1)[0]
    draw = [torch.randn(2, 6, 3, generator=generator) for _ in range(3)]
    spread = [0.3 * torch.randn(2, 1, 3, generator=generator) for _ in range(2)]
    one, two = Gaussian(draw[0], spread[0]), Gaussian(draw[1], spread[1])
    theirs = [
        torch.distributions.Independent(
            torch.distributions.Normal(d.mean, d.log_deviation.exp()), 1
        )
        for d in (one, two)
    ]
    torch.testing.assert_close(one.entropy(), theirs[0].entropy())
    torch.testing.assert_close(
        one.kl(two), torch.distributions.kl_divergence(theirs[0], theirs[1])
    )
    index = torch.arange(6).expand(2, 6)
    torch.testing.assert_close(
        one.table(index, draw[2]).gather(1, one.cells(index, draw[2])),
        theirs[0].log_prob(draw[2]),
    )


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 2**31))
def test_samples_are_actions_and_follow_the_number(uniform, seed):
    generator = torch.Generator().manual_seed(seed)
    distribution = Categorical(
        3 * torch.randn(1, 1, 5, generator=generator).log_softmax(2)
    )
    logs = distribution.logs.log_softmax(2)
    action = int(Categorical(logs).sample(torch.full((1, 1, 1), uniform).double()))
    below = logs[0, 0].double().exp().cumsum(0)
    assert 0 <= action < 5
    assert uniform * below[-1] < below[action] + 1e-12
    assert action == 0 or below[action - 1] <= uniform * below[-1] + 1e-12


def test_samples_have_the_right_frequencies():
    rng = np.random.default_rng(0)
    logs = torch.tensor([[[0.1, 0.6, 0.3]]]).log().expand(1, 20_000, 3)
    drawn = Categorical(logs).sample(torch.from_numpy(rng.random((1, 20_000, 1))))
    share = torch.bincount(drawn[0], minlength=3) / 20_000
    assert (share - torch.tensor([0.1, 0.6, 0.3])).abs().max() < 0.015
    normal = Gaussian(torch.full((1, 20_000, 1), 2.0), torch.full((1, 1, 1), 0.5))
    numbers = normal.sample(torch.from_numpy(rng.random((1, 20_000, 1))))
    assert abs(float(numbers.mean()) - 2) < 0.04
    assert abs(float(numbers.std()) - math.exp(0.5)) < 0.04


def test_a_uniform_number_of_zero_gives_a_finite_action():
    normal = Gaussian(torch.zeros(1, 1, 2), torch.zeros(1, 1, 2))
    assert normal.sample(torch.zeros(1, 1, 2).double()).isfinite().all()
