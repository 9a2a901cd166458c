"""The Neural Equilibrium Solver: a trained network's duals, then Newton steps.

The network answers at once and approximately; from its duals the exact interior point
needs a few steps where a cold start needs ten or more. ``refine=None`` goes on until
the game is solved, and that is the default. With so many steps and no more, games whose
certificate stays weak (polytopes without interior, as those of zero-sum games) are
nevertheless solved, unless ``sure`` is infinite.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from meta_solvers.base import Answer, Status, fact, summands
from meta_solvers.convex import TOLERANCE, EntropySolver, answer
from meta_solvers.exact import interior
from meta_solvers.exact.batch import Equilibria, report
from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual
from meta_solvers.exact.problem import Array, Concept, Problem, namespace
from metaspiel.nfg import arrays, gaps
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game

_LARGE = 64  # joint actions
_SPARED = 3  # blocks
_STEPS = 300
SURE = 0.02


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
    sure: float = SURE,
) -> Equilibria:
    """Solves a batch of games by a network, then by Newton steps.

    Args:
      payoffs: ``[B, N, A1, ..., AN]`` of any unit, or a sequence of games.
      concept: "cce" or "ce".
      target: as in ``meta_solvers.exact.batch.equilibria``.
      welfare: as in ``equilibria``.
      epsilon: as in ``equilibria``.
      refine: Newton steps of the exact solver; 0 is the network alone, None goes on
        until the tolerance is met.
      network: a ``Network``, the path of its weights, the name of a shipped one, or
        None for the shipped one that fits.
      actions: as in ``equilibria``.
      tolerance: as in ``equilibria``.
      sure: after ``refine`` steps, if any, games whose ``bound`` is larger are refined
        until the tolerance is met, as ``steps`` then says; infinite for never.

    Raises:
      UserError: an argument is impossible, or no shipped network fits.
    """
    import torch

    from meta_solvers.nes.tensors import as_float64

    _check_refine(refine, sure, "neural_equilibria()")
    given = (payoffs, target, welfare, epsilon)
    payoffs, target, welfare, epsilon = map(arrays.detached, given)
    problem, unit = build(payoffs, concept, target, welfare, epsilon, actions=actions)
    if isinstance(problem.payoffs, np.ndarray):
        problem, unit = as_float64(problem), torch.as_tensor(unit)
    if network is None:
        alpha = _shipped(problem, refined=refine != 0)
    else:
        alpha = duals(network, problem, refined=refine != 0)
    steps = _STEPS if refine is None else refine
    solved = _refined(
        problem, alpha, steps, most=_STEPS, tolerance=tolerance, sure=sure
    )
    return report(problem, unit, solved)


def _refined(
    problem: Problem,
    start: Array,
    steps: int,
    *,
    most: int,
    tolerance: float,
    sure: float,
) -> interior.Solution:
    """So many Newton steps, and up to ``most`` more where that proves little."""
    solved = interior.solve(problem, start, steps, tolerance)
    xp = namespace(problem.base)
    open_ = solved.status == interior.STEPS
    if steps == 0 or not xp.any(open_):
        return solved
    unit = xp.ones_like(problem.epsilon)
    weak = open_ & (report(problem, unit, solved).bound > sure)
    if not xp.any(weak):
        return solved
    start = solved.point.alpha[weak]
    more = interior.solve(problem.take(weak), start, most, tolerance)
    return interior.merged(solved, more, weak)


def plain(problem: Problem) -> Array:
    """Which games ask for maximum entropy alone: uniform target, epsilon 0; ``[B]``."""
    xp = namespace(problem.base)
    flat = problem.base.reshape(problem.batch, -1)
    live = xp.isfinite(flat)
    top = xp.amax(flat, 1)[:, None]
    return xp.all(~live | (flat == top), 1) & xp.all(problem.epsilon == 0, 1)


def _by_kind(
    problem: Problem, kind: Array, ask: Callable[[Problem, bool], Array]
) -> Array:
    """Duals ``[B, m]``, asked for apart where ``kind`` ``[B]`` holds and where not.

    How a game is answered then never depends on what stands beside it in a batch.
    """
    alpha = problem.payoffs.new_zeros(problem.batch, Dual(problem).size)
    for holds in (True, False):
        some = kind == holds
        if bool(some.any()):
            alpha[some] = ask(problem.take(some), holds)
    return alpha


def _shipped(problem: Problem, refined: bool) -> Array:
    """Duals ``[B, m]`` by the shipped network that fits each game."""

    def ask(some: Problem, is_plain: bool) -> Array:
        name = fitting(some)
        if name is None:
            raise UserError(
                "neural_equilibria(): a shipped network must fit the game; none is for "
                f"{len(some.actions)} players, {some.concept}"
                + ("" if is_plain else " with a target, welfare or epsilon")
            )
        return duals(name, some, refined)

    return _by_kind(problem, plain(problem), ask)


def fitting(problem: Problem) -> str | None:
    """Name of the shipped network for all games of a problem; None where none is."""
    from meta_solvers.nes import store

    if bool((problem.softness > 0).any()):
        return None
    selects = "entropy" if bool(plain(problem).all()) else "any"
    return store.SHIPPED.get((problem.concept, len(problem.actions), selects))


def duals(network: Any, problem: Problem, refined: bool = False) -> Array:
    """The network's duals ``[B, m]`` of a torch problem, float64.

    All is computed in float64: a block looks at slacks of 1e-4, and rounded in float32
    the joint of a CE differed by 3e-4 with the number of games in its batch.

    ``refined``: Newton steps follow. In all but small games two of them do more than
    the network's last blocks, which are then left out (measured on ``mecce2``).

    Raises:
      UserError: the network is for other games, or cannot see what they ask for.
    """
    import torch

    from meta_solvers.nes import store

    if isinstance(network, str) and network in store.SHIPPED.values():
        network = _shipped_in_float64(network)
    elif isinstance(network, str | Path):
        network = store.load(Path(network))[0]
    architecture = network.architecture
    wanted = (architecture.concept, architecture.players)
    if wanted != (problem.concept, len(problem.actions)):
        raise UserError(
            f"network: it must be for {problem.concept} of {len(problem.actions)} "
            f"players; got one for {wanted[0]} of {wanted[1]}"
        )
    if architecture.selects == "entropy" and not bool(plain(problem).all()):
        raise UserError(
            "network: it must see target, welfare and epsilon; got one for maximum "
            "entropy alone"
        )
    device, weight = problem.payoffs.device, next(network.parameters())
    if (weight.device, weight.dtype) != (device, torch.float64):
        network = copy.deepcopy(network).to(device, torch.float64)  # not the caller's
    most = max(architecture.unrolled - _SPARED, 0)
    large = problem.real.sum(2).prod(1) >= _LARGE
    spared = large & (refined and problem.concept == "cce")
    with torch.no_grad():
        return _by_kind(
            problem, spared, lambda some, few: network(some, most if few else None)
        )


@cache
def _shipped_in_float64(name: str) -> Any:
    from meta_solvers.nes import store

    return copy.deepcopy(store.shipped(name)[0]).double()


@dataclass(frozen=True, kw_only=True)
class NeuralEquilibrium(EntropySolver):
    """A (C)CE by a trained network and Newton steps from its duals (NES).

    Shipped networks: CCE of 2 players (2 to 64 actions) and 3 players (2 to 8), one for
    maximum entropy and one for any target, welfare and epsilon >= 0 each, and
    maximum-entropy CE of 2 players (2 to 32). Beyond that the same networks, or a cold
    start, are refined just as well; the diagnostics say so under "range".

    Attributes:
      refine: Newton steps after the network: None until solved (``steps`` at most), 0
        the network alone. Where no network fits, the game is solved from a cold start.
      equilibrium: "cce" or "ce".
      accuracy: with a limited ``refine``, gain that a deviation may keep in an answer
        that is called OK, in standard deviations of payoff.
      sure: with a limited ``refine`` above 0, what the certificate (``bound`` of
        ``equilibria``) must stay below: a game where it does not, as in most polytopes
        without interior, is refined until solved. Infinite for never.
    """

    refine: int | None = None
    equilibrium: Literal["cce", "ce"] = "cce"
    accuracy: float = 0.01
    sure: float = SURE
    maximises: ClassVar[str] = "entropy (or as its fields say), by a trained network"
    source: ClassVar[str] = "Marris et al. 2022; this library"

    def __post_init__(self) -> None:
        super().__post_init__()
        name = f"{type(self).__name__}()"
        if self.equilibrium not in ("cce", "ce"):
            raise unknown(name, "equilibrium", self.equilibrium, ("cce", "ce"))
        _check_refine(self.refine, self.sure, name)
        if not self.accuracy >= 0:
            raise UserError(f"{name}: accuracy must be at least 0; got {self.accuracy}")

    @fact
    def concept(self) -> gaps.Concept:
        return self.equilibrium

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        from meta_solvers.nes.tensors import as_float64

        problem, unit = self.problem(game)
        name = fitting(problem)
        start = None
        if name is not None:
            start = duals(name, as_float64(problem), self.refine != 0).numpy()
        outside = self._outside(name, game)
        notes = {} if outside is None else {"range": outside}
        limit = None if start is None else self.refine
        steps = self.steps if limit is None else limit
        if limit is None:
            solved = interior.solve(problem, start, steps, TOLERANCE)
        else:
            solved = _refined(
                problem,
                start,
                steps,
                most=self.steps,
                tolerance=TOLERANCE,
                sure=self.sure,
            )
        result = answer(self, game, report(problem, unit, solved), **notes)
        gone_on = limit is not None and int(solved.steps[0]) > limit
        if limit is None or gone_on or result.status is not Status.MAX_STEPS:
            return result
        # As many steps as were asked for are taken: that is no failure to stop.
        added = self.accuracy * unit[0] * summands(self.concept, game)
        allowed = np.asarray(result.epsilon) + added
        status = Status.OK if outside is None else Status.OUTSIDE
        return replace(result, status=status, epsilon=allowed)

    def _outside(self, name: str | None, game: Game) -> str | None:
        """The reason why the game is outside the network's training games, or None."""
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


def _check_refine(refine: int | None, sure: float, where: str) -> None:
    if not sure >= 0:
        raise UserError(f"{where}: sure must be at least 0; got {sure}")
    if refine is not None and not (isinstance(refine, int) and refine >= 0):
        raise UserError(
            f"{where}: refine must be a whole number of at least 0, or none for until "
            f"solved; got {refine!r}"
        )
