"""Linear programs over CE and CCE by some of their rows and columns (HiGHS).

``min cost . x`` over joints x at which no deviation gains: few deviations bind at a
vertex, and as few joint actions are played. A program of a working set is solved; the
deviations it violates and the joint actions its multipliers call for join; until
nothing is missing (Dantzig & Wolfe 1960; Kelley 1960). HiGHS keeps its basis while the
program grows. The model lives for one call: what stays is the working set.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import Status
from meta_solvers.lp import CERTAIN, FEASIBLE
from meta_solvers.warm import WorkingSet

_GAIN = 1e-9  # gains below this, of the payoff range, are none, as in HiGHS
_WORTH = 1e-9  # reduced costs above minus this are none
_ROUNDS = 500
_DUAL, _PRIMAL = 1, 4  # HiGHS's numbers of the simplex methods
_ITERATIONS = 2000  # of one run: more is a cycle, in programs of this size


@dataclass(frozen=True, eq=False, kw_only=True)
class Restricted:
    """What became of a program.

    Attributes:
      joint: ``[P]`` where the status is OK.
      status: OK where the whole program is solved, certified by duality.
      working: the joint actions of its basis and the deviations that bind.
      diagnostics: "rounds", "iterations", "optimality_gap".
    """

    joint: Float64[ndarray, " P"]
    status: Status
    working: WorkingSet
    diagnostics: dict[str, Any]


class _Program:
    """A growing program: ``x >= 0``, the excess t >= 0, rows ``gain . x - t <= 0``.

    First the excess is made as small as possible, which is 0 where enough joint actions
    are there, for every game has equilibria; then it stays 0 and the cost counts.
    """

    def __init__(self, cost: Float64[ndarray, " P"]) -> None:
        import highspy  # which takes its time to load
        from highspy import _core

        self.cost, self.feasible, self.restarts = cost, False, 0
        self.columns, self.rows = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.infinity = highspy.kHighsInf
        # The class below ``Highs``, which prints a banner before it can be told not to.
        # Whoever asked HiGHS before, as cvxpy does, may have left it several threads,
        # and then it refuses to run with one.
        _core._Highs.resetGlobalScheduler(True)
        self.highs = _core._Highs()
        for name, value in (
            ("output_flag", False),
            ("presolve", "off"),
            ("threads", 1),
            ("simplex_strategy", _PRIMAL),
            ("simplex_iteration_limit", _ITERATIONS),
            ("primal_feasibility_tolerance", FEASIBLE),
            ("dual_feasibility_tolerance", FEASIBLE),
        ):
            self.highs.setOptionValue(name, value)
        self.highs.addVar(0.0, self.infinity)  # t
        self.highs.changeColCost(0, 1.0)
        self.highs.addRow(1.0, 1.0, 0, np.zeros(0, np.int32), np.zeros(0))  # sum of x

    def grow(self, working: WorkingSet) -> None:
        """Adds the joint actions and deviations of the set that are missing."""
        gains = working.gains
        known = np.zeros(working.columns.size, dtype=bool)
        known[self.columns] = True
        new = np.flatnonzero(working.columns & ~known)
        if new.size:
            block = np.vstack([np.ones(new.size), gains.entries(self.rows, new)])
            cost = self.cost[new] if self.feasible else np.zeros(new.size)
            self._add_columns(cost, block)
            self.columns = np.concatenate([self.columns, new])
        known = np.zeros(working.rows.size, dtype=bool)
        known[self.rows] = True
        new = np.flatnonzero(working.rows & ~known)
        if new.size:
            block = gains.entries(new, self.columns)
            self._add_rows(np.hstack([np.full((new.size, 1), -1.0), block]))
            self.rows = np.concatenate([self.rows, new])

    def _add_columns(self, cost: ndarray, block: Float64[ndarray, "R C"]) -> None:
        rows, count = block.shape
        given = (
            count,
            cost,
            np.zeros(count),
            np.full(count, self.infinity),
            block.size,
            np.arange(count, dtype=np.int32) * rows,
            np.tile(np.arange(rows, dtype=np.int32), count),
            block.T.ravel(),
        )
        self.highs.addCols(*given)

    def _add_rows(self, block: Float64[ndarray, "R C"]) -> None:
        count, columns = block.shape
        given = (
            count,
            np.full(count, -self.infinity),
            np.zeros(count),
            block.size,
            np.arange(count, dtype=np.int32) * columns,
            np.tile(np.arange(columns, dtype=np.int32), count),
            block.ravel(),
        )
        self.highs.addRows(*given)

    def run(self) -> bool:
        """Solves what there is; whether HiGHS calls it optimal.

        The programs are degenerate, and the primal method may go round in a cycle:
        then HiGHS starts without a basis, by the dual method, which it keeps to; if
        that fails as well by the primal one.
        """
        import highspy

        optimal = highspy.HighsModelStatus.kOptimal
        self.highs.run()
        for strategy in (_DUAL, _PRIMAL):
            if self.highs.getModelStatus() == optimal:
                return True
            self.restarts += 1
            self.highs.clearSolver()
            self.highs.setOptionValue("simplex_strategy", strategy)
            self.highs.run()
            self.highs.setOptionValue("simplex_strategy", _DUAL)
        return bool(self.highs.getModelStatus() == optimal)

    def hold(self) -> None:
        """From here on the excess is 0, and the cost counts."""
        self.feasible = True
        self.highs.changeColCost(0, 0.0)
        self.highs.changeColBounds(0, 0.0, 0.0)
        for index, cost in enumerate(self.cost[self.columns], start=1):
            self.highs.changeColCost(index, float(cost))

    @property
    def values(self) -> tuple[float, Float64[ndarray, " C"]]:
        """The excess, and the joint actions' probabilities."""
        values = np.array(self.highs.getSolution().col_value)
        return float(values[0]), values[1:]

    @property
    def multipliers(self) -> Float64[ndarray, " R"]:
        """A multiplier >= 0 for each deviation."""
        duals = np.array(self.highs.getSolution().row_dual)
        return np.maximum(-duals[1:], 0.0)

    @property
    def iterations(self) -> int:
        """Simplex iterations of the last run."""
        return int(self.highs.getInfo().simplex_iteration_count)


