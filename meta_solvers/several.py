"""Solvers that ask several: the first, the best or the first exact enough answers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from meta_solvers.base import (
    Answer,
    MetaSolution,
    MetaSolver,
    Progress,
    Status,
    check,
    fact,
    failure,
)
from meta_solvers.wrap import (
    Wrapper,
    check_inner,
    check_tolerance,
    record,
    solve_inside,
)
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept

# From the strongest promise to the weakest; each implies the next.
_STRENGTH: tuple[Concept, ...] = ("ne", "ce", "cce", "none")


@dataclass(frozen=True)
class _Several(Wrapper):
    """Base class of solvers that ask several, of which some may refuse."""

    inner: tuple[MetaSolver, ...]

    def __post_init__(self) -> None:
        check_inner(self, self.inner)

    @fact
    def concept(self) -> Concept:
        return max((s.concept for s in self.inner), key=_STRENGTH.index)

    @fact
    def players(self) -> tuple[int, int | float]:
        fewest = min(s.players[0] for s in self.inner)
        return fewest, max(s.players[1] for s in self.inner)

    @fact
    def uses_members(self) -> bool:
        return any(s.uses_members for s in self.inner)

    @fact
    def uses_past(self) -> bool:
        return any(s.uses_past for s in self.inner)

    @fact
    def uses_tree(self) -> bool:
        return any(s.uses_tree for s in self.inner)

    @fact
    def stochastic(self) -> bool:
        return any(s.stochastic for s in self.inner)

    def objection(self, game: Game, progress: Progress | None) -> str | None:
        reasons = [_refusal(solver, game, progress) for solver in self.inner]
        if None in reasons:
            return None
        return "every solver refuses: " + "; ".join(map(str, reasons))

    def solutions(
        self,
        game: Game,
        rng: np.random.Generator,
        progress: Progress | None,
        *,
        tolerance: float,
        tried: list[dict[str, Any]],
    ) -> Iterator[MetaSolution]:
        """What each solver answers; those that refuse are noted in ``tried``."""
        for solver in self.inner:
            reason = _refusal(solver, game, progress)
            if reason is not None:
                tried.append(_refused(solver, reason))
                continue
            yield solve_inside(
                solver, game, rng, tolerance=tolerance, progress=progress
            )


def _refusal(solver: MetaSolver, game: Game, progress: Progress | None) -> str | None:
    try:
        check(solver, game, progress)
    except UserError as error:
        return str(error)
    return None


def _refused(solver: MetaSolver, reason: str) -> dict[str, Any]:
    name = type(solver).__name__
    return {"solver": name, "status": "REFUSED", "diagnostics": {"reason": reason}}


def _answer(
    game: Game, chosen: MetaSolution | None, tried: list[dict[str, Any]]
) -> Answer:
    """``chosen`` as an answer; without one, a failure that lists what was ``tried``."""
    if chosen is None:
        status = Status.NUMERICAL
        if any(one["status"] == Status.INFEASIBLE.name for one in tried):
            status = Status.INFEASIBLE
        return failure(game, status, chosen="none", tried=tried)
    return Answer(
        chosen.joint,
        chosen.status,
        chosen.diagnostics.get("epsilon", 0.0),
        {
            "chosen": chosen.solver["name"],
            "tried": tried,
            "inner": dict(chosen.diagnostics),
        },
        warm=chosen.warm,
    )


def _has_joint(solution: MetaSolution) -> bool:
    return solution.status not in (Status.INFEASIBLE, Status.NUMERICAL)


@dataclass(frozen=True)
class Fallback(_Several):
    """The first solver whose measured answer is OK.

    Without any, the first that has a joint at all, with its own status. It promises
    the weakest of the concepts. Solvers that refuse the game are passed over; all that
    were tried, and how each ended, are listed in ``diagnostics["tried"]``.

    Attributes:
      inner: solvers in order of preference.
      tolerance: gap allowed to each, as in ``solve``.
    """

    tolerance: float = 1e-6

    maximises: ClassVar[str] = "what the first solver that succeeds does"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tolerance(self, self.tolerance)

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        tried: list[dict[str, Any]] = []
        second: MetaSolution | None = None
        for solution in self.solutions(
            game, rng, progress, tolerance=self.tolerance, tried=tried
        ):
            tried.append(record(solution))
            if solution.status is Status.OK:
                return _answer(game, solution, tried)
            if second is None and _has_joint(solution):
                second = solution
        return _answer(game, second, tried)


@dataclass(frozen=True)
class BestOf(_Several):
    """The best answer of several solvers, the first among equals.

    Answers that are not OK count only if none is. Promises the weakest concept.

    Attributes:
      inner: solvers, all of which are run; those that refuse are passed over.
      by: "gap" takes the smallest sum of gaps, each as a fraction of the player's
        payoff range, of the weakest concept (CCE gaps if that is none); "welfare" the
        largest sum of payoffs; "entropy" the largest entropy, repeats counted.
      tolerance: gap allowed to each, as in ``solve``.
    """

    by: Literal["gap", "welfare", "entropy"] = "gap"
    tolerance: float = 1e-6

    maximises: ClassVar[str] = "minus gap, welfare or entropy, among several answers"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tolerance(self, self.tolerance)
        if self.by not in ("gap", "welfare", "entropy"):
            known = ("gap", "welfare", "entropy")
            raise unknown("BestOf()", "merit", self.by, known)

    def _merit(self, game: Game, solution: MetaSolution) -> float:
        if self.by == "gap":
            concept: Concept = "cce" if self.concept == "none" else self.concept
            return -float(np.sum(solution.gaps.of(concept) / game.scale))
        if self.by == "welfare":
            return float(solution.values.sum())
        seen = solution.joint > 0
        joint = solution.joint[seen]
        return -float(joint @ np.log(joint / game.copies[seen]))

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        tried: list[dict[str, Any]] = []
        best: MetaSolution | None = None
        rank = (False, -math.inf)
        for solution in self.solutions(
            game, rng, progress, tolerance=self.tolerance, tried=tried
        ):
            if not _has_joint(solution):
                tried.append(record(solution))
                continue
            merit = self._merit(game, solution)
            this = (solution.status is Status.OK, merit)
            if best is None or this > rank:
                best, rank = solution, this
            value = -merit if self.by == "gap" else merit
            tried.append({**record(solution), self.by: value})
        return _answer(game, best, tried)


@dataclass(frozen=True)
class Matched(_Several):
    """The first answer that is as exact as the population deserves.

    What best responses in the whole game still gain says how much of a meta-game is
    about to change. An answer is good enough if its gap in the meta-game, summed over
    players, is at most a share of the last such gain. Rough solvers that end in the
    middle of the equilibria come first; while responses gain much they are enough, and
    when the population closes exact ones take over, so that the gap can fall to 0. The
    first answer is taken where no gap is known: in a first iteration, and outside of a
    loop. If none is good enough it is the one of the smallest gap, and INACCURATE.
    Solvers that refuse the game are passed over; all that were tried, with their gaps,
    are in ``diagnostics["tried"]``.

    Attributes:
      inner: solvers, the rough and quick ones first.
      enough: largest gap of an answer, as a share of the loop's last gap.
      tolerance: gap allowed to each, as in ``solve``; with no gap known, to the answer.
    """

    enough: float = 0.8
    tolerance: float = 1e-6

    maximises: ClassVar[str] = "what the first solver that is exact enough does"
    source: ClassVar[str] = "this library"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tolerance(self, self.tolerance)
        if not 0.0 <= self.enough < math.inf:
            raise UserError(
                f"Matched(): enough must be a finite number >= 0; got {self.enough}"
            )

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        concept: Concept = "cce" if self.concept == "none" else self.concept
        wanted = None
        if progress is not None and progress.gap is not None:
            wanted = self.enough * progress.gap
        tried: list[dict[str, Any]] = []
        best: MetaSolution | None = None
        smallest = math.inf
        for solution in self.solutions(
            game, rng, progress, tolerance=self.tolerance, tried=tried
        ):
            if not _has_joint(solution):
                tried.append(record(solution))
                continue
            gap = float(solution.gaps.of(concept).sum())
            tried.append({**record(solution), "gap": gap})
            if gap < smallest:
                best, smallest = solution, gap
            if wanted is None or gap <= wanted:
                break
        answer = _answer(game, best, tried)
        if best is None or wanted is None:
            return answer
        if smallest <= wanted:  # so each player's gap, which is at most the sum
            return replace(answer, status=Status.OK, epsilon=wanted)
        exact = smallest <= self.tolerance * float(game.scale.sum())
        status = Status.OK if exact else Status.INACCURATE
        return replace(answer, status=status, epsilon=0.0)
