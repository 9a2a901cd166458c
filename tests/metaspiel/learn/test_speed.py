"""The learner's speed: that what is timed is what is said."""

import numpy as np
import pytest
import torch

from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.settings import DDQN
from metaspiel.learn.speed import Updates, fresh, multiply_rate, shares
from metaspiel.learn.tasks import Task
from metaspiel.learn.update import operations

SMALL = DDQN(decisions=640, games=16, capacity=200, minimum=160, batch=8)


def test_operations_are_counted_as_the_specification_counts_them():
    # 2 * 64 * (4 D 200 + 5 * 200^2 + 2 * 200 A): 41.2 million for OpenSpiel's game.
    assert operations(MLP(92, 200, 121), 64) == pytest.approx(41.2e6, rel=2e-3)


def test_fresh_weights_differ_and_follow_the_seed():
    network = MLP(3, 4, 2)
    one, two = fresh(network, 2, 0)
    assert one.shape == (network.size,) and not np.array_equal(one, two)
    np.testing.assert_array_equal(fresh(network, 2, 0)[1], two)
    assert not np.array_equal(fresh(network, 1, 1)[0], one)


@pytest.mark.parametrize("stacked", [1, 3])
def test_updates_are_as_many_as_the_settings_make_together(stacked):
    work = Updates(MLP(5, 8, 3), stacked, SMALL)
    assert work.together == 10
    before = work.learner.online.flat.clone()
    work(2)
    assert work.learner.adam.steps == 20
    assert not torch.equal(work.learner.online.flat, before)
    assert work.microseconds(1) > 0 and work.learner.adam.steps == 30


def test_shares_of_a_response_are_all_of_it():
    network = MLP.of(Bargaining(), 8)
    task = Task(
        simulator=Bargaining(),
        network=network,
        settings=SMALL,
        player=0,
        pools=(Pool.uniform(network),) * 2,
        co_play=np.ones(1),
        seed=(0,),
    )
    parts = shares(task)
    # What the game calls itself goes through the checks of types here, and so counts
    # twice: the rest can fall a little below 0.
    rest = parts.pop("replay, seats, random numbers")
    assert sum(parts.values()) + rest == pytest.approx(1) and rest > -0.1
    assert min(parts.values()) >= 0
    assert parts["updates"] > 0 and parts["simulator"] > 0


def test_a_product_has_a_rate():
    assert multiply_rate(64) > 0
