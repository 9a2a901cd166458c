from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from metaspiel.games.markov import Continuous, Discrete, Scene
from metaspiel.games.pennies import Pennies
from metaspiel.games.switch import Switch
from metaspiel.learn import ppo
from metaspiel.learn.advantages import advantages, targets
from metaspiel.learn.ppo import PPO, Diverged
from metaspiel.learn.random import stream
from metaspiel.learn.rollout import collect, look, play
from metaspiel.nfg.errors import UserError

SMALL = PPO(batch=200, envs=10, width=16)


@dataclass(frozen=True)
class Aim:
    """Two agents each see a number and are paid for naming it, once."""

    continuous: bool = False

    name, agents, inputs, draws, limit = "aim", 2, 1, 1, 1

    @property
    def actions(self):
        return Continuous(1) if self.continuous else Discrete(2)

    def start(self, uniforms):
        seen = np.repeat(2 * np.round(uniforms[:, None]) - 1, 2, axis=1)
        batch = len(seen)
        no = np.zeros(batch, bool)
        return Scene(seen.astype(np.float32), np.zeros((batch, 2)), no, no)

    def restart(self, scene, where, uniforms):
        new = self.start(uniforms).observations
        seen = np.where(where[:, None, None], new, scene.observations)
        gone = np.where(where[:, None], 0.0, scene.rewards)
        return Scene(seen, gone, scene.terminated & ~where, scene.truncated)

    def step(self, scene, actions):
        numbers = actions[:, :, 0] if self.continuous else 2.0 * actions - 1
        error = (numbers - scene.observations[:, :, 0]).astype(float)
        paid = np.where(scene.over[:, None], 0.0, -(error**2))
        all_over = np.ones(len(paid), bool)
        return Scene(scene.observations, paid, all_over, ~all_over)


def brute_advantages(rewards, values, after, last, gamma, lam):
    advantages = np.zeros_like(rewards)
    for b in range(rewards.shape[1]):
        for t in range(len(rewards)):
            k, weight = t, 1.0
            while True:
                nxt = after[k, b] if last[k, b] else values[k + 1, b]
                delta = rewards[k, b] + gamma * nxt - values[k, b]
                advantages[t, b] += weight * delta
                if last[k, b]:
                    break
                k, weight = k + 1, weight * gamma * lam
    return advantages


def test_advantages_and_targets_by_hand():
    rng = np.random.default_rng(0)
    rewards, values, after = rng.normal(size=(3, 7, 4, 2))
    last = rng.random((7, 4)) < 0.3
    last[-1] = True
    estimated = advantages(rewards, values, after, last=last, gamma=0.9, lam=0.8)
    np.testing.assert_allclose(
        estimated,
        brute_advantages(rewards, values, after, last=last, gamma=0.9, lam=0.8),
        atol=1e-12,
    )
    # With lambda 1 an advantage is the discounted reward to come minus the value.
    np.testing.assert_allclose(
        advantages(rewards, values, after, last=last, gamma=0.9, lam=1.0) + values,
        targets(rewards, after, last, 0.9),
        atol=1e-12,
    )


def test_a_rollout_says_what_was_seen_and_where_episodes_end():
    game = Switch(agents=2)
    agents = ppo.students(game, SMALL).fresh(0)
    who = ppo.students(game, SMALL).policies
    played = collect(
        game, who, agents.actor.weights, envs=10, steps=120, rng=stream(0, 1)
    )
    assert played.rewards.shape == (120, 10, 2)
    rows = played.seen[torch.arange(2)[:, None], played.index]
    assert rows.shape == (2, 1200, 2)
    # Every agent starts where it starts, and each row was kept once.
    first = rows[:, :10].numpy()
    start = game.start(np.zeros((10, 0))).observations
    np.testing.assert_array_equal(first, start.swapaxes(0, 1))
    for agent in range(2):
        used = played.index[agent].unique()
        assert len(np.unique(played.seen[agent][used].numpy(), axis=0)) == len(used)
    assert not (played.terminated & played.truncated).any()
    over = played.terminated | played.truncated
    assert over[49::50].any() and played.lengths.max() == 50
    # The first episodes are whole: their rewards up to their end are the returns.
    for b in range(10):
        end = int(over[:, b].argmax()) + 1
        assert played.lengths[b] == end
        np.testing.assert_allclose(played.returns[b], played.rewards[:end, b].sum(0))
    # An observation after the last step of a batch is that of the next one.
    ends = torch.from_numpy(over.copy())
    ends[-1] = True
    assert (played.final[:, ~ends.flatten()] == 0).all()


