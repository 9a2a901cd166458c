"""Alpha-Rank: joint actions ranked by the stationary mass of an evolutionary chain."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import Answer, MetaSolver, Status, failure
from meta_solvers.jumps import Jumps
from meta_solvers.markov import Stationary, stationary
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game

STATES = 4096  # of a chain that is eliminated as a dense matrix
FEW = 512  # states; so few are always eliminated
STEPS = 25_000_000  # of a chain that is not eliminated: about 1 GB while it is built
# Payoff differences below this fraction of the range are ties.
TIE = 1e-13
# Largest m times alpha times payoff range: the logarithm of the rarest step, which is
# then known to 1e-7. More would only tell apart payoffs that nearly tie.
PRESSURE = 1e9


@dataclass(frozen=True)
class AlphaRank(MetaSolver):
    """Stationary distribution of Alpha-Rank's evolutionary chain over joint actions.

    In each population one mutant at a time takes over or dies out; with selection
    intensity alpha and population size m a mutant that gains d takes over with
    probability ``(1 - exp(-alpha d)) / (1 - exp(-m alpha d))`` (Omidshafiei et al.
    2019). The chain over what the populations play is irreducible, so its
    stationary distribution is unique; it is found by state elimination, on logarithms
    where rates underflow. In the limit of infinite alpha, games of more than 512 joint
    actions in which steps that lose nothing lead to a single closed class (most
    zero-sum ones) are solved by iteration, at any size that fits. Not an equilibrium
    concept: no gap is promised.

    Attributes:
      alpha: selection intensity in units of 1 / payoff, so it must shrink as payoffs
        grow. None is the limit of infinite alpha: steps to a better action have rate
        ``1 - epsilon``, to an equal one 1/2, to a worse one ``epsilon`` (Rowland et
        al. 2019), which does not depend on the scale of the payoffs.
      m: individuals in each population; read only with finite alpha.
      epsilon: rate of steps to a worse action; read only with infinite alpha.
      populations: "multi" has one population per player and one state per joint
        action. "single" is for symmetric two-player games: one population, one state
        per action, a mutant's gain measured against the resident alone (OpenSpiel's
        local selection); both players then play the state, so the joint is diagonal.
    """

    alpha: float | None = None
    m: int = 50
    epsilon: float = 1e-6
    populations: Literal["multi", "single"] = "multi"

    maximises: ClassVar[str] = "nothing: time that evolution spends at a joint action"
    source: ClassVar[str] = "Omidshafiei et al. 2019; Rowland et al. 2019"

    def __post_init__(self) -> None:
        if self.alpha is not None and not 0.0 < self.alpha < np.inf:
            raise UserError(
                "AlphaRank(): alpha must be a finite number > 0, or None for the "
                f"infinite limit; got {self.alpha}"
            )
        if self.m < 2:
            raise UserError(f"AlphaRank(): m must be at least 2; got {self.m}")
        if not 0.0 < self.epsilon < 0.5:
            raise UserError(
                "AlphaRank(): epsilon must be between 0 and 1/2, both excluded; "
                f"got {self.epsilon}"
            )
        if self.populations not in ("multi", "single"):
            known = ("multi", "single")
            raise unknown("AlphaRank()", "populations", self.populations, known)

    def refuses(self, game: Game) -> str | None:
        states = game.profiles
        if self.populations == "single":
            if game.players != 2 or not game.symmetric:
                return (
                    "populations='single' needs a two-player game declared "
                    "symmetric (Game(..., symmetric=True), --symmetric); "
                    f"got {game.players} players, symmetric={game.symmetric}"
                )
            counts = game.repeats
            if counts is not None and not np.array_equal(counts[0], counts[1]):
                return (
                    "populations='single' needs the same repeats for both players; "
                    f"got {[count.tolist() for count in counts]}"
                )
            states = game.actions[0]
        if states <= STATES:
            return None
        dense = (
            f"the chain must have at most {STATES} states where it is eliminated as a "
            f"dense matrix; got {states} states ({3 * 8 * states**2 / 2**30:.1f} GiB)"
        )
        if self.alpha is not None or self.populations == "single":
            return dense
        steps = states * sum(game.actions)
        if steps > STEPS:
            return f"the chain must have at most {STEPS} steps; got {steps}"
        classes, _ = self._jumps(game).closed
        if classes > 1:
            return f"{dense}; only a chain with one closed class, not {classes}, is not"
        return None

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        pressure, used = self._pressure(game)
        if self.populations == "single":
            ranking = stationary(self._single(game, pressure[0]))
            weights = np.diag(ranking.weights)
        else:
            iterated = self._iterated(game)
            if iterated is None and game.profiles > STATES:
                why = "the iteration did not reach its precision"
                return failure(game, Status.NUMERICAL, why=why)
            ranking = iterated or stationary(self._multi(game, pressure))
            weights = ranking.weights
        diagnostics: dict[str, Any] = {
            "states": len(ranking.weights),
            "method": ranking.method,
            "residual": ranking.residual,
        }
        if used is not None:
            diagnostics["alpha_used"] = used
        return Answer(weights.reshape(game.actions), diagnostics=diagnostics)

    def _pressure(self, game: Game) -> tuple[Float64[ndarray, " N"], float | None]:
        """Alpha times each player's payoff range, and the alpha that was used.

        Alpha is lowered where ``m`` times the product would pass ``PRESSURE``; None is
        the limit.
        """
        if self.alpha is None:
            return np.ones(game.players), None
        flat = game.normalised.reshape(game.players, -1)
        spread = np.where(flat.any(axis=1), game.scale, 0.0)
        largest = float(spread.max())
        alpha = (
            min(self.alpha, PRESSURE / (self.m * largest))
            if largest > 0
            else self.alpha
        )
        return alpha * spread, alpha

    def _multi(
        self, game: Game, pressure: Float64[ndarray, " N"]
    ) -> Float64[ndarray, "S S"]:
        """``[from, to]`` log rates between joint actions that differ in one action."""
        flat = np.arange(game.profiles).reshape(game.actions)
        log_rates = np.full((game.profiles, game.profiles), -np.inf)
        for player, actions in enumerate(game.actions):
            index = np.moveaxis(flat, player, 0).reshape(actions, -1)
            steps = self._steps(game, player, float(pressure[player]))
            log_rates[index[:, None], index[None]] = steps
        return log_rates

    def _steps(
        self, game: Game, player: int, pressure: float
    ) -> Float64[ndarray, "A A C"]:
        """``[from, to, co-players' profile]`` log rates of one player's steps."""
        actions = game.actions[player]
        unit = np.moveaxis(game.normalised[player], player, 0).reshape(actions, -1)
        steps = self._log_rates(unit[None] - unit[:, None], pressure)
        return steps + _log_repeats(game, player)[:, None]

    def _jumps(self, game: Game) -> Jumps:
        """The chain of infinite alpha, without a matrix of all pairs of states."""
        rates, fast = [], []
        for player, actions in enumerate(game.actions):
            steps = self._steps(game, player, 1.0)
            copies = _log_repeats(game, player)[:, None]
            fast.append(steps - copies > (np.log(self.epsilon) + np.log(0.5)) / 2)
            own = np.exp(steps)
            own[np.arange(actions), np.arange(actions)] = 0.0
            rates.append(own)
        return Jumps(game.actions, tuple(rates), tuple(fast))

    def _iterated(self, game: Game) -> Stationary | None:
        """The answer by iteration; None where the chain is to be eliminated."""
        if self.alpha is not None or game.profiles <= FEW:
            return None
        chain = self._jumps(game)
        return chain.stationary() if chain.closed[0] == 1 else None

    def _single(self, game: Game, pressure: float) -> Float64[ndarray, "S S"]:
        """``[from, to]`` log rates between the actions of one population."""
        unit = game.normalised[0]
        return self._log_rates(unit.T - unit, pressure) + _log_repeats(game, 0)

    def _log_rates(
        self, gains: Float64[ndarray, "*K"], pressure: float
    ) -> Float64[ndarray, "*K"]:
        """Log rate of each step, from its gain as a fraction of the payoff range."""
        better, worse = gains > TIE, gains < -TIE
        if self.alpha is None:
            rates = np.where(better, 1.0 - self.epsilon, 0.5)
            return np.log(np.where(worse, self.epsilon, rates))
        size = np.where(better | worse, np.abs(gains), 1.0) * pressure
        size = np.maximum(size, np.finfo(float).tiny)
        # (1 - e^-u) / (1 - e^-mu), times e^-(m-1)u for a loss of u.
        log_gain = np.log(-np.expm1(-size)) - np.log(-np.expm1(-self.m * size))
        log_loss = log_gain - (self.m - 1) * size
        tied = np.where(better, log_gain, -np.log(self.m))
        return np.where(worse, log_loss, tied)


def _log_repeats(game: Game, player: int) -> Float64[ndarray, " A_p"]:
    """Logarithm of how often each action is there.

    Copies of an action are alike, so the chain over actions in which steps to an action
    are so many times as likely has the same weights as the chain over all copies.
    """
    if game.repeats is None:
        return np.zeros(game.actions[player])
    return np.log(game.repeats[player])
