"""Maximum-Gini CE and CCE: the equilibrium closest to uniform.

Maximising Gini impurity ``1 - sum_a x(a)^2 / copies(a)`` over the polytope has one
solution (Marris et al. 2021). It is the projection of the uniform joint onto a cone,
which ``meta_solvers.projection`` finds to rounding; when the matrix of deviations
would be too large, Clarabel (Goulart & Chen 2024) solves the sparse lifted rows of
``meta_solvers.polytope``. The gap that is reported is always measured on the answer.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import clarabel
import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import sparse

from meta_solvers.base import Answer, MetaSolver, Status, failure, summands
from meta_solvers.lp import minimise
from meta_solvers.polytope import Polytope, deviations, polytope
from meta_solvers.projection import project_onto_cone
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept

_STATUS = {
    "Solved": Status.OK,
    "AlmostSolved": Status.INACCURATE,
    "MaxIterations": Status.MAX_STEPS,
    "MaxTime": Status.MAX_STEPS,
    "PrimalInfeasible": Status.INFEASIBLE,
    "AlmostPrimalInfeasible": Status.INFEASIBLE,
}


Method = Literal["auto", "projection", "clarabel"]
METHODS = ("auto", "projection", "clarabel")

# "auto" projects while the dense matrix of deviations has at most this many entries;
# with more deviations than joint actions, and than this, Clarabel comes first. Either
# steps in for the other.
DENSE_ENTRIES = 20_000_000
DENSE_ROWS = 300


@dataclass(frozen=True)
class GiniSolver(MetaSolver):
    """Base class of the maximum-Gini solvers.

    Attributes:
      method: "projection" (exact), "clarabel" (sparse interior point) or "auto".
    """

    method: Method = "auto"
    maximises: ClassVar[str] = "Gini impurity"
    source: ClassVar[str] = "Marris et al. 2021"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown(f"{type(self).__name__}()", "method", self.method, METHODS)

    @property
    def kind(self) -> Literal["ce", "cce"]:
        """The concept's polytope as ``meta_solvers.polytope`` names it."""
        return "ce" if self.concept == "ce" else "cce"

    def nearest_uniform(self, game: Game, epsilon: float) -> Answer:
        """Maximises Gini impurity with deviations gaining at most ``epsilon``.

        Where "auto" has a second method, it is used when the first is not OK; what
        the first said is then in the diagnostics under "tried".
        """
        rows = sum(a * (a - 1) if self.kind == "ce" else a for a in game.actions)
        if self.method == "auto":
            order = ["projection", "clarabel"]
            if rows > max(game.profiles, DENSE_ROWS):
                order.reverse()
            if rows * game.profiles > DENSE_ENTRIES:
                order = ["clarabel"]
        else:
            order = [self.method]
        answers: list[Answer] = []
        for method in order:
            if method == "projection":
                answer = _by_projection(game, self.kind, epsilon)
            else:
                shape = polytope(game, self.kind)
                answer = _by_clarabel(game, self.kind, shape, epsilon)
            answers.append(answer)
            if answer.status is Status.OK:
                break
        best = answers[-1] if answers[-1].status is Status.OK else answers[0]
        others = [a for a in answers if a is not best]
        if not others:
            return best
        tried = [f"{a.diagnostics['method']}: {a.status.name}" for a in others]
        return replace(best, diagnostics={**best.diagnostics, "tried": tried})


def _by_projection(game: Game, kind: Literal["ce", "cce"], epsilon: float) -> Answer:
    rows, player = deviations(game, kind)
    rows = rows - (epsilon / game.scale[player])[:, None]
    # In y = x / sqrt(copies) the objective is |y|^2 and the mass sqrt(copies) . y.
    root = np.sqrt(game.copies.ravel())
    projected = project_onto_cone(rows * root, root)
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
    return _answer(
        game, kind, joint, status=status, epsilon=epsilon, diagnostics=diagnostics
    )


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


def _by_clarabel(
    game: Game,
    kind: Literal["ce", "cce"],
    shape: Polytope,
    epsilon: float,
    reward: float | None = None,
) -> Answer:
    """The answer by Clarabel, which keeps the constraints sparse.

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
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = 1e-10
    settings.max_iter = 200
    rows = sparse.csc_matrix(sparse.vstack([equal, below, -positive]))
    sides = np.concatenate([shape.equal_to, below_to, np.zeros(shape.profiles)])
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
    diagnostics["allowed_gain"] = allowed
    return _answer(
        game, kind, joint, status=status, epsilon=allowed, diagnostics=diagnostics
    )


@dataclass(frozen=True)
class MaxGiniCCE(GiniSolver):
    """The CCE, or epsilon-CCE, with the largest Gini impurity.

    Attributes:
      epsilon: gain every deviation may keep, in units of payoff; may be negative.
    """

    epsilon: float = 0.0
    concept: ClassVar[Concept] = "cce"

    def __post_init__(self) -> None:
        super().__post_init__()
        _finite(self, self.epsilon, "epsilon")

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        return self.nearest_uniform(game, self.epsilon)


@dataclass(frozen=True)
class MaxGiniCE(MaxGiniCCE):
    """The CE, or epsilon-CE, with the largest Gini impurity."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True)
