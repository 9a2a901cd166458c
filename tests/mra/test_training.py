"""MRA's loops: what a sweep does, bit for bit, and what has no part in it."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from populated import PACMAN, RESOURCE, TINY, run, same

from metaspiel.games.resource import Resource
from metaspiel.learn.ppo import Diverged
from metaspiel.learn.random import stream
from mra.adaptation import adapt, begin
from mra.baselines import EPC, RL2, epc, rl2
from mra.learning import Learning
from mra.nets import Nets
from mra.play import Actors, draw_latents, episodes
from mra.replay import Episodes
from mra.settings import METHODS
from mra.state import DELAYED
from mra.train import start, sweep
from mra.update import guess_step, information_step, reward_step

MRA = METHODS["mra"]


def trained(games, method, count, seed=1):
    return run(
        lambda state: sweep(games, method, TINY, state),
        start(games, method, TINY, seed),
        count,
    )


def learning_of(method, state, games, **fields):
    return Learning(
        nets=Nets.of(method, games),
        training=TINY,
        learners={name: one.copy() for name, one in state.learners.items()},
        delayed={name: state.delayed[name].clone() for name in DELAYED},
        **fields,
    )


def test_a_sweep_with_alpha_1_is_plain_steps():
    """Reptile that keeps the whole way is no step of its own, bit for bit."""
    method = replace(METHODS["reptile"], alpha=1.0)
    games = RESOURCE[:1]
    state = start(games, method, TINY, 3)
    (game,), learning = games, learning_of(method, state, games)
    made, row = sweep(games, method, TINY, start(games, method, TINY, 3))
    assert row["updates"] == 0
    state, row = sweep(games, method, TINY, made)
    assert row["updates"] == TINY.inner

    replay = Episodes(12, {})
    for number in (1, 2):
        rng = stream(3, number, 0, 1)
        latents = draw_latents(game, learning.nets, None, TINY.envs, rng)
        weights = {name: one.weights for name, one in learning.learners.items()}
        act = Actors(
            game=game, nets=learning.nets, weights=weights, latents=latents, rng=rng
        )
        replay.add(episodes(game, act, latents, rng=rng))
    rng, scale = stream(3, 2, 0, 2), replay.scales(game.layout.groups, TINY.rewards)
    for _ in range(TINY.inner):
        steps = replay.sample(rng.random(TINY.minibatch))
        numbers = torch.from_numpy(rng.random((2, TINY.minibatch, 3))).float()
        reward_step(
            learning, game, steps, uniforms=numbers, scale=scale, graph_too=True
        )
    for name in ("policy", "graph", "critic"):
        assert torch.equal(learning.learners[name].weights, state.weights[name])


def test_reptile_keeps_a_share_of_the_way():
    ways = []
    for alpha in (1.0, 0.25):
        method = replace(METHODS["reptile"], alpha=alpha)
        first = start(RESOURCE[:1], method, TINY, 3).weights["policy"]
        state, _ = trained(RESOURCE[:1], method, 2, seed=3)
        ways.append(state.weights["policy"] - first)
    torch.testing.assert_close(ways[1], ways[0] * 0.25)


def test_a_game_learns_first_as_it_does_alone():
    """A family of one game is the single-game agent, with nothing to guess."""
    alone, single = trained(RESOURCE[:1], MRA, 1)
    _, beside = trained(RESOURCE, MRA, 1)
    assert (
        single["games"]["resource(agents=3,discs=2,steps=5)"]
        == (beside["games"]["resource(agents=3,discs=2,steps=5)"])
    )
    alone, single = trained(RESOURCE[:1], MRA, 4)
    (row,) = single["games"].values()
    assert row["cross_entropy"] is None
    assert row["information"] > 0
    named, _ = trained((Resource(agents=3, discs=2, steps=5),), MRA, 4)
    assert same(alone, named)
    untrained = start(RESOURCE[:1], MRA, TINY, 1).weights
    for name in ("prior", "classifier", "counter"):
        assert torch.equal(alone.weights[name], untrained[name])


ARMS = {
    "mra": (MRA, sweep, start),
    "maac": (METHODS["maac"], sweep, start),
    "rl2": (RL2(units=8), rl2.sweep, rl2.start),
}


@pytest.mark.parametrize("arm", ARMS)
def test_the_same_seed_gives_the_same_bits_beside_others(arm):
    method, step, begins = ARMS[arm]
    alone, _ = run(
        lambda state: step(RESOURCE, method, TINY, state),
        begins(RESOURCE, method, TINY, 5),
        3,
    )
    state, other = (begins(RESOURCE, method, TINY, seed) for seed in (5, 6))
    for _ in range(3):
        torch.manual_seed(0)
        torch.rand(7) @ torch.rand(7)
        np.random.seed(1)  # noqa: NPY002
        other, _ = step(RESOURCE, method, TINY, other)
        state, _ = step(RESOURCE, method, TINY, state)
    assert same(alone, state)
    assert not same(alone, other)


def test_adaptation_learns_graph_and_policy_and_no_prior():
    state, _ = trained(RESOURCE, MRA, 2)
    larger = RESOURCE[0].resized((5,))
    adapted = begin(larger, MRA, TINY, state, 9)
    adapted, row = run(lambda one: adapt(larger, MRA, TINY, one), adapted, 2)
    assert row["episodes"] == 2 * TINY.envs
    assert row["updates"] == 2 * larger.limit
    for name in ("graph", "policy", "critic"):
        assert not torch.equal(adapted.weights[name], state.weights[name])
    for name in ("prior", "classifier"):
        assert torch.equal(adapted.weights[name], state.weights[name])
    (replay,) = adapted.replays
    assert len(replay.held["latents"].unique(dim=0)) == 1  # drawn once


def test_the_graph_learns_nothing_from_guesses():
    """Equation 13 moves the prior and the classifier alone."""
    state, _ = trained(RESOURCE, MRA, 2)
    learning = learning_of(MRA, state, RESOURCE)
    steps = state.replays[1].sample(np.linspace(0, 0.99, 16))
    entropies = guess_step(learning, RESOURCE[1], steps, 1)
    assert entropies[0] > 0
    for name, learner in learning.learners.items():
        pairs = zip(learner.parts, state.learners[name].parts, strict=True)
        moved = [not torch.equal(new, old) for new, old in pairs]
        assert any(moved) == all(moved) == (name in ("prior", "classifier", "counter"))


def test_the_dead_have_no_part_in_any_loss():
    """What agents that take no part did and were paid changes no weight."""
    games = (PACMAN, PACMAN.resized((3, 2)))
    state, _ = trained(games, MRA, 1)
    steps = state.replays[0].sample(np.random.default_rng(1).random(32))
    dead = torch.rand(steps.playing.shape, generator=torch.manual_seed(2)) < 0.4
    dead[:, 0] = dead[:, 2] = False
    before, after = (
        dict(part) | {"live": part["live"] & ~dead}
        for part in (steps.before, steps.after)
    )
    steps = replace(
        steps, before=before, after=after, playing=~dead, going=steps.going & ~dead
    )
    other = replace(
        steps,
        actions=torch.where(dead, 4 - steps.actions, steps.actions),
        rewards=torch.where(dead, steps.rewards + 100, steps.rewards),
        latents=torch.where(dead, 5 - steps.latents, steps.latents),
    )
    scale = [(torch.tensor(0.0), torch.tensor(1.0))] * 2
    numbers = torch.rand(2, *dead.shape, generator=torch.manual_seed(3))
    priors = [torch.zeros(6).log_softmax(0)] * 2
    made = []
    for one in (steps, other):
        learning = learning_of(MRA, state, games)
        reward_step(
            learning, PACMAN, one, uniforms=numbers, scale=scale, graph_too=True
        )
        information_step(learning, PACMAN, one, priors=priors, until=float("inf"))
        guess_step(learning, PACMAN, one, 0)
        made.append(learning)
    for name, learner in made[0].learners.items():
        assert torch.equal(learner.weights, made[1].learners[name].weights), name
        assert not torch.equal(learner.weights, state.weights[name])


def test_nothing_follows_the_end_of_an_episode():
    state, _ = trained(RESOURCE[:1], MRA, 1)
    steps = state.replays[0].sample(np.random.default_rng(1).random(8))
    over = replace(steps, going=steps.going & False)
    elsewhere = {name: part + 3 for name, part in over.after.items()}
    numbers = torch.rand(2, 8, 3, generator=torch.manual_seed(3))
    scale, made = [(torch.tensor(0.0), torch.tensor(1.0))], []
    for one in (over, replace(over, after=elsewhere), steps):
        learning = learning_of(MRA, state, RESOURCE[:1])
        reward_step(
            learning, RESOURCE[0], one, uniforms=numbers, scale=scale, graph_too=True
        )
        made.append(learning.weights("critic", 0))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


@dataclass(frozen=True, kw_only=True)
class Counted(Resource):
    """Counts the episodes that begin, of all sizes."""

    begun: ClassVar[list[int]] = []

    def start(self, uniforms):
        self.begun.append(len(uniforms))
        return super().start(uniforms)


def test_all_arms_play_as_many_episodes_as_their_rows_say():
    games = [Counted(agents=n, discs=2, steps=5) for n in (3, 6, 9)]
    settings = EPC(sweeps=2, evaluations=4)
    small = RL2(units=4)
    runs = {
        "mra": (games, MRA, sweep, start),
        "single": (games[:1] * 1, MRA, sweep, start),
        "maddpg": (games[:1], METHODS["maddpg"], sweep, start),
        "epc": (games, settings, epc.sweep, epc.start),
        "rl2": (games, small, rl2.sweep, rl2.start),
    }
    totals = {}
    for arm, (family, method, step, begins) in runs.items():
        Counted.begun.clear()
        _, row = run(
            lambda one, f=family, m=method, s=step: s(f, m, TINY, one),
            begins(family, method, TINY, 1),
            2 * len(games) // len(family),
        )
        totals[arm] = row["episodes"]
        assert sum(Counted.begun) == row["episodes"] + row.get("evaluations", 0), arm
    assert set(totals.values()) == {2 * 3 * TINY.envs}


def test_losses_that_are_not_finite_stop_the_run():
    wild = replace(TINY, rate=1e30, every=5)
    state = start(RESOURCE, MRA, wild, 1)
    with pytest.raises(Diverged, match=r"losses must be finite; got .* in sweep"):
        run(lambda one: sweep(RESOURCE, MRA, wild, one), state, 4)
