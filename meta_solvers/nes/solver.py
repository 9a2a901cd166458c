"""The Neural Equilibrium Solver by name: a network's duals, refined by Newton steps.

The network answers at once and approximately; from its duals the exact interior point
needs a few steps where a cold start needs ten or more. ``refine=None`` goes on until
the game is solved, and that is the default.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from meta_solvers.base import Answer, Status
from meta_solvers.convex import TOLERANCE, EntropySolver, answer
from meta_solvers.exact import interior
from meta_solvers.exact.batch import Equilibria, report
from meta_solvers.exact.build import build, padded
from meta_solvers.exact.problem import Array, Concept, Problem
from nfg.errors import UserError, unknown
from nfg.game import Game

_LARGE = 64  # joint actions
_SPARED = 3  # blocks


def neural_equilibria(
    payoffs: Any,
    concept: Concept = "cce",
    target: Any = None,
    welfare: Any = None,
    epsilon: Any = 0.0,
    refine: int | None = 0,
    network: Any = None,
    actions: Any = None,
    tolerance: float = 1e-10,
) -> Equilibria:
    """A batch of games through a network, then through Newton steps.

    Args:
      payoffs: ``[B, N, A1, ..., AN]`` of any unit, or a sequence of games.
      concept: "cce" or "ce".
      target: as in ``meta_solvers.exact.batch.equilibria``.
      welfare: as there.
      epsilon: as there.
      refine: Newton steps of the exact solver; 0 is the network alone, None goes on
        until the tolerance is met.
      network: a ``Network``, the path of its weights, the name of a shipped one, or
        None for the shipped one that fits.
      actions: as in ``equilibria``.
      tolerance: as in ``equilibria``.

    Raises:
      UserError: an argument is impossible, or no shipped network fits.
    """
    import torch

    if refine is not None and not (isinstance(refine, int) and refine >= 0):
        raise UserError(
            "neural_equilibria(): refine must be a whole number of at least 0, or "
            f"None; got {refine!r}"
        )
    mass = None
    if isinstance(payoffs, Sequence):
        payoffs, actions, target, welfare, mass = padded(payoffs, target, welfare)
    tensor = torch.as_tensor(payoffs, dtype=torch.float64).detach()
    problem, unit = build(
        tensor, concept, target, welfare, epsilon, actions=actions, mass=mass
    )
    plain = target is None and welfare is None and bool((problem.epsilon == 0).all())
    if mass is not None:  # repeated actions make a target of their own
        plain = plain and bool((mass <= 1).all())
    chosen = fitting(problem, plain) if network is None else network
    if chosen is None:
        raise UserError(
            "neural_equilibria(): a shipped network must fit the game; none is for "
            f"{tensor.shape[1]} players, {concept}"
            + ("" if plain else " with a target, welfare or epsilon")
        )
    alpha = duals(chosen, problem, plain, refined=refine != 0)
    steps = 300 if refine is None else refine
    return report(problem, unit, interior.solve(problem, alpha, steps, tolerance))


def fitting(problem: Problem, plain: bool) -> str | None:
    """Name of the shipped network for a problem; None where there is none.

    ``plain``: uniform target, no welfare, epsilon 0.
    """
    from meta_solvers.nes import store

    selects = "entropy" if plain else "any"
    return store.SHIPPED.get((problem.concept, len(problem.actions), selects))


def duals(
    network: Any, problem: Problem, plain: bool = True, refined: bool = False
) -> Array:
    """The network's duals ``[B, m]`` of a torch problem, float64.

    ``refined``: Newton steps follow. In all but small games two of them do more than
    the network's last blocks, which are then left out (measured on ``mecce2``).

    Raises:
      UserError: the network is for other games, or cannot see what is not ``plain``.
    """
    import torch

    from meta_solvers.nes import store
    from meta_solvers.nes.data import as_float32

    if isinstance(network, str) and network in store.SHIPPED.values():
        network = store.shipped(network)[0]
    elif isinstance(network, str | Path):
        network = store.load(Path(network))[0]
    architecture = network.architecture
    wanted = (architecture.concept, architecture.players)
    if wanted != (problem.concept, len(problem.actions)):
        raise UserError(
            f"network: it must be for {problem.concept} of {len(problem.actions)} "
            f"players; got one for {wanted[0]} of {wanted[1]}"
        )
    if not plain and architecture.selects == "entropy":
        raise UserError(
            "network: it must see target, welfare and epsilon; got one for maximum "
            "entropy alone"
        )
    device = problem.payoffs.device
    if next(network.parameters()).device != device:  # the caller's stays where it is
        network = copy.deepcopy(network).to(device)
    large = math.prod(problem.actions) >= _LARGE and problem.concept == "cce"
    blocks = None
    if refined and large:
        blocks = max(architecture.unrolled - _SPARED, 0)
    with torch.no_grad():
        alpha = network(as_float32(problem, device), blocks)
    return alpha.to(torch.float64)


@dataclass(frozen=True)
class NeuralEquilibrium(EntropySolver):
    """A (C)CE by a trained network and Newton steps from its duals (NES).

    Shipped networks: maximum-entropy CCE of 2 players (2 to 64 actions) and 3 players
    (2 to 8), maximum-entropy CE of 2 players (2 to 64), and for 2 players (2 to 64) any
    target, welfare and epsilon >= 0. Beyond that the same networks, or a cold start,
    are refined just as well; the diagnostics say so under "range".

    Attributes:
      refine: Newton steps after the network: None until solved (``steps`` at most), 0
        the network alone. Where no network fits, the game is solved from a cold start.
      equilibrium: "cce" or "ce".
      accuracy: with a limited ``refine``, gain that a deviation may keep in an answer
        that is called OK, in standard deviations of payoff.
    """

    refine: int | None = None
    equilibrium: Literal["cce", "ce"] = "cce"
    accuracy: float = 0.01
    maximises: ClassVar[str] = "entropy (or as its fields say), by a trained network"
    source: ClassVar[str] = "Marris et al. 2022; this library"

    def __post_init__(self) -> None:
        super().__post_init__()
        name = f"{type(self).__name__}()"
        if self.equilibrium not in ("cce", "ce"):
            raise unknown(name, "equilibrium", self.equilibrium, ("cce", "ce"))
        if self.refine is not None and self.refine < 0:
            raise UserError(
                f"{name}: refine must be at least 0, or none for until solved; got "
                f"{self.refine}"
            )
        if not isinstance(self.refine, int | None):
            raise UserError(f"{name}: refine must be a whole number; got {self.refine}")
        if not self.accuracy >= 0:
            raise UserError(f"{name}: accuracy must be at least 0; got {self.accuracy}")
        # A fact of the instance: it hides the one of the class.
        object.__setattr__(self, "concept", self.equilibrium)

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        problem, unit = self.problem(game)
        plain = (
            isinstance(self.target, str)
            and self.target == "uniform"
            and self.weight == 0
            and self.epsilon == 0
            and game.repeats is None
        )
        name = fitting(problem, plain) if self.rho == math.inf else None
        refined = self.refine != 0
        start = None if name is None else _numpy(name, problem, plain, refined)
        outside = self._outside(name, game)
        notes = {} if outside is None else {"range": outside}
        most = self.steps if self.refine is None or start is None else self.refine
        found = interior.solve(problem, start, most, TOLERANCE)
        result = answer(self, game, report(problem, unit, found), **notes)
        if most != self.refine or result.status is not Status.MAX_STEPS:
            return result
        # As many steps as were asked for are taken: that is no failure to stop.
        told = np.array(game.actions if self.concept == "ce" else [1] * game.players)
        allowed = np.asarray(result.epsilon) + self.accuracy * unit[0] * told
        status = Status.OK if outside is None else Status.OUTSIDE
        return replace(result, status=status, epsilon=allowed)

    def _outside(self, name: str | None, game: Game) -> str | None:
        """Why the game is outside what the network was trained on, if it is."""
        if name is None:
            return (
                f"no network for {self.concept} of {game.players} players with these "
                "fields: solved from a cold start"
            )
        from meta_solvers.nes import store

        most = store.shipped(name)[1].games.most
        if max(game.actions) > most:
            return f"trained for up to {most} actions; got {list(game.actions)}"
        if self.epsilon < 0:
            return f"trained for epsilon >= 0; got {self.epsilon}"
        return None


def _numpy(network: str, problem: Problem, plain: bool, refined: bool) -> np.ndarray:
    """The network's duals of a numpy problem."""
    from meta_solvers.nes.data import as_float64

    return np.asarray(duals(network, as_float64(problem), plain, refined).numpy())
