"""Nash averaging, Alpha-Rank, Elo and mean payoffs as ratings of actions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.alpharank import AlphaRank
from meta_solvers.base import Status
from meta_solvers.linear import ZeroSumNash
from meta_solvers.registry import get
from meta_solvers.solving import solve
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import against

PRIOR = 1.0  # drawn games that every two actions are credited with for Elo
_POINTS = 400 / np.log(10)  # of Elo's scale, for odds of e
_STEPS = 100
_TIE = 1e-12  # of the largest payoff: scores closer than this are a draw

Ratings = tuple[Float64[ndarray, " _"] | None, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Rated:
    """How one method rates the actions of all players; the highest is the best.

    Attributes:
      ratings: ``[A_p]`` a player; None for a player whom the method does not rate.
      how: what the numbers are, as a phrase.
      rounding: ratings that are closer are equal.
    """

    ratings: Ratings
    how: str
    rounding: float

    def seated(self, seats: Sequence[int]) -> "Rated":
        """The ratings of a game whose player p is player ``seats[p]`` of this one."""
        return replace(self, ratings=tuple(self.ratings[seat] for seat in seats))


def mean_payoff(game: Game) -> Rated:
    """Rates an action by its payoff when all others draw theirs uniformly."""
    even = [np.full(size, 1.0 / size) for size in game.actions]
    return Rated(
        ratings=_payoffs(game, even),
        how="mean payoff over all co-players",
        rounding=1e-9 * float(game.scale.max()),
    )


def nash_averaging(game: Game) -> Rated:
    """Rates an action by its payoff against the most even Nash equilibrium.

    Balduzzi et al. 2018. The equilibrium of largest entropy of a two-player zero-sum
    game is the product of each side's; so it is the maximum-entropy CCE, too, whose
    marginals are equilibria and whose entropy is at most the sum of theirs.

    Raises:
      UserError: the game is not two-player zero-sum, or was not solved.
    """
    _check_zero_sum("nash_averaging()", game)
    solution = solve(get("mecce"), game, throw=False)
    if solution.status is not Status.OK:
        raise UserError(
            "nash_averaging(): the equilibrium of largest entropy must be solved; got "
            f"{solution.status.name}"
        )
    return Rated(
        ratings=_payoffs(game, list(solution.marginals)),
        how="payoff against the Nash equilibrium of largest entropy",
        # A tolerance of 1e-10 in entropy is 1e-5 in probabilities.
        rounding=1e-5 * float(game.scale.max()),
    )


def alpha_rank(game: Game) -> Rated:
    """Rates an action by how often evolution plays it (Omidshafiei et al. 2019).

    Alpha-Rank of infinite selection intensity, one population a player.

    Raises:
      UserError: the game has too many joint actions.
    """
    solution = solve(AlphaRank(), game, throw=False)
    return Rated(
        ratings=solution.marginals,
        how="share of time in Alpha-Rank's chain, infinite selection intensity",
        rounding=1e-9,
    )


def elo(game: Game, prior: float = PRIOR) -> Rated:
    """Rates the rows of a two-player zero-sum game by Elo's model, most likely.

    Elo's model is of games between rows, which a table of payoffs does not count. So:
    where players are interchangeable (payoffs are antisymmetric) every two actions have
    one game, won to the share ``1/2 + payoff / (2 largest payoff)``; elsewhere each
    column is one game between every two rows, won by the larger payoff, or drawn.
    Every two rows are credited with ``prior`` drawn games more, so that the largest
    likelihood is finite; with 0 it may not be. Points are Elo's (400 for odds of 10),
    with mean 0.

    Raises:
      UserError: the game is not two-player zero-sum, or no ratings are most likely.
    """
    if not 0.0 <= prior < np.inf:
        raise UserError(f"elo(): prior must be a number of at least 0; got {prior}")
    _check_zero_sum("elo()", game)
    payoff = game.payoffs[0]
    tie = _TIE * float(np.abs(payoff).max())
    square = game.actions[0] == game.actions[1]
    if square and np.abs(payoff + payoff.T).max() <= tie:
        most = float(np.abs(payoff).max()) or 1.0
        ratings = bradley_terry(0.5 + payoff / (2 * most), prior)
        won = "a game a pair, won to the share of the payoff"
        rated: Ratings = (ratings, ratings)
    else:
        apart = payoff[:, None] - payoff[None]  # [row, row, column]
        level = 0.5 * (np.abs(apart) <= tie).sum(axis=2)
        ratings = bradley_terry((apart > tie).sum(axis=2) + level, prior)
        won = "each column is a game of every two rows"
        rated = (ratings, None)
    more = f"{prior:g} drawn game{'' if prior == 1 else 's'} more a pair"
    return Rated(ratings=rated, how=f"Elo points; {won}, and {more}", rounding=1e-6)


def bradley_terry(
    wins: Float64[ndarray, "A A"], prior: float = 0.0
) -> Float64[ndarray, " A"]:
    """The most likely Elo ratings, with mean 0, from games won by row against column.

    Zermelo 1929; Bradley & Terry 1952. By Newton's method on the concave likelihood.

    Args:
      wins: ``[row, column]``; the diagonal is not read, and a draw is half a game.
      prior: drawn games that are added to every pair.

    Raises:
      UserError: some won all their games against the others, so that none are finite.
    """
    size = len(wins)
    won = np.asarray(wins, dtype=np.float64) + prior / 2
    np.fill_diagonal(won, 0.0)
    if not _connected(won > 0):
        raise UserError(
            "elo(): prior must be positive where some win all their games against the "
            f"others, whose most likely ratings are infinite; got {prior:g}"
        )
    games = won + won.T
    ratings = np.zeros(size)
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(ratings[None] - ratings[:, None]))
        slope = (won - games * share).sum(axis=1)
        bend = games * share * (1 - share)
        curve = np.diag(bend.sum(axis=1)) - bend + games.max() / size
        step = np.linalg.solve(curve, slope)
        ratings = ratings + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() <= 1e-13:
            break
    return (ratings - ratings.mean()) * _POINTS


def _connected(beats: ndarray) -> bool:
    """Whether wins lead from every row to every other."""
    reach = beats | np.eye(len(beats), dtype=bool)
    for _ in range(len(beats).bit_length()):
        reach = reach @ reach
    return bool(reach.all())


def _payoffs(game: Game, profile: list[ndarray]) -> Ratings:
    """Payoff of every action of every player against the others' mixtures."""
    each = enumerate(game.payoffs)
    return tuple(against(payoff, profile, player) for player, payoff in each)


def _check_zero_sum(where: str, game: Game) -> None:
    if game.players != 2:
        kind = f"{game.players} player{'' if game.players == 1 else 's'}"
    elif ZeroSumNash().refuses(game):
        kind = "payoffs that do not add up to one number"
    else:
        return
    raise UserError(f"{where}: the game must be two-player zero-sum; got {kind}")
