"""PPO responses: advantages, bits in stacks, what is learned and what is refused."""

from dataclasses import replace

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from responses import task as respond

from metaspiel.games.bargaining import Bargaining
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.openspiel import sequence_form
from metaspiel.learn.gradients import gradients
from metaspiel.learn.mlp import MLP, LeakyMLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.ppo_response import advantages, log_chances, objective
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.nfg.errors import UserError
from psro.parts import Population
from psro.referee import Referee

SMALL = PPOResponse(decisions=600, games=16, rounds=8, minibatch=64, epochs=2, width=16)


def against_uniform(simulator, settings, kind=MLP, **changes):
    network = kind(simulator.inputs, 16, simulator.actions)
    return respond(simulator, network, settings, Pool.uniform(network), **changes)


@given(
    rounds=st.integers(1, 6),
    lam=st.sampled_from([0.0, 0.5, 1.0]),
    gamma=st.sampled_from([0.9, 1.0]),
    seed=st.integers(0, 1000),
)
def test_advantages_are_the_sums_of_their_definition(rounds, lam, gamma, seed):
    rng = np.random.default_rng(seed)
    values, reward = rng.normal(size=(rounds + 1, 3)), rng.normal(size=(rounds, 3))
    alive = gamma * (rng.random((rounds, 3)) < 0.7)
    given_ = (torch.tensor(part, dtype=torch.float32) for part in (values, reward))
    got = advantages(*given_, torch.tensor(alive, dtype=torch.float32), lam)
    for t in range(rounds):
        total, weight = np.zeros(3), np.ones(3)
        for k in range(t, rounds):
            delta = reward[k] + alive[k] * values[k + 1] - values[k]
            total, weight = total + weight * delta, weight * lam * alive[k]
        np.testing.assert_allclose(got[t].numpy(), total, atol=1e-5)


def test_illegal_actions_have_no_chance_and_no_gradient():
    scores = torch.tensor([[1.0, 50.0, -2.0]], requires_grad=True)
    logs = log_chances(scores, torch.tensor([[True, False, True]]))
    assert logs.exp().sum() == 1 and logs.exp()[0, 1] == 0
    entropy = -(logs.exp() * logs).sum()
    (gradient,) = torch.autograd.grad(entropy, scores)
    assert gradient.isfinite().all() and gradient[0, 1] == 0


@hypothesis.settings(deadline=None)
@given(seed=st.integers(0, 1000), clip=st.sampled_from([0.05, 0.2, 1e6]))
def test_the_slopes_of_the_objective_are_its_derivatives(seed, clip):
    rng = torch.Generator().manual_seed(seed)
    scores = (3 * torch.randn(7, 4, generator=rng)).requires_grad_()
    legal = torch.rand(7, 4, generator=rng) < 0.7
    action = torch.randint(4, (7, 1), generator=rng)
    legal = legal.scatter(1, action, True)
    before = -torch.rand(7, generator=rng)
    gain = torch.randn(7, generator=rng)
    settings = replace(SMALL, clip=clip, entropy=0.1)
    logs = log_chances(scores, legal)
    loss, slopes = objective(logs, action, before, gain=gain, settings=settings)
    (wanted,) = torch.autograd.grad(loss, scores)
    torch.testing.assert_close(slopes.detach(), wanted, atol=1e-6, rtol=1e-5)
    assert not slopes[~legal].any()


@pytest.mark.parametrize("kind", [MLP, LeakyMLP])
def test_gradients_are_those_of_automatic_differentiation(kind):
    network, rng = kind(5, 9, 3), torch.Generator().manual_seed(2)
    weights, x = network.initial(rng), torch.randn(11, 5, generator=rng)
    leaf = weights.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(network.scores(leaf, x).square().sum(), leaf)
    take = gradients(network, weights)
    take(x[:4], lambda scores: 3 * scores)  # leaves nothing behind
    got = take(x, lambda scores: 2 * scores)
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("budget", [{}, {"episodes": 150}])
def test_a_trial_does_not_feel_its_neighbours(budget):
    game = OpenSpielSimulator("leduc_poker")
    settings = replace(SMALL, **budget)
    tasks = [against_uniform(game, settings, seed=(seed,)) for seed in range(3)]
    tasks[1] = replace(tasks[1], player=1, scale=3.0)
    whole = train(tasks)
    for one, many in zip(tasks, whole, strict=True):
        (alone,) = train([one])
        assert alone.policy.tobytes() == many.policy.tobytes()
        assert np.array_equal(alone.returns, many.returns, equal_nan=True)
        assert (alone.episodes, alone.updates) == (many.episodes, many.updates)
    assert whole[0].policy.tobytes() != whole[2].policy.tobytes()


