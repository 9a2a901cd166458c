"""MADDPG against games whose answers are known."""

from dataclasses import dataclass, replace
from functools import partial

import learners
import numpy as np
import pytest
import torch

from metaspiel.games.markov import Continuous, Discrete, Scene, joint_action
from metaspiel.learn import maddpg, replay_run
from metaspiel.learn.maddpg import MADDPG
from metaspiel.learn.memory import Sample
from metaspiel.learn.mlp import layers

FAST = MADDPG(
    batch=400, envs=20, every=20, updates=4, minibatch=64, warm=400, width=32,
    capacity=4000, rate=3e-3,
)  # fmt: skip


@dataclass(frozen=True)
class Meet:
    """Two agents each see half of a number; the nearer their sum is, the better.

    The team is paid ``-(a + b - (x + y))^2``, then the episode ends. Only agent 0 is
    told the pay.
    """

    discrete: bool = False

    name, agents, inputs, draws, limit = "meet", 2, 1, 2, 1

    @property
    def actions(self):
        return Discrete(2) if self.discrete else Continuous(1)

    def start(self, uniforms):
        seen = (uniforms[:, :, None] - 0.5).astype(np.float32)
        if self.discrete:
            seen = np.sign(seen)
        no = np.zeros(len(seen), bool)
        return Scene(seen, np.zeros(seen.shape[:2]), no, no)

    def restart(self, scene, where, uniforms):
        new = self.start(uniforms).observations
        seen = np.where(where[:, None, None], new, scene.observations)
        return Scene(seen, scene.rewards, scene.terminated & ~where, scene.truncated)

    def step(self, scene, actions):
        joint_action(self, len(scene.over), actions)
        meant = 2 * actions - 1 if self.discrete else actions[:, :, 0]
        miss = (meant - scene.observations[:, :, 0]).sum(1)
        pays = np.where(scene.over, 0.0, -(miss**2).astype(float))
        yes = np.ones(len(pays), bool)
        return Scene(scene.observations, np.stack([pays, 0 * pays], 1), yes, ~yes)


run = partial(learners.run, maddpg)


def test_it_learns_a_continuous_team_game():
    # Doing nothing pays -1/6, the variance of x + y; the optimum 0.
    given = replace(FAST, episodes=200)
    _, rows = run(Meet(), given, 12)
    assert rows[0]["returns"] < -0.1
    assert rows[-1]["returns"] > -0.01


def test_it_learns_a_discrete_team_game():
    _, rows = run(Meet(discrete=True), replace(FAST, episodes=200), 10)
    assert rows[0]["returns"] < -1.0
    assert rows[-1]["returns"] == 0.0


def test_own_rewards_leave_the_unpaid_agent_without_a_reason():
    game, given = Meet(), replace(FAST, reward="own", shrink=0.0)
    algorithm = _algorithm(game, given)[0]
    sample = _sample(2)
    taken = torch.randn(2, 4, 1)
    before = algorithm.state.weights.clone()
    _zero(algorithm.critics), _zero(algorithm.targets[1])
    # Values are 0 and so is agent 1's reward: its error is exactly 0.
    loss = algorithm._judge(sample, taken, np.random.default_rng(0))
    assert float(loss) == pytest.approx(float(sample.rewards[0].square().mean()) / 2)
    assert torch.equal(
        before[: algorithm.nets.cut], algorithm.state.weights[: algorithm.nets.cut]
    )


def _zero(views):
    with torch.no_grad():
        for view in views:
            view.zero_()


def _algorithm(game, given, seed=1):
    nets = maddpg._Nets(game, given)
    state = replace(
        maddpg.start(game, given, seed), target=maddpg.start(game, given, 2).weights
    )
    state = replay_run.copied(game, given.capacity, state, nets.size)
    return maddpg._Algorithm(nets, given, state), nets


def _sample(size):
    made = torch.Generator().manual_seed(1)
    rewards = torch.randn(size, 4, generator=made)
    rewards[1:] = 0
    return Sample(
        observations=torch.randn(size, 4, 1, generator=made),
        later=torch.randn(size, 4, 1, generator=made),
        actions=torch.randn(size, 4, 1, generator=made),
        rewards=rewards,
        alive=torch.tensor([1.0, 0.0, 1.0, 1.0]),
    )


