"""Mixtures of a population that are least exploitable in the whole game."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from meta_solvers.base import Answer, MetaSolver, Progress, Status, failure
from meta_solvers.linear import ZeroSumNash
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept, expected
from metaspiel.nfg.simplex import marginals, product

_CERTAIN = 1e-6  # uncertainty of an OK answer, as a fraction of the payoffs' range
_NEEDS = (
    "the policies must be known in the tree of their game, as psro with exact payoffs "
    "knows them; got payoffs alone"
)


@dataclass(frozen=True)
class Anytime(MetaSolver):
    """Each player's mixture that does best against any policy of the whole game.

    The others in Anytime PSRO are not restricted to a population, so that what is
    played grows no more exploitable while populations grow. In a two-player zero-sum
    tree a linear program a player gives it exactly (``metaspiel.games.zero_sum``). What
    is promised is a Nash equilibrium up to what best responses in the whole game gain,
    and so up to no less than what policies of the population do.

    Attributes:
      nash: share of the restricted game's equilibrium (``nash_lp``) that is mixed in.
        Responses to the pure answer may all be known already while it is exploitable;
        with a share it is a better target, and may grow more exploitable.
    """

    nash: float = 0.0

    concept: ClassVar[Concept] = "ne"
    players: ClassVar[tuple[int, float]] = (2, 2)
    uses_tree: ClassVar[bool] = True
    maximises: ClassVar[str] = "each player's payoff against a best response"
    source: ClassVar[str] = "McAleer et al. 2022 (Anytime PSRO)"

    def __post_init__(self) -> None:
        if not 0.0 <= self.nash <= 1.0:
            raise UserError(f"Anytime(): nash must be in [0, 1]; got {self.nash}")

    def refuses(self, game: Game) -> str | None:
        return _NEEDS

    def objection(self, game: Game, progress: Progress | None) -> str | None:
        if progress is None or progress.pools is None:
            return self.refuses(game)
        return progress.pools.objection

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        return failure(game, Status.INFEASIBLE, reason=_NEEDS)

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        if progress is None or progress.pools is None:
            return self.distribution(game, rng)
        pools = progress.pools
        mixtures = [one.weights for one in pools.guarantees]
        if self.nash > 0:
            equilibrium = marginals(ZeroSumNash().distribution(game, rng).joint)
            mixtures = [
                (1.0 - self.nash) * own + self.nash * nash
                for own, nash in zip(mixtures, equilibrium, strict=True)
            ]
        joint = product(mixtures)
        gains = pools.best_values(mixtures) - expected(game, joint)
        certain = pools.uncertain <= _CERTAIN * float(game.scale.max())
        return Answer(
            joint,
            Status.OK if certain else Status.INACCURATE,
            np.maximum(gains, 0.0),
            {
                "exploitability": float(gains.sum()) / 2,
                "population_exploitability": pools.exploitability,
                "uncertain": pools.uncertain,
            },
        )
