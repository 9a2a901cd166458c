"""Games of three and more players on which solvers of equilibria are tried."""

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
from numpy import ndarray

from metaspiel.nfg.game import Game
from metaspiel.nfg.sample import families, fits, sample

Make = Callable[[tuple[int, ...], np.random.Generator], ndarray]


def _shape(actions: tuple[int, ...]) -> tuple[int, ...]:
    return (len(actions), *actions)


def binary(actions, rng):
    return rng.integers(0, 2, _shape(actions)).astype(float)


def sparse(actions, rng):
    return (rng.random(_shape(actions)) < 0.1).astype(float)


def zero_sum(actions, rng):
    payoffs = rng.standard_normal(_shape(actions))
    return payoffs - payoffs.mean(axis=0)


def zero_sum_integers(actions, rng):
    payoffs = rng.integers(-1, 2, _shape(actions)).astype(float)
    payoffs[-1] = -payoffs[:-1].sum(axis=0)
    return payoffs


def unanimity(actions, rng):
    played = np.indices(actions)
    worth = rng.uniform(0, 1, (len(actions), max(actions)))
    return np.where((played == played[0]).all(axis=0), worth[:, played[0]], 0.0)


def matching_round(actions, rng):
    """Each wants to match the next, the last to differ from the first."""
    played = np.indices(actions)
    worth = rng.uniform(0.1, 1, (len(actions), max(actions)))
    same = played == np.roll(played, -1, axis=0)
    same[-1] = ~same[-1]
    return np.stack([w[p] * s for w, p, s in zip(worth, played, same, strict=True)])


def rock_paper_scissors(actions, rng):
    played = np.indices(actions)
    ahead = (played[:, None] - played[None]) % 3
    return ((ahead == 1) * 1.0 - (ahead == 2) * 1.0).sum(axis=1)


def chicken(actions, rng):
    played = np.indices(actions)
    crash = played.sum(axis=0) > sum(actions) // 2
    return played * (1 + rng.random()) - crash * played * (5 + rng.random())


def rank_one(actions, rng):
    table = np.ones(())
    for size in actions:
        table = np.multiply.outer(table, rng.standard_normal(size))
    return np.multiply.outer(rng.standard_normal(len(actions)), table)


def many_scales(actions, rng):
    """Payoffs of twelve orders of magnitude within one table."""
    shape = _shape(actions)
    return rng.standard_normal(shape) * 10.0 ** rng.uniform(-6, 6, shape)


def integers_of_many_scales(actions, rng):
    shape = _shape(actions)
    return rng.integers(-1, 2, shape) * 10.0 ** rng.integers(-9, 1, shape)


def scale_of_each_player(actions, rng):
    scales = 10.0 ** rng.uniform(-6, 6, len(actions))
    payoffs = rng.standard_normal(_shape(actions))
    return payoffs * scales.reshape(-1, *[1] * len(actions))


def nearly_constant(actions, rng):
    return 1 + 1e-9 * rng.standard_normal(_shape(actions))


MAKERS: dict[str, Make] = {
    make.__name__: make
    for make in (
        *(binary, sparse, zero_sum, zero_sum_integers, unanimity, matching_round),
        *(rock_paper_scissors, chicken, rank_one, many_scales),
        *(integers_of_many_scales, scale_of_each_player, nearly_constant),
    )
}


def names(actions: tuple[int, ...]) -> list[str]:
    """Families of these sizes: the library's samplers, and those above."""
    return [f for f in families(len(actions)) if fits(f, actions)] + list(MAKERS)


def draw(name: str, actions: tuple[int, ...], seed: int) -> Game:
    """A game of a family; a name of ours goes before one of the library."""
    rng = np.random.default_rng([seed, *actions])
    if name in MAKERS:
        return Game(MAKERS[name](actions, rng))
    return sample(name, actions, rng)


def games(actions: tuple[int, ...], seeds: range) -> Iterator[tuple[str, Game]]:
    """Every family's games of these seeds, with a label."""
    for name in names(actions):
        for seed in seeds:
            yield f"{name} {actions} seed {seed}", draw(name, actions, seed)


def exact_regret(game: Game, profile: list[ndarray]) -> float:
    """The largest gain by deviating over the payoff range, in exact fractions."""
    strategies = [[Fraction(float(p)) for p in own] for own in profile]
    sums = [sum(own) for own in strategies]
    worst = Fraction(0)
    for player, table in enumerate(game.payoffs):
        whole = np.vectorize(Fraction, otypes=[object])(table)
        spread = whole.max() - whole.min()
        if not spread:
            continue
        worth = np.moveaxis(whole, player, 0)
        for other in reversed([p for p in range(game.players) if p != player]):
            worth = worth @ np.array(strategies[other], dtype=object) / sums[other]
        value = worth @ np.array(strategies[player], dtype=object) / sums[player]
        worst = max(worst, (worth.max() - value) / spread)
    return float(worst)
