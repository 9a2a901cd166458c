"""What a meta-solver is, what it answers, and the one front door ``solve``."""

import math
import time
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept, Gaps, expected, measure
from metaspiel.nfg.simplex import marginals


class Status(Enum):
    """How a solve ended. Each value is the sentence a human reads."""

    OK = "solved: the stopping rule was met and the measured gap is within tolerance"
    INACCURATE = "finished, but the measured gap is above the tolerance"
    MAX_STEPS = "stopped at the step limit before its stopping rule was met"
    OUTSIDE = "answered as asked, but the game is outside what the solver was made for"
    INFEASIBLE = "no joint distribution satisfies the constraints"
    NUMERICAL = "the numerical method broke down and has no answer"


@dataclass(frozen=True, eq=False)
class Answer:
    """What a solver hands to ``solve``: a joint and its own account of it.

    Attributes:
      joint: ``[A1, ..., AN]``; ignored when the status is INFEASIBLE or NUMERICAL.
      status: the solver's own verdict; ``solve`` measures before it believes OK.
      epsilon: gap per player ``[N]`` (or one number) the solver was asked to allow.
      diagnostics: plain numbers and strings about the solve, never thrown away.
    """

    joint: Float64[ndarray, "*A"]
    status: Status = Status.OK
    epsilon: Any = 0.0
    diagnostics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Progress:
    """How far the loop has come that asks for a solution.

    Attributes:
      iteration: number of iterations done; 0 for the first meta-game.
      horizon: number of iterations there will be, if that is known.
      gap: last measured full-game gap, summed over players; None before there is one.
      past: joint meta-strategies responded to so far, oldest first, each as large as
        its meta-game was; empty unless a solver ``uses_past``.
    """

    iteration: int
    horizon: int | None
    gap: float | None
    past: tuple[Float64[ndarray, "..."], ...]


@dataclass(frozen=True)
class MetaSolver(ABC):
    """A rule that selects a joint distribution over the actions of a game.

    A solver is a frozen dataclass: its fields are its hyper-parameters. It is an
    ordinary value, does no I/O and knows nothing of loops or populations.

    Class facts:
      concept: the equilibrium it promises ("none" for heuristics).
      players: smallest and largest number of players it accepts.
      uses_members: it reads the game's ensemble.
      uses_past: it reads the past meta-strategies of the progress.
      stochastic: it draws from ``rng``; two seeds may give two answers.
      expands_repeats: repeated actions are written out before it sees the game.
      maximises: one phrase for the table of solvers: what it selects.
      source: paper or book.
    """

    concept: ClassVar[Concept] = "none"
    players: ClassVar[tuple[int, float]] = (1, math.inf)
    uses_members: ClassVar[bool] = False
    uses_past: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    expands_repeats: ClassVar[bool] = False
    maximises: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def refuses(self, game: Game) -> str | None:
        """Why this solver cannot take ``game``, beyond its number of players."""
        return None

    @abstractmethod
    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        """Selects a joint. Reads only ``game`` and, if stochastic, ``rng``."""

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        """Selects a joint, knowing how far a loop has come; most do not care."""
        return self.distribution(game, rng)


@dataclass(frozen=True, eq=False)
class MetaSolution:
    """A measured answer.

    Attributes:
      joint: ``[A1, ..., AN]``, non-negative, sums to 1; all NaN when there is none.
      gaps: measured CE, CCE and NE gaps.
      values: expected payoff of each player ``[N]``.
      status: how the solve ended.
      diagnostics: the solver's own numbers plus what ``solve`` found and mended.
      solver: name and parameters of what produced this.
      seconds: CPU seconds of the solve, measuring excluded.
    """

    joint: Float64[ndarray, "*A"]
    gaps: Gaps
    values: Float64[ndarray, " N"]
    status: Status
    diagnostics: Mapping[str, Any]
    solver: Mapping[str, Any]
    seconds: float

    def require(self) -> "MetaSolution":
        """Itself, if there is a joint; otherwise raises ``SolverFailed``."""
        if np.isnan(self.joint).any():
            raise SolverFailed(self)
        return self

    @property
    def marginals(self) -> tuple[Float64[ndarray, " A_p"], ...]:
        """Each player's own distribution."""
        return marginals(self.joint)


class SolverFailed(RuntimeError):
    """A solve ended with a status other than OK; ``solution`` holds what there is."""

    def __init__(self, solution: MetaSolution) -> None:
        super().__init__(solution)  # the one argument, so that it pickles
        self.solution = solution

    def __str__(self) -> str:
        found = self.solution
        return (
            f"{found.solver['name']}: {found.status.value} ({dict(found.diagnostics)})"
        )


def describe(solver: MetaSolver) -> dict[str, Any]:
    """Name and parameters of a solver as plain values, nested for wrappers."""

    def plain(value: Any) -> Any:
        if isinstance(value, MetaSolver):
            return describe(value)
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if isinstance(value, str | int | float | bool | None):
            return value
        return getattr(value, "__qualname__", None) or repr(value)

    parameters = {f.name: plain(getattr(solver, f.name)) for f in fields(solver)}
    return {"name": type(solver).__name__, "parameters": parameters}


