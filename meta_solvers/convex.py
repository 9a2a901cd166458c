"""Maximum-entropy, relative-entropy and welfare CE and CCE, exactly.

One objective (epsilon-MWMRE of Marris et al. 2022) covers all of them: maximise
``weight * welfare(sigma) - KL(sigma || target)`` over the epsilon-(C)CE. It is solved
in the dual by ``meta_solvers.exact``; batches of games go to
``meta_solvers.exact.batch.equilibria`` directly.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import Answer, MetaSolver, Status, fact, failure, summands
from meta_solvers.exact import interior
from meta_solvers.exact.batch import STATUS, Equilibria, report
from meta_solvers.exact.build import build
from meta_solvers.exact.problem import Problem
from metaspiel.nfg import arrays
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept

TARGETS = ("uniform", "welfare", "last")
# Duality gap in the solver's units: tighter than a batch's, since where a constraint
# only just binds the joint is off by its root.
TOLERANCE = 1e-12
_TIE = 1e-9  # standard deviations of welfare that tell no joint actions apart
_PURE = 0.99  # mass that a target named after one joint action puts on it


@dataclass(frozen=True, kw_only=True)
class EntropySolver(MetaSolver):
    """Base class of the entropy solvers.

    Attributes:
      target: the joint to stay close to: "uniform", "welfare" (0.99 on the joint action
        with the largest sum of payoffs, shared where several tie), "last" (0.99 on
        everybody's newest action), or an array ``[A1, ..., AN]`` with full support.
      weight: of the sum of payoffs, in nats for each of its standard deviations over
        joint actions.
      epsilon: gain every deviation may keep, in units of payoff; may be negative.
      rho: price of another epsilon, per standard deviation of payoff; infinite keeps
        epsilon hard. The published values are unknown.
      steps: Newton steps at most.
    """

    target: Any = "uniform"
    weight: float = 0.0
    epsilon: float = 0.0
    rho: float = math.inf
    steps: int = 200
    concept: ClassVar[Concept] = "cce"
    maximises: ClassVar[str] = "entropy"
    source: ClassVar[str] = "Marris et al. 2022; Ortiz et al. 2007"

    def __post_init__(self) -> None:
        name = f"{type(self).__name__}()"
        if isinstance(self.target, str) and self.target not in TARGETS:
            raise unknown(name, "target", self.target, TARGETS)
        for field in ("weight", "epsilon"):
            value = getattr(self, field)
            if not (isinstance(value, int | float) and math.isfinite(value)):
                raise UserError(f"{name}: {field} must be a finite number; got {value}")
        if not (isinstance(self.rho, int | float) and self.rho > 0):
            raise UserError(f"{name}: rho must be a positive number; got {self.rho}")
        if not (isinstance(self.steps, int) and self.steps >= 1):
            raise UserError(
                f"{name}: steps must be a whole number of at least 1; got {self.steps}"
            )

    @fact
    def expands_repeats(self) -> bool:
        # A row of a CE stands for the copies of two actions, and the default of a soft
        # epsilon for all of them: those games are written out.
        return (self.concept == "ce" and self.epsilon != 0) or self.rho < math.inf

    def refuses(self, game: Game) -> str | None:
        if isinstance(self.target, str):
            return None
        if self.expands_repeats and game.repeats is not None:
            return "a target array must have a hard epsilon in a game with repeats"
        try:
            target = arrays.numbers(self.target, "target", "a joint")
        except UserError as error:
            return f"target must be numbers or one of {', '.join(TARGETS)}; {error}"
        if target.shape != game.actions or not np.all(target > 0):
            return (
                f"target must be positive numbers of shape {list(game.actions)}; got "
                f"shape {list(target.shape)}"
            )
        return None

    def problem(self, game: Game) -> tuple[Problem, Float64[ndarray, "1 N"]]:
        """The game as a batch of one, and the unit of each player's payoff."""
        return build(
            game.payoffs[None],
            "ce" if self.concept == "ce" else "cce",
            target_of(self.target, game)[None],
            welfare=self.weight * standard_welfare(game)[None],
            epsilon=self.allowed(game),
            upper=None if self.rho == math.inf else self.most(game),
            rho=self.rho,
            mass=game.copies[None],
        )

    def allowed(self, game: Game) -> Any:
        """Epsilon of each player, in units of payoff."""
        return self.epsilon

    def most(self, game: Game) -> Any:
        """Upper bound of a soft epsilon; None for the default."""
        return None

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        problem, unit = self.problem(game)
        solved = interior.solve(problem, steps=self.steps, tolerance=TOLERANCE)
        return answer(self, game, report(problem, unit, solved))


def answer(
    solver: MetaSolver, game: Game, equilibria: Equilibria, **more: Any
) -> Answer:
    """One solved game as an ``Answer``."""
    status = Status[STATUS[int(equilibria.status[0])]]
    diagnostics = {
        "steps": int(equilibria.steps[0]),
        "residual": float(equilibria.residual[0]),
        "bound": float(equilibria.bound[0]),
        **more,
    }
    if status is Status.INFEASIBLE:
        return failure(game, status, **diagnostics)
    epsilon = np.asarray(equilibria.epsilon[0], dtype=np.float64)
    if np.any(epsilon != 0):
        diagnostics["allowed_gain"] = epsilon.tolist()
    allowed = np.maximum(epsilon, 0.0) * summands(solver.concept, game)
    joint = np.asarray(equilibria.joint[0], dtype=np.float64)
    return Answer(joint, status, allowed, diagnostics)  # a gap is never negative


def target_of(target: Any, game: Game) -> Float64[ndarray, "*A"]:
    """The target joint, which counts every copy of a repeated action."""
    uniform = game.copies / game.copies.sum()
    if not isinstance(target, str):
        given = arrays.numbers(target, "target", "a joint")
        return given / given.sum()
    if target == "uniform":
        return uniform
    chosen = np.zeros(game.actions)
    if target == "last":
        chosen[tuple(size - 1 for size in game.actions)] = 1.0
    else:
        welfare = standard_welfare(game)
        chosen[welfare >= welfare.max() - _TIE] = 1.0
    chosen *= game.copies
    return (1 - _PURE) * uniform + _PURE * chosen / chosen.sum()


def standard_welfare(game: Game) -> Float64[ndarray, "*A"]:
    """Sum of payoffs with mean 0 and standard deviation 1; 0 where it is constant."""
    unit = float(np.abs(game.payoffs).max()) or 1.0
    welfare = (game.payoffs / unit).sum(axis=0)
    share = game.copies / game.copies.sum()
    welfare = welfare - float((share * welfare).sum())
    spread = math.sqrt(float((share * welfare**2).sum()))
    if spread < 1e-13 * game.players:
        return np.zeros(game.actions)
    return welfare / spread


@dataclass(frozen=True, kw_only=True)
class MaxEntropyCCE(EntropySolver):
    """The CCE, or epsilon-CCE, with the largest Shannon entropy (MECCE)."""


@dataclass(frozen=True, kw_only=True)
class MaxEntropyCE(MaxEntropyCCE):
    """The CE, or epsilon-CE, with the largest Shannon entropy (MECE)."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True, kw_only=True)
class MinRelativeEntropyCCE(EntropySolver):
    """The CCE closest to a target joint in relative entropy (MRECCE)."""

    target: Any = "welfare"
    maximises: ClassVar[str] = "minus relative entropy to a target"


@dataclass(frozen=True, kw_only=True)
class MinRelativeEntropyCE(MinRelativeEntropyCCE):
    """The CE closest to a target joint in relative entropy (MRECE)."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True, kw_only=True)
class MaxWelfareMaxEntropyCCE(EntropySolver):
    """The CCE that trades welfare against entropy (MWMECCE)."""

    weight: float = 10.0
    maximises: ClassVar[str] = "weighted sum of payoffs plus entropy"


@dataclass(frozen=True, kw_only=True)
class MaxWelfareMaxEntropyCE(MaxWelfareMaxEntropyCCE):
    """The CE that trades welfare against entropy (MWMECE)."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True, kw_only=True)
class MaxStrengthCCE(EntropySolver):
    """The epsilon-CCE that trades losses from deviating against entropy (MSCCE).

    The soft epsilon is drawn towards minus ``strength`` standard deviations of payoff
    and may rise to plus as much, so there always is an answer. It need not be an
    equilibrium: one player's strength may be bought with another's gain, and with a
    small ``rho`` entropy wins. What each player may gain is "allowed_gain" in the
    diagnostics; ``min_epsilon_mgcce`` never lets it be positive.

    Attributes:
      strength: None is the paper's payoff scale, sqrt(prod A).
    """

    rho: float = 100.0
    strength: float | None = None
    maximises: ClassVar[str] = "loss of every deviation, traded against entropy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epsilon != 0:
            raise UserError(
                f"{type(self).__name__}(): epsilon must be 0, for strength takes its "
                f"place; got {self.epsilon}"
            )
        if self.strength is not None and not self.strength > 0:
            raise UserError(
                f"{type(self).__name__}(): strength must be positive; got "
                f"{self.strength}"
            )
        if self.rho == math.inf:
            raise UserError(
                f"{type(self).__name__}(): rho must be finite, or nothing but strength "
                "would count; got inf"
            )

    def most(self, game: Game) -> Any:
        strength = self.strength or math.sqrt(game.profiles)
        return strength * spread(game)

    def allowed(self, game: Game) -> Any:
        return -self.most(game)


@dataclass(frozen=True, kw_only=True)
class MaxStrengthCE(MaxStrengthCCE):
    """The epsilon-CE that trades losses from deviating against entropy (MSCE)."""

    concept: ClassVar[Concept] = "ce"


def spread(game: Game) -> Float64[ndarray, " N"]:
    """Standard deviation of each player's payoffs, 1 where they are constant."""
    _, unit = build(game.payoffs[None], mass=game.copies[None])
    return unit[0]
