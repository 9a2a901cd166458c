"""The replay of episodes: what it holds, and how transitions are drawn."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mra.replay import Episodes, Played

LENGTH = 3


def played(first, count):
    """Episodes whose states and rewards are 10 times their number, plus the time."""
    numbers = 10.0 * torch.arange(first, first + count)[:, None]
    state = numbers + torch.arange(LENGTH + 1)
    playing = torch.ones(count, LENGTH + 1, 2, dtype=torch.bool)
    playing[:, -1, 1] = False
    return Played(
        states={"x": state[:, :, None]},
        actions=torch.zeros(count, LENGTH, 2, dtype=torch.int64),
        rewards=state[:, :-1, None].expand(-1, -1, 2).clone(),
        playing=playing,
        latents=torch.arange(first, first + count)[:, None].expand(-1, 2).clone(),
    )


@settings(deadline=None, max_examples=50)
@given(batches=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_the_newest_episodes_are_held(batches):
    replay, first = Episodes(5, {}), 0
    for count in batches:
        replay.add(played(first, count))
        first += count
    held = sorted(replay.held["latents"][:, 0].tolist())
    assert held == list(range(max(0, first - 5), first))
    assert replay.next == (first if max(batches) <= 5 else replay.next) % 5


def test_every_transition_is_as_likely_as_any_other():
    replay = Episodes(5, {})
    replay.add(played(0, 3))
    replay.add(played(3, 4))
    size = 5 * LENGTH
    steps = replay.sample((np.arange(size) + 0.5) / size)
    at = steps.before["x"][:, 0]
    assert sorted(at.tolist()) == [10.0 * n + t for n in range(2, 7) for t in range(3)]
    assert torch.equal(steps.after["x"][:, 0], at + 1)
    assert torch.equal(steps.rewards[:, 0], at)
    assert torch.equal(steps.latents[:, 0], at.long() // 10)
    assert steps.playing.all()
    assert torch.equal(steps.going[:, 1], at % 10 != LENGTH - 1)


def test_an_episode_not_held_is_never_drawn():
    replay = Episodes(5, {})
    replay.add(played(1, 2))
    steps = replay.sample(np.array([0.0, 1 - 1e-12]))
    assert steps.latents[:, 0].tolist() == [1, 2]


def test_rewards_are_scaled_by_those_of_who_took_part():
    one = played(0, 4)
    one.rewards[:, :, 1] = 7.0
    one.playing[:, :, 1] = False
    replay = Episodes(9, {})
    replay.add(one)
    first, second = slice(0, 1), slice(1, 2)
    (middle, spread), nobody = replay.scales([first, second], "standardised")
    seen = one.rewards[:, :, 0]
    torch.testing.assert_close(middle, seen.mean())
    torch.testing.assert_close(spread, seen.std(unbiased=False))
    assert [float(x) for x in nobody] == [0.0, 1.0]
    (middle, scaled), _ = replay.scales([first, second], "scaled")
    assert (float(middle), float(scaled)) == (0.0, float(spread))
    assert [float(x) for x in replay.scales([first], "raw")[0]] == [0.0, 1.0]
