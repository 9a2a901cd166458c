"""How policies play: greedily, sampled or uniformly; and networks of other kinds."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from responses import task

from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.learn.evaluate import Instances, Matches, play, pure
from metaspiel.learn.mlp import MLP, LeakyMLP
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import Bank, Habit, Pool
from metaspiel.learn.random import generators
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.update import StackedDDQN
from metaspiel.nfg.errors import UserError

CPU = torch.device("cpu")
NETWORK = MLP(5, 16, 4)
SMALL = DDQN(decisions=640, games=16, capacity=200, minimum=160, explore_decisions=500)


@dataclass(frozen=True)
class Linear:
    """A network without hidden layers: nothing but learners may mind."""

    inputs: int
    actions: int

    @property
    def size(self):
        return self.inputs * self.actions

    def initial(self, generator):
        return torch.randn(self.size, generator=generator)

    def scores(self, weights, x):
        return x @ weights.view(self.inputs, self.actions)


def fresh(network, seed=0):
    return network.initial(torch.Generator().manual_seed(seed)).numpy()[None]


def actions(pool, rows, network=NETWORK, legal=None, habit=None):
    """What policy 0 does at one position, ``rows`` times."""
    x = torch.linspace(-1, 1, network.inputs).repeat(rows, 1)
    legal = torch.tensor(legal or [True] * network.actions).repeat(rows, 1)
    uniforms = torch.rand(rows, 2, dtype=torch.float64, generator=generators([0], 1)[0])
    bank = Bank(network, (pool,), habit, device=CPU)
    return bank.act(torch.zeros(rows, dtype=torch.int64), x, legal, uniforms), x[0]


@pytest.mark.parametrize("network", [NETWORK, LeakyMLP(5, 8, 4), Linear(5, 4)])
def test_a_sampled_policy_draws_the_softmax_of_its_legal_scores(network):
    assert isinstance(network, Network)
    weights, legal = fresh(network), [True, True, False, True]
    drawn, x = actions(Pool.of(weights, "sampled"), 40_000, network, legal)
    scores = network.scores(torch.from_numpy(weights[0]), x[None])[0]
    wanted = scores.masked_fill(~torch.tensor(legal), -torch.inf).softmax(0)
    share = torch.bincount(drawn, minlength=4) / 40_000
    assert torch.allclose(share, wanted, atol=0.01)
    greedy, _ = actions(Pool.of(weights), 5, network, legal)
    assert (greedy == wanted.argmax()).all()


def test_a_network_of_zeros_is_no_uniform_policy():
    zero, legal = np.zeros((1, NETWORK.size), np.float32), [False, True, True, True]
    greedy, _ = actions(Pool.of(zero), 100, legal=legal)
    assert (greedy == 1).all()  # the first of equal scores
    drawn, _ = actions(Pool.uniform(NETWORK), 9000, legal=legal)
    share = torch.bincount(drawn, minlength=4) / 9000
    assert torch.allclose(share, torch.tensor([0, 1, 1, 1]) / 3, atol=0.02)
    learned, _ = actions(Pool.of(fresh(NETWORK), "uniform"), 9000, legal=legal)
    assert torch.equal(learned, drawn)  # whatever the weights are


def test_a_habit_has_a_network_of_its_own():
    behaviour = Linear(5, 4)
    habit = Habit(behaviour, fresh(behaviour)[0], (np.array([0.5]),))
    mixed, x = actions(Pool.of(fresh(NETWORK)), 40_000, habit=habit)
    own, _ = actions(Pool.of(fresh(NETWORK)), 1)
    wanted = 0.5 * behaviour.scores(torch.from_numpy(habit.weights), x[None])[0]
    wanted = 0.5 * (2 * wanted).softmax(0)
    wanted[own[0]] += 0.5
    share = torch.bincount(mixed, minlength=4) / 40_000
    assert torch.allclose(share, wanted, atol=0.01)


def matched(simulator, network, pools, profiles, **more):
    """Episodes of these profiles."""
    shared = {"simulator": simulator, "network": network, "seed": (2,)}
    return Matches(**shared, pools=pools, profiles=profiles, **more)


def test_sampled_co_players_and_payoffs():
    """Sampling from equal scores is uniform play, with the same numbers (Kuhn)."""
    game = OpenSpielSimulator("kuhn_poker")
    network = MLP.of(game, 16)
    zero = np.zeros((1, network.size), np.float32)
    pools = [Pool.uniform(network), *(Pool.of(zero, p) for p in ("sampled", "greedy"))]
    answers = [train([task(game, network, SMALL, pool)])[0].policy for pool in pools]
    assert answers[0].tobytes() == answers[1].tobytes() != answers[2].tobytes()
    cells = np.stack([np.arange(3)] * 2, 1)
    pool = pools[0] + pools[1] + pools[2]
    match = matched(game, network, (pool, pool), pure(cells, 500))
    uniform, sampled, greedy = play([match])[0].outcomes
    assert np.array_equal(uniform, sampled)
    assert not np.array_equal(uniform, greedy)


@pytest.mark.parametrize("play_", ["sampled", "uniform"])
def test_instances_are_refused_where_chance_plays(play_):
    game = OpenSpielSimulator("matrix_rps")
    network, listed = MLP.of(game, 8), Instances(np.zeros((2, 0)), np.full(2, 0.5))
    pools = (Pool.of(fresh(network)), Pool.of(fresh(network), play_))
    profiles = pure(np.zeros((1, 2), int), 2)
    match = matched(game, network, pools, profiles, instances=listed)
    with pytest.raises(UserError, match="exact for greedy policies only"):
        play([match])


def test_only_the_fused_learner_minds_what_a_network_is():
    game = OpenSpielSimulator("kuhn_poker")
    network = Linear(game.inputs, game.actions)
    pool = Pool.uniform(network) + Pool.of(fresh(network), "sampled")
    cells = np.array([[0, 1], [1, 0]])
    match = matched(game, network, (pool, pool), pure(cells, 50))
    assert np.isfinite(play([match])[0].mean).all()
    with pytest.raises(UserError, match="must be an MLP, whose update is written"):
        train([task(game, network, SMALL, pool)])
    with pytest.raises(UserError, match="must be an MLP"):
        StackedDDQN(LeakyMLP(5, 8, 4), 1, 8, rate=1e-3)


def test_impossible_pools_are_refused():
    weights = np.zeros((2, 3), np.float32)
    with pytest.raises(UserError, match="did you mean 'greedy'"):
        Pool.of(weights, "greddy")
    with pytest.raises(UserError, match="one weight vector and one play for each"):
        Pool(weights, ("greedy",))
