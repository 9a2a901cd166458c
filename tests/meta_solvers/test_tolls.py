"""Tolls on congestion games."""

import numpy as np
import pytest
import torch

from meta_solvers import UserError
from meta_solvers.exact.settings import Tolls
from meta_solvers.exact.tolls import descend, load_costs, tolled


def test_costs_grow_with_the_load():
    (cost,) = load_costs(1, 2, 3, rng=np.random.default_rng(0))
    base, slope = np.random.default_rng(0).uniform(0, 1, (2, 3))
    for mine in range(3):
        for other in range(3):
            load = 1 + (mine == other)
            assert cost[0, mine, other] == base[mine] + slope[mine] * load
    np.testing.assert_array_equal(cost[1], cost[0].T)


def test_a_toll_is_paid_for_the_own_action():
    cost = torch.zeros(1, 2, 2, 2, dtype=torch.float64)
    tolls = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]], dtype=torch.float64)
    first, second = tolled(cost, tolls)[0]
    assert first.tolist() == [[-1, -1], [-2, -2]]
    assert second.tolist() == [[-3, -4], [-3, -4]]


def test_descent_lowers_the_cost_within_the_budget():
    cost = torch.as_tensor(load_costs(2, 2, 3, rng=np.random.default_rng(1)))
    designs = list(descend(Tolls(steps=8, budget=0.5, concept="ce"), cost))
    assert [one.step for one in designs] == list(range(9))
    assert not designs[0].tolls.any()
    assert designs[-1].cost <= designs[0].cost + 1e-9
    assert float(designs[-1].tolls.abs().max()) <= 0.5


@pytest.mark.parametrize("fields", [{"rate": 0.0}, {"budget": -1.0}, {"steps": 0}])
def test_impossible_settings_are_refused(fields):
    with pytest.raises(UserError, match="must be at least"):
        Tolls(**fields)
