"""Solvers around a solver: elimination, mixing, falling back, choosing the best.

A wrapper's class facts are properties: they follow what it wraps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from meta_solvers.base import (
    Answer,
    MetaSolution,
    MetaSolver,
    Status,
    check,
    fact,
    failure,
    solve,
)
from meta_solvers.dominance import survivors
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept

# From the strongest promise to the weakest; each implies the next.
_STRENGTH: tuple[Concept, ...] = ("ne", "ce", "cce", "none")


def _check_inner(wrapper: MetaSolver, inner: Sequence[MetaSolver]) -> None:
    name = type(wrapper).__name__
    if not inner:
        raise UserError(f"{name}(): inner must hold at least one solver; got none")
    for solver in inner:
        if not isinstance(solver, MetaSolver):
            raise UserError(
                f"{name}(): inner must hold solvers, e.g. get('uniform'); "
                f"got {solver!r}"
            )


def _check_tolerance(wrapper: MetaSolver, tolerance: float) -> None:
    if not 0.0 <= tolerance < math.inf:
        raise UserError(
            f"{type(wrapper).__name__}(): tolerance must be a finite number >= 0; "
            f"got {tolerance}"
        )


def _record(solution: MetaSolution) -> dict[str, Any]:
    """What is kept of an inner solve: who, how it ended, its diagnostics."""
    return {
        "solver": solution.solver["name"],
        "status": solution.status.name,
        "diagnostics": dict(solution.diagnostics),
    }


@dataclass(frozen=True)
class _AroundOne(MetaSolver):
    """What wrappers of one solver share: the facts that are those of ``inner``."""

    inner: MetaSolver

    @fact
    def players(self) -> tuple[int, int | float]:
        return self.inner.players

    @fact
    def uses_members(self) -> bool:
        return self.inner.uses_members

    @fact
    def stochastic(self) -> bool:
        return self.inner.stochastic

    def __post_init__(self) -> None:
        _check_inner(self, [self.inner])


@dataclass(frozen=True)
class WithoutDominated(_AroundOne):
    """Solves the game that iterated elimination of dominated actions leaves.

    The answer is scattered back, with zeros at what was removed. Its gaps in the whole
    game are those in the reduced one, for a deviation to a removed action gains no
    more than one to what dominates it. So the wrapper promises what ``inner`` does; but
    a maximum-something CCE of the reduced game need not be that of the whole game,
    whose CCEs may put weight on strictly dominated actions (those of CEs do not).

    With an ensemble and an ``inner`` that reads it, an action is removed only if the
    same strategy dominates it in every member.

    Attributes:
      inner: the solver of the reduced game.
      mixed: also remove what only a mixed strategy dominates (one linear programme
        for each action and round).
      weak: also remove weakly dominated actions: of all players at once in each round,
        for the result depends on the order. This may remove equilibria.
    """

    mixed: bool = False
    weak: bool = False

    maximises: ClassVar[str] = "what the wrapped solver does, without dominated actions"
    source: ClassVar[str] = "Gilboa, Kalai & Zemel 1990"

    @fact
    def concept(self) -> Concept:
        return self.inner.concept

    @fact
    def expands_repeats(self) -> bool:
        return self.inner.expands_repeats

    def _reduced(self, game: Game) -> tuple[Game, tuple[tuple[int, ...], ...]]:
        keep = survivors(game, self.mixed, self.weak, self.uses_members)
        reduced = game.restrict(keep)
        if game.symmetric and len(set(keep)) == 1:
            reduced = replace(reduced, symmetric=True)
        return reduced, keep

    def refuses(self, game: Game) -> str | None:
        try:
            check(self.inner, self._reduced(game)[0])
        except UserError as error:
            return f"after elimination, {error}"
        return None

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        reduced, keep = self._reduced(game)
        answer = self.inner.distribution(reduced, rng)
        diagnostics = {
            "kept": [len(kept) for kept in keep],
            "inner": dict(answer.diagnostics),
        }
        if answer.status in (Status.INFEASIBLE, Status.NUMERICAL):
            return failure(game, answer.status, **diagnostics)
        joint = np.zeros(game.actions)
        joint[np.ix_(*keep)] = answer.joint
        return replace(answer, joint=joint, diagnostics=diagnostics)


@dataclass(frozen=True)
class MixedWithUniform(_AroundOne):
    """``(1 - weight) * inner + weight * uniform``: every joint action is played.

    The mixture is no equilibrium, so none is promised; ``inner`` is held to its own
    promise before it is mixed.

    Attributes:
      inner: the solver whose answer is mixed.
      weight: share of uniform play, between 0 and 1.
      tolerance: gap allowed to ``inner``, as in ``solve``.
    """

    weight: float = 0.1
    tolerance: float = 1e-6

    maximises: ClassVar[str] = "what the wrapped solver does, then mixes with uniform"
    source: ClassVar[str] = "Lanctot et al. 2017 (exploration floor)"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_tolerance(self, self.tolerance)
        if not 0.0 <= self.weight <= 1.0:
            raise UserError(
                f"MixedWithUniform(): weight must be between 0 and 1; got {self.weight}"
            )

    def refuses(self, game: Game) -> str | None:
        return self.inner.refuses(game)

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        solution = solve(self.inner, game, rng, False, self.tolerance)
        uniform = game.copies / game.copies.sum()
        joint = (1.0 - self.weight) * solution.joint + self.weight * uniform
        return Answer(joint, solution.status, 0.0, {"inner": _record(solution)})


@dataclass(frozen=True)
class _Several(MetaSolver):
    """What Fallback and BestOf share: several solvers, some of which may refuse."""

    inner: tuple[MetaSolver, ...]

    def __post_init__(self) -> None:
        _check_inner(self, self.inner)

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
    def stochastic(self) -> bool:
        return any(s.stochastic for s in self.inner)

    def refuses(self, game: Game) -> str | None:
        reasons = [_refusal(solver, game) for solver in self.inner]
        if None in reasons:
            return None
        return "every solver refuses: " + "; ".join(map(str, reasons))


def _refusal(solver: MetaSolver, game: Game) -> str | None:
    try:
        check(solver, game)
    except UserError as error:
        return str(error)
    return None


def _refused(solver: MetaSolver, reason: str) -> dict[str, Any]:
    name = type(solver).__name__
    return {"solver": name, "status": "REFUSED", "diagnostics": {"reason": reason}}


def _answer(
    game: Game, chosen: MetaSolution | None, tried: list[dict[str, Any]]
) -> Answer:
    """``chosen`` as an answer, or the failure of which ``tried`` tells."""
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
        _check_tolerance(self, self.tolerance)

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        tried: list[dict[str, Any]] = []
        second: MetaSolution | None = None
        for solver in self.inner:
            reason = _refusal(solver, game)
            if reason is not None:
                tried.append(_refused(solver, reason))
                continue
            solution = solve(solver, game, rng, False, self.tolerance)
            tried.append(_record(solution))
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
        _check_tolerance(self, self.tolerance)
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

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        tried: list[dict[str, Any]] = []
        best: MetaSolution | None = None
        rank = (False, -math.inf)
        for solver in self.inner:
            reason = _refusal(solver, game)
            if reason is not None:
                tried.append(_refused(solver, reason))
                continue
            solution = solve(solver, game, rng, False, self.tolerance)
            if not _has_joint(solution):
                tried.append(_record(solution))
                continue
            merit = self._merit(game, solution)
            this = (solution.status is Status.OK, merit)
            if best is None or this > rank:
                best, rank = solution, this
            value = -merit if self.by == "gap" else merit
            tried.append({**_record(solution), self.by: value})
        return _answer(game, best, tried)
