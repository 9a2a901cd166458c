"""The solvers that ``speed_equilibria`` compares, all called alike, and its games.

A solver takes payoffs ``[B, N, A1, ..., AN]`` and a concept, and returns joints
``[B, A1, ..., AN]`` (NaN where it has none) and a ``[B]`` of whether it says that they
are optimal. Those that solve one game at a time are given batches of one.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from numpy import ndarray

from meta_solvers.exact import moreau_batch
from meta_solvers.exact.batch import Equilibria, equilibria
from meta_solvers.exact.problem import Concept
from meta_solvers.exact.references import Answered, conic, quasi_newton
from meta_solvers.nes.solver import neural_equilibria
from metaspiel.nfg.sample import sample

ENTRIES = 2**22  # numbers in the largest array of a batch
SOLVED = 1e-6  # a measured gap up to this counts as solved
Solve = Callable[[ndarray, Concept], tuple[ndarray, ndarray]]


@dataclass(frozen=True)
class Reference:
    """A solver, and whether it takes many games in one call."""

    solve: Solve
    batched: bool = False


def one_game(solver: Callable[[ndarray, Concept], Answered]) -> Reference:
    """A solver of one game at a time."""

    def solve(payoffs: ndarray, concept: Concept) -> tuple[ndarray, ndarray]:
        joint, optimal = solver(payoffs[0], concept)
        return joint[None], np.array([optimal])

    return Reference(solve)


def many_games(solver: Callable[..., Equilibria]) -> Reference:
    """One of ours that solves a batch in torch, float64."""

    def solve(payoffs: ndarray, concept: Concept) -> tuple[ndarray, ndarray]:
        return answered(solver(torch.from_numpy(payoffs), concept=concept))

    return Reference(solve, batched=True)


def answered(solved: Equilibria) -> tuple[ndarray, ndarray]:
    """Joints of ours, and whether they are called optimal."""
    joint = np.asarray(solved.joint, dtype=np.float64)
    return joint, np.asarray(solved.status) == 0


SOLVERS: Mapping[str, Reference] = MappingProxyType(
    {
        "clarabel": one_game(partial(conic, solver="clarabel")),
        "ecos": one_game(partial(conic, solver="ecos")),
        # At its own tolerance of 1e-4 it would be measured at another accuracy.
        "scs": one_game(partial(conic, solver="scs", eps_abs=1e-7, eps_rel=1e-7)),
        "lbfgs": one_game(partial(quasi_newton, gap=SOLVED)),
        "moreau": Reference(moreau_batch.equilibria, batched=True),
        "interior": Reference(lambda games, of: answered(equilibria(games, of))),
        "interior_batch": many_games(equilibria),
        "nes": many_games(partial(neural_equilibria, refine=0)),
        "nes+2": many_games(partial(neural_equilibria, refine=2)),
    }
)


@dataclass(frozen=True, eq=False)
class Games:
    """L2-invariant games of one shape, and their exact solutions.

    Attributes:
      payoffs: ``[B, N, A1, ..., AN]``.
      exact: ``[B, A1, ..., AN]``, NaN where even the exact solver failed.
      single: the first so many are for solvers of one game at a time.
      batch: the first so many are for solvers of many at once.
    """

    payoffs: ndarray
    exact: ndarray
    single: int
    batch: int

    @classmethod
    def draw(
        cls,
        actions: tuple[int, ...],
        concept: Concept,
        *,
        single: int,
        batch: int,
        seed: int,
    ) -> "Games":
        """Draws and solves games; the batch is cut to what memory allows."""
        batch = max(1, min(batch, ENTRIES // entries(actions, concept)))
        rng = np.random.default_rng([seed, *actions])
        games = [
            sample("l2_invariant", actions, rng) for _ in range(max(batch, single))
        ]
        payoffs = np.stack([game.payoffs for game in games])
        exact = []
        for start in range(0, len(payoffs), batch):
            part = torch.from_numpy(payoffs[start : start + batch])
            solved = equilibria(part, concept, tolerance=1e-10)
            failed = (solved.status != 0).reshape(-1, *[1] * len(actions))
            exact.append(solved.joint.masked_fill(failed, np.nan).numpy())
        return cls(payoffs, np.concatenate(exact), single, batch)


def entries(actions: tuple[int, ...], concept: Concept) -> int:
    """Numbers in the larger of a game's payoffs and a Newton step's matrix."""
    profiles = math.prod(actions)
    if concept == "ce":
        return sum(size * size for size in actions) * profiles
    return max(len(actions) * profiles, sum(actions) ** 2)
