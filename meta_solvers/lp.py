"""One call to HiGHS (Huangfu & Hall 2018) through SciPy."""

from typing import Any

import numpy as np

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
_OPTIONS = {
    "presolve": False,
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
}


def minimise(
    cost: Any, below: Any, below_to: Any, equal: Any, equal_to: Any, positive: int
) -> tuple[Any, Status, dict[str, Any]]:
    """``min cost . x`` with ``below @ x <= below_to`` and ``equal @ x = equal_to``.

    The first ``positive`` variables must not be negative, the others are free. Rows may
    be dense or sparse.

    Returns:
      x ``[V]`` or None, the status, and diagnostics.
    """
    from scipy.optimize import linprog  # which takes its time to load

    bounds = np.full((len(cost), 2), np.inf)
    bounds[:, 0] = -np.inf
    bounds[:positive, 0] = 0.0
    rows = {"A_ub": below, "b_ub": below_to, "A_eq": equal, "b_eq": equal_to}
    optimum = linprog(cost, **rows, bounds=bounds, options=_OPTIONS)
    diagnostics = {"method": "HiGHS", "iterations": int(optimum.nit)}
    if optimum.status != 0:
        diagnostics["reason"] = str(optimum.message)
    return optimum.x, _STATUS[optimum.status], diagnostics
