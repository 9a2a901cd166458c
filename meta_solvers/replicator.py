"""Replicator dynamics: RD, PRD, RRD and the robust R2D, R3D.

All five are one flow, ``d sigma_p(s) / dt = sigma_p(s) * growth_p(s)``, stepped by
``meta_solvers.flow`` over a batch of games at once. They differ in the growth (mean
payoffs, or bounds over an ensemble), in how a step returns to the simplex, and in when
to stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import Answer, MetaSolver, Status
from meta_solvers.flow import Flow, against_batch, integrate
from nfg.errors import UserError, unknown
from nfg.game import Game
from nfg.gaps import Concept
from nfg.simplex import product

_CHOICES = {
    "step": ("adaptive", "fixed"),
    "update": ("multiplicative", "euclidean"),
    "iterate": ("last", "average", "best"),
}


@dataclass(frozen=True)
class ReplicatorDynamics(MetaSolver):
    """Replicator dynamics from uniform play (Taylor & Jonker 1978).

    It converges to a Nash equilibrium only on some games; elsewhere it cycles and the
    status says that the rule below was never met.

    Attributes:
      step: "adaptive" chooses the step size by comparing a first- and a second-order
        step; "fixed" is Euler's method with ``dt``, as in published PSRO code.
      dt: size of a fixed step, in 1 / unit of payoff.
      steps: step limit.
      update: "multiplicative" keeps probabilities positive by exponential growth;
        "euclidean" adds ``dt * sigma * growth`` and projects onto the simplex.
      floor: smallest probability that a Euclidean step leaves an action.
      tolerance: stop when the sum of regrets, over the largest payoff range, is below
        this plus what the floor itself costs.
      iterate: return the last, the time-averaged or the least-regret profile.
    """

    step: Literal["adaptive", "fixed"] = "adaptive"
    dt: float = 1e-3
    steps: int = 1000
    update: Literal["multiplicative", "euclidean"] = "multiplicative"
    floor: float = 0.0
    tolerance: float = 1e-9
    iterate: Literal["last", "average", "best"] = "last"
    concept: ClassVar[Concept] = "ne"
    expands_repeats: ClassVar[bool] = True
    maximises: ClassVar[str] = "nothing: rest point of the replicator flow"
    source: ClassVar[str] = "Taylor & Jonker 1978"

    def __post_init__(self) -> None:
        name = f"{type(self).__name__}()"
        for field, known in _CHOICES.items():
            if getattr(self, field) not in known:
                raise unknown(name, field, getattr(self, field), known)
        for field in ("dt", "steps"):
            if not (np.isfinite(getattr(self, field)) and getattr(self, field) > 0):
                raise UserError(
                    f"{name}: {field} must be positive; got {getattr(self, field)}"
                )
        for field in ("floor", "tolerance"):
            if not 0 <= getattr(self, field) < 1:
                raise UserError(
                    f"{name}: {field} must be in [0, 1); got {getattr(self, field)}"
                )
        if self.floor and self.update == "multiplicative":
            raise UserError(
                f"{name}: a floor needs update=euclidean; got {self.update} with "
                f"floor={self.floor}"
            )

    def refuses(self, game: Game) -> str | None:
        if self.floor * max(game.actions) > 1:
            return (
                "floor times the number of actions must be at most 1; got "
                f"{self.floor} x {max(game.actions)}"
            )
        return None

    def flow(self, games: Sequence[Game]) -> Flow:
        """Growth and regret of each player for a batch of games of one shape."""
        payoffs = np.stack([game.payoffs for game in games])

        def growth(
            profile: list[ndarray],
        ) -> tuple[list[ndarray], Float64[ndarray, " B"]]:
            rates, regret = [], np.zeros(len(games))
            for player, own in enumerate(profile):
                values = against_batch(payoffs[:, player], profile, player)
                mean = np.einsum("ba,ba->b", own, values)
                rates.append(values - mean[:, None])
                regret += rates[-1].max(axis=1)
            return rates, regret

        return growth

    def allowed(self, game: Game) -> float:
        """Sum of regrets at which the flow may stop, in units of payoff."""
        cost = self.floor * sum(game.actions)
        return (self.tolerance + cost) * float(game.scale.max())

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        return self.distributions([game])[0]

    def distributions(self, games: Sequence[Game]) -> list[Answer]:
        """Answers for several games of one shape, stepped together.

        Each answer is what the game alone would get, up to rounding. Symmetric games
        keep one mixture for all players, and do not share a batch with others.

        Raises:
          UserError: shapes differ, or only some of the games are symmetric.
        """
        if len({(game.actions, game.symmetric) for game in games}) > 1:
            raise UserError(
                f"{type(self).__name__}.distributions(): games must have one shape and "
                "be symmetric all or none; got several kinds"
            )
        allowed = np.array([self.allowed(game) for game in games])
        found = integrate(
            self.flow(games),
            games[0].actions,
            1.0 / np.array([float(game.scale.max()) for game in games]),
            allowed,
            self,
            until_rest=self.uses_members,
            shared=all(game.symmetric for game in games),
        )
        answers = []
        for b, _ in enumerate(games):
            profile = [own[b] for own in found.profile]
            diagnostics = {
                "steps": int(found.steps[b]),
                "time": float(found.time[b]),
                "criterion": float(found.criterion[b]),
                "movement": float(found.movement[b]) if found.steps[b] else None,
            }
            # At rest above a threshold is not what a threshold promised.
            met = allowed[b] == 0 or found.criterion[b] <= allowed[b]
            status = Status.OK if found.stopped[b] and met else Status.MAX_STEPS
            epsilon = 0.0 if self.concept == "none" else float(allowed[b])
            answers.append(Answer(product(profile), status, epsilon, diagnostics))
        return answers


@dataclass(frozen=True)
class ProjectedReplicatorDynamics(ReplicatorDynamics):
    """Replicator dynamics kept away from the boundary; its time average.

    OpenSpiel's version is ``prd:step=fixed,steps=100000,tolerance=0``.
    """

    update: Literal["multiplicative", "euclidean"] = "euclidean"
    floor: float = 1e-6
    iterate: Literal["last", "average", "best"] = "average"
    source: ClassVar[str] = "Lanctot et al. 2017"


@dataclass(frozen=True)
class RegularisedReplicatorDynamics(ReplicatorDynamics):
    """Replicator dynamics stopped early, before it overfits the meta-game.

    Attributes:
      threshold: stop when the sum of regrets is below this, in units of payoff. It is
        tuned for each game.
    """

    threshold: float = 0.1
    maximises: ClassVar[str] = "nothing: the replicator flow at a regret threshold"
    source: ClassVar[str] = "Wang & Wellman 2023"

    def __post_init__(self) -> None:
        super().__post_init__()
        _threshold(self, self.threshold)

    def allowed(self, game: Game) -> float:
        return max(self.threshold, super().allowed(game))


@dataclass(frozen=True)
class RobustReplicatorDynamics(ReplicatorDynamics):
    """R2D: every action grows by its optimistic gain less its worst-case regret.

    With bounds over the ensemble ``lo_p(s)``, ``up_p(s)`` against the others' mixture
    and ``base_p = sum_s sigma_p(s) lo_p(s)``, the growth of s is
    ``(up(s) - base) - (B(s) - lo(s))`` with ``B(s) = max over s'' of up(s'')``. The
    defaults are the published ones: Euler steps of 1e-3, Euclidean projection with a
    floor, the last of 2e4 iterates. The flow need not converge; the status says
    whether the profile had come to rest.

    Attributes:
      bounds: "entrywise" takes the extremes of each payoff entry, "mixture" those of
        each member's expected payoffs (tighter).
      own: whether B(s) may be s's own upper bound ("inclusive") or not ("exclusive").
    """

    step: Literal["adaptive", "fixed"] = "fixed"
    steps: int = 20_000
    update: Literal["multiplicative", "euclidean"] = "euclidean"
    floor: float = 1e-6
    bounds: Literal["entrywise", "mixture"] = "entrywise"
    own: Literal["exclusive", "inclusive"] = "exclusive"
    concept: ClassVar[Concept] = "none"
    uses_members: ClassVar[bool] = True
    maximises: ClassVar[str] = "nothing: rest point of the robust replicator flow"
    source: ClassVar[str] = "Nguyen & Wellman 2026"

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, known in {
            "bounds": ("entrywise", "mixture"),
            "own": ("exclusive", "inclusive"),
        }.items():
            if getattr(self, field) not in known:
                raise unknown(
                    f"{type(self).__name__}()", field, getattr(self, field), known
                )

    def flow(self, games: Sequence[Game]) -> Flow:
        """Robust growth, and the bound on the sum of regrets it tries to lower."""
        if self.bounds == "entrywise":
            lower = np.stack([game.lower for game in games])[None]
            upper = np.stack([game.upper for game in games])[None]
        else:
            members = [
                g.payoffs[None] if g.members is None else g.members for g in games
            ]
            lower = upper = np.stack(members, axis=1)

        def growth(
            profile: list[ndarray],
        ) -> tuple[list[ndarray], Float64[ndarray, " B"]]:
            rates, bound = [], np.zeros(len(games))
            for player, own in enumerate(profile):
                low = np.stack(
                    [against_batch(m[:, player], profile, player) for m in lower]
                )
                high = low
                if upper is not lower:
                    high = np.stack(
                        [against_batch(m[:, player], profile, player) for m in upper]
                    )
                base = np.einsum("ba,eba->eb", own, low).min(axis=0)
                low, high = low.min(axis=0), high.max(axis=0)
                bound += high.max(axis=1) - base
                if own.shape[1] == 1:
                    rates.append(np.zeros_like(own))
                    continue
                rates.append((high - base[:, None]) - (self._best(high) - low))
            return rates, bound

        return growth

    def _best(self, high: Float64[ndarray, "B A"]) -> Float64[ndarray, "B A"]:
        """The largest upper bound, for each action over the others or over all."""
        top = high.max(axis=1, keepdims=True)
        if self.own == "inclusive":
            return np.broadcast_to(top, high.shape)
        leader = high.argmax(axis=1)
        best = np.repeat(top, high.shape[1], axis=1)
        rows = np.arange(len(high))
        best[rows, leader] = np.partition(high, -2, axis=1)[:, -2]
        return best

    def allowed(self, game: Game) -> float:
        return 0.0


@dataclass(frozen=True)
class RegularisedRobustReplicatorDynamics(RobustReplicatorDynamics):
    """R3D: R2D stopped when its bound on the sum of regrets is below a threshold.

    Attributes:
      threshold: in units of payoff; tuned for each game (the authors' code anneals it
        from 5 to 1e-5 over 20 iterations).
    """

    threshold: float = 0.1
    maximises: ClassVar[str] = "nothing: the robust flow at a threshold"

    def __post_init__(self) -> None:
        super().__post_init__()
        _threshold(self, self.threshold)

    def allowed(self, game: Game) -> float:
        return self.threshold


def _threshold(solver: MetaSolver, value: float) -> None:
    if not (np.isfinite(value) and value >= 0):
        raise UserError(
            f"{type(solver).__name__}(): threshold must be a number >= 0; got {value}"
        )
