"""Solvers of games without their tensor: those whose answer is a product.

``solve_product`` is to an ``ImplicitGame`` what ``solve`` is to a ``Game``.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import MetaSolver, Status, check_players, describe
from meta_solvers.baselines import Last, Uniform
from meta_solvers.flow import integrate
from meta_solvers.learning import TIE, RegretMatching
from meta_solvers.registry import get
from meta_solvers.replicator import RegularisedReplicatorDynamics, ReplicatorDynamics
from meta_solvers.values import Progress
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.implicit import ImplicitGame

KNOWN = ("last", "prd", "rd", "rm", "rrd", "uniform")
"""Solvers that take games without their tensor."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ProductAnswer:
    """What a solver says of an implicit game: one mixed strategy a player."""

    profile: list[ndarray]
    status: Status = Status.OK
    epsilon: float | Float64[ndarray, " N"] = 0.0
    diagnostics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class ProductSolution:
    """A product of mixed strategies with its gaps measured.

    Attributes:
      profile: a mixed strategy ``[A_p]`` of each player.
      gaps: what each player gains by its best action ``[N]``.
      values: expected payoff of each player ``[N]``.
      status: how the solve ended.
      diagnostics: the solver's own numbers.
      solver: name and parameters.
      seconds: CPU seconds of the solve, measuring excluded.
    """

    profile: tuple[ndarray, ...]
    gaps: Float64[ndarray, " N"]
    values: Float64[ndarray, " N"]
    status: Status
    diagnostics: Mapping[str, Any]
    solver: Mapping[str, Any]
    seconds: float


def solve_product(
    solver: MetaSolver | str,
    game: ImplicitGame,
    progress: Progress | None = None,
    *,
    tolerance: float = 1e-6,
) -> ProductSolution:
    """Solves a game that has no tensor, and measures the answer.

    Args:
      solver: a solver, or its spec, e.g. "prd".
      game: the game.
      progress: progress of the loop that asks, for solvers that read it.
      tolerance: gap allowed beyond the solver's own epsilon, of each player's scale.

    Raises:
      UserError: the solver needs the tensor, or cannot take this game.
    """
    solver = get(solver) if isinstance(solver, str) else solver
    check_players(solver, game.players)
    seen = game.expanded() if solver.expands_repeats else game
    start = time.process_time()
    answer = product_answer(solver, seen, progress)
    seconds = time.process_time() - start
    profile = game.folded(answer.profile) if seen is not game else answer.profile
    gaps, status = game.gaps(profile), answer.status
    allowed = np.asarray(answer.epsilon) + tolerance * game.scale
    promised = solver.concept != "none"
    if status is Status.OK and promised and np.any(gaps > allowed):
        status = Status.INACCURATE
    for own in profile:
        own.flags.writeable = False
    return ProductSolution(
        profile=tuple(profile),
        gaps=gaps,
        values=game.values(profile),
        status=status,
        diagnostics=dict(answer.diagnostics),
        solver=describe(solver),
        seconds=seconds,
    )


@singledispatch
def product_answer(
    solver: MetaSolver, game: ImplicitGame, progress: Progress | None
) -> ProductAnswer:
    """The answer of a solver to a game without its tensor.

    Raises:
      UserError: the solver needs the tensor.
    """
    raise UserError(
        f"{type(solver).__name__}: the game must have its tensor of payoffs; got one "
        f"without (solvers that need none: {', '.join(KNOWN)})"
    )


@product_answer.register
def _(solver: Uniform, game: ImplicitGame, progress: Progress | None) -> ProductAnswer:
    return ProductAnswer(profile=game.uniform())


@product_answer.register
def _(solver: Last, game: ImplicitGame, progress: Progress | None) -> ProductAnswer:
    return ProductAnswer(profile=[np.eye(size)[-1] for size in game.actions])


@product_answer.register
def _(
    solver: ReplicatorDynamics, game: ImplicitGame, progress: Progress | None
) -> ProductAnswer:
    """The flow of ``ReplicatorDynamics``, by the same stepper."""
    if solver.uses_members:
        raise UserError(
            f"{type(solver).__name__}: the game must have an ensemble; got one "
            "without its tensor"
        )
    if isinstance(solver, RegularisedReplicatorDynamics):
        now = solver.threshold_at(progress)
        solver = replace(solver, threshold=now, final=None, over=None)
    if solver.floor * max(game.actions) > 1:
        raise UserError(
            f"{type(solver).__name__}: floor times the number of actions must be at "
            f"most 1; got {solver.floor} x {max(game.actions)}"
        )

    def flow(profile: list[ndarray]) -> tuple[list[ndarray], ndarray]:
        rates, criterion = [], np.zeros(1)
        alone = [own[0] for own in profile]
        for player, own in enumerate(alone):
            worth = game.worth(player, alone)
            rate = worth - own @ worth
            rates.append(rate[None])
            criterion = criterion + rate.max()
        return rates, criterion

    allowed = _threshold(solver, game)
    flown = integrate(
        flow,
        game.actions,
        np.array([1.0 / float(game.scale.max())]),
        np.array([allowed]),
        solver,
        until_rest=False,
    )
    met = bool(flown.stopped[0] and flown.criterion[0] <= allowed)
    return ProductAnswer(
        profile=[own[0].copy() for own in flown.profile],
        status=Status.OK if met else Status.MAX_STEPS,
        epsilon=allowed,
        diagnostics={
            "steps": int(flown.steps[0]),
            "time": float(flown.time[0]),
            "criterion": float(flown.criterion[0]),
        },
    )


def _threshold(solver: ReplicatorDynamics, game: ImplicitGame) -> float:
    """Sum of regrets at which the flow may stop, as ``allowed`` of a ``Game``."""
    least = solver.tolerance * float(game.scale.max())
    if isinstance(solver, RegularisedReplicatorDynamics):
        return max(solver.threshold, least)
    return least + solver.floor * sum(game.actions) * float(game.scale.max())


@product_answer.register
def _(
    solver: RegretMatching, game: ImplicitGame, progress: Progress | None
) -> ProductAnswer:
    """Regret matching whose answer is the product of the players' average strategies.

    The tensor's answer keeps the correlation of the average, and so is an approximate
    CCE; a product forgets it: what stops it is the gap of the averages.
    """
    regrets = [np.zeros(size) for size in game.actions]
    totals = [np.zeros(size) for size in game.actions]
    step, gap, averages = 0, np.inf, game.uniform()
    check = 16
    while step < solver.steps and gap > solver.tolerance:
        profile = [_matched(own) for own in regrets]
        for player, regret in enumerate(regrets):
            worth = game.worth(player, profile) / game.scale[player]
            regret += worth - worth @ profile[player]
            if solver.variant == "rm+":
                np.maximum(regret, 0.0, out=regret)
            totals[player] += profile[player]
            if solver.alternating:
                profile[player] = _matched(regret)
        step += 1
        if step >= check or step == solver.steps:
            averages = [own / step for own in totals]
            gap = float((game.gaps(averages) / game.scale).max())
            check = step + max(16, step // 8)
    return ProductAnswer(
        profile=averages,
        status=Status.OK if gap <= solver.tolerance else Status.MAX_STEPS,
        epsilon=solver.tolerance * game.scale,
        diagnostics={"steps": step, "relative_gap": gap},
    )


def _matched(regret: ndarray) -> ndarray:
    """Probabilities in proportion to positive regrets; uniform if there are none."""
    positive = np.maximum(regret, 0.0)
    total = positive.sum()
    if total <= TIE:
        return np.full(regret.shape, 1.0 / regret.size)
    return positive / total
