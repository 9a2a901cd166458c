"""One maximum-entropy (C)CE by a conic solver, as a user of cvxpy would write it.

What the interior point is compared with: it is slower, and wants cvxpy.
"""

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from meta_solvers.exact.batch import equilibria
from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual


def entropy_conic(
    deviations: Sequence[Float[ndarray, "_ P"]],
    rho: float = math.inf,
    solver: str = "ECOS",
) -> tuple[str, Float[ndarray, " P"] | None]:
    """A joint of maximum entropy, and the solver's own status.

    With an infinite ``rho`` no deviation gains. With a finite one every deviation of p
    gains at most ``eps_p <= eps+``, which costs ``rho x ln(x / (e eps+))`` with
    ``x = eps+ - eps_p`` and ``eps+ = sqrt(prod A)`` standard deviations of payoff, as
    in equation 6 of Marris et al. 2022.

    Args:
      deviations: of each player, what they gain at each of the P joint actions, in
        standard deviations of payoff.
      rho: price of approximation.
      solver: a conic solver that cvxpy knows.

    Returns:
      "optimal" or what cvxpy says instead, "error" where the solver gave up; and the
      joint, if any.
    """
    cp: Any = import_module("cvxpy")
    count = deviations[0].shape[1]
    joint = cp.Variable(count)
    constraints = [cp.sum(joint) == 1]
    if rho == math.inf:
        objective = cp.sum(cp.entr(joint))
        constraints += [np.concatenate(deviations) @ joint <= 0]
    else:
        upper, epsilon = count**0.5, cp.Variable(len(deviations))
        constraints += [joint >= 0, epsilon <= upper]
        constraints += [own @ joint <= epsilon[p] for p, own in enumerate(deviations)]
        objective = -cp.sum(cp.rel_entr(joint, np.full(count, 1 / count)))
        objective -= rho * cp.sum(cp.rel_entr(upper - epsilon, np.e * upper))
    problem = cp.Problem(cp.Maximize(objective), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "may be inaccurate": the status says it
        try:
            problem.solve(solver=solver)
        except cp.error.SolverError:
            return "error", None
    return str(problem.status), joint.value


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A conic solver on games, one after the other, until its time was over.

    Attributes:
      status: the solver's own word for each game.
      seconds: of CPU time.
      apart: total variation to the exact joint; None where it found none.
      asked: number of games that were to be solved.
    """

    status: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    apart: list[float | None] = field(default_factory=list)
    asked: int

    @property
    def success(self) -> float | None:
        """Share of the games begun that the solver calls optimal; None without any."""
        if not self.status:
            return None
        return self.status.count("optimal") / len(self.status)


def in_turn(
    payoffs: Float[ndarray, "B N ..."],
    rho: float = math.inf,
    limit: float = math.inf,
    solver: str = "ECOS",
) -> Tried:
    """Measures a conic solver on the maximum-entropy CCE of each game.

    Args:
      payoffs: of the games, in any unit.
      rho: as in ``entropy_conic``.
      limit: wall seconds after which no further game is begun; one always is.
      solver: a conic solver that cvxpy knows.
    """
    import_module("cvxpy")  # which takes longer than a small game
    tried = Tried(asked=len(payoffs))
    begun = time.monotonic()
    for game in payoffs:
        if tried.status and time.monotonic() - begun > limit:
            break
        dual = Dual(build(game[None])[0])
        gains = dual.deviations()[0]
        deviations = [gains[part] for part in dual.parts]
        before = time.process_time()
        status, joint = entropy_conic(deviations, rho, solver)
        tried.seconds.append(time.process_time() - before)
        tried.status.append(status)
        far = None
        if status == "optimal" and joint is not None:
            exact = equilibria(game[None]).joint
            far = 0.5 * float(np.abs(joint - exact.ravel()).sum())
        tried.apart.append(far)
    return tried
