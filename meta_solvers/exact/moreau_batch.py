"""The maximum-entropy CCE of many games by moreau, a rival of our batches.

moreau solves conic programs of one sparsity pattern side by side. The program is that
of ``meta_solvers.polytope`` with lifted variables, and an exponential cone for each
joint action; its arrays are written for all games at once, so that no time goes into
stating the problem.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from meta_solvers.exact.problem import Concept
from metaspiel.nfg.errors import UserError


def equilibria(
    payoffs: Float64[ndarray, "B N *A"], concept: Concept
) -> tuple[Float64[ndarray, "B *A"], Bool[ndarray, " B"]]:
    """Joints, NaN where there is none, and whether moreau calls them solved.

    Raises:
      ModuleNotFoundError: moreau is not installed (extra ``moreau``).
      UserError: the concept is not "cce".
    """
    import moreau  # an extra

    if concept != "cce":
        raise UserError(f"moreau's program is that of the CCE; got {concept}")
    batch, actions = len(payoffs), payoffs.shape[2:]
    solver, program = _compiled(batch, actions)
    solver.setup(np.zeros((batch, 0)), program.values(payoffs))
    cost, sides = (np.tile(row, (batch, 1)) for row in (program.cost, program.sides))
    x = np.asarray(solver.solve(cost, sides).x)[:, : math.prod(actions)]
    joint = np.maximum(x, 0.0)
    joint = joint / joint.sum(axis=1, keepdims=True)
    solved = [status == moreau.SolverStatus.Solved for status in solver.info.status]
    return joint.reshape(batch, *actions), np.array(solved)


@lru_cache(maxsize=8)
def _compiled(batch: int, actions: tuple[int, ...]) -> tuple[Any, "Program"]:
    """The solver of the programs of a shape, and how those are written."""
    import moreau

    program = Program.of(actions)
    solver = moreau.CompiledSolver(
        n=len(program.cost),
        m=len(program.sides),
        P_row_offsets=np.zeros(len(program.cost) + 1, dtype=np.int64),
        P_col_indices=np.zeros(0, dtype=np.int64),
        A_row_offsets=program.ends,
        A_col_indices=program.columns,
        cones=moreau.Cones(
            num_zero_cones=program.equations,
            num_nonneg_cones=sum(actions),
            num_exp_cones=math.prod(actions),
        ),
        settings=moreau.Settings(device="cpu", batch_size=batch),
    )
    return solver, program


@dataclass(frozen=True, eq=False, kw_only=True)
class Program:
    """``min cost . z`` with ``sides - rows @ z`` in a product of cones.

    The variables z are the joint, the co-players' marginals, the values of the players,
    and the entropy of each joint action. Only some numbers of the rows are payoffs.

    Attributes:
      actions: of the games.
      equations: rows in the zero cone, which come first.
      columns: of the rows' numbers, row by row.
      ends: where each row begins in ``columns``, and the end of the last.
      cost: ``[V]``.
      sides: ``[R]``.
    """

    actions: tuple[int, ...]
    equations: int
    columns: Int64[ndarray, " Z"]
    ends: Int64[ndarray, " R1"]
    cost: Float64[ndarray, " V"]
    sides: Float64[ndarray, " R"]

    @classmethod
    def of(cls, actions: tuple[int, ...]) -> "Program":
        """The pattern of all games of a shape."""
        size = math.prod(actions)
        joint = np.arange(size).reshape(actions)
        others = [size // own for own in actions]
        first = size + np.cumsum([0, *others])
        value = int(first[-1])
        equal, below = [joint.reshape(1, -1)], []
        for player, own in enumerate(actions):
            index = np.moveaxis(joint, player, 0).reshape(own, -1)
            marginal = first[player] + np.arange(others[player])
            equal.append(np.column_stack([index.T, marginal]))
            equal.append(np.append(index.ravel(), value + player)[None])
            ends = np.full((own, 1), value + player)
            below.append(np.hstack([np.tile(marginal, (own, 1)), ends]))
        entropy = value + len(actions) + np.arange(size)
        cones = np.column_stack([entropy, np.arange(size)])
        counts = [np.full(len(b), b.shape[1]) for b in (*equal, *below)]
        # A cone has three rows: its entropy, its probability, and the number 1.
        widths = np.concatenate([*counts, np.tile([1, 1, 0], size)])
        sides = np.zeros(len(widths))
        sides[0] = 1.0
        sides[-3 * size :] = np.tile([0.0, 0.0, 1.0], size)
        cost = np.zeros(value + len(actions) + size)
        cost[entropy] = -1.0
        return cls(
            actions=actions,
            equations=sum(map(len, equal)),
            columns=np.concatenate([b.ravel() for b in (*equal, *below, cones)]),
            ends=np.append(0, np.cumsum(widths)),
            cost=cost,
            sides=sides,
        )

    def values(self, payoffs: Float64[ndarray, "B N *A"]) -> Float64[ndarray, "B Z"]:
        """The numbers of the rows of each game, payoffs divided by their range."""
        batch, size = len(payoffs), math.prod(self.actions)
        equal, below = [np.ones((batch, size))], []
        for player, own in enumerate(self.actions):
            payoff = np.moveaxis(payoffs[:, player], player + 1, 1)
            payoff = payoff.reshape(batch, own, -1)
            low = payoff.min(axis=(1, 2), keepdims=True)
            payoff = (payoff - low) / np.ptp(payoff, axis=(1, 2), keepdims=True)
            marginal = np.append(np.full(own, -1.0), 1.0)
            equal.append(np.tile(marginal, (batch, size // own)))
            equal.append(np.hstack([-payoff.reshape(batch, -1), np.ones((batch, 1))]))
            gain = np.concatenate([payoff, np.full((batch, own, 1), -1.0)], axis=2)
            below.append(gain.reshape(batch, -1))
        return np.hstack([*equal, *below, np.full((batch, 2 * size), -1.0)])
