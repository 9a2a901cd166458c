"""Replicator dynamics on an ensemble's bounds: R2D, R3D, and RD on lower bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from meta_solvers import ordered
from meta_solvers.annealing import Annealed
from meta_solvers.flow import Flow, InARow, growing
from meta_solvers.replicator import ReplicatorDynamics
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept


@dataclass(frozen=True, kw_only=True)
class PessimisticReplicatorDynamics(ReplicatorDynamics):
    """Replicator dynamics on the lower bounds of an ensemble: pessimism alone.

    Every payoff entry is taken at its smallest over the ensemble, for deviations as for
    the profile itself. Without an ensemble it is ``rd``. Regrets of the stopping rule
    are regrets under the lower bounds.
    """

    concept: ClassVar[Concept] = "none"
    needs_tensor: ClassVar[bool] = True
    uses_members: ClassVar[bool] = True
    maximises: ClassVar[str] = "nothing: rest point of the flow on lower bounds"
    source: ClassVar[str] = "this library"

    def believed(self, game: Game) -> Float64[ndarray, "N *A"]:
        return game.lower


@dataclass(frozen=True, kw_only=True)
class RobustReplicatorDynamics(ReplicatorDynamics):
    """R2D: every action grows by its optimistic gain less its worst-case regret.

    With bounds over the ensemble ``lo_p(s)``, ``up_p(s)`` against the others' mixture
    and ``base_p = sum_s sigma_p(s) lo_p(s)``, the growth of s is
    ``(up(s) - base) - (B(s) - lo(s))`` with ``B(s) = max over s'' of up(s'')``. The
    defaults are the published ones: Euler steps of 1e-3, Euclidean projection with a
    floor, the last of 2e4 iterates. The flow need not converge; the status says
    whether the profile had come to rest. An ensemble of equals gives
    ``2 U(s) - U(sigma) - max over s'' != s of U(s'')``.

    Attributes:
      bounds: "entrywise" takes the extremes of each payoff entry, "mixture" those of
        each member's expected payoffs (tighter), "member" the largest gain and the
        largest regret that a single member gives (tightest).
      own: whether B(s) may be s's own upper bound ("inclusive") or not ("exclusive").
      mass: the growth does not average to zero. With "refunded" the projection gives
        what is lost back to all actions equally, as published; with "centred" the
        mixture's mean growth is subtracted first, as replicator dynamics have it
        (a multiplicative step always does).
    """

    step: Literal["adaptive", "fixed"] = "fixed"
    steps: int = 20_000
    update: Literal["multiplicative", "euclidean"] = "euclidean"
    floor: float = 1e-6
    bounds: Literal["entrywise", "mixture", "member"] = "entrywise"
    own: Literal["exclusive", "inclusive"] = "exclusive"
    mass: Literal["refunded", "centred"] = "refunded"
    concept: ClassVar[Concept] = "none"
    needs_tensor: ClassVar[bool] = True
    uses_members: ClassVar[bool] = True
    maximises: ClassVar[str] = "nothing: rest point of the robust replicator flow"
    source: ClassVar[str] = "Nguyen & Wellman 2026"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mass == "centred" and self.update == "multiplicative":
            raise UserError(
                f"{type(self).__name__}(): mass=centred needs update=euclidean; got "
                "update=multiplicative, which is always centred"
            )

    def flow(self, games: Sequence[Game]) -> Flow:
        """Robust growth, and the bound on the sum of regrets it tries to lower."""
        sides = self._sides(games)
        several = [
            np.stack(many) > 1
            for many in zip(*(game.weights for game in games), strict=True)
        ]

        def growth(
            values: ndarray, own: ndarray, player: int
        ) -> tuple[ndarray, ndarray]:
            gain, regret = self._gain_and_regret(values, own, several[player])
            rate = gain - regret
            if self.mass == "centred":
                rate -= ordered.total(own * rate)[:, None]
            return rate, gain.max(axis=1)

        def against(
            tables: Sequence[ndarray], profile: list[ndarray], player: int
        ) -> ndarray:
            each = [ordered.deviations(table, profile, player) for table in tables]
            return np.stack(each)

        return growing([*zip(*sides, strict=True)], growth, against)

    def _sides(self, games: Sequence[Game]) -> list[list[ndarray]]:
        """Payoffs of players that move under both bounds, or under each member."""
        if self.bounds == "entrywise":
            each = [(game.lower, game.upper) for game in games]
        else:
            each = [
                (game.payoffs,) if game.members is None else tuple(game.members)
                for game in games
            ]
        movers = 1 if games[0].interchangeable else games[0].players
        sides = zip(*each, strict=True)
        return [ordered.own_last(np.stack(side), movers) for side in sides]

    def in_a_row(self, game: Game) -> InARow:
        sides = self._sides([game])
        rows = [ordered.in_a_row(side, game.actions) for side in sides]
        flat = np.stack([row[0] for row in rows])
        bounds = ("entrywise", "mixture", "member").index(self.bounds)
        own, mass = self.own == "inclusive", self.mass == "centred"
        rule = (bounds, own, mass, np.concatenate(game.weights) > 1)
        return InARow((flat, *rows[0][1:]), len(sides[0]), rule)

    def _gain_and_regret(
        self,
        values: Float64[ndarray, "E B A"],
        own: Float64[ndarray, "B A"],
        several: Bool[ndarray, "B A"],
    ) -> tuple[Float64[ndarray, "B A"], Float64[ndarray, "B A"]]:
        """Largest gain of each action, and largest regret once it is adopted.

        ``values`` are under the lower and the upper bounds, or under each member.
        """
        low, high = values, values
        if self.bounds == "entrywise":
            low, high = values[:1], values[1:]
        base = ordered.total(own * low)
        if self.bounds == "mixture":
            low, high = low.min(axis=0)[None], high.max(axis=0)[None]
            base = base.min(axis=0)[None]
        gain = (high - base[..., None]).max(axis=0)
        if own.shape[1] == 1:
            return gain, gain  # a single action has no rival and stays where it is
        return gain, (self._best(high, several) - low).max(axis=0)

    def _best(
        self, high: Float64[ndarray, "E B A"], several: Bool[ndarray, "B A"]
    ) -> Float64[ndarray, "E B A"]:
        """The largest upper bound: over all actions, or over the others of each.

        Of several copies of an action each is another one's rival.
        """
        if self.own == "inclusive":
            return np.broadcast_to(high.max(axis=-1, keepdims=True), high.shape)
        leading = np.partition(high, -2, axis=-1)
        second, top = leading[..., -2:-1], leading[..., -1:]
        return np.where((high == top) & ~several, second, top)

    def allowed(self, game: Game) -> float:
        return 0.0


@dataclass(frozen=True, kw_only=True)
class RegularisedRobustReplicatorDynamics(Annealed, RobustReplicatorDynamics):
    """R3D: R2D stopped when its bound on the sum of regrets is below a threshold.

    Attributes:
      threshold: in units of payoff; tuned for each game.
      final: anneal the threshold over the iterations of the loop: linearly from
        ``threshold`` at iteration 0 to this; None keeps it. The authors' code is
        ``r3d:threshold=5,final=1e-5,over=20`` up to 1e-5.
      over: iterations that annealing takes; None is the horizon of the loop.
    """

    threshold: float = 0.1
    final: float | None = None
    over: int | None = None
    maximises: ClassVar[str] = "nothing: the robust flow at a threshold"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_threshold()

    def allowed(self, game: Game) -> float:
        return self.fixed_threshold()
