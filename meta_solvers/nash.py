"""Nash equilibria of two-player games: one by pivoting, or all by listing vertices."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy import ndarray

from meta_solvers import bimatrix
from meta_solvers.base import Answer, MetaSolver, Status, failure
from meta_solvers.integers import whole_numbers
from meta_solvers.listing import Listing
from metaspiel.nfg.errors import UserError, positive
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import expected
from metaspiel.nfg.simplex import product

MOST_ENTRIES = 10_000_000  # table entries computed; enough for about 12 x 12
_TOLERANCE = 1e-9
_MOST_PATHS = 40  # followed where not all equilibria can be listed
_SAME = 1e-7  # profiles this close are one

Profile = tuple[ndarray, ndarray]


def equilibria(game: Game) -> list[Profile]:
    """Every extreme Nash equilibrium of a two-player game, as pairs ``([M], [N])``.

    As ``listing``, where the list is complete.

    Raises:
      UserError: not two players, or the game is too large for a complete list.
    """
    return [(x, y) for x, y in listing(game).require()]


def listing(game: Game, budget: int = MOST_ENTRIES) -> Listing:
    """Every extreme Nash equilibrium of a two-player game, and whether these are all.

    All equilibria of a nondegenerate game; in a degenerate one, the vertices of its
    continua of equilibria. Fewest actions in support first, then lexicographic. Payoffs
    become the simplest whole numbers within rounding, and those are solved exactly: the
    unit of payoff decides nothing, and no equilibrium is lost to a tolerance.

    Args:
      game: a game of two players.
      budget: table entries that may be computed. Where it is exhausted, equilibria at
        the ends of Lemke-Howson paths join the list.

    Raises:
      UserError: not two players.
    """
    if game.players != 2:
        raise UserError(
            f"equilibria(): the game must have exactly 2 players; got {game.players}"
        )
    row, column = bimatrix.positive(game)
    # Payoffs that are constant but for rounding are constant here as well.
    whole = [
        whole_numbers(payoff if unit.any() else unit) + 1
        for payoff, unit in zip(game.payoffs, game.normalised, strict=True)
    ]
    profiles, complete = bimatrix.extreme(whole[0], whole[1], budget)
    missing = ""
    if not complete:
        m, n = game.actions
        missing = (
            f"to list all equilibria of these {m} x {n} actions takes more than "
            f"{budget} table entries"
        )
        labels = np.arange(min(m + n, _MOST_PATHS))
        every = Nash(select="max_welfare")
        for profile in every._paths(row, column, labels, {"tried": []}):
            if not any(_same(profile, other) for other in profiles):
                profiles.append(profile)
    regrets = [bimatrix.regret(row, column, *profile) for profile in profiles]
    return Listing(profiles, np.array(regrets, dtype=np.float64), missing)


def _same(one: Profile, other: Profile) -> bool:
    return all(np.abs(a - b).max() <= _SAME for a, b in zip(one, other, strict=True))


@dataclass(frozen=True, kw_only=True)
class Nash(MetaSolver):
    """A Nash equilibrium of a two-player general-sum game.

    Lemke-Howson drops one label after another until a path ends at a verified
    equilibrium; a mixed-integer program is the last resort. What was tried is in
    the diagnostics.

    Attributes:
      method: "lemke_howson": candidates are the equilibria at the ends of the paths,
        one per action of either player (games up to hundreds of actions); "support":
        candidates are all extreme equilibria (up to about 12 x 12; beyond, the status
        is INCOMPLETE).
      select: "first": the first candidate, by label or by size of support;
        "max_welfare": the one with the largest sum of payoffs, which computes all: OK
        with method "support"; ends of paths are seldom all equilibria, so INCOMPLETE;
        "random": a candidate drawn uniformly (of labels, or of equilibria).
      tolerance: largest regret called a solution, as a fraction of payoff range.
      steps: pivots allowed on one path.
      seconds: wall seconds allowed to the integer program.
    """

    method: Literal["lemke_howson", "support"] = "lemke_howson"
    select: Literal["first", "max_welfare", "random"] = "first"
    tolerance: float = _TOLERANCE
    steps: int = 50_000
    seconds: float = 60.0

    concept: ClassVar[Literal["ne"]] = "ne"
    players: ClassVar[tuple[int, float]] = (2, 2)
    stochastic: ClassVar[bool] = True
    maximises: ClassVar[str] = "a Nash equilibrium of any two-player game"
    source: ClassVar[str] = "Lemke & Howson 1964; von Stengel 2007"

    def __post_init__(self) -> None:
        positive(self, "tolerance", "steps", "seconds")

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        row, column = bimatrix.positive(game)
        facts: dict[str, Any] = {"used": self.method, "tried": []}
        missing = ""
        if self.method == "support":
            listed, missing = self._list(game, rng, facts)
        else:
            labels = np.arange(sum(row.shape))
            if self.select == "random":
                labels = rng.permutation(labels)
            listed = self._paths(row, column, labels, facts)
            if self.select == "max_welfare":
                missing = "only ends of paths were compared; method=support lists all"
        if missing:
            facts["missing"] = missing
        if not listed:
            facts["used"] = "integer_program"
            last = bimatrix.integer_program(row, column, self.seconds)
            if last is None:
                facts["tried"].append("integer program: nothing found in time")
                return failure(game, Status.NUMERICAL, **facts)
            listed = [last]
        if self.select == "max_welfare":
            listed = [_best(game, listed)]
        regret = bimatrix.regret(row, column, *listed[0])
        facts["regret"] = regret
        status = Status.INCOMPLETE if missing else Status.OK
        if regret > self.tolerance:
            status = Status.INACCURATE
        return Answer(product(listed[0]), status, diagnostics=facts)

    def _list(
        self, game: Game, rng: np.random.Generator, facts: dict[str, Any]
    ) -> tuple[list[Profile], str]:
        """All extreme equilibria, or the one drawn; and why some may be missing."""
        every = listing(game, MOST_ENTRIES)
        facts["equilibria"] = len(every.profiles)
        profiles = [(x, y) for x, y in every.profiles]
        if self.select == "random" and profiles:
            profiles = [profiles[rng.integers(len(profiles))]]
        return profiles, every.missing

    def _paths(
        self,
        row: ndarray,
        column: ndarray,
        labels: ndarray,
        facts: dict[str, Any],
    ) -> list[Profile]:
        """Equilibria at the ends of paths; only the first unless all are wanted."""
        profiles: list[Profile] = []
        facts["pivots"] = 0
        attempts = [
            (label, long) for label in labels.tolist() for long in (False, True)
        ]
        done = -1
        for label, long in attempts:
            if label == done:
                continue
            path = bimatrix.lemke_howson(row, column, label, self.steps, long)
            facts["pivots"] += path.pivots
            trouble = path.trouble
            if path.profile is not None:
                regret = bimatrix.regret(row, column, *path.profile)
                if regret <= self.tolerance:
                    profiles.append(path.profile)
                    facts.setdefault("label", label)
                    done = label
                else:
                    trouble = f"regret {regret:.3g}"
            if trouble:
                digits = "long" if long else "double"
                facts["tried"].append(f"label {label}, {digits}: {trouble}")
            if profiles and self.select != "max_welfare":
                break
        facts["paths"] = len(profiles)
        return profiles


def _best(game: Game, profiles: list[Profile]) -> Profile:
    """The profile with the largest welfare; ties go to the earlier one."""
    welfare = np.array([expected(game, product(p)).sum() for p in profiles])
    slack = 1e-12 * float(np.abs(game.payoffs).max())
    return profiles[int(np.flatnonzero(welfare >= welfare.max() - slack)[0])]
