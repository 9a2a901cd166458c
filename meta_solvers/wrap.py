"""Solvers that wrap one solver: elimination and mixing.

A wrapper's class facts are properties: they follow what it wraps.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from meta_solvers.base import (
    Answer,
    AnyGame,
    MetaSolution,
    MetaSolver,
    Progress,
    Status,
    check,
    fact,
    failure,
)
from meta_solvers.dominance import survivors
from meta_solvers.solving import solve
from metaspiel.nfg.errors import UserError, shown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept


def check_inner(wrapper: MetaSolver, inner: Sequence[MetaSolver]) -> None:
    """Raises a ``UserError`` unless ``inner`` holds solvers."""
    name = type(wrapper).__name__
    if not inner:
        raise UserError(f"{name}(): inner must hold at least one solver; got none")
    for solver in inner:
        if not isinstance(solver, MetaSolver):
            raise UserError(
                f"{name}(): inner must hold solvers, e.g. get('uniform'); "
                f"got {shown(repr(solver))}"
            )


def check_tolerance(wrapper: MetaSolver, tolerance: float) -> None:
    """Raises a ``UserError`` unless a gap can be held to ``tolerance``."""
    if not 0.0 <= tolerance < math.inf:
        raise UserError(
            f"{type(wrapper).__name__}(): tolerance must be a finite number >= 0; "
            f"got {tolerance}"
        )


def solve_inside(
    solver: MetaSolver,
    game: AnyGame,
    rng: np.random.Generator,
    *,
    tolerance: float,
    progress: Progress | None,
) -> MetaSolution:
    """Solves the game inside a wrapper, which looks at the status itself."""
    return solve(solver, game, rng, throw=False, tolerance=tolerance, progress=progress)


def record(solution: MetaSolution) -> dict[str, Any]:
    """The record of an inner solve: solver, status and diagnostics."""
    return {
        "solver": solution.solver["name"],
        "status": solution.status.name,
        "diagnostics": dict(solution.diagnostics),
    }


@dataclass(frozen=True)
class Wrapper(MetaSolver):
    """Base class of wrappers, which pass the loop's progress on."""

    @abstractmethod
    def objection(self, game: Any, progress: Progress | None) -> str | None: ...

    def refuses(self, game: Any) -> str | None:
        return self.objection(game, None)

    @abstractmethod
    def answer(
        self, game: Any, rng: np.random.Generator, progress: Progress | None
    ) -> Answer: ...

    def distribution(self, game: Any, rng: np.random.Generator) -> Answer:
        return self.answer(game, rng, None)


@dataclass(frozen=True)
class AroundOne(Wrapper):
    """Base class of wrappers of one solver, with facts of ``inner``."""

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
        check_inner(self, [self.inner])


@dataclass(frozen=True)
class WithoutDominated(AroundOne):
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

    def objection(self, game: Game, progress: Progress | None) -> str | None:
        try:
            inside = progress and progress.without_actions()
            check(self.inner, self._reduced(game)[0], inside)
        except UserError as error:
            return f"after elimination, {error}"
        return None

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        reduced, keep = self._reduced(game)
        inside = progress and progress.without_actions()
        answer = self.inner.answer(reduced, rng, inside)
        diagnostics = {
            "kept": [len(kept) for kept in keep],
            "inner": dict(answer.diagnostics),
        }
        if answer.status in (Status.INFEASIBLE, Status.NUMERICAL):
            return failure(game, answer.status, **diagnostics)
        joint = np.zeros(game.actions)
        joint[np.ix_(*keep)] = answer.joint
        return replace(answer, joint=joint, diagnostics=diagnostics, warm={})


@dataclass(frozen=True)
class MixedWithUniform(AroundOne):
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

    @fact
    def uses_past(self) -> bool:
        return self.inner.uses_past

    @fact
    def uses_tree(self) -> bool:
        return self.inner.uses_tree

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tolerance(self, self.tolerance)
        if not 0.0 <= self.weight <= 1.0:
            raise UserError(
                f"MixedWithUniform(): weight must be between 0 and 1; got {self.weight}"
            )

    def objection(self, game: Game, progress: Progress | None) -> str | None:
        return self.inner.objection(game, progress)

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        solution = solve_inside(
            self.inner, game, rng, tolerance=self.tolerance, progress=progress
        )
        uniform = game.copies / game.copies.sum()
        joint = (1.0 - self.weight) * solution.joint + self.weight * uniform
        diagnostics = {"inner": record(solution)}
        return Answer(joint, solution.status, 0.0, diagnostics, warm=solution.warm)
