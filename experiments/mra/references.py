"""What policies that learn nothing earn: lines that a curve is read against."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from experiments.mra.course import Scores
from experiments.mra.courses import plain
from experiments.mra.task import named
from metaspiel.games.entities import Populated, Sight
from metaspiel.learn.random import stream
from mra.play import Act, episodes, score

_SCORE = 11


def references(
    games: Sequence[Populated], *, count: int, seed: int
) -> dict[str, Scores]:
    """Scores of every reference policy at every size."""
    made: dict[str, dict[str, Mapping[str, list[float]]]] = {}
    for game in games:
        for name, act in _policies(game, seed).items():
            blank = torch.zeros((count, game.agents), dtype=torch.int64)
            played = episodes(game, act, blank, rng=stream(seed, _SCORE))
            made.setdefault(name, {})[named(game.sizes)] = plain(score(game, played))
    return dict(made)


def _policies(game: Populated, seed: int) -> dict[str, Act]:
    rng = stream(seed, _SCORE, 1)

    def uniform(sight: Sight) -> Int64[Tensor, "B N"]:
        return torch.from_numpy(rng.integers(game.actions.size, size=sight.live.shape))

    return {"random": uniform}