class ApproximateMaxGiniCCE(GiniSolver):
    """Maximum-Gini epsilon-CCE; epsilon is a fraction of uniform play's largest gain.

    ``epsilon = fraction * max(A b)``, b uniform and A the deviation gains: fraction 1
    gives uniform play, 0 the exact equilibrium. Repeats are not counted in b (as in
    OpenSpiel), so with them fraction 1 need not allow their uniform play.
    """

    fraction: float = 0.01
    concept: ClassVar[Concept] = "cce"
    maximises: ClassVar[str] = "Gini impurity, allowing a fraction of max(Ab)"

    def __post_init__(self) -> None:
        super().__post_init__()
        _finite(self, self.fraction, "fraction")

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        return self.nearest_uniform(
            game, self.fraction * _uniform_gain(game, self.kind)
        )


@dataclass(frozen=True)
class ApproximateMaxGiniCE(ApproximateMaxGiniCCE):
    """Maximum-Gini epsilon-CE; epsilon is a fraction of uniform play's gain."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True)
class HalfMaxGiniCCE(ApproximateMaxGiniCCE):
    """Maximum-Gini epsilon-CCE with epsilon half of uniform play's largest gain."""

    fraction: float = 0.5


@dataclass(frozen=True)
class HalfMaxGiniCE(ApproximateMaxGiniCE):
    """Maximum-Gini epsilon-CE with epsilon half of uniform play's largest gain."""

    fraction: float = 0.5


@dataclass(frozen=True)
class MinEpsilonMaxGiniCCE(GiniSolver):
    """Maximum-Gini CCE at the smallest epsilon <= 0: deviations lose most.

    Attributes:
      reward: None first makes the allowed gain epsilon <= 0 as small as possible and
        then maximises Gini impurity at that epsilon. A number maximises
        ``1 - sum x^2 - reward * epsilon`` in one go (2 is OpenSpiel's objective; its
        answer depends on the unit of payoff).
    """

    reward: float | None = None
    concept: ClassVar[Concept] = "cce"
    maximises: ClassVar[str] = "loss of every deviation, then Gini impurity"
    source: ClassVar[str] = "Marris et al. 2021"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reward is not None:
            _finite(self, self.reward, "reward")

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        shape = polytope(game, self.kind)
        if shape.player.size == 0:
            return Answer(game.copies / game.copies.sum())
        if self.reward is not None:
            return _by_clarabel(game, self.kind, shape, 0.0, self.reward)
        # One more variable, the gain every row may keep, in units of the largest range.
        unit = float(game.scale.max())
        column = sparse.csr_array(-(unit / game.scale[shape.player])[:, None])
        rows = sparse.hstack([shape.below, column])
        last = sparse.csr_array(([1.0], ([0], [shape.variables])))  # it is at most 0
        values, status, diagnostics = minimise(
            np.append(np.zeros(shape.variables), 1.0),
            sparse.vstack([rows, last]).tocsr(),
            np.zeros(shape.player.size + 1),
            equal=sparse.hstack(
                [shape.equal, sparse.csr_array((shape.equal.shape[0], 1))]
            ),
            equal_to=shape.equal_to,
            positive=shape.profiles,
        )
        if status is not Status.OK:
            return failure(game, status, **diagnostics)
        return self.nearest_uniform(game, float(values[-1]) * unit)


@dataclass(frozen=True)
class MinEpsilonMaxGiniCE(MinEpsilonMaxGiniCCE):
    """Maximum-Gini CE at the smallest epsilon <= 0: deviations lose most."""

    concept: ClassVar[Concept] = "ce"


def _uniform_gain(game: Game, kind: Literal["ce", "cce"]) -> float:
    """Largest gain of a deviation row under uniform play, in units of payoff."""
    gains = [0.0] if game.profiles == 1 else []
    for player, size in enumerate(game.actions):
        mean = game.own_first(player).mean(axis=1)
        if size > 1:
            best = mean.max() - (mean.min() if kind == "ce" else mean.mean())
            gains.append(float(best) / (size if kind == "ce" else 1))
    return max(gains)


def _finite(solver: MetaSolver, value: float, name: str) -> None:
    if not np.isfinite(value):
        raise UserError(
            f"{type(solver).__name__}(): {name} must be a finite number; got {value}"
        )
