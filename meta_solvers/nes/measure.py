"""How good a network is: its gaps and its time, beside those of the exact solver."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from meta_solvers.exact.batch import Equilibria, equilibria
from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual
from meta_solvers.exact.interior import SOLVED, solve
from meta_solvers.exact.problem import Concept, Problem
from meta_solvers.nes import store
from meta_solvers.nes.network import Network
from meta_solvers.nes.recipe import Recipe
from meta_solvers.nes.solver import neural_equilibria
from meta_solvers.nes.tensors import as_float32, as_float64

REFINED = 2  # Newton steps of the exact solver after the network
_AT_ONCE = 2**17  # joint actions in a batch, which bounds the memory of a network
_Solver = Callable[[ndarray], tuple[ndarray, ndarray]]  # payoffs to joint and status


def gap(problem: Problem, joint: Float[ndarray, "B ..."]) -> Float[ndarray, " B"]:
    """The (C)CE gap of Marris et al. 2022, in standard deviations of payoff.

    Sum over players of the most that one deviation gains, where it gains anything. A
    deviation of a CE is weighed by the probability of its recommendation.
    """
    dual = Dual(problem)
    gains = dual.gains(joint)
    return np.asarray(sum(gains[:, part].max(1).clip(0) for part in dual.parts))


def apart(
    one: Float[ndarray, "B ..."], other: Float[ndarray, "B ..."]
) -> Float[ndarray, " B"]:
    """Total variation between joints: the paper's solver gap."""
    return 0.5 * np.asarray(np.abs(one - other).reshape(len(one), -1).sum(1))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a solver did, game by game.

    Attributes:
      gap: of its joint, as ``gap`` measures it.
      solver_gap: total variation to the exact joint; None where there is none.
      seconds: of CPU time.
      status: as ``meta_solvers.exact.batch.STATUS`` numbers them.
    """

    gap: list[float] = field(default_factory=list)
    solver_gap: list[float | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What several solvers did on the same games.

    Attributes:
      uniform: the uniform joint.
      nes: the network alone.
      refined: the network and ``REFINED`` Newton steps.
      exact: the exact solver.
    """

    uniform: Measured
    nes: Measured
    refined: Measured
    exact: Measured

    @classmethod
    def of(cls, stored: Mapping[str, Mapping[str, list[Any]]]) -> "Comparison":
        """The comparison written as JSON."""
        return cls(**{name: Measured(**one) for name, one in stored.items()})

    @property
    def games(self) -> int:
        """How many games there are."""
        return len(self.exact.status)

    @property
    def solved(self) -> int:
        """How many of them the exact solver solved."""
        return self.exact.status.count(SOLVED)


def compare(
    payoffs: Float[ndarray, "B N ..."],
    concept: Concept = "cce",
    network: Network | Path | None = None,
) -> Comparison:
    """The uniform joint, a network and the exact solver on the same games.

    Args:
      payoffs: of the games, in any unit.
      concept: "cce" or "ce".
      network: weights, or their file; None for the shipped ones that fit.
    """
    if isinstance(network, Path):
        network = store.load(network)[0]
    solvers = _solvers(concept, network)
    measured = {name: Measured() for name in solvers}
    size = max(1, _AT_ONCE // payoffs[0, 0].size)
    for solver in solvers.values():  # libraries load, caches fill
        solver(payoffs[:1])
    for start in range(0, len(payoffs), size):
        some = payoffs[start : start + size]
        problem, _ = build(some, concept)
        joints = {}
        for name, solver in solvers.items():
            before = time.process_time()
            joints[name], status = solver(some)
            spent = (time.process_time() - before) / len(some)
            measured[name].gap.extend(gap(problem, joints[name]).tolist())
            measured[name].seconds.extend([spent] * len(some))
            measured[name].status.extend(status.tolist())
        for name, joint in joints.items():  # status: of the exact solver, the last
            both = zip(apart(joint, joints["exact"]).tolist(), status, strict=True)
            gaps = [far if code == SOLVED else None for far, code in both]
            measured[name].solver_gap.extend(gaps)
    return Comparison(**measured)


def _solvers(concept: Concept, network: Network | None) -> dict[str, _Solver]:
    """What is compared; the exact solver comes last."""

    def plain(solved: Equilibria) -> tuple[ndarray, ndarray]:
        return np.asarray(solved.joint, dtype=np.float64), np.asarray(solved.status)

    def neural(steps: int, payoffs: ndarray) -> tuple[ndarray, ndarray]:
        games = torch.from_numpy(payoffs)
        return plain(neural_equilibria(games, concept, refine=steps, network=network))

    def uniform(payoffs: ndarray) -> tuple[ndarray, ndarray]:
        joint = np.full_like(payoffs[:, 0], 1 / payoffs[0, 0].size)
        return joint, np.zeros(len(payoffs), dtype=np.int64)

    def exact(payoffs: ndarray) -> tuple[ndarray, ndarray]:
        return plain(equilibria(torch.from_numpy(payoffs), concept))

    nes = {"nes": partial(neural, 0), "refined": partial(neural, REFINED)}
    return {"uniform": uniform, **nes, "exact": exact}


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far a network, and the uniform joint, are from the exact solution on average.

    Attributes:
      size: of the games, as "4x4".
      solver_gap: total variation to the exact joint.
      gap: sum over players of the largest gain, in the unit of the games drawn.
      solver_gap_uniform: that of duals 0.
      gap_uniform: likewise.
    """

    size: str
    solver_gap: float
    gap: float
    solver_gap_uniform: float
    gap_uniform: float


class Reference:
    """Fresh games and their exact joints, solved once: what networks are held against.

    Games that the exact solver does not solve are left out.

    Args:
      recipe: whose games and concept these are.
      actions: of each player.
      count: number of games.
      rng: what they are drawn with.
    """

    def __init__(
        self,
        recipe: Recipe,
        actions: tuple[int, ...],
        count: int,
        rng: np.random.Generator,
    ) -> None:
        problem = as_float64(recipe.problems(count, actions, rng))
        answers = solve(problem)
        solved = answers.status == SOLVED
        self.actions = actions
        self.dual = Dual(problem.take(solved))
        self.exact = answers.point.sigma[solved]

    def distance(self, network: Network) -> Distance:
        """Means over the games for a network, and for duals 0."""
        device = next(network.parameters()).device
        with torch.no_grad():
            alpha = network(as_float32(self.dual.problem, device)).cpu().double()
        (solver_gap, gap), uniform = self._means(alpha), self._means(0 * alpha)
        return Distance(
            size="x".join(map(str, self.actions)),
            solver_gap=solver_gap,
            gap=gap,
            solver_gap_uniform=uniform[0],
            gap_uniform=uniform[1],
        )

    def _means(self, alpha: Tensor) -> tuple[float, float]:
        """Mean solver gap and gap at some duals."""
        point = self.dual.at(alpha)
        apart = 0.5 * (point.sigma - self.exact).abs().flatten(1).sum(1)
        gains = [-point.slack[:, part] for part in self.dual.parts]
        worst = torch.stack([g.amax(1).clamp(min=0) for g in gains]).sum(0)
        return float(apart.mean()), float(worst.mean())


def references(
    recipe: Recipe, sizes: list[tuple[int, ...]], count: int, seed: int
) -> list[Reference]:
    """One ``Reference`` of ``count`` games for each size."""
    return [
        Reference(recipe, size, count, np.random.default_rng([seed, *size, 77]))
        for size in sizes
    ]
