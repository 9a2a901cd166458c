"""The solvers that ``speed_equilibria`` compares, all called alike, and its games.

A solver takes payoffs ``[B, N, A1, ..., AN]`` and a concept, and returns joints
``[B, A1, ..., AN]`` (NaN where it has none) and a ``[B]`` of whether it says that they
are optimal. Those that solve one game at a time are given batches of one.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

if TYPE_CHECKING:
    from meta_solvers.exact.batch import Equilibria
    from meta_solvers.exact.problem import Concept

ENTRIES = 2**22  # numbers in the largest array of a batch
SOLVED = 1e-6  # a measured gap up to this counts as solved
Solve = Callable[[ndarray, "Concept"], tuple[ndarray, ndarray]]


@dataclass(frozen=True)
class Reference:
    """A solver, and whether it takes many games in one call."""

    solve: Solve
    batched: bool = False


def deviations(payoffs: ndarray, concept: "Concept") -> Any:
    """Gains of all deviations of one game, as a sparse matrix ``[m, prod A]``."""
    from scipy.sparse import csr_array, vstack

    actions = payoffs.shape[1:]
    where = np.arange(np.prod(actions)).reshape(actions)
    parts = []
    for player, size in enumerate(actions):
        own = np.moveaxis(payoffs[player], player, 0).reshape(size, -1)
        recommended = np.moveaxis(where, player, 0).reshape(size, -1)
        gain = own[:, None] - own[None]  # [played instead, told, what others play]
        row = np.arange(size)[:, None]
        if concept == "ce":
            row = np.arange(size * size).reshape(size, size)
        rows = np.broadcast_to(row[..., None], gain.shape)
        columns = np.broadcast_to(recommended, gain.shape)
        # A deviation to what is played anyway gains nothing.
        moves = ~np.eye(size, dtype=bool)
        place = (rows[moves].ravel(), columns[moves].ravel())
        shape = (int(row.max()) + 1, where.size)
        parts.append(csr_array((gain[moves].ravel(), place), shape=shape))
    matrix = vstack(parts).tocsr()
    return matrix[np.diff(matrix.indptr) > 0]


def conic(name: str, **options: Any) -> Solve:
    """A conic solver through cvxpy, as a user would write the problem down."""

    def solve(payoffs: ndarray, concept: "Concept") -> tuple[ndarray, ndarray]:
        import importlib
        import warnings

        importlib.import_module(name)  # cvxpy does not say which package is missing
        cp: Any = importlib.import_module("cvxpy")
        rows = deviations(payoffs[0], concept)
        x = cp.Variable(rows.shape[1])
        problem = cp.Problem(
            cp.Maximize(cp.sum(cp.entr(x))), [cp.sum(x) == 1, rows @ x <= 0]
        )
        with warnings.catch_warnings():  # of inexact answers: the status says so
            warnings.simplefilter("ignore")
            try:
                problem.solve(solver=name.upper(), **options)
            except cp.error.SolverError:
                return np.full((1, *payoffs.shape[2:]), np.nan), np.array([False])
        if x.value is None:
            return np.full((1, *payoffs.shape[2:]), np.nan), np.array([False])
        joint = np.maximum(x.value, 0.0).reshape(1, *payoffs.shape[2:])
        return joint / joint.sum(), np.array([problem.status == cp.OPTIMAL])

    return solve


def lbfgs(payoffs: ndarray, concept: "Concept") -> tuple[ndarray, ndarray]:
    """The dual by bounded quasi-Newton steps (scipy's L-BFGS-B)."""
    from scipy.optimize import minimize

    from meta_solvers.exact.build import build
    from meta_solvers.exact.dual import Dual

    dual = Dual(build(payoffs, concept)[0])

    def value_and_gradient(alpha: ndarray) -> tuple[float, ndarray]:
        point = dual.at(alpha[None])
        return float(point.value[0]), point.slack[0]

    # A gap adds up one gain for each player, or for each recommendation.
    added = sum(payoffs.shape[2:]) if concept == "ce" else payoffs.shape[1]
    options = {
        "maxcor": 50,  # the default 10 takes ten times longer, or forever, for CE
        "maxiter": 5000,
        "maxfun": 10000,
        "ftol": 0.0,
        "gtol": 0.5 * SOLVED / added,
    }
    minimum = minimize(
        value_and_gradient,
        np.zeros(dual.size),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * dual.size,
        options=options,
    )
    return dual.at(minimum.x[None]).sigma, np.array([bool(minimum.success)])


def interior(payoffs: ndarray, concept: "Concept") -> tuple[ndarray, ndarray]:
    """Our interior point, in numpy."""
    from meta_solvers.exact.batch import equilibria

    return _answer(equilibria(payoffs, concept))


def interior_batch(payoffs: ndarray, concept: "Concept") -> tuple[ndarray, ndarray]:
    """Our interior point, in torch, float64."""
    import torch

    from meta_solvers.exact.batch import equilibria

    return _answer(equilibria(torch.from_numpy(payoffs), concept))


def neural(refine: int) -> Solve:
    """The neural solver with Newton steps after the network."""

    def solve(payoffs: ndarray, concept: "Concept") -> tuple[ndarray, ndarray]:
        import torch

        from meta_solvers.nes.solver import neural_equilibria

        games = torch.from_numpy(payoffs)
        return _answer(neural_equilibria(games, concept=concept, refine=refine))

    return solve


def _answer(solved: "Equilibria") -> tuple[ndarray, ndarray]:
    joint = np.asarray(solved.joint, dtype=np.float64)
    return joint, np.asarray(solved.status) == 0


SOLVERS: Mapping[str, Reference] = MappingProxyType(
    {
        "clarabel": Reference(conic("clarabel")),
        "ecos": Reference(conic("ecos")),
        # At its own tolerance of 1e-4 it would be measured at another accuracy.
        "scs": Reference(conic("scs", eps_abs=1e-7, eps_rel=1e-7)),
        "lbfgs": Reference(lbfgs),
        "interior": Reference(interior),
        "interior_batch": Reference(interior_batch, batched=True),
        "nes": Reference(neural(0), batched=True),
        "nes+2": Reference(neural(2), batched=True),
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
        concept: "Concept",
        single: int,
        batch: int,
        seed: int,
    ) -> "Games":
        """Draws and solves games; the batch is cut to what memory allows."""
        import torch

        from meta_solvers.exact.batch import equilibria
        from metaspiel.nfg.sample import sample

        torch.set_num_threads(1)  # CPU time adds up over threads
        batch = max(1, min(batch, ENTRIES // entries(actions, concept)))
        rng = np.random.default_rng([seed, *actions])
        games = [
            sample("l2_invariant", actions, rng).payoffs
            for _ in range(max(batch, single))
        ]
        payoffs = np.stack(games)
        exact = []
        for start in range(0, len(payoffs), batch):
            part = torch.from_numpy(payoffs[start : start + batch])
            solved = equilibria(part, concept, tolerance=1e-10)
            failed = (solved.status != 0).reshape(-1, *[1] * len(actions))
            exact.append(solved.joint.masked_fill(failed, np.nan).numpy())
        return cls(payoffs, np.concatenate(exact), single, batch)


def entries(actions: tuple[int, ...], concept: "Concept") -> int:
    """Numbers in the larger of a game's payoffs and a Newton step's matrix."""
    profiles = math.prod(actions)
    if concept == "ce":
        return sum(size * size for size in actions) * profiles
    return max(len(actions) * profiles, sum(actions) ** 2)
