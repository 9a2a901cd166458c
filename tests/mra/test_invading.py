"""One agent of other weights among residents."""

import pytest
import torch

from metaspiel.learn import flat
from metaspiel.nfg.errors import UserError
from mra import deviation, invade
from mra.nets import Nets
from mra.settings import METHODS, Method
from mra.train import start
from tests.helpers.populated import PACMAN, RESOURCE, TINY, Pick

PLAIN = METHODS["plain"]


def always(method, game, action):
    """Weights of agents that take one action whatever they see."""
    weights = dict(start((game,), method, TINY, 1).weights)
    policy = Nets.of(method, (game,)).policy
    theta = torch.zeros_like(weights["policy"])
    for row in theta:
        flat.views(policy.shapes, row)["scores+"][0, action] = 99.0
    return weights | {"policy": theta}


@pytest.mark.parametrize("method", [PLAIN, METHODS["maddpg"], Method(copies=2)])
def test_an_invader_gains_what_its_own_actions_earn(method):
    """Whoever picks action 2 is paid 1, whatever the others do."""
    game = Pick(3)
    poor, rich = (always(method, game, action) for action in (0, 2))
    made = invade(game, method, poor, rich, count=8, seed=1, agent=1)
    assert (made.before, made.gain, made.error, made.others) == (0, 1, 0, 0)
    made = invade(game, method, rich, poor, count=8, seed=1, agent=1)
    assert (made.before, made.gain, made.error, made.others) == (1, -1, 0, 0)


@pytest.mark.parametrize("name", ["mra", "together", "maddpg"])
def test_a_resident_among_residents_changes_nothing(name):
    game, method = RESOURCE[0], METHODS[name]
    weights, other = (start((game,), method, TINY, s).weights for s in (1, 2))
    made = invade(game, method, weights, weights, count=99, seed=1)
    assert (made.gain, made.error, made.others) == (0, 0, 0)
    assert invade(game, method, weights, other, count=99, seed=1).gain != 0


def test_agents_that_share_a_latent_share_it_beside_a_deviating_one():
    game, method = RESOURCE[0], METHODS["together"]
    weights = start((game,), method, TINY, 1).weights
    seen = []
    draw = deviation.draw_latents

    def watched(*args):
        seen.append(draw(*args))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deviation, "draw_latents", watched)
        deviation.measure_gain(
            game, method, weights, TINY, rounds=1, restarts=1, seed=1, count=9
        )
    assert seen
    for latents in seen:
        assert (latents[:, 1:] == latents[:, 1:2]).all()


def test_impossible_invasions_are_refused():
    weights = start(RESOURCE[:1], PLAIN, TINY, 1).weights

    def gain(game=RESOURCE[0], **changed):
        numbers = {"seed": 1, "count": 4} | changed
        return invade(game, PLAIN, weights, weights, **numbers)

    with pytest.raises(UserError, match="count must be at least 2; got 1"):
        gain(count=1)
    with pytest.raises(UserError, match="agent must be one of 0 to 2; got 3"):
        gain(agent=3)
    with pytest.raises(UserError, match="agent must be a whole number; got True"):
        gain(agent=True)
    with pytest.raises(UserError, match="seed must be at least 0"):
        gain(seed=-1)
    with pytest.raises(UserError, match="must have as many roles"):
        gain(PACMAN)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: {"graph": w["graph"]}, "'policy' is missing"),
        (lambda w: w | {"policy": w["policy"] * torch.nan}, "'policy' must be finite"),
        (lambda w: w | {"policy": w["policy"][:, 1:]}, "must be those of the method"),
    ],
)
def test_weights_of_another_kind_do_not_invade(change, sentence):
    game = RESOURCE[0]
    weights = start((game,), PLAIN, TINY, 1).weights
    with pytest.raises(UserError, match=sentence):
        invade(game, PLAIN, weights, change(weights), count=4, seed=1)


def test_an_invader_draws_its_latent_from_its_own_prior():
    game, method = RESOURCE[0], METHODS["mra"]
    weights = dict(start((game,), method, TINY, 1).weights)
    weights["graph"] = 9 * weights["graph"]  # heads that differ
    weights["policy"] = 9 * weights["policy"]
    theta = torch.zeros_like(weights["prior"])
    theta[:, -1] = 1e4  # the last bias: always the last latent
    same, other = (
        invade(game, method, weights, invader, count=99, seed=1)
        for invader in (weights, weights | {"prior": theta})
    )
    assert same.gain == 0 != other.error
