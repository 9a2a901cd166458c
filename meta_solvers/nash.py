"""A Nash equilibrium of any game; of two-player games one by pivoting, or all.

Two players: Lemke-Howson, or a list of the vertices of the best-response polytopes.
Two actions each: ``two_action``. Any other game: the end of a path (``tracing``).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers import bimatrix, tracing, two_action
from meta_solvers.base import Answer, MetaSolver, Status, failure
from meta_solvers.integers import whole_numbers
from meta_solvers.listing import Listing
from metaspiel.nfg.errors import UserError, at_least, positive
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
    unit of payoff decides nothing, and no equilibrium is lost to a tolerance. Rounding
    is that of ``game.moved``: payoffs close together and far from 0 count as they are.

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
    whole = [whole_numbers(payoff) + 1 for payoff in game.moved]
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
    """A Nash equilibrium of any game; the method depends on the game.

    Two players: Lemke-Howson drops one label after another until a path ends at a
    verified equilibrium; a mixed-integer program is the last resort. More players with
    two actions each (up to six players): ``two_action``. Any other game: a path of
    equilibria of games in which mixing is paid for leads to one (``tracing``). What was
    used and tried is in the diagnostics.

    Attributes:
      method: "auto": as above; "lemke_howson" (two players): candidates are the
        equilibria at the ends of the paths, one per action of either player (games up
        to hundreds of actions); "support" (two players): candidates are all extreme
        equilibria (up to about 12 x 12; beyond, the status is INCOMPLETE); "tracing": a
        path, also where there are two players or two actions each.
      select: "first": the first candidate, by label, by size of support, or at the end
        of the path from uniform play; "max_welfare": the one with the largest sum of
        payoffs, which computes all ("auto" is "support" then, and tracing cannot); ends
        of paths are seldom all equilibria, so INCOMPLETE; "random": a candidate drawn
        uniformly (of labels, or of equilibria), or the path from random play.
      tolerance: largest regret called a solution, as a fraction of payoff range.
      steps: pivots allowed on one path of Lemke-Howson, or steps on all of tracing.
      starts: paths that tracing may follow, all but the first from random play.
      seconds: wall seconds allowed to the integer program, or to tracing.
    """

    method: Literal["auto", "lemke_howson", "support", "tracing"] = "auto"
    select: Literal["first", "max_welfare", "random"] = "first"
    tolerance: float = _TOLERANCE
    steps: int = 50_000
    starts: int = 20
    seconds: float = 60.0

    concept: ClassVar[Literal["ne"]] = "ne"
    players: ClassVar[tuple[int, float]] = (1, math.inf)
    stochastic: ClassVar[bool] = True
    maximises: ClassVar[str] = "some Nash equilibrium of any game"
    source: ClassVar[str] = (
        "Lemke & Howson 1964; von Stengel 2007; Harsanyi 1975; Herings & Peeters 2010"
    )

    def __post_init__(self) -> None:
        positive(self, "tolerance", "steps", "seconds")
        at_least(self, starts=1)

    def refuses(self, game: Game) -> str | None:
        if self.method in ("lemke_howson", "support") and game.players != 2:
            return (
                f"method={self.method} must have a game of two players; got "
                f"{game.players} players"
            )
        if self.select == "max_welfare" and self._method(game) == "tracing":
            return (
                "select=max_welfare compares all equilibria: it must have two players, "
                f"or up to {two_action.MOST_PLAYERS} with two actions each, and no "
                f"method=tracing; got actions {list(game.actions)}"
            )
        return None

    def _method(self, game: Game) -> str:
        """The method that "auto" stands for."""
        if self.method != "auto":
            return self.method
        if game.players == 2:
            return "support" if self.select == "max_welfare" else "lemke_howson"
        few = game.players <= two_action.MOST_PLAYERS
        return "two_action" if few and set(game.actions) == {2} else "tracing"

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        method = self._method(game)
        if method == "tracing":
            return self._traced(game, rng, [])
        if method == "two_action":
            return self._of_two_actions(game, rng)
        return self._pivoted(game, rng, method)

    def _of_two_actions(self, game: Game, rng: np.random.Generator) -> Answer:
        solver = two_action.TwoActionNash(select=self.select, tolerance=self.tolerance)
        answer = solver.distribution(game, rng)
        facts = dict(answer.diagnostics)
        if answer.status is Status.OK or self.select == "max_welfare":
            used = f"two_action: {facts['used']}"
            return replace(answer, diagnostics={**facts, "used": used, "tried": []})
        return self._traced(game, rng, [f"two_action: regret {facts['regret']:.3g}"])

    def _traced(self, game: Game, rng: np.random.Generator, tried: list[str]) -> Answer:
        limits = tracing.Limits(
            tolerance=self.tolerance,
            starts=self.starts,
            steps=self.steps,
            seconds=self.seconds,
        )
        traced = tracing.equilibrium(game, limits, self._priors(game, rng))
        facts = {
            "used": "tracing",
            "tried": [*tried, *traced.failed],
            "steps": traced.steps,
            "paths": traced.paths,
            "regret": traced.regret,
        }
        status = Status.OK if traced.regret <= self.tolerance else Status.INACCURATE
        return Answer(product(traced.profile), status, diagnostics=facts)

    def _priors(
        self, game: Game, rng: np.random.Generator
    ) -> Iterator[list[Float64[ndarray, " A_p"]]]:
        """Where paths start: uniform play, then random play."""
        if self.select == "first":
            yield [np.full(size, 1.0 / size) for size in game.actions]
        while True:
            weights = [rng.uniform(0.2, 1.8, size) for size in game.actions]
            yield [weight / weight.sum() for weight in weights]

    def _pivoted(self, game: Game, rng: np.random.Generator, method: str) -> Answer:
        row, column = bimatrix.positive(game)
        facts: dict[str, Any] = {"used": method, "tried": []}
        missing = ""
        if method == "support":
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
