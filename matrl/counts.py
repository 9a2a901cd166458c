"""What the meta-games of MATRL look like on the way to convergence."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from matrl import meta_2x2
from matrl.dynamics import MATRL, meta_game, near, points
from matrl.matrix_games import Games
from matrl.meta_2x2 import Listed, MetaGames


@dataclass(frozen=True, kw_only=True)
class MetaGameCounts:
    """Counts of meta-games; shares are in per cent, None without meta-games.

    Attributes:
      meta_games: how many there were.
      pure: share with a pure equilibrium.
      several: share with more than one, those that play the same policies counted once.
      mixed: share whose chosen equilibrium mixes a player's policies.
      switch: share whose chosen equilibrium has both switch for certain.
      mean_rho: mean probability with which a player keeps its policy.
      regret: largest of a chosen profile, as a fraction of a player's largest gain.
    """

    meta_games: int
    pure: float | None
    several: float | None
    mixed: float | None
    switch: float | None
    mean_rho: float | None
    regret: float


def count_meta_games(
    rule: MATRL, games: Games, steps: int, seed: int = 0
) -> MetaGameCounts:
    """Counts the meta-games that MATRL solves until each game first converges.

    Args:
      rule: MATRL with its step sizes and selection.
      games: on which it learns.
      steps: at most, of each game.
      seed: of what the rule draws, as in ``matrl.dynamics.points``.
    """
    total, rho_sum, worst = 0, 0.0, 0.0
    counts = np.zeros(4, dtype=np.int64)
    rng = np.random.default_rng(seed)  # as in points()
    live = np.ones(games.count, dtype=bool)
    for point in points(rule, games, steps, seed):
        live &= ~near(games, point).any(axis=1)
        uniform = rng.random(point.shape)
        if not live.any():
            break
        predicted = rule.predicted(games, point)
        every = meta_game(games, point, predicted)
        meta = MetaGames(every.gain[live], every.cross[live])
        listed = meta_2x2.equilibria(meta)
        rho = meta_2x2.choose(meta, listed, rule.select, uniform[live, 0])
        counts += [
            listed.mask[:, :4].any(axis=1).sum(),
            (_outcomes(listed, point[live], predicted[live]) > 1).sum(),
            ((rho > 0) & (rho < 1)).any(axis=1).sum(),
            (rho == 0).all(axis=1).sum(),
        ]
        worst = max(worst, float(meta_2x2.regret(meta, rho).max()))
        total, rho_sum = total + len(rho), rho_sum + float(rho.mean(axis=1).sum())
    shares = [100 * int(n) / total if total else None for n in counts]
    return MetaGameCounts(
        meta_games=total,
        pure=shares[0],
        several=shares[1],
        mixed=shares[2],
        switch=shares[3],
        mean_rho=rho_sum / total if total else None,
        regret=worst,
    )


def with_pure(agents: int, games: int, seed: int = 0) -> int:
    """How many random meta-games of N agents have a pure Nash equilibrium.

    Payoffs are standard normal, but that no agent loses by moving alone: its trial step
    is a step up. Two such agents always have a pure equilibrium (Wen et al., Remark 2):
    of the two cycles of best replies one would have agent 0 move back alone, the other
    agent 1. Three or more need not have one.

    Args:
      agents: N.
      games: how many are drawn.
      seed: of the draws.
    """
    rng = np.random.default_rng([seed, agents])
    drawn = rng.normal(size=(agents, games, *(2,) * agents))
    stable = np.ones((games, *(2,) * agents), dtype=bool)
    for agent, gains in enumerate(drawn):
        keep = np.moveaxis(gains, agent + 1, 1).reshape(games, 2, -1)
        keep[:, :, 0] = np.sort(keep[:, :, 0], axis=1)  # the others all keep theirs
        ahead = (keep == keep.max(axis=1, keepdims=True)).reshape(
            games, 2, *[2] * (agents - 1)
        )
        stable &= np.moveaxis(ahead, 1, agent + 1)
    return int(stable.reshape(games, -1).any(axis=1).sum())


def _outcomes(
    listed: Listed, point: Float64[ndarray, "B 2"], predicted: Float64[ndarray, "B 2"]
) -> Int64[ndarray, " B"]:
    """How many different pairs of policies the equilibria of each meta-game play."""
    different = listed.mask.sum(axis=1)
    some = np.flatnonzero(different > 1)
    moved = (predicted - point)[some]
    played = point[some][:, None] + listed.switch[some] * moved[:, None]
    same = np.abs(played[:, :, None] - played[:, None]).max(axis=3) < 1e-12
    earlier = np.tril(same, k=-1).any(axis=2)  # NaN is like nothing
    different[some] = (listed.mask[some] & ~earlier).sum(axis=1)
    return different
