"""What trained agents earn at any population size, with no step of learning."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metaspiel.games.entities import Populated
from metaspiel.learn.random import stream
from metaspiel.nfg.errors import UserError
from mra.nets import GUESSERS, Nets
from mra.play import Actors, Score, draw_latents, episodes, score
from mra.settings import Method

_PICK, _SCORE = 1, 2
Weights = Mapping[str, Tensor]


def check_numbers(
    where: str, game: Populated, agent: int, **bounds: tuple[int, int]
) -> None:
    """Refuses numbers that are not whole or too small, and agents that are not there.

    Args:
      where: what is called, for the sentence.
      game: has the agents.
      agent: number of one of them.
      bounds: by name the least value and the given one.

    Raises:
      UserError: one is.
    """
    given = {"agent": agent} | {name: value for name, (_, value) in bounds.items()}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise UserError(f"{where}: {name} must be a whole number; got {value!r}")
    for name, (least, value) in bounds.items():
        if value < least:
            raise UserError(f"{where}: {name} must be at least {least}; got {value}")
    if not 0 <= agent < game.agents:
        raise UserError(
            f"{where}: agent must be one of 0 to {game.agents - 1}; got {agent}"
        )


def check_fits(where: str, game: Populated, nets: Nets, weights: Weights) -> None:
    """Refuses weights that are not for this game and these networks.

    Raises:
      UserError: a part is missing or not finite, or the numbers of weights or of groups
        do not fit.
    """
    groups = len(nets.groups(game))
    parts = {n: net.size for n, net in nets.parts.items() if n not in GUESSERS}
    for name, size in parts.items():
        if name not in weights:
            raise UserError(
                f"{where}: weights must have all parts of the method; '{name}' is "
                "missing"
            )
        if not weights[name].isfinite().all():
            raise UserError(f"{where}: weights of '{name}' must be finite")
        have = tuple(weights[name].shape)
        if have == (groups, size):
            continue
        if have[0] != groups:
            kind = "agents" if nets.apart else "roles"
            raise UserError(
                f"{where}: {game.name} must have as many {kind} as the networks were "
                f"trained for, {have[0]}; got {groups}"
            )
        raise UserError(
            f"{where}: the networks must be those of the method, trained in games that "
            f"show as much of an agent and a landmark as {game.name}; got a {name} of "
            f"{have[1]} weights, not {size}"
        )


def measure(
    game: Populated,
    method: Method,
    weights: Weights,
    *,
    count: int,
    seed: int,
    latent: int | None = None,
    greedy: bool = False,
) -> Score:
    """What agents earn in whole episodes.

    Args:
      game: of any size that the weights fit.
      method: which networks they are.
      weights: of every part.
      count: number of episodes.
      seed: of the episodes; equal seeds begin with equal places.
      latent: one for all agents; None draws them from the prior.
      greedy: everybody takes its likeliest action.

    Raises:
      UserError: the weights do not fit the game.
    """
    nets = Nets.of(method, (game,))
    check_fits("measure()", game, nets, weights)
    rng = stream(seed, _SCORE)
    prior = method.prior_in(weights)
    latents = draw_latents(game, nets, prior, count, rng)
    if latent is not None:
        latents = torch.full_like(latents, latent)
    act = Actors(
        game=game,
        nets=nets,
        weights=weights,
        latents=latents,
        rng=None if greedy else stream(seed, _SCORE, 1),
    )
    return score(game, episodes(game, act, latents, rng=rng))


@dataclass(frozen=True, kw_only=True)
class Modes:
    """The score when all agents have one latent, chosen on other episodes.

    Attributes:
      latent: the one that was chosen.
      score: what it earns on episodes that had no say in the choice.
      seen: mean reward of every latent on those that had.
    """

    latent: int
    score: Score
    seen: tuple[float, ...]


def best_mode(
    game: Populated, method: Method, weights: Weights, *, count: int, seed: int
) -> Modes:
    """The latent that earns most when all agents have it (zero-shot, no learning).

    Raises:
      UserError: the weights do not fit the game.
    """
    (other,) = np.random.SeedSequence([seed, _PICK]).generate_state(1)
    seen = tuple(
        measure(game, method, weights, count=count, seed=int(other), latent=latent).mean
        for latent in range(method.relations.latents)
    )
    chosen = int(np.argmax(seen))
    best = measure(game, method, weights, count=count, seed=seed, latent=chosen)
    return Modes(latent=chosen, score=best, seen=seen)
