"""Markov chains over joint actions in which one player at a time changes its action.

Such a chain has few steps for its states, so that products with its rates are cheap
where the matrix of all pairs of states would be large. If its fast steps lead to a
single closed class, the chain mixes at the pace of that class, and GMRES (Saad and
Schultz 1986) finds the stationary distribution in some thirty products. With several
closed classes everything depends on the rare steps between them, which floating-point
products do not resolve: those chains are for ``meta_solvers.markov``.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, gmres

from meta_solvers.markov import Stationary

PRECISION = 1e-13
"""Error of the balance of flows at which the iteration stops, relative to all flow."""
RESTART, RESTARTS = 60, 10
BALANCED = 1e-10
"""Largest difference of inflow and outflow of a state, relative to the largest flow."""


@dataclass(frozen=True, eq=False)
class Jumps:
    """A chain over the joint actions of N players.

    Attributes:
      actions: number of actions of each player.
      rates: for each player the rate from one action to another, given what the others
        play, flattened; 0 from an action to itself.
      fast: which of these steps are not rare.
    """

    actions: tuple[int, ...]
    rates: tuple[Float64[ndarray, "_A _A _C"], ...]
    fast: tuple[Bool[ndarray, "_A _A _C"], ...]

    @property
    def states(self) -> int:
        """S, the number of joint actions."""
        return int(np.prod(self.actions))

    @cached_property
    def closed(self) -> tuple[int, Bool[ndarray, " S"]]:
        """How many classes fast steps never leave, and a mask of the first of them."""
        flat = np.arange(self.states).reshape(self.actions)
        before, after = [], []
        for player, fast in enumerate(self.fast):
            index = np.moveaxis(flat, player, 0).reshape(self.actions[player], -1)
            now, following, others = np.nonzero(fast)
            before.append(index[now, others])
            after.append(index[following, others])
        start, end = np.concatenate(before), np.concatenate(after)
        steps = csr_matrix(
            (np.ones(len(start), dtype=np.int8), (start, end)), shape=(self.states,) * 2
        )
        count, label = connected_components(steps, connection="strong")
        left = np.zeros(count, dtype=bool)
        left[label[start][label[start] != label[end]]] = True
        classes = np.flatnonzero(~left)
        return len(classes), label == classes[0]

    @cached_property
    def leaving(self) -> Float64[ndarray, " S"]:
        """The rate at which each state is left."""
        return self._summed([rates.sum(1) for rates in self.rates])

    def arriving(self, weights: Float64[ndarray, " S"]) -> Float64[ndarray, " S"]:
        """What flows into each state from states of these weights."""
        table = weights.reshape(self.actions)
        flows = []
        for player, rates in enumerate(self.rates):
            own = np.moveaxis(table, player, 0).reshape(self.actions[player], -1)
            flows.append(np.einsum("nc,nmc->mc", own, rates))
        return self._summed(flows)

    def stationary(self) -> Stationary | None:
        """The stationary distribution of a chain with one closed class.

        Small weights are exact to the precision of the largest, no further.

        Returns:
          None where the iteration does not reach its precision.
        """
        _, begin = self.closed
        first = begin / begin.sum()

        def unbalance(flow: ndarray) -> ndarray:
            # The last term fixes the total flow to 1.
            return flow - self.arriving(flow / self.leaving) + first * flow.sum()

        balance = LinearOperator((self.states,) * 2, matvec=unbalance, dtype=float)
        flow, missed = gmres(
            balance, first, x0=first, rtol=PRECISION, restart=RESTART, maxiter=RESTARTS
        )
        weights = np.maximum(flow / self.leaving, 0.0)
        if missed or not weights.any():
            return None
        weights /= weights.sum()
        flow = weights * self.leaving
        residual = np.abs(self.arriving(weights) - flow).max() / flow.max()
        if residual > BALANCED:
            return None
        return Stationary(weights, "krylov", float(residual))

    def _summed(self, parts: list[ndarray]) -> Float64[ndarray, " S"]:
        """The sum over players of values by own action and the others' profile."""
        total = np.zeros(self.actions)
        for player, part in enumerate(parts):
            others = [a for q, a in enumerate(self.actions) if q != player]
            total += np.moveaxis(part.reshape(-1, *others), 0, player)
        return total.ravel()