def test_different_rows_are_never_taken_for_one():
    game = Aim()
    wild = PPO(batch=64, envs=32, width=8)
    played = ppo.experience(
        game,
        wild,
        ppo.students(game, wild),
        agents=ppo.students(game, wild).fresh(0),
        rng=stream(3),
    )[0]
    seen = played.seen[0][played.index[0]][:, 0].numpy()
    assert set(np.unique(seen)) == {-1.0, 1.0}
    assert played.seen.shape[1] == 2


@pytest.mark.parametrize("continuous", [False, True])
def test_agents_learn_to_name_what_they_see(continuous):
    settings = PPO(batch=400, envs=400, width=16, rate=1e-2, entropy=1e-3)
    *_, (_, row) = ppo.train(Aim(continuous), settings, 0, 40)
    begin = next(iter(ppo.train(Aim(continuous), settings, 0, 1)))[1]["returns"]
    assert begin < -2
    assert row["returns"] > (-0.6 if continuous else -0.1)


def test_a_shared_network_stays_one_and_learns():
    settings = PPO(batch=400, envs=400, width=16, rate=1e-2, entropy=1e-3, share=True)
    *_, (agents, row) = ppo.train(Aim(), settings, 0, 40)
    for part in (*agents.actor.parts, *agents.critic.parts):
        assert torch.equal(part[0], part[1])
    assert row["returns"] > -0.1


def test_agents_know_which_they_are_when_they_share():
    scene = Switch(agents=3).start(np.zeros((4, 0)))
    seen = look(scene, numbered=True)
    np.testing.assert_array_equal(seen[0, :, -3:], np.eye(3))
    assert look(scene, numbered=False) is scene.observations


def test_same_seed_same_bits_and_an_agent_does_not_feel_the_others_reward():
    runs = [list(ppo.train(Switch(), SMALL, 4, 3)) for _ in range(2)]
    assert [row for _, row in runs[0]] == [row for _, row in runs[1]]
    ends = [run[-1][0].actor.weights for run in runs]
    assert torch.equal(*ends)
    other = list(ppo.train(Switch(), SMALL, 5, 3))[-1][0]
    assert not torch.equal(ends[0], other.actor.weights)


def first_batch(game, settings, rng):
    """What agents that have learned nothing play."""
    students = ppo.students(game, settings)
    agents = students.fresh(0)
    return ppo.experience(game, settings, students, agents=agents, rng=rng)[1]


def test_the_first_ratio_is_one_and_the_first_gradient_the_policy_gradient():
    game = Pennies(states=2, limit=3)
    settings = replace(SMALL, entropy=0.0, kl=0.0)
    agents = ppo.students(game, settings).fresh(0)
    batch = first_batch(game, settings, stream(0, 1))
    who = ppo.students(game, settings).policies
    now = who.at(agents.actor.weights, batch.seen)
    assert torch.equal(batch.log_ratios(now), torch.zeros(2, 200))
    leaf = agents.actor.weights.clone().requires_grad_()
    log = batch.log_ratios(who.at(leaf, batch.seen))
    (log * batch.advantage).mean(1).sum().backward()
    new, _ = ppo.improve(settings, who, agents.actor, batch=batch, steps=1, rate=1e-3)
    moved = new.weights - agents.actor.weights
    # The first step of Adam goes by the sign of the gradient.
    big = leaf.grad.abs() > 1e-5
    assert big.any()
    assert torch.equal(moved[big].sign(), leaf.grad[big].sign())


