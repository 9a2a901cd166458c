"""The maximum-entropy CE or CCE of one game by other means, to compare with.

``conic`` writes the problem down as a user of cvxpy would; ``quasi_newton`` climbs the
same dual as ours. Both return the joint ``[A1, ..., AN]``, NaN where there is none, and
whether the solver calls it optimal.
"""

import importlib
import warnings
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.optimize import minimize
from scipy.sparse import csr_array

from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual
from meta_solvers.exact.problem import Concept
from meta_solvers.polytope import deviations
from metaspiel.nfg.game import Game

Answered = tuple[Float64[ndarray, "*A"], bool]


def rows(payoffs: Float64[ndarray, "N *A"], concept: Concept) -> csr_array:
    """Gains of all deviations ``[m, prod A]``, in units of payoff."""
    game = Game(payoffs)
    gains, player = deviations(game, concept)
    return csr_array(gains * game.scale[player, None])


def conic(
    payoffs: Float64[ndarray, "N *A"], concept: Concept, solver: str, **options: Any
) -> Answered:
    """By one of cvxpy's conic solvers, which is also the name of its package.

    Raises:
      ModuleNotFoundError: its package, or cvxpy, is not installed.
    """
    importlib.import_module(solver)  # cvxpy does not say which package is missing
    cp: Any = importlib.import_module("cvxpy")
    gains, actions = rows(payoffs, concept), payoffs.shape[1:]
    x = cp.Variable(gains.shape[1])
    problem = cp.Problem(
        cp.Maximize(cp.sum(cp.entr(x))), [cp.sum(x) == 1, gains @ x <= 0]
    )
    with warnings.catch_warnings():  # of inexact answers: the status says so
        warnings.simplefilter("ignore")
        try:
            problem.solve(solver=solver.upper(), **options)
        except cp.error.SolverError:
            return np.full(actions, np.nan), False
    if x.value is None:
        return np.full(actions, np.nan), False
    joint = np.maximum(x.value, 0.0).reshape(actions)
    return joint / joint.sum(), problem.status == cp.OPTIMAL


def quasi_newton(
    payoffs: Float64[ndarray, "N *A"], concept: Concept, gap: float = 1e-6
) -> Answered:
    """The dual by bounded quasi-Newton steps (scipy's L-BFGS-B).

    Args:
      payoffs: of the game.
      concept: that is asked for.
      gap: gain over all players, and for CE over recommendations, to be left at most.
    """
    dual = Dual(build(payoffs[None], concept)[0])

    def value_and_gradient(alpha: ndarray) -> tuple[float, ndarray]:
        point = dual.at(alpha[None])
        return float(point.value[0]), point.slack[0]

    # A gap adds up one gain for each player, or for each recommendation.
    added = sum(payoffs.shape[1:]) if concept == "ce" else payoffs.shape[0]
    minimum = minimize(
        value_and_gradient,
        np.zeros(dual.size),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * dual.size,
        options={
            "maxcor": 50,  # the default 10 takes ten times longer, or forever, for CE
            "maxiter": 5000,
            "maxfun": 10000,
            "ftol": 0.0,
            "gtol": 0.5 * gap / added,
        },
    )
    return dual.at(minimum.x[None]).sigma[0], bool(minimum.success)
