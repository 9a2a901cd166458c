"""All ratings of a game's actions side by side, and the ranks that they give."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from meta_solvers import rating
from meta_solvers.deviation import DeviationRatings, deviation_ratings
from meta_solvers.rating import Rated
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game

_ROUNDING = 1e-7  # of the payoff range: deviation ratings that are closer are equal


@dataclass(frozen=True, eq=False, kw_only=True)
class Standings:
    """The ratings of a game by all methods.

    Attributes:
      game: the game.
      deviation: the deviation ratings.
      others: the other methods that apply, by name.
      absent: why each of the rest does not, as a sentence.
    """

    game: Game
    deviation: DeviationRatings
    others: Mapping[str, Rated]
    absent: Mapping[str, str]

    def of(self, player: int) -> dict[str, list[float]]:
        """Ratings of a player's actions by method, for those that rate them."""
        known = {"deviation": self.deviation.ratings[player].tolist()}
        for name, rated in self.others.items():
            own = rated.ratings[player]
            if own is not None:
                known[name] = own.tolist()
        return known

    def ranks(self, player: int) -> dict[str, list[int]]:
        """Ranks from 1 by method; ratings that are equal but for rounding share one."""
        close = {name: rated.rounding for name, rated in self.others.items()}
        close["deviation"] = _ROUNDING * float(self.game.scale.max())
        return {name: ranks(own, close[name]) for name, own in self.of(player).items()}

    def order(self, player: int) -> list[int]:
        """A player's actions, the best first: by deviation, then by mean payoff."""
        place = self.ranks(player)["deviation"]
        means = self.of(player)["mean_payoff"]
        return sorted(range(len(place)), key=lambda i: (place[i], -means[i]))


def ranks(ratings: Sequence[float], rounding: float) -> list[int]:
    """The rank of each rating: 1 and how many are larger by more than rounding."""
    order = sorted(range(len(ratings)), key=lambda i: -ratings[i])
    made = [1] * len(ratings)
    for place, (above, i) in enumerate(pairwise(order), 2):
        tied = ratings[above] - ratings[i] <= rounding
        made[i] = made[above] if tied else place
    return made


def standings(
    game: Game,
    *,
    table: Game | None = None,
    seats: Sequence[int] | None = None,
    prior: float = rating.PRIOR,
) -> Standings:
    """Rates the actions of a game by every method that applies to it.

    Args:
      game: the game.
      table: the two-player zero-sum game that Nash averaging and Elo rate; by default
        the game itself.
      seats: the player of ``table`` that each player of ``game`` is; by default the
        one of the same number.
      prior: drawn games that every two actions are credited with for Elo.

    Raises:
      UserError: the game is too large for deviation ratings.
    """
    apart = game if table is None else table
    places = range(game.players) if seats is None else seats
    methods: dict[str, Callable[[], Rated]] = {
        "nash_averaging": lambda: rating.nash_averaging(apart).seated(places),
        "alpha_rank": partial(rating.alpha_rank, game),
        "elo": lambda: rating.elo(apart, prior).seated(places),
        "mean_payoff": partial(rating.mean_payoff, game),
    }
    others, absent = {}, {}
    for name, method in methods.items():
        try:
            others[name] = method()
        except UserError as error:
            absent[name] = str(error)
    return Standings(
        game=game, deviation=deviation_ratings(game), others=others, absent=absent
    )
