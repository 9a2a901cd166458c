"""Nash equilibria of two-player games: one by pivoting, or all by listing vertices."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy import ndarray

from meta_solvers import bimatrix
from meta_solvers.base import Answer, MetaSolver, Status, failure
from metaspiel.nfg.errors import UserError, positive
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import expected
from metaspiel.nfg.simplex import product

MOST_BASES = 200_000  # 10 x 10 has 184756
_TOLERANCE = 1e-9

Profile = tuple[ndarray, ndarray]


def equilibria(game: Game) -> list[Profile]:
    """Every extreme Nash equilibrium of a two-player game, as pairs ``([M], [N])``.

    All equilibria of a nondegenerate game; in a degenerate one, the vertices of its
    continua of equilibria. Fewest actions in support first, then lexicographic.

    Raises:
      UserError: not two players, or more than ``MOST_BASES`` bases (10 x 10 is within).
    """
    if game.players != 2:
        raise UserError(
            f"equilibria(): the game must have exactly 2 players; got {game.players}"
        )
    reason = _too_large(game)
    if reason:
        raise UserError(f"equilibria(): {reason}")
    row, column = bimatrix.positive(game)
    return [
        profile
        for profile in bimatrix.extreme(row, column)
        if bimatrix.regret(row, column, *profile) <= _TOLERANCE
    ]


def _too_large(game: Game) -> str | None:
    m, n = game.actions
    if bimatrix.bases(m, n) <= MOST_BASES:
        return None
    return (
        f"a game whose equilibria are all listed must have at most {MOST_BASES} bases "
        f"(10 x 10 has 184756); got {m} x {n} with {bimatrix.bases(m, n)}"
    )


@dataclass(frozen=True, kw_only=True)
class Nash(MetaSolver):
    """A Nash equilibrium of a two-player general-sum game.

    Lemke-Howson drops one label after another until a path ends at a verified
    equilibrium; a mixed-integer program is the last resort. What was tried is in
    the diagnostics.

    Attributes:
      method: "lemke_howson": candidates are the equilibria at the ends of the paths,
        one per action of either player (games up to hundreds of actions); "support":
        candidates are all extreme equilibria (up to about 10 x 10, else refused).
      select: "first": the first candidate, by label or by size of support;
        "max_welfare": the one with the largest sum of payoffs, which computes all;
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

    def refuses(self, game: Game) -> str | None:
        return _too_large(game) if self.method == "support" else None

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        row, column = bimatrix.positive(game)
        facts: dict[str, Any] = {"used": self.method, "tried": []}
        if self.method == "support":
            listed = equilibria(game)
            facts["equilibria"] = len(listed)
            if self.select == "random" and listed:
                listed = [listed[rng.integers(len(listed))]]
        else:
            listed = self._paths(row, column, rng, facts)
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
        status = Status.OK if regret <= self.tolerance else Status.INACCURATE
        return Answer(product(listed[0]), status, diagnostics=facts)

    def _paths(
        self,
        row: ndarray,
        column: ndarray,
        rng: np.random.Generator,
        facts: dict[str, Any],
    ) -> list[Profile]:
        """Equilibria at the ends of paths; only the first unless all are wanted."""
        labels = np.arange(sum(row.shape))
        if self.select == "random":
            labels = rng.permutation(labels)
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
