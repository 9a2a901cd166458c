"""One stepper and one stopping rule for flows on products of simplices, in batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from meta_solvers import ordered
from meta_solvers.constants import LEAST_LOG
from metaspiel.nfg.game import Game
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.simplex import project

Profile = list[ndarray]
"""Mixed strategies ``[B, A_p]`` of each player."""

Flow = Callable[[Profile], tuple[Profile, ndarray]]
"""Maps a profile to growth rates ``[B, A_p]`` for each player and criterion ``[B]``."""

_LOCAL_ERROR = 1e-3  # change of a profile that an adaptive step may get wrong
_STEP_SHARE = 0.5  # ... and how much of its own length
_LONGEST = 1e6  # in units of 1 / payoff range; beyond it nothing moves any more


Each = Float64[ndarray, " B"]
"""A number of each game of a batch."""


@runtime_checkable
class Rules(Protocol):
    """Steps and stopping rule of a flow; see ``ReplicatorDynamics`` for fields."""

    @property
    def step(self) -> str: ...
    @property
    def dt(self) -> float: ...
    @property
    def steps(self) -> int: ...
    @property
    def update(self) -> str: ...
    @property
    def floor(self) -> float: ...
    @property
    def tolerance(self) -> float: ...
    @property
    def iterate(self) -> str: ...


@dataclass(frozen=True, eq=False)
class InARow:
    """One game as compiled loops take it; see ``compiled_flow``.

    Attributes:
      game: its payoffs, see ``ordered.in_a_row``.
      movers: how many players move; 1 where interchangeable players move as one.
      rule: how they grow: by their gains (None), or by bounds.
    """

    game: tuple[Any, ...]
    movers: int
    rule: tuple[Any, ...] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory:
    """End points of a batch of flows.

    Attributes:
      profile: mixed strategies ``[B, A_p]`` a player: last, average or best.
      criterion: the flow's criterion there.
      movement: largest probability change per unit of time in the last step.
      stopped: the stopping rule was met.
      steps: steps taken.
      time: time integrated.
      kernel: what stepped it, see ``ordered.kernel``.
    """

    profile: Profile
    criterion: Each
    movement: Each
    stopped: Bool[ndarray, " B"]
    steps: Int64[ndarray, " B"]
    time: Each
    kernel: str = "numpy"


def growing(
    tables: Sequence[Any],
    growth: Callable[[ndarray, ndarray, int], tuple[ndarray, ndarray]],
    against: ordered.Values = ordered.deviations,
) -> Flow:
    """The flow of players who grow by what their own actions are worth.

    Args:
      tables: the payoffs of each player that moves, as ``against`` takes them.
      growth: rates ``[B, A]`` and the player's part of the criterion ``[B]``, from the
        values of its actions, its strategy and its number.
      against: the payoffs of own actions, from a table, the profile and the player.
    """

    def flow(profile: Profile) -> tuple[Profile, ndarray]:
        rates, criterion = [], np.zeros(len(profile[0]))
        for player, table in enumerate(tables):
            values = against(table, profile, player)
            rate, part = growth(values, profile[player], player)
            rates.append(rate)
            criterion += part
        alike = len(profile) // len(tables)
        return rates * alike, criterion * alike

    return flow


def _moved(
    place: Profile,
    profile: Profile,
    growth: Profile,
    *,
    dt: ndarray,
    rules: Rules,
    copies: Profile,
    shared: bool,
) -> tuple[Profile, Profile]:
    """One step of length ``dt`` ``[B]``: the new place, and the profile there.

    The place of a Euclidean flow is its profile. That of a multiplicative one is the
    logarithm of its weights, so that no action dies out by underflow. A shared mixture
    is moved once: left to rounding, players would drift apart.
    """
    moved, after = [], []
    for player, rate in enumerate(growth[:1] if shared else growth):
        if rules.update == "euclidean":
            many = copies[player]
            own = profile[player] / many
            ahead = project(own + dt[:, None] * own * rate, rules.floor, many)
            moved.append(many * ahead)
            after.append(moved[-1])
            continue
        logs = place[player] + dt[:, None] * rate
        moved.append(logs - logs.max(axis=1, keepdims=True))
        weights = ordered.exponential(moved[-1], LEAST_LOG)
        after.append(weights / ordered.total(weights)[:, None])
    alike = len(growth) if shared else 1
    return moved * alike, after * alike


def _refined(
    flow: Flow,
    here: tuple[Profile, Profile, Profile],
    first: Profile,
    *,
    dt: ndarray,
    copies: Profile,
    **how: Any,
) -> tuple[Profile, Profile, Each]:
    """Heun's step after Euler's step ``first``, and their distance over the allowed."""
    place, profile, growth = here
    ahead, _ = flow(first)
    middle = [(a + b) / 2 for a, b in zip(growth, ahead, strict=True)]
    there, after = _moved(place, profile, middle, dt=dt, copies=copies, **how)
    # Near rest a fixed error would let steps grow past stability and never settle.
    far = _distance(after, profile, copies)
    most = np.minimum(_LOCAL_ERROR, _STEP_SHARE * far)
    return there, after, _distance(first, after, copies) / np.maximum(most, 1e-15)


def _where(choice: ndarray, yes: Profile, no: Profile) -> Profile:
    if choice.all():
        return yes
    return [np.where(choice[:, None], a, b) for a, b in zip(yes, no, strict=True)]


def _met(
    flow: Flow,
    criterion: ndarray,
    average: Profile,
    step: int,
    *,
    rules: Rules,
    allowed: ndarray,
) -> Bool[ndarray, " B"]:
    """Whether the returned profile would meet the stopping rule at this step."""
    if rules.iterate != "average":
        return criterion <= allowed
    if step % 8 and step != rules.steps:
        return np.zeros(len(allowed), dtype=bool)
    met: ndarray = flow(average)[1] <= allowed
    return met


def _average(mean: Profile, new: Profile, share: Float64[ndarray, "B 1"]) -> None:
    """Moves ``mean`` towards ``new`` in place by the share given."""
    for own, latest in zip(mean, new, strict=True):
        own += share * (latest - own)


def _distance(one: Profile, two: Profile, copies: Profile) -> Each:
    """Largest difference of a probability, of a single copy of an action."""
    parts = [
        (np.abs(a - b) / many).max(axis=1)
        for a, b, many in zip(one, two, copies, strict=True)
    ]
    return np.maximum.reduce(parts)


@np.errstate(over="ignore", invalid="ignore")  # the answer is then no number
def integrate(
    flow: Flow,
    copies: Profile,
    unit: Each,
    *,
    allowed: Each,
    rules: Rules,
    until_rest: bool,
    shared: bool = False,
) -> Trajectory:
    """Follows flows from uniform play until their criterion is met or steps run out.

    Args:
      flow: growth and criterion of a profile.
      copies: how often each player has each of its actions ``[B, A_p]``; copies are
        played alike, a profile has the probability of all together.
      unit: one over the payoff range of each game: the natural unit of time.
      allowed: a flow stops when its criterion is at or below this.
      rules: step size, update, limits.
      until_rest: a flow also stops when it no longer moves.
      shared: the players are interchangeable and keep one mixture, player 0's.
    """
    batch, adaptive = len(unit), rules.step == "adaptive"
    how: dict[str, Any] = {"rules": rules, "shared": shared, "copies": copies}
    profile = [*map(ordered.even, copies)]
    begin = ordered.even if rules.update == "euclidean" else ordered.log_weights
    place = [*map(begin, copies)]
    growth, criterion = flow(profile)
    average = [own.copy() for own in profile]
    best, best_criterion = profile, criterion.copy()
    dt = 0.1 * unit if adaptive else np.full(batch, rules.dt)
    time, movement = np.zeros(batch), np.full(batch, np.inf)
    steps, stopped = np.zeros(batch, dtype=np.int64), criterion <= allowed
    for step in range(1, rules.steps + 1):
        if stopped.all():
            break
        length, taken = np.where(stopped, 0.0, dt), np.ones(batch, dtype=bool)
        there, after = _moved(place, profile, growth, dt=length, **how)
        if adaptive:
            here = (place, profile, growth)
            there, after, error = _refined(flow, here, after, dt=length, **how)
            taken = stopped | (error <= 1.0) | (dt <= 1e-6 * unit)
            length = np.where(taken, length, 0.0)
            there, after = _where(taken, there, place), _where(taken, after, profile)
            change = np.clip(0.9 / np.sqrt(np.maximum(error, 1e-12)), 0.2, 4.0)
            dt = np.minimum(np.where(stopped, dt, dt * change), _LONGEST * unit)
        live = ~stopped & taken
        time = time + length
        if rules.iterate == "average":
            share = np.where(live, length / np.where(time > 0, time, 1.0), 0.0)
            _average(average, after, share[:, None])
        speed = _distance(after, profile, copies) / np.where(live, length, 1.0)
        movement = np.where(live, speed, movement)
        steps[~stopped] = step
        place, profile = there, after
        growth, criterion = flow(profile)
        if rules.iterate == "best":
            best = _where(criterion < best_criterion, profile, best)
            best_criterion = np.minimum(criterion, best_criterion)
        stopped |= _met(flow, criterion, average, step, rules=rules, allowed=allowed)
        if until_rest:
            stopped |= live & (movement * unit <= rules.tolerance)
    chosen = {"last": profile, "average": average, "best": best}[rules.iterate]
    return Trajectory(
        profile=chosen,
        criterion=flow(chosen)[1],
        movement=movement,
        stopped=stopped,
        steps=steps,
        time=time,
    )


def integrate_alone(
    loops: Any,
    row: InARow,
    game: Game | ImplicitGame,
    *,
    allowed: float,
    rules: Rules,
    until_rest: bool,
) -> Trajectory:
    """``integrate`` for one game, compiled.

    Args:
      loops: ``meta_solvers.compiled_flow``.
      row: the game as the loops take it.
      game: its shape and the unit of time.
      allowed: as in ``integrate``, like those below.
      rules: step size, update, limits.
      until_rest: it also stops when it no longer moves.
    """
    floor = rules.floor if rules.update == "euclidean" else -1.0
    orders = np.concatenate([np.arange(size) for size in game.actions])
    chosen, criterion, movement, stopped, steps, time = loops.integrate(
        row.game,
        rule=row.rule,
        movers=row.movers,
        how=(floor, orders, np.concatenate(game.weights)),
        logs=np.concatenate([*map(ordered.log_weights, game.weights)]),
        unit=1.0 / float(game.scale.max()),
        allowed=allowed,
        steps=rules.steps,
        dt=rules.dt if rules.step == "fixed" else 0.0,
        iterate=("last", "average", "best").index(rules.iterate),
        rest=rules.tolerance if until_rest else -1.0,
    )
    return Trajectory(
        profile=ordered.split(chosen[None], game.actions),
        criterion=np.array([criterion]),
        movement=np.array([movement]),
        stopped=np.array([stopped]),
        steps=np.array([steps]),
        time=np.array([time]),
        kernel="numba",
    )


def together(ends: Sequence[Trajectory]) -> Trajectory:
    """End points of several batches of one kind as those of one batch."""
    joined = {
        name: np.concatenate([getattr(end, name) for end in ends])
        for name in ("criterion", "movement", "stopped", "steps", "time")
    }
    profile = zip(*(end.profile for end in ends), strict=True)
    return Trajectory(
        profile=[np.concatenate(own) for own in profile],
        kernel=ends[0].kernel,
        **joined,
    )
