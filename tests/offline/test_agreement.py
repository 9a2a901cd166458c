"""Errors of a model's payoffs against the true game."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.nfg.errors import UserError
from offline.agreement import agreement
from offline.dynamics import train
from offline.model import ModelSimulator
from offline.record import collect
from offline.settings import Training
from offline.starts import starts

GAME = Bargaining()
NETWORK = MLP.of(GAME, 8)


@pytest.fixture(scope="module")
def model() -> ModelSimulator:
    data = collect(GAME, 60, 0)
    learned = train([data], [0], Training(width=16, steps=30))
    return ModelSimulator(learned=learned, starts=starts([data]))


@pytest.fixture(scope="module")
def policies() -> Pool:
    one = NETWORK.initial(torch.Generator().manual_seed(0)).numpy()
    return Pool.uniform(NETWORK) + Pool.of(one[None])


def table(value: float) -> np.ndarray:
    return np.full((4, 2, 2, 2), value)


def test_uniform_play_pays_what_it_pays_in_the_game(model):
    uniform, payoffs = Pool.uniform(NETWORK), table(0.0)[..., :1, :1]
    agreed = agreement(
        GAME,
        model,
        NETWORK,
        policies=uniform,
        payoffs=payoffs,
        episodes=4000,
        seed=(3,),
    )
    assert agreed.profiles.tolist() == [[0, 0]]
    assert agreed.true[0, 0] == agreed.true[0, 1] == pytest.approx(2.7, abs=0.15)
    assert agreed.utility_error == pytest.approx(agreed.true[0, 0])


def test_errors_are_those_of_the_table(model, policies):
    agreed = agreement(
        GAME,
        model,
        NETWORK,
        policies=policies,
        payoffs=table(1.0),
        episodes=200,
        seed=(0,),
    )
    assert agreed.profiles.tolist() == [[0, 0], [0, 1], [1, 1]]
    exact = table(0.0)
    for (i, j), pays in zip(agreed.profiles, agreed.true, strict=True):
        exact[:, :, i, j] = pays
        exact[:, :, j, i] = pays[::-1]
    again = agreement(
        GAME, model, NETWORK, policies=policies, payoffs=exact, episodes=200, seed=(0,)
    )
    np.testing.assert_array_equal(again.true, agreed.true)
    assert again.utility_error == 0 < agreed.utility_error
    assert again.utility_error_on_true == agreed.utility_error_on_true > 0
    told = again.told
    assert told["coverage"] == 1 and told["slope"] == pytest.approx(1)
    assert told["bias_low"] == 0
    assert agreed.told["bias_low"] == pytest.approx((1 - agreed.true).mean())
    assert agreed.told["coverage"] == 0


def test_uncertainty_is_that_of_the_members(model, policies):
    asked = (NETWORK, policies, table(0.0), 100, (0,))
    agreed = agreement(GAME, model, *asked)
    assert (agreed.uncertainty > 0).all()
    pairwise = agreement(GAME, replace(model, uncertainty="pairwise"), *asked)
    assert (pairwise.uncertainty > agreed.uncertainty).all()
    alike = replace(model.learned, g=model.learned.g[:, :1].repeat(1, 4, 1))
    agreeing = agreement(GAME, replace(model, learned=alike), *asked)
    np.testing.assert_allclose(agreeing.uncertainty, 0, atol=1e-5)


def test_what_does_not_fit_is_refused(model, policies):
    asked = {"payoffs": table(0.0), "episodes": 10, "seed": (0,)}
    with pytest.raises(UserError, match="the table must be of 1 policies"):
        agreement(GAME, model, NETWORK, Pool.uniform(NETWORK), **asked)
    with pytest.raises(UserError, match="episodes must be at least 1"):
        agreement(GAME, model, NETWORK, policies, **asked | {"episodes": 0})
    lopsided = table(0.0)
    lopsided[0, 0, 0, 1] = 1.0  # not what player 1 is paid in [1, 0]
    with pytest.raises(UserError, match="must be that of a symmetric game"):
        agreement(
            GAME,
            model,
            NETWORK,
            policies=policies,
            payoffs=lopsided,
            episodes=10,
            seed=(0,),
        )