def test_advantages_are_normalised_agent_by_agent():
    game = Pennies(agents=3)
    batch = first_batch(game, SMALL, stream(0, 1))
    torch.testing.assert_close(
        batch.advantage.mean(1), torch.zeros(3), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        batch.advantage.std(1, correction=0), torch.ones(3), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(batch.share.sum(1), torch.ones(3))


def test_an_agent_past_its_target_rests_and_the_others_go_on():
    game = Pennies()
    tight = replace(SMALL, target_kl=1e-4, rate=1e-2)
    agents = ppo.students(game, tight).fresh(0)
    _, batch = ppo.experience(
        game, tight, ppo.students(game, tight), agents=agents, rng=stream(0, 1)
    )
    still = torch.zeros_like(batch.advantage)
    still[0] = batch.advantage[0]
    batch = replace(batch, advantage=still)
    who = ppo.students(game, tight).policies
    quiet = replace(tight, entropy=0.0, kl=0.0)
    _, facts = ppo.improve(quiet, who, agents.actor, batch=batch, steps=10, rate=1e-2)
    assert facts.steps[0] < 10 and facts.steps[1] == 10
    assert facts.kl[0] > 1.5e-4


def test_time_limits_are_bootstrapped_when_asked():
    game = Pennies(states=1, limit=4)
    agents = ppo.students(game, SMALL).fresh(0)
    made = {}
    for asked in (False, True):
        settings = replace(SMALL, bootstrap_limits=asked)
        made[asked] = ppo.experience(
            game,
            settings,
            ppo.students(game, settings),
            agents=agents,
            rng=stream(0, 1),
        )[1]
    # Pennies ends by its rules, so nothing changes there; Switch meets its limit.
    assert torch.equal(made[True].target, made[False].target)
    long = replace(SMALL, batch=600)
    for asked in (False, True):
        settings = replace(long, bootstrap_limits=asked)
        made[asked] = first_batch(Switch(), settings, stream(0, 1))
    assert not torch.equal(made[True].target, made[False].target)


def test_team_reward_is_the_sum_for_everyone():
    own, all_ = (
        first_batch(Switch(), settings, stream(1))
        for settings in (SMALL, replace(SMALL, reward="team"))
    )
    assert torch.equal(own.actions, all_.actions)
    assert not torch.equal(own.target, all_.target)


def test_updates_may_see_the_first_rows_of_one_environment_only():
    settings = replace(SMALL, rows=6)
    game = Switch(agents=2)
    batch = first_batch(game, settings, stream(1))
    seen = ppo.lesson(settings, batch)
    assert seen.index.shape == (2, 6)
    assert torch.equal(seen.index[:, 2], batch.index[:, 2 * settings.envs])
    torch.testing.assert_close(seen.share.sum(1), torch.ones(2))


def test_play_stops_when_all_episodes_are_over():
    game = Pennies(limit=5)
    agents = ppo.students(game, SMALL).fresh(0)
    who = ppo.students(game, SMALL).policies
    returns, lengths = play(game, who, agents.actor.weights, 7, stream(0))
    assert returns.shape == (7, 2) and (lengths == 5).all()
    np.testing.assert_allclose(returns.sum(1), 0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"batch": 2001}, "multiple of envs"),
        ({"rate": 0.0}, "rate must be positive"),
        ({"rate": float("nan")}, "rate must be positive"),
        ({"gamma": 1.5}, r"gamma must be in \[0, 1\]"),
        ({"entropy": -1.0}, "entropy must be a number of at least 0"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"rows": 51}, "rows must be from 0 to the steps of one environment, 50"),
    ],
)
def test_impossible_settings_are_refused(change, sentence):
    with pytest.raises(UserError, match=sentence):
        PPO(**change)


def test_numbers_that_are_not_finite_stop_the_run():
    game = Pennies()
    agents = ppo.students(game, SMALL).fresh(0)
    _, batch = ppo.experience(
        game, SMALL, ppo.students(game, SMALL), agents=agents, rng=stream(0, 1)
    )
    who = ppo.students(game, SMALL)
    bad = batch.advantage.clone()
    bad[1, 3] = torch.nan
    spoiled = replace(batch, advantage=bad)
    with pytest.raises(
        Diverged, match=r"actor's loss of every agent.* agent 1's is not"
    ):
        ppo.improve(
            SMALL, who.policies, agents.actor, batch=spoiled, steps=1, rate=1e-3
        )
    bad = batch.target.clone()
    bad[0, 0] = torch.inf
    with pytest.raises(Diverged, match=r"critic's loss of every agent.* agent 0's"):
        ppo.regress(SMALL, who.critics, agents.critic, replace(batch, target=bad), 1)
