"""Maximum-Gini CE and CCE: the equilibrium closest to uniform, by quadratic program.

Maximising Gini impurity ``1 - sum_a x(a)^2 / copies(a)`` over the polytope has one
solution (Marris et al. 2021). Clarabel (Goulart & Chen 2024) solves the rows of
``meta_solvers.polytope``; the gap that is reported is always measured on the answer.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import clarabel
import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import sparse
from scipy.optimize import linprog

from meta_solvers.base import Answer, MetaSolver, Status, failure
from meta_solvers.polytope import LP_OPTIONS, Polytope, polytope
from nfg.errors import UserError
from nfg.game import Game

_STATUS = {
    "Solved": Status.OK,
    "AlmostSolved": Status.INACCURATE,
    "MaxIterations": Status.MAX_STEPS,
    "MaxTime": Status.MAX_STEPS,
    "PrimalInfeasible": Status.INFEASIBLE,
    "AlmostPrimalInfeasible": Status.INFEASIBLE,
}


def _kind(solver: MetaSolver) -> Literal["ce", "cce"]:
    return "ce" if solver.concept == "ce" else "cce"


def _nearest_uniform(
    game: Game,
    kind: Literal["ce", "cce"],
    shape: Polytope,
    epsilon: float,
    reward: float | None = None,
) -> Answer:
    """Maximises Gini impurity with deviations gaining at most ``epsilon``.

    With ``reward`` the allowed gain is a variable, at most 0, and the objective is
    ``1 - sum x^2 - reward * gain``; ``epsilon`` is then not used.
    """
    # Unknowns: x, what the polytope lifts, and (with a reward) the gain in units of
    # the largest payoff range, so that nothing depends on the unit of payoff.
    unit = float(game.scale.max())
    per_row = unit / game.scale[shape.player]
    equal, below = shape.equal, shape.below
    below_to = np.full(below.shape[0], epsilon / unit) * per_row
    quadratic = np.zeros(shape.variables)
    quadratic[: shape.profiles] = 2.0 / game.copies.ravel()
    linear = np.zeros(shape.variables)
    if reward is not None:
        below_to = np.zeros(below.shape[0])
        below = sparse.hstack([below, -per_row[:, None]]).tocsr()
        equal = sparse.hstack([equal, np.zeros((equal.shape[0], 1))]).tocsr()
        last = sparse.csr_array(([1.0], ([0], [shape.variables])))
        below, below_to = sparse.vstack([below, last]), np.append(below_to, 0.0)
        quadratic, linear = np.append(quadratic, 0.0), np.append(linear, reward * unit)
    positive = sparse.eye_array(shape.profiles, linear.size)
    cones = [
        clarabel.ZeroConeT(equal.shape[0]),
        clarabel.NonnegativeConeT(below.shape[0] + shape.profiles),
    ]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = 1e-10
    settings.max_iter = 200
    found = clarabel.DefaultSolver(
        sparse.csc_matrix(sparse.diags_array(quadratic)),
        linear,
        sparse.csc_matrix(sparse.vstack([equal, below, -positive])),
        np.concatenate([shape.equal_to, below_to, np.zeros(shape.profiles)]),
        cones,
        settings,
    ).solve()
    status = _STATUS.get(str(found.status), Status.NUMERICAL)
    diagnostics = {
        "method": "Clarabel",
        "solver_status": str(found.status),
        "iterations": int(found.iterations),
        "primal_residual": float(found.r_prim),
        "dual_residual": float(found.r_dual),
    }
    if status in (Status.INFEASIBLE, Status.NUMERICAL):
        return failure(game, status, **diagnostics)
    values = np.asarray(found.x)
    joint = values[: shape.profiles].reshape(game.actions)
    allowed = epsilon if reward is None else float(values[-1]) * unit
    diagnostics["gini"] = float(1.0 - np.sum(joint**2 / game.copies))
    diagnostics["allowed_gain"] = allowed
    # A gap is never negative, and a CE gap adds up one row for each recommendation.
    told = np.array(game.actions) if kind == "ce" else np.ones(game.players)
    return Answer(joint, status, max(allowed, 0.0) * told, diagnostics)


@dataclass(frozen=True)
class MaxGiniCCE(MetaSolver):
    """The CCE, or epsilon-CCE, with the largest Gini impurity.

    Attributes:
      epsilon: gain every deviation may keep, in units of payoff; may be negative.
    """

    epsilon: float = 0.0
    concept: ClassVar = "cce"
    maximises: ClassVar[str] = "Gini impurity"
    source: ClassVar[str] = "Marris et al. 2021"

    def __post_init__(self) -> None:
        _finite(self, self.epsilon, "epsilon")

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        return _nearest_uniform(
            game, _kind(self), polytope(game, _kind(self)), self.epsilon
        )


@dataclass(frozen=True)
class MaxGiniCE(MaxGiniCCE):
    """The CE, or epsilon-CE, with the largest Gini impurity."""

    concept: ClassVar = "ce"


@dataclass(frozen=True)
class ApproximateMaxGiniCCE(MetaSolver):
    """Maximum-Gini epsilon-CCE with epsilon a fraction of what uniform play leaves.

    ``epsilon = fraction * max(A b)``, b uniform and A the deviation gains: fraction 1
    gives uniform play, 0 the exact equilibrium.
    """

    fraction: float = 0.01
    concept: ClassVar = "cce"
    maximises: ClassVar[str] = "Gini impurity, allowing a fraction of max(Ab)"
    source: ClassVar[str] = "Marris et al. 2021"

    def __post_init__(self) -> None:
        _finite(self, self.fraction, "fraction")

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        shape = polytope(game, _kind(self))
        gains = game.scale[shape.player] * _uniform_gains(shape)
        largest = float(gains.max()) if gains.size else 0.0
        return _nearest_uniform(game, _kind(self), shape, self.fraction * largest)


@dataclass(frozen=True)
class ApproximateMaxGiniCE(ApproximateMaxGiniCCE):
    """Maximum-Gini epsilon-CE with epsilon a fraction of what uniform play leaves."""

    concept: ClassVar = "ce"


@dataclass(frozen=True)
class HalfMaxGiniCCE(ApproximateMaxGiniCCE):
    """Half way to uniform: ``epsilon = max(A b) / 2``."""

    fraction: float = 0.5


@dataclass(frozen=True)
class HalfMaxGiniCE(ApproximateMaxGiniCE):
    """Half way to uniform: ``epsilon = max(A b) / 2``."""

    fraction: float = 0.5


@dataclass(frozen=True)
class MinEpsilonMaxGiniCCE(MetaSolver):
    """The strictest CCE: every deviation loses as much as can be had, then Gini.

    Attributes:
      reward: None first makes the allowed gain epsilon <= 0 as small as possible and
        then maximises Gini impurity at that epsilon. A number maximises
        ``1 - sum x^2 - reward * epsilon`` in one go (2 is OpenSpiel's objective; its
        answer depends on the unit of payoff).
    """

    reward: float | None = None
    concept: ClassVar = "cce"
    maximises: ClassVar[str] = "loss of every deviation, then Gini impurity"
    source: ClassVar[str] = "Marris et al. 2021"

    def __post_init__(self) -> None:
        if self.reward is not None:
            _finite(self, self.reward, "reward")

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        shape = _live(polytope(game, _kind(self)), game)
        if shape.player.size == 0:
            return Answer(game.copies / game.copies.sum())
        if self.reward is not None:
            return _nearest_uniform(game, _kind(self), shape, 0.0, self.reward)
        unit = float(game.scale.max())
        column = -(unit / game.scale[shape.player])[:, None]
        bounds = np.full((shape.variables + 1, 2), np.inf)
        bounds[:, 0] = -np.inf
        bounds[: shape.profiles, 0] = 0.0
        bounds[-1, 1] = 0.0
        found = linprog(
            np.append(np.zeros(shape.variables), 1.0),
            sparse.hstack([shape.below, column]).tocsr(),
            np.zeros(shape.player.size),
            sparse.hstack([shape.equal, np.zeros((shape.equal.shape[0], 1))]).tocsr(),
            shape.equal_to,
            bounds,
            options=LP_OPTIONS,
        )
        if found.x is None:
            return failure(game, Status.NUMERICAL, reason=str(found.message))
        return _nearest_uniform(game, _kind(self), shape, float(found.x[-1]) * unit)


@dataclass(frozen=True)
class MinEpsilonMaxGiniCE(MinEpsilonMaxGiniCCE):
    """The strictest CE: every deviation loses as much as can be had, then Gini."""

    concept: ClassVar = "ce"


def _lifted_uniform(shape: Polytope) -> Float64[ndarray, " V"]:
    """The uniform joint together with the lifted variables that go with it."""
    values = np.zeros(shape.variables)
    values[: shape.profiles] = 1.0 / shape.profiles
    # Each equality row after the first defines one lifted variable with coefficient 1.
    values[shape.profiles :] = -(shape.equal[1:] @ values)
    return values


def _uniform_gains(shape: Polytope) -> Float64[ndarray, " D"]:
    return shape.below @ _lifted_uniform(shape)


def _live(shape: Polytope, game: Game) -> Polytope:
    """Without the rows of players whose deviations can never change their payoff."""
    idle = [
        bool(np.ptp(game.own_first(p), axis=0).max() <= 1e-12 * game.scale[p])
        for p in range(game.players)
    ]
    keep = ~np.asarray(idle)[shape.player]
    below = shape.below[keep]
    return Polytope(
        shape.equal, shape.equal_to, below, shape.player[keep], shape.profiles
    )


def _finite(solver: MetaSolver, value: float, name: str) -> None:
    if not np.isfinite(value):
        raise UserError(
            f"{type(solver).__name__}(): {name} must be a finite number; got {value}"
        )
