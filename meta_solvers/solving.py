"""``solve``, the front door of all solvers: checks, timing, repair and measurement."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy import ndarray

from meta_solvers import own_code
from meta_solvers.base import (
    AnyGame,
    MetaSolver,
    check,
    describe,
    failure,
    no_joint,
)
from meta_solvers.registry import get
from meta_solvers.values import Answer, MetaSolution, Progress, SolverFailed, Status
from metaspiel.nfg import arrays
from metaspiel.nfg.errors import UserCodeFailed, UserError, shown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Gaps, measure_and_expected
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint


def solve(
    solver: MetaSolver | str,
    game: AnyGame | Any,
    rng: np.random.Generator | int = 0,
    *,
    throw: bool = True,
    tolerance: float = 1e-6,
    prune: float = 0.0,
    progress: Progress | None = None,
) -> MetaSolution:
    """Solves a game and measures the answer: the only way a solution is made.

    Args:
      solver: a solver value, or its spec, e.g. ``"mgcce"``.
      game: a ``Game``, or an ``ImplicitGame``; a payoff array ``[N, A1, ..., AN]``; or
        a matrix of two or more rows, the row player's payoffs in a two-player zero-sum
        game, which the diagnostics say under "read_as". A matrix of one row could be
        either, and is refused: ``Game(payoffs)`` has one player,
        ``Game.zero_sum(matrix)`` two.
      rng: a generator, or a seed for one, a whole number >= 0.
      throw: raise on any status but OK; otherwise report it in the solution.
      tolerance: gap allowed beyond the solver's own epsilon, as a fraction of each
        player's payoff range.
      prune: probabilities below this are set to 0 and the rest rescaled, before the
        answer is measured; the mass removed is in the diagnostics.
      progress: progress of the loop that asks, for solvers that read it.

    Raises:
      UserError: the spec does not parse, an argument is of the wrong kind, or the
        solver cannot take this game.
      SolverFailed: ``throw`` and the status is not OK.
    """
    solver = _as_solver(solver)
    game, notes = _as_game(game)
    if not isinstance(progress, Progress | None):
        raise UserError(
            f"solve(): progress must be a Progress or None; got {shown(repr(progress))}"
        )
    check(solver, game, progress)
    rng = _as_generator(rng)
    seen: Any = game
    if solver.expands_repeats and game.repeats is not None:
        assert isinstance(game, Game)  # who writes actions out needs the tensor
        seen = game.expanded()
        progress = None if progress is None else progress.without_actions()
    start, name = time.process_time(), type(solver).__name__
    with own_code.sentences(f"solver '{name}'", own_code.modules_of(solver)):
        try:
            answer = solver.answer(seen, rng, progress)
        except np.linalg.LinAlgError as error:
            answer = failure(seen, Status.NUMERICAL, reason=str(error))
        except SystemError as error:  # an interruption, out of compiled code
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            raise
    seconds = time.process_time() - start
    _check_answer(name, seen, answer)
    if seen is not game:
        assert isinstance(game, Game)
        answer = replace(answer, joint=game.folded(answer.joint), warm={})
    answer = replace(answer, diagnostics={**answer.diagnostics, **notes})
    solution = _measured(
        solver, game, answer, seconds=seconds, tolerance=tolerance, prune=prune
    )
    if throw and solution.status is not Status.OK:
        raise SolverFailed(solution)
    return solution


def _check_answer(name: str, game: AnyGame, answer: Any) -> None:
    """Refuses what is no answer to a game; whether it is a good one is measured.

    Raises:
      UserCodeFailed: it is no ``Answer``, or its joint is none of this game.
    """
    where = f"{name}.distribution(): it must return an Answer"
    if not isinstance(answer, Answer):
        raise UserCodeFailed(f"{where}; got {type(answer).__name__}")
    none = answer.status in (Status.INFEASIBLE, Status.NUMERICAL)
    if none or isinstance(answer.joint, Products):
        return
    try:
        joint = np.asarray(answer.joint)
        real = joint.dtype.kind in "fiub"
    except ValueError:  # lists of several lengths
        real = False
    if not real:
        what = shown(repr(answer.joint))
        raise UserCodeFailed(f"{where} whose joint is an array of numbers; got {what}")
    if joint.shape != tuple(game.actions):
        raise UserCodeFailed(
            f"{where} whose joint has shape {list(game.actions)}; got "
            f"{list(joint.shape)}"
        )


def _as_solver(solver: Any) -> MetaSolver:
    if isinstance(solver, str):
        return get(solver)
    if not isinstance(solver, MetaSolver):
        raise UserError(
            "solve(): solver must be a solver or its spec, e.g. 'mgcce'; got "
            f"{shown(repr(solver))}"
        )
    return solver


def _as_generator(rng: Any) -> np.random.Generator:
    if isinstance(rng, np.random.Generator):
        return rng
    if not isinstance(rng, int | np.integer) or rng < 0:
        raise UserError(
            "solve(): rng must be a generator of numpy's or a whole number >= 0, its "
            f"seed; got {shown(repr(rng))}"
        )
    return np.random.default_rng(rng)


def _as_game(given: AnyGame | Any) -> tuple[AnyGame, dict[str, str]]:
    """The game that is given, and how it was read where an array is ambiguous."""
    if isinstance(given, Game | ImplicitGame):
        return given, {}
    array = arrays.real(given, "solve()", "payoffs")
    if array.ndim != 2:
        return Game(array), {}
    if len(array) == 1:
        raise UserError(
            "solve(): a matrix must have two rows or more, since one row may be a game "
            "of one player, Game(payoffs), or a zero-sum game, Game.zero_sum(matrix); "
            f"got shape {list(array.shape)}"
        )
    sentence = "the row player's payoffs in a two-player zero-sum game"
    return Game.zero_sum(array), {"read_as": sentence}


def _plain(value: Any) -> Any:
    """A diagnostic without numpy's types, so that JSON can hold it."""
    if isinstance(value, ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _measured(
    solver: MetaSolver,
    game: AnyGame,
    answer: Answer,
    seconds: float,
    tolerance: float,
    prune: float,
) -> MetaSolution:
    diagnostics = {key: _plain(v) for key, v in answer.diagnostics.items()}
    status = answer.status
    none = status in (Status.INFEASIBLE, Status.NUMERICAL)
    why = None if none else _massless(answer.joint)
    if none or why:
        if why:
            status, diagnostics = Status.NUMERICAL, {**diagnostics, "reason": why}
        lost = np.full(game.players, np.nan)
        return MetaSolution(
            joint=no_joint(game),
            gaps=Gaps(lost, lost, lost),
            values=lost,
            status=status,
            diagnostics=diagnostics,
            solver=describe(solver),
            seconds=seconds,
        )
    mended, notes = _mended(answer.joint, prune)
    diagnostics |= notes
    gaps, values = measure_and_expected(game, mended)
    allowed = np.asarray(answer.epsilon) + tolerance * game.scale
    excess = gaps.of(solver.concept) - allowed
    wrong = diagnostics["mended"] > max(tolerance, 1e-6)
    believed = status in (Status.OK, Status.INCOMPLETE)
    if believed and (np.any(excess > 0) or wrong):
        status = Status.INACCURATE
    if wrong and not isinstance(answer.joint, Products):
        total, least = float(np.sum(answer.joint)), float(np.min(answer.joint))
        diagnostics["reason"] = f"its joint sums to {total:g}, least entry {least:g}"
    if np.any(np.asarray(answer.epsilon) != 0):
        diagnostics["epsilon"] = np.broadcast_to(answer.epsilon, game.players).tolist()
    return MetaSolution(
        joint=mended,
        gaps=gaps,
        values=values,
        status=status,
        diagnostics=diagnostics,
        solver=describe(solver),
        seconds=seconds,
        warm=answer.warm,
    )


def _massless(joint: Joint) -> str:
    """Why an answer cannot be made a distribution; empty where it can."""
    if isinstance(joint, Products):
        every = [joint.weights, *joint.strategies]
        masses = [joint.weights.sum(), *(own.sum() for own in joint.strategies)]
    else:
        every = [np.asarray(joint, dtype=np.float64)]
        masses = [every[0].sum()]
    if not all(np.all(np.isfinite(one)) for one in every):
        return "its joint must be finite; it holds NaN or infinity"
    if not all(mass > 0 for mass in masses):
        return f"its joint must sum to 1; it sums to {min(masses):g}"
    return ""


def _mended(joint: Joint, prune: float) -> tuple[Joint, dict[str, float]]:
    """An answer as a distribution, and what was done to it.

    Rounding leaves entries of -1e-17 and sums of 1 + 1e-16. They are mended here, in
    one place, and the size of the mend is part of the result. What is pruned of
    ``Products`` are actions that a player hardly ever plays.
    """
    notes: dict[str, float] = {}
    if isinstance(joint, Products):
        mixed, notes["mended"], pruned = joint.mended(prune)
        if prune > 0:
            notes["pruned"] = pruned
        return mixed, notes
    joint = np.asarray(joint, dtype=np.float64)
    mended = np.maximum(joint, 0.0)
    mended /= mended.sum()
    notes["mended"] = float(np.abs(mended - joint).sum())
    small = mended < prune
    if prune > 0 and not small.all():
        notes["pruned"] = float(mended[small].sum())
        mended[small] = 0.0
        mended /= mended.sum()
    mended.flags.writeable = False
    return mended, notes
