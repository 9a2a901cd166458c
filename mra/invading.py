"""What one agent earns among others that learned otherwise.

Rewards of whole populations do not say whether their agents are any good for
themselves: where all want the same, each may gain by what makes all poorer. An invader
is one agent of other weights among residents (Maynard Smith and Price 1973).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.entities import Populated
from metaspiel.learn.random import stream
from mra.measuring import check_fits, check_numbers
from mra.nets import Nets
from mra.play import Actors, draw_latents, episodes
from mra.settings import Method

_LATENTS, _PLACES, _ACTIONS = 1, 2, 3  # stages of randomness


@dataclass(frozen=True, kw_only=True)
class Invasion:
    """What changes when one resident is replaced by an invader.

    Attributes:
      agent: its number.
      before: mean reward an episode of that resident.
      gain: how much more the invader earns, in episodes that begin alike.
      error: standard error of the gain.
      others: how much more each of the others earns on average.
      episodes: how many.
    """

    agent: int
    before: float
    gain: float
    error: float
    others: float
    episodes: int


def invade(
    game: Populated,
    method: Method,
    residents: Mapping[str, Tensor],
    invader: Mapping[str, Tensor],
    *,
    count: int,
    seed: int,
    agent: int = 0,
) -> Invasion:
    """Replaces one of the residents by an agent with other weights of the same method.

    Args:
      game: of a size that the weights fit.
      method: which networks they are.
      residents: weights of every part.
      invader: likewise. Its latent is drawn by the same number, from its own prior.
      count: episodes.
      seed: of the episodes.
      agent: who is replaced.

    Raises:
      UserError: the weights do not fit the game, or there is no such agent.
    """
    check_numbers("invade()", game, agent, count=(2, count), seed=(0, seed))
    nets = Nets.of(method, (game,))
    for weights in (residents, invader):
        check_fits("invade()", game, nets, weights)

    def latents_of(weights: Mapping[str, Tensor]) -> Tensor:
        prior, rng = method.prior_in(weights), stream(seed, _LATENTS)
        return draw_latents(game, nets, prior, count, rng)

    latents = latents_of(residents)
    changed = latents.clone()
    changed[:, agent] = latents_of(invader)[:, agent]
    usual, other = (nets.each(game, weights) for weights in (residents, invader))
    mixed = {name: rows.clone() for name, rows in usual.items()}
    for name, rows in mixed.items():
        rows[agent] = other[name][agent]

    def returns(
        weights: Mapping[str, Tensor], latents: Tensor
    ) -> Float64[ndarray, "B N"]:
        act = Actors(
            game=game,
            nets=replace(nets, apart=True),
            weights=weights,
            latents=latents,
            rng=stream(seed, _ACTIONS),
        )
        played = episodes(game, act, latents, rng=stream(seed, _PLACES))
        earned: ndarray = played.rewards.double().sum(1).numpy()
        return earned

    before = returns(usual, latents)
    change = returns(mixed, changed) - before
    others = np.delete(change, agent, axis=1)
    return Invasion(
        agent=agent,
        before=float(before[:, agent].mean()),
        gain=float(change[:, agent].mean()),
        error=float(change[:, agent].std(ddof=1) / np.sqrt(count)),
        others=float(others.mean()) if others.size else 0.0,
        episodes=count,
    )