def minimise_over(
    working: WorkingSet, cost: Float64[ndarray, " P"]
) -> Restricted | None:
    """Minimises ``cost . x`` over all equilibria, starting from a working set.

    Returns None where HiGHS gives up, or the answer cannot be certified.
    """
    gains, program = working.gains, _Program(cost)
    iterations, rounds, joint = 0, 0, np.zeros(cost.size)
    for _ in range(_ROUNDS):
        rounds += 1
        program.grow(working)
        if not program.run():
            return None
        iterations += program.iterations
        excess, values = program.values
        joint[:] = 0.0
        joint[program.columns] = np.maximum(values, 0.0)
        violated = gains.of(joint) - max(excess, 0.0) - _GAIN
        duals = np.zeros(gains.deviations)
        duals[program.rows] = program.multipliers
        left = gains.tilt(duals) + (cost if program.feasible else 0.0)
        # In an optimum of the set, what is played has the least reduced cost.
        least = float(left[program.columns].min())
        idle = not program.feasible and excess <= 0.0
        worth = np.zeros(cost.size) if idle else least - left - _WORTH
        grown = working.with_worst(violated, worth)
        if grown is not None:
            working = grown
        elif not program.feasible and excess <= _GAIN:
            program.hold()
        else:
            break
    else:
        return None
    gap = float(cost @ joint) - float(left.min())
    if not program.feasible or not gap <= CERTAIN:
        return None
    binding = np.zeros(gains.deviations, dtype=bool)
    binding[program.rows] = gains.of(joint)[program.rows] > -_GAIN
    return Restricted(
        joint=joint,
        status=Status.OK,
        working=replace(working, rows=binding, columns=joint > 0),
        diagnostics={
            "method": "HiGHS",
            "rounds": rounds,
            "iterations": iterations,
            "restarts": program.restarts,
            "optimality_gap": gap,
        },
    )