def test_the_budget_is_spent_in_whole_batches():
    game = OpenSpielSimulator("kuhn_poker")
    (made,) = train([against_uniform(game, SMALL)])
    assert SMALL.budgeted == {"decisions": 640}
    assert made.updates == 5 * 2 * 2 and len(made.losses) == len(made.returns) == 5
    by_episodes = replace(SMALL, episodes=700)
    (made,) = train([against_uniform(game, by_episodes)])
    assert 700 <= made.episodes < 700 + 2 * 128
    assert by_episodes.budgeted == {"learning_episodes": 700}


def test_learners_of_two_kinds_share_a_call():
    game = Bargaining()
    ddqn = DDQN(decisions=320, games=16, capacity=100, minimum=100)
    both = train([against_uniform(game, SMALL), against_uniform(game, ddqn)])
    assert both[0].updates == 20 and both[1].updates == ddqn.total_updates


def test_learning_begins_with_the_weights_it_is_given():
    game = OpenSpielSimulator("kuhn_poker")
    still = replace(SMALL, rate=1e-12, anneal=False)
    task = against_uniform(game, still)
    weights = task.network.initial(torch.Generator().manual_seed(5)).numpy()
    (made,) = train([replace(task, initial=weights)])
    np.testing.assert_allclose(made.policy, weights, atol=1e-9)
    (fresh,) = train([task])
    assert np.abs(fresh.policy - weights).max() > 0.1
    slow = DDQN(decisions=320, games=16, capacity=100, minimum=100, rate=0.0)
    (made,) = train([replace(against_uniform(game, slow), initial=weights)])
    assert made.policy.tobytes() == weights.tobytes()
    with pytest.raises(UserError, match=r"initial must be the \d+ weights"):
        replace(task, initial=weights[:-1])


@pytest.mark.parametrize(
    ("kind", "player"),
    [
        (MLP, 0),
        pytest.param(MLP, 1, marks=pytest.mark.slow),
        pytest.param(LeakyMLP, 0, marks=pytest.mark.slow),
        (LeakyMLP, 1),
    ],
)
def test_it_learns_most_of_a_best_response(kind, player):
    """Of Kuhn poker against the uniform policy, whose exact values are known."""
    game, form = OpenSpielSimulator("kuhn_poker"), sequence_form("kuhn_poker")
    settings = PPOResponse(decisions=20_000, rate=3e-3, width=16)
    (made,) = train([against_uniform(game, settings, kind, player=player, seed=(3,))])
    network = kind(game.inputs, 16, game.actions)
    blank = np.zeros(network.size, dtype=np.float32)
    pools = Population(((), ()))
    for seat in (0, 1):
        mine = seat == player
        pools = pools.add(
            seat, made.policy if mine else blank, "sampled" if mine else "uniform"
        )
    plans = Referee.of(game, form, network).plans(pools)
    value = form.tensor(plans)[player, 0, 0]
    best, _ = form.best_responses(player, plans, np.ones((1, 1)))
    uniform = form.tensor([t.plan(t.uniform())[None] for t in form.trees])[player]
    assert value > uniform + 0.8 * (best[0] - uniform)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"decisions": 0}, "decisions must be at least 1; got 0"),
        ({"episodes": 0}, "episodes must be at least 1; got 0"),
        ({"rate": 0.0}, "rate must be positive"),
        ({"lam": 1.5}, r"lam must be in \[0, 1\]"),
        ({"entropy": -1.0}, "entropy must be a number of at least 0"),
    ],
)
def test_bad_settings_are_refused(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        PPOResponse(**changes)


def test_learning_that_breaks_down_says_so():
    game = OpenSpielSimulator("kuhn_poker")
    task = against_uniform(game, replace(SMALL, rate=1e30, clip_norm=1e30))
    with pytest.raises(UserError, match="weights must stay finite"):
        train([task])
