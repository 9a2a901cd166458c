"""Linear programs by HiGHS (Huangfu & Hall 2018), certified by duality."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy import ndarray

from meta_solvers.base import Status

_STATUS = {
    0: Status.OK,
    1: Status.MAX_STEPS,
    2: Status.INFEASIBLE,
    3: Status.NUMERICAL,
    4: Status.NUMERICAL,
}
# The tightest HiGHS takes; its defaults of 1e-7 leave gains of that size. Presolve
# costs a tenth to a half of the time on these rows and removes next to nothing.
FEASIBLE = 1e-10
_OPTIONS = {
    "presolve": False,
    "primal_feasibility_tolerance": FEASIBLE,
    "dual_feasibility_tolerance": FEASIBLE,
}
CERTAIN = 1e-6  # distance from the optimum up to which an answer is OK


BINDS = 1e-9  # multiplier from which a constraint counts as binding


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimum:
    """What became of a linear program.

    Attributes:
      values: x ``[V]``, or None where there is none.
      status: OK where the optimum is certain.
      diagnostics: "optimality_gap" is the distance between the answer and the bound,
        "tried" what became of other attempts.
      tight: rows ``[R]`` of ``below`` that bind in every solution.
      zero: variables ``[V]`` that are 0 in every solution.
      prices: multipliers ``[R]`` of ``below``, none negative. Every answer that costs
        as much as this one leaves a row at most ``optimality_gap`` over its price.
      reduced: what a positive variable's size costs at these prices ``[V]``: it is
        at most ``optimality_gap`` over that, in every answer that costs as much.
    """

    values: Any
    status: Status
    diagnostics: dict[str, Any]
    tight: Any = None
    zero: Any = None
    prices: Any = None
    reduced: Any = None


def minimise(
    cost: Any, below: Any, below_to: Any, equal: Any, equal_to: Any, positive: int
) -> Optimum:
    """``min cost . x`` with ``below @ x <= below_to`` and ``equal @ x = equal_to``.

    The first ``positive`` variables must not be negative and sum to 1; the others are
    free, and between -1 and 1 at every solution. Rows may be dense or sparse.

    HiGHS is not believed: its multipliers bound the optimum, whatever they are (weak
    duality). An answer farther from the bound than ``CERTAIN`` is asked for again with
    every row scaled to size 1, then by an interior point as well: payoffs of sizes 1e-6
    to 1e6 in one game need that. What is uncertain then is INACCURATE.
    """
    cost, size = np.asarray(cost, dtype=np.float64), _sizes(below)
    scaled = (_divided(below, size), below_to / size)
    attempts: list[Optimum] = []
    for method, (rows, to) in (
        ("highs", (below, below_to)),
        ("highs-ds", scaled),
        ("highs-ipm", scaled),
    ):
        program = {"A_ub": rows, "b_ub": to, "A_eq": equal, "b_eq": equal_to}
        attempt = _attempt(cost, program, method, positive)
        if attempt.prices is not None and method != "highs":
            attempt = replace(attempt, prices=attempt.prices / size)
        attempts.append(attempt)
        if attempts[-1].status is Status.OK:
            break
    # The first that is OK, otherwise the first that has an answer at all.
    best = min(attempts, key=lambda a: (a.status is not Status.OK, a.values is None))
    others = [
        f"{a.status.name}: {a.diagnostics['reason']}" for a in attempts if a is not best
    ]
    if not others:
        return best
    return replace(best, diagnostics={**best.diagnostics, "tried": others})


def _attempt(
    cost: ndarray, program: dict[str, Any], method: str, positive: int
) -> Optimum:
    from scipy.optimize import linprog  # which takes its time to load

    bounds = np.full((len(cost), 2), np.inf)
    bounds[:, 0] = -np.inf
    bounds[:positive, 0] = 0.0
    options = {**_OPTIONS, "presolve": method == "highs-ipm"}
    optimum = linprog(cost, **program, bounds=bounds, method=method, options=options)
    status = _STATUS[optimum.status]
    diagnostics = {"method": "HiGHS", "iterations": int(optimum.nit)}
    if status is not Status.OK:
        diagnostics["reason"] = str(optimum.message)
        return Optimum(values=None, status=status, diagnostics=diagnostics)
    mine = np.minimum(optimum.ineqlin.marginals, 0.0)
    theirs = optimum.eqlin.marginals
    left = cost - program["A_ub"].T @ mine - program["A_eq"].T @ theirs
    # Whatever the multipliers are no solution is below this: positive variables share
    # 1, free ones are at most 1 in size.
    bound = float(program["b_ub"] @ mine + program["b_eq"] @ theirs)
    bound += min(float(left[:positive].min(initial=0.0)), 0.0)
    bound -= float(np.abs(left[positive:]).sum())
    gap = float(cost @ optimum.x) - bound
    diagnostics["optimality_gap"] = gap
    if not gap <= CERTAIN:
        status = Status.INACCURATE
        diagnostics["reason"] = f"known to be optimal only up to {gap:.3g}"
    zero = left > BINDS
    zero[positive:] = False
    return Optimum(
        values=optimum.x,
        status=status,
        diagnostics=diagnostics,
        tight=mine < -BINDS,
        zero=zero,
        prices=-mine,
        reduced=left - min(float(left[:positive].min(initial=0.0)), 0.0),
    )


def _sizes(rows: Any) -> ndarray:
    """Largest entry of each row in size, 1 where there is none: ``[R]``."""
    size = abs(rows).max(axis=1) if rows.shape[0] else np.ones(0)
    size = np.ravel(size.toarray() if hasattr(size, "toarray") else size)
    return np.where(size > 0, size, 1.0)


def _divided(rows: Any, size: ndarray) -> Any:
    if isinstance(rows, ndarray):
        return rows / size[:, None]
    from scipy import sparse

    return (sparse.diags_array(1 / size) @ rows).tocsr()
