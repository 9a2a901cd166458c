"""The joint nearest to uniform at which deviations gain at most epsilon, in two ways.

Projection is exact, and dense; Clarabel (Goulart & Chen 2024) keeps rows sparse.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import clarabel
import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import sparse

from meta_solvers.base import Answer, Status, failure, summands
from meta_solvers.gains import LARGE
from meta_solvers.gini_lazy import project_lazily
from meta_solvers.lp import Optimum
from meta_solvers.polytope import Polytope, deviations
from meta_solvers.projection import Dense, Projection, project_onto_cone
from metaspiel.nfg.game import Game

_STATUS = {
    "Solved": Status.OK,
    "AlmostSolved": Status.INACCURATE,
    "MaxIterations": Status.MAX_STEPS,
    "MaxTime": Status.MAX_STEPS,
    "PrimalInfeasible": Status.INFEASIBLE,
    "AlmostPrimalInfeasible": Status.INFEASIBLE,
}


FINE = 1e-9  # of a payoff range: what tells two gains apart


def smallest_range(game: Game, shape: Polytope) -> float:
    """The smallest payoff range of those who have deviations: a unit for gains.

    No gain that all of them keep is below minus this; in a larger unit it could vanish
    beside another player's range.
    """
    return float(game.scale[shape.player].min(initial=game.scale.max()))


def by_projection(
    game: Game,
    kind: Literal["ce", "cce"],
    epsilon: float,
    warm: Mapping[str, ndarray] | None = None,
) -> Answer:
    """The answer by projection of the uniform joint onto a cone, exact to rounding.

    Args:
      game: the game.
      kind: the concept.
      epsilon: gain every deviation may keep.
      warm: what an answer left of a game with fewer actions.
    """
    root = np.sqrt(game.copies.ravel())
    if kind == "cce" and sum(game.actions) * game.profiles >= LARGE:
        lazy = project_lazily(game, epsilon, root, warm or {})
        answer = _projected(
            game,
            kind,
            epsilon,
            root=root,
            projected=lazy.projection,
            beyond=lazy.beyond,
        )
        notes = {**answer.diagnostics, **lazy.notes}
        return replace(answer, diagnostics=notes, warm=lazy.warm)
    rows, player = deviations(game, kind)
    rows = rows - (epsilon / game.scale[player])[:, None]
    # In y = x / sqrt(copies) the objective is |y|^2 and the mass sqrt(copies) . y.
    projected = project_onto_cone(Dense.scaled(rows * root), root)
    return _projected(
        game, kind, epsilon, root=root, projected=projected, beyond=rows.__matmul__
    )


def _projected(
    game: Game,
    kind: Literal["ce", "cce"],
    epsilon: float,
    *,
    root: ndarray,
    projected: Projection,
    beyond: Callable[[ndarray], ndarray],
) -> Answer:
    """A projection as an answer; ``beyond`` says what a joint gains above epsilon."""
    mass = float(root @ projected.point)
    diagnostics = {
        "method": "projection",
        "steps": projected.steps,
        "residual": projected.residual,
        "allowed_gain": epsilon,
    }
    if mass == 0.0:
        return failure(game, Status.INFEASIBLE, **diagnostics)
    joint = (root * projected.point / mass).reshape(game.actions)
    status = Status.OK if projected.converged else Status.MAX_STEPS
    most = float(beyond(joint.ravel()).max(initial=0.0))
    return _answer(
        game,
        kind,
        joint,
        status=_trusted(status, epsilon, most),
        epsilon=epsilon,
        diagnostics=diagnostics,
    )


def _trusted(status: Status, epsilon: float, beyond: float) -> Status:
    """INACCURATE where deviations that must lose lose too little.

    ``beyond``, the largest gain above a negative epsilon, is a fraction of the payoff
    range; gaps, which are never negative, cannot tell.
    """
    wrong = status is Status.OK and epsilon < 0 and beyond > 10 * FINE
    return Status.INACCURATE if wrong else status


def _answer(
    game: Game,
    kind: Literal["ce", "cce"],
    joint: Float64[ndarray, "*A"],
    status: Status,
    epsilon: float,
    diagnostics: dict[str, Any],
) -> Answer:
    diagnostics["gini"] = float(1.0 - np.sum(joint**2 / game.copies))
    allowed = max(epsilon, 0.0) * summands(kind, game)  # a gap is never negative
    return Answer(joint, status, allowed, diagnostics)


def by_clarabel(
    game: Game,
    kind: Literal["ce", "cce"],
    shape: Polytope,
    epsilon: float,
    reward: float | None = None,
    face: Optimum | None = None,
) -> Answer:
    """The answer by Clarabel, which keeps the constraints sparse.

    With ``face``, the optimum of ``epsilon`` itself, what binds in all its solutions is
    an equation.

    With ``reward`` the allowed gain is a variable, at most 0, and the objective is
    ``1 - sum x^2 - reward * gain``; ``epsilon`` is then not used.
    """
    # Unknowns: x, what the polytope lifts, and (with a reward) the gain.
    unit = smallest_range(game, shape)
    per_row = unit / game.scale[shape.player]
    equal, below = shape.equal, shape.below
    below_to = np.full(below.shape[0], epsilon / unit) * per_row
    equal_to = shape.equal_to
    if face is not None:
        equal, equal_to, below, below_to = _held(
            face, equal, equal_to, below=below, below_to=below_to
        )
    quadratic = np.zeros(shape.variables)
    quadratic[: shape.profiles] = 2.0 / game.copies.ravel()
    linear = np.zeros(shape.variables)
    if reward is not None:
        below_to = np.zeros(below.shape[0])
        below = sparse.hstack([below, sparse.csr_array(-per_row[:, None])]).tocsr()
        equal = sparse.hstack([equal, sparse.csr_array((equal.shape[0], 1))]).tocsr()
        last = sparse.csr_array(([1.0], ([0], [shape.variables])))
        below, below_to = sparse.vstack([below, last]), np.append(below_to, 0.0)
        quadratic, linear = np.append(quadratic, 0.0), np.append(linear, reward * unit)
    positive = sparse.eye_array(shape.profiles, linear.size)
    cones = [
        clarabel.ZeroConeT(equal.shape[0]),
        clarabel.NonnegativeConeT(below.shape[0] + shape.profiles),
    ]
    settings = _settings(1e-10 if face is None else 1e-9)  # it is a rounded optimum's
    rows = sparse.csc_matrix(sparse.vstack([equal, below, -positive]))
    sides = np.concatenate([equal_to, below_to, np.zeros(shape.profiles)])
    program = (sparse.csc_matrix(sparse.diags_array(quadratic)), linear, rows, sides)
    optimum = clarabel.DefaultSolver(*program, cones, settings).solve()
    status = _STATUS.get(str(optimum.status), Status.NUMERICAL)
    diagnostics = {
        "method": "Clarabel",
        "solver_status": str(optimum.status),
        "iterations": int(optimum.iterations),
        "primal_residual": float(optimum.r_prim),
        "dual_residual": float(optimum.r_dual),
    }
    if status in (Status.INFEASIBLE, Status.NUMERICAL):
        return failure(game, status, **diagnostics)
    values = np.asarray(optimum.x)
    joint = values[: shape.profiles].reshape(game.actions)
    allowed = epsilon if reward is None else float(values[-1]) * unit
    beyond = float((rows @ values - sides)[equal.shape[0] :].max(initial=0.0))
    status = _trusted(status, allowed, beyond)
    diagnostics["allowed_gain"] = allowed
    return _answer(
        game, kind, joint, status=status, epsilon=allowed, diagnostics=diagnostics
    )


def _held(
    face: Optimum,
    equal: sparse.csr_array,
    equal_to: Float64[ndarray, " R"],
    below: sparse.csr_array,
    below_to: Float64[ndarray, " D"],
) -> tuple[sparse.csr_array, ndarray, sparse.csr_array, ndarray]:
    """Rows of which those that bind in every solution of ``face`` are equations."""
    variables = equal.shape[1]
    tight, zero = face.tight[: below.shape[0]], face.zero[:variables]
    none = sparse.csr_array(sparse.eye_array(variables))[zero]
    held = np.concatenate([equal_to, below_to[tight], np.zeros(none.shape[0])])
    equal = sparse.vstack([equal, below[tight], none]).tocsr()
    return equal, held, below[~tight], below_to[~tight]


def _settings(feasible: float) -> clarabel.DefaultSettings:
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = 1e-10
    settings.tol_feas = feasible
    settings.max_iter = 200
    return settings