def check(solver: MetaSolver, game: Game) -> None:
    """Raises a ``UserError`` when ``solver`` cannot take ``game``."""
    name = type(solver).__name__
    hints = typing.get_type_hints(type(solver))
    for field_ in fields(solver):
        options = typing.get_args(hints[field_.name])
        value = getattr(solver, field_.name)
        if typing.get_origin(hints[field_.name]) is typing.Literal and (
            value not in options
        ):
            raise unknown(f"{name}()", field_.name, value, map(str, options))
    low, high = solver.players
    if not low <= game.players <= high:
        if high == low:
            wanted = f"exactly {low}"
        elif high == math.inf:
            wanted = f"at least {low}"
        else:
            wanted = f"{low} to {high:.0f}"
        raise UserError(
            f"{name}: the game must have {wanted} players; got {game.players}"
        )
    reason = solver.refuses(game)
    if reason:
        raise UserError(f"{name}: {reason}")


def solve(
    solver: MetaSolver,
    game: Game | Any,
    rng: np.random.Generator | int = 0,
    throw: bool = True,
    tolerance: float = 1e-6,
    prune: float = 0.0,
    progress: Progress | None = None,
) -> MetaSolution:
    """Solves a game and measures the answer: the only way a solution is made.

    Args:
      solver: a solver value, e.g. ``meta_solvers.get("mgcce")``.
      game: a ``Game`` or a payoff array ``[N, A1, ..., AN]``.
      rng: a generator, or a seed for one.
      throw: raise on any status but OK; otherwise report it in the solution.
      tolerance: gap allowed beyond the solver's own epsilon, as a fraction of each
        player's payoff range.
      prune: probabilities below this are set to 0 and the rest rescaled, before the
        answer is measured; the mass removed is in the diagnostics.
      progress: how far the loop has come that asks, if one does.

    Raises:
      UserError: the solver cannot take this game.
      SolverFailed: ``throw`` and the status is not OK.
    """
    game = game if isinstance(game, Game) else Game(game)
    check(solver, game)
    rng = rng if isinstance(rng, np.random.Generator) else np.random.default_rng(rng)
    expand = solver.expands_repeats and game.repeats is not None
    seen = game.expanded() if expand else game
    start = time.process_time()
    try:
        answer = solver.answer(seen, rng, progress)
    except np.linalg.LinAlgError as error:
        answer = failure(seen, Status.NUMERICAL, reason=str(error))
    seconds = time.process_time() - start
    if not isinstance(answer, Answer):
        raise UserError(
            f"{type(solver).__name__}.distribution(): it must return an Answer; got "
            f"{type(answer).__name__}"
        )
    if expand:
        answer = replace(answer, joint=game.folded(answer.joint))
    solution = _measured(solver, game, answer, seconds, tolerance, prune)
    if throw and solution.status is not Status.OK:
        raise SolverFailed(solution)
    return solution


def summands(concept: Concept, game: Game) -> Float64[ndarray, " N"]:
    """How many gains a player's gap adds up ``[N]``: for CE one a recommendation."""
    return np.array(game.actions if concept == "ce" else [1.0] * game.players, float)


def failure(game: Game, status: Status, **diagnostics: Any) -> Answer:
    """An answer that has no joint, and says why."""
    return Answer(np.full(game.actions, np.nan), status, 0.0, diagnostics)


def _plain(value: Any) -> Any:
    """A diagnostic without numpy's types, so that it can be written as JSON."""
    if isinstance(value, ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _measured(
    solver: MetaSolver,
    game: Game,
    answer: Answer,
    seconds: float,
    tolerance: float,
    prune: float,
) -> MetaSolution:
    diagnostics = {key: _plain(v) for key, v in answer.diagnostics.items()}
    joint, status = np.asarray(answer.joint, dtype=np.float64), answer.status
    total = joint.sum()
    none = status in (Status.INFEASIBLE, Status.NUMERICAL)
    if none or not np.all(np.isfinite(joint)) or total <= 0:
        status = status if none else Status.NUMERICAL
        lost = np.full(game.players, np.nan)
        gaps, joint, values = (
            Gaps(lost, lost, lost),
            np.full(game.actions, np.nan),
            lost,
        )
        return MetaSolution(
            joint, gaps, values, status, diagnostics, describe(solver), seconds
        )
    # Rounding leaves entries of -1e-17 and sums of 1 + 1e-16. They are mended here,
    # in one place, and the size of the mend is part of the result.
    mended = np.maximum(joint, 0.0)
    mended /= mended.sum()
    diagnostics["mended"] = float(np.abs(mended - joint).sum())
    small = mended < prune
    if prune > 0 and not small.all():
        diagnostics["pruned"] = float(mended[small].sum())
        mended[small] = 0.0
        mended /= mended.sum()
    gaps = measure(game, mended)
    allowed = np.asarray(answer.epsilon) + tolerance * game.scale
    excess = gaps.of(solver.concept) - allowed
    wrong = diagnostics["mended"] > max(tolerance, 1e-6)
    if status is Status.OK and (np.any(excess > 0) or wrong):
        status = Status.INACCURATE
    if np.any(np.asarray(answer.epsilon) != 0):
        diagnostics["epsilon"] = np.broadcast_to(answer.epsilon, game.players).tolist()
    mended.flags.writeable = False
    values = expected(game, mended)
    return MetaSolution(
        mended, gaps, values, status, diagnostics, describe(solver), seconds
    )