def vector(views, agent):
    return torch.cat([view[agent].detach().reshape(-1) for view in views])


@pytest.mark.parametrize("reward", ["team", "own"])
def test_the_critics_targets_by_hand(reward):
    game, given = Meet(), replace(FAST, reward=reward)
    algorithm, nets = _algorithm(game, given)
    sample = _sample(2)
    wanted = []
    then = [
        nets.actor.scores(vector(algorithm.targets[0], m), sample.later[m]).tanh()
        for m in range(2)
    ]
    now = torch.cat([*sample.observations, *sample.actions], 1)
    later = torch.cat([*sample.later, *then], 1)
    for n in range(2):
        pays = sample.rewards.sum(0) if reward == "team" else sample.rewards[n]
        follow = nets.critic.scores(vector(algorithm.targets[1], n), later)[:, 0]
        value = nets.critic.scores(vector(algorithm.critics, n), now)[:, 0]
        aim = pays + given.gamma * sample.alive * follow
        wanted.append((value - aim).square().mean())
    loss = algorithm._judge(sample, sample.actions, np.random.default_rng(0))
    assert float(loss) == pytest.approx(float(sum(wanted)) / 2, rel=1e-5)


def test_actors_climb_their_own_critic_and_the_others_act_as_they_did():
    game, given = Meet(), replace(FAST, shrink=0.0, clip=1e9)
    algorithm, nets = _algorithm(game, given)
    sample = _sample(2)
    gradients = []
    algorithm._descend = lambda loss, views, role: gradients.append(
        torch.autograd.grad(loss, views)
    )
    algorithm._act(sample, sample.actions, np.random.default_rng(0))
    for n in range(2):
        own = vector(algorithm.actors, n).requires_grad_()
        acts = [*sample.actions]
        acts[n] = nets.actor.scores(own, sample.observations[n]).tanh()
        x = torch.cat([*sample.observations, *acts], 1)
        value = nets.critic.scores(vector(algorithm.critics, n), x).mean()
        (slope,) = torch.autograd.grad(-value, own)
        for part, wanted in zip(gradients[0], layers(nets.actor, slope), strict=True):
            assert torch.allclose(part[n], wanted, atol=1e-6)


def test_gumbel_softmax_draws_the_softmax_and_passes_gradients():
    algorithm, _ = _algorithm(Meet(discrete=True), FAST)
    scores = torch.tensor([1.0, -0.5]).expand(2, 20_000, 2).clone().requires_grad_()
    drawn = algorithm._played(scores, np.random.default_rng(0))
    assert torch.allclose(drawn.detach().sum(2), torch.ones(2, 20_000))
    share = float(drawn.detach()[:, :, 0].mean())
    assert share == pytest.approx(1 / (1 + np.exp(-1.5)), abs=0.01)
    (slope,) = torch.autograd.grad(drawn[:, :, 0].sum(), scores)
    assert (slope[:, :, 0] > 0).all()


@pytest.mark.parametrize("discrete", [False, True])
def test_a_resumed_run_is_the_same_run(tmp_path, discrete):
    game, given = Meet(discrete), replace(FAST, capacity=1000)
    straight, rows = run(game, given, 4)
    state, _ = run(game, given, 2)
    maddpg.save(state, tmp_path)
    state = maddpg.load(tmp_path)
    for wanted in rows[2:]:
        state, row = maddpg.step(game, given, state)
        assert {**row, "seconds": 0} == {**wanted, "seconds": 0}
    for name in ("weights", "target", "mean", "square"):
        assert torch.equal(getattr(state, name), getattr(straight, name))


def test_until_it_learns_actions_are_uniformly_random():
    algorithm, _ = _algorithm(Meet(), FAST)
    rng = np.random.default_rng(0)
    seen = np.zeros((5000, 2, 1), np.float32)
    early = algorithm.explore(seen, FAST.warm - 1, rng)
    assert early.std() == pytest.approx(1 / np.sqrt(3), abs=0.01)
    late = algorithm.explore(seen, FAST.warm, rng) - algorithm.greedy(seen)
    assert late.std() == pytest.approx(FAST.noise, abs=0.01)
    _, rows = run(Meet(), FAST, 2)
    assert [row["epsilon"] for row in rows] == [0.0, 0.0]
    assert rows[0]["updates"] == 4  # the last of 20 rounds is not warm any more
