"""Episodes of a game whose agents are played by networks, and what they are worth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.entities import Populated, Sight
from mra.heads import drawn
from mra.nets import Nets
from mra.replay import Played

Act = Callable[[Sight], Int64[Tensor, "B N"]]
After = Callable[[Tensor, Tensor], None]


@torch.no_grad()
def episodes(
    game: Populated,
    act: Act,
    latents: Int64[Tensor, "B N"],
    *,
    rng: np.random.Generator,
    after: After | None = None,
) -> Played:
    """Plays one whole episode a row of ``latents``.

    Args:
      game: what is played.
      act: everybody's actions from what they see, step by step.
      latents: what the episodes are played with; they are kept in the result.
      rng: numbers from which the episodes start.
      after: is given everybody's actions and rewards after each step.
    """
    scene: Any = game.start(rng.random((len(latents), game.draws)))
    states = [game.state(scene)]
    playing = [torch.from_numpy(scene.live.copy())]
    actions, rewards = [], []
    for _ in range(game.limit):
        chosen = act(game.sight(states[-1]))
        scene = game.step(scene, chosen.numpy())
        states.append(game.state(scene))
        actions.append(chosen)
        rewards.append(torch.from_numpy(scene.rewards).float())
        if after is not None:
            after(chosen, rewards[-1])
        going = scene.live & ~scene.terminated[:, None]
        playing.append(torch.from_numpy(going))
    return Played(
        states={n: torch.stack([one[n] for one in states], 1) for n in states[0]},
        actions=torch.stack(actions, 1),
        rewards=torch.stack(rewards, 1),
        playing=torch.stack(playing, 1),
        latents=latents,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Actors:
    """Agents that draw their actions from networks, each with a latent.

    Attributes:
      game: what they play.
      nets: their networks.
      weights: of the parts "graph" and "policy", ``[G, P]`` each.
      latents: of all agents in all episodes.
      rng: numbers by which actions are drawn; None takes the likeliest ones.
      likeliest: groups that take those anyway; as many numbers are used up.
    """

    game: Populated
    nets: Nets
    weights: Mapping[str, Tensor]
    latents: Int64[Tensor, "B N"]
    rng: np.random.Generator | None
    likeliest: tuple[int, ...] = ()

    @torch.no_grad()
    def __call__(self, sight: Sight) -> Int64[Tensor, "B N"]:
        """What everybody does in these situations."""
        chosen = torch.empty_like(self.latents)
        for group, who in enumerate(self.nets.groups(self.game)):
            mine = self.latents[:, who]
            graph = self.nets.graph.attention(
                self.weights["graph"][group], sight, who, mine
            )
            logits = self.nets.policy.logits(
                self.weights["policy"][group], sight, who, graph
            )
            best = logits.argmax(2)
            if self.rng is not None:
                numbers = torch.from_numpy(self.rng.random(mine.shape)).float()
                if group not in self.likeliest:
                    best = drawn(logits, numbers)
            chosen[:, who] = best
        return chosen


@torch.no_grad()
def draw_latents(
    game: Populated,
    nets: Nets,
    prior: Tensor | None,
    count: int,
    rng: np.random.Generator,
) -> Int64[Tensor, "B N"]:
    """Latents of all agents in so many episodes.

    Args:
      game: says how many agents of each role there are.
      nets: the prior among them.
      prior: weights ``[G, P]`` of the learned prior; None is uniform.
      count: B.
      rng: numbers by which they are drawn.
    """
    numbers = torch.from_numpy(rng.random((count, game.agents))).float()
    latents = torch.empty(numbers.shape, dtype=torch.int64)
    for group, who in enumerate(nets.groups(game)):
        logs = torch.zeros(nets.prior.latents)
        if prior is not None:
            logs = nets.prior.log_probabilities(prior[group], game.sizes)
        mine = numbers[:, who]
        if nets.together:
            mine = mine[:, :1].expand_as(mine)
        latents[:, who] = drawn(logs.expand(*mine.shape, -1), mine)
    return latents


@dataclass(frozen=True, kw_only=True)
class Score:
    """What agents earn: reward an agent and episode, by role.

    Attributes:
      means: mean over episodes and the agents of a role.
      errors: its standard error, over episodes.
      episodes: how many.
    """

    means: tuple[float, ...]
    errors: tuple[float, ...]
    episodes: int

    @property
    def mean(self) -> float:
        """The mean over roles."""
        return float(np.mean(self.means))


def score(game: Populated, played: Played) -> Score:
    """The score of episodes of a game."""
    returns: Float64[ndarray, "B N"] = played.rewards.double().sum(1).numpy()
    each = [returns[:, who].mean(1) for who in game.layout.groups]
    count = len(returns)
    spread = [one.std(ddof=1) / np.sqrt(count) if count > 1 else 0.0 for one in each]
    return Score(
        means=tuple(float(one.mean()) for one in each),
        errors=tuple(float(one) for one in spread),
        episodes=count,
    )
