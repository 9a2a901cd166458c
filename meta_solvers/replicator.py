"""Replicator dynamics: RD, PRD and RRD; R2D and R3D are in ``robust_replicator``.

All are one flow, ``d sigma_p(s) / dt = sigma_p(s) * growth_p(s)``, stepped by
``meta_solvers.flow`` over a batch of games at once. They differ in the growth (mean
payoffs, or bounds over an ensemble), in how a step returns to the simplex, and in when
to stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers import ordered
from meta_solvers.annealing import Annealed
from meta_solvers.base import Answer, AnyGame, MetaSolver, Status, alone
from meta_solvers.flow import (
    Each,
    Flow,
    InARow,
    Trajectory,
    growing,
    integrate,
    integrate_alone,
    together,
)
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept
from metaspiel.nfg.implicit import ImplicitGame

_CHOICES = {
    "step": ("adaptive", "fixed"),
    "update": ("multiplicative", "euclidean"),
    "iterate": ("last", "average", "best"),
    "bounds": ("entrywise", "mixture", "member"),
    "own": ("exclusive", "inclusive"),
    "mass": ("refunded", "centred"),
}


@dataclass(frozen=True, kw_only=True)
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
    needs_tensor: ClassVar[bool] = False
    maximises: ClassVar[str] = "nothing: rest point of the replicator flow"
    source: ClassVar[str] = "Taylor & Jonker 1978"

    def __post_init__(self) -> None:
        name = f"{type(self).__name__}()"
        for field, known in _CHOICES.items():
            if getattr(self, field, known[0]) not in known:
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
                f"{name}: a floor needs update=euclidean; with {self.update} say "
                f"floor=0; got floor={self.floor}"
            )

    def refuses(self, game: Any) -> str | None:
        most = max(int(many.sum()) for many in game.weights)
        if self.floor * most > 1:
            return (
                "floor times the number of actions must be at most 1; got "
                f"{self.floor} x {most}"
            )
        return None

    def flow(self, games: Sequence[Any]) -> Flow:
        """Growth and regret of each player for a batch of games of one shape."""
        return growing(self._tables(games), _growth)

    def _tables(self, games: Sequence[Any]) -> list[ordered.Table]:
        if isinstance(games[0], ImplicitGame):
            (game,) = games
            return ordered.tables_of(game, self.believed, np.ones(game.players))
        payoffs = np.stack([self.believed(game) for game in games])
        movers = 1 if games[0].interchangeable else games[0].players
        return [*ordered.own_last(payoffs, movers)]

    def flown(self, games: Sequence[Any], allowed: Each) -> Trajectory:
        """End points of the flows of a batch, each game by itself where compiled."""
        loops = ordered.loops_for(games[0], "compiled_flow")
        if loops is None:
            return self.flown_together(games, allowed)
        return together(
            [
                integrate_alone(
                    loops,
                    self.in_a_row(game),
                    game,
                    allowed=float(most),
                    rules=self,
                    until_rest=self.uses_members,
                )
                for game, most in zip(games, allowed, strict=True)
            ]
        )

    def in_a_row(self, game: Any) -> InARow:
        """A game as compiled loops take it."""
        tables = self._tables([game])
        return InARow(ordered.in_a_row(tables, game.actions), len(tables))

    def flown_together(self, games: Sequence[AnyGame], allowed: Each) -> Trajectory:
        """``flown`` in numpy, all games in one batch."""
        each = zip(*(game.weights for game in games), strict=True)
        return integrate(
            self.flow(games),
            [np.stack(many) for many in each],
            1.0 / np.array([float(game.scale.max()) for game in games]),
            allowed=allowed,
            rules=self,
            until_rest=self.uses_members,
            shared=all(game.interchangeable for game in games),
        )

    def believed(self, game: Game) -> Float64[ndarray, "N *A"]:
        """The payoffs that drive the flow, up to a constant for each player."""
        return game.moved

    def allowed(self, game: Any) -> float:
        """Sum of regrets at which the flow may stop, in units of payoff."""
        cost = self.floor * sum(float(many.sum()) for many in game.weights)
        return (self.tolerance + cost) * float(game.scale.max())

    def distribution(self, game: AnyGame, rng: np.random.Generator) -> Answer:
        return self.distributions([game])[0]

    def distributions(self, games: Sequence[AnyGame]) -> list[Answer]:
        """Answers for several games of one shape, stepped together.

        A game without its tensor goes alone.
        Each answer is what the game alone would get, up to rounding. Symmetric games
        keep one mixture for all players, and do not share a batch with others.

        Raises:
          UserError: shapes or numbers of members differ, or only some are symmetric.
        """
        kinds = {
            (game.actions, game.interchangeable, self.uses_members and _members(game))
            for game in games
        }
        if len(kinds) > 1:
            raise UserError(
                f"{type(self).__name__}.distributions(): games must have one shape, be "
                "symmetric all or none and have as many members, where these are read; "
                "got several kinds"
            )
        allowed = np.array([self.allowed(game) for game in games])
        flown = self.flown(games, allowed)
        answers = []
        for b, game in enumerate(games):
            profile = [own[b] for own in flown.profile]
            diagnostics = {
                "steps": int(flown.steps[b]),
                "time": float(flown.time[b]),
                "criterion": float(flown.criterion[b]),
                "movement": float(flown.movement[b]) if flown.steps[b] else None,
                "kernel": flown.kernel,
            }
            # At rest above a threshold is not what a threshold promised.
            met = allowed[b] == 0 or flown.criterion[b] <= allowed[b]
            status = Status.OK if flown.stopped[b] and met else Status.MAX_STEPS
            epsilon = 0.0 if self.concept == "none" else float(allowed[b])
            answers.append(Answer(alone(game, profile), status, epsilon, diagnostics))
        return answers


@dataclass(frozen=True, kw_only=True)
class ProjectedReplicatorDynamics(ReplicatorDynamics):
    """Replicator dynamics kept away from the boundary; its time average.

    OpenSpiel's version is ``prd:step=fixed,steps=100000,tolerance=0``.
    """

    update: Literal["multiplicative", "euclidean"] = "euclidean"
    floor: float = 1e-6
    iterate: Literal["last", "average", "best"] = "average"
    source: ClassVar[str] = "Lanctot et al. 2017"


@dataclass(frozen=True, kw_only=True)
class RegularisedReplicatorDynamics(Annealed, ReplicatorDynamics):
    """Replicator dynamics stopped early, before it overfits the meta-game.

    Attributes:
      threshold: stop when the sum of regrets is below this, in units of payoff. It is
        tuned for each game. What a floor costs is not added: with one, a threshold
        below ``floor * actions * range`` is never met.
      final: anneal the threshold over the iterations of the loop: linearly from
        ``threshold`` at iteration 0 to this; None keeps it.
      over: iterations that annealing takes; None is the horizon of the loop.
    """

    threshold: float = 0.1
    final: float | None = None
    over: int | None = None
    maximises: ClassVar[str] = "nothing: the replicator flow at a regret threshold"
    source: ClassVar[str] = "Wang & Wellman 2023"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_threshold()

    def allowed(self, game: Any) -> float:
        # The floor's cost is not added: a threshold means what it says.
        return max(self.fixed_threshold(), self.tolerance * float(game.scale.max()))


def _members(game: Any) -> int:
    return 0 if game.members is None else len(game.members)


def _growth(values: ndarray, own: ndarray, player: int) -> tuple[ndarray, ndarray]:
    """Gains over the mean payoff, and the largest one."""
    rate = values - ordered.total(own * values)[:, None]
    return rate, rate.max(axis=1)
