"""One stepper and one stopping rule for flows on products of simplices, in batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from nfg.simplex import project

Profile = list[ndarray]
"""For each player mixed strategies ``[B, A_p]``."""

Flow = Callable[[Profile], tuple[Profile, ndarray]]
"""Profile -> (growth of each action ``[B, A_p]`` a player, criterion ``[B]``)."""

_LOCAL_ERROR = 1e-3  # change of a profile that an adaptive step may get wrong
_LONGEST = 1e6  # in units of 1 / payoff range; beyond it nothing moves any more


@runtime_checkable
class Rules(Protocol):
    """What a flow's solver decides; see ``ReplicatorDynamics`` for the fields."""

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
class Trajectory:
    """Where a batch of flows ended.

    Attributes:
      profile: mixed strategies ``[B, A_p]`` a player: last, average or best.
      criterion: the flow's criterion there.
      movement: largest probability change per unit of time in the last step.
      stopped: the stopping rule was met.
      steps: steps taken.
      time: time integrated.
    """

    profile: Profile
    criterion: Float64[ndarray, " B"]
    movement: Float64[ndarray, " B"]
    stopped: Bool[ndarray, " B"]
    steps: Int64[ndarray, " B"]
    time: Float64[ndarray, " B"]


def against_batch(
    payoff: Float64[ndarray, "B *A"], profile: Profile, player: int
) -> Float64[ndarray, "B A_p"]:
    """Payoff of each own action when the others mix independently."""
    result = np.moveaxis(payoff, player + 1, 1)
    for other in reversed([q for q in range(len(profile)) if q != player]):
        mixed = profile[other].reshape(-1, *(1,) * (result.ndim - 3), result.shape[-1])
        result = np.matmul(result, mixed[..., None])[..., 0]
    return result


def _moved(
    place: Profile, profile: Profile, growth: Profile, dt: ndarray, rules: Rules
) -> tuple[Profile, Profile]:
    """One step of length ``dt`` ``[B]``: the new place, and the profile there.

    The place of a Euclidean flow is its profile. That of a multiplicative one is the
    logarithm of its weights, so that no action dies out by underflow.
    """
    if rules.update == "euclidean":
        pairs = zip(profile, growth, strict=True)
        after = [project(x + dt[:, None] * x * rate, rules.floor) for x, rate in pairs]
        return after, after
    logs = [x + dt[:, None] * rate for x, rate in zip(place, growth, strict=True)]
    logs = [x - x.max(axis=1, keepdims=True) for x in logs]
    weights = [np.exp(x) for x in logs]
    return logs, [w / w.sum(axis=1, keepdims=True) for w in weights]


def _where(choice: ndarray, yes: Profile, no: Profile) -> Profile:
    if choice.all():
        return yes
    return [np.where(choice[:, None], a, b) for a, b in zip(yes, no, strict=True)]


def _distance(one: Profile, two: Profile) -> Float64[ndarray, " B"]:
    """Largest difference of a probability."""
    parts = [np.abs(a - b).max(axis=1) for a, b in zip(one, two, strict=True)]
    return np.maximum.reduce(parts)


def integrate(
    flow: Flow,
    actions: tuple[int, ...],
    unit: Float64[ndarray, " B"],
    allowed: Float64[ndarray, " B"],
    rules: Rules,
    until_rest: bool,
    shared: bool = False,
) -> Trajectory:
    """Follows flows from uniform play until their criterion is met or steps run out.

    Args:
      flow: growth and criterion of a profile.
      actions: number of actions of each player.
      unit: one over the payoff range of each game: the natural unit of time.
      allowed: a flow stops when its criterion is at or below this.
      rules: step size, update, limits.
      until_rest: a flow also stops when it no longer moves.
      shared: the players are interchangeable and keep one mixture, player 0's.
    """
    batch = len(unit)
    profile = [np.full((batch, size), 1.0 / size) for size in actions]
    place = profile if rules.update == "euclidean" else [0.0 * x for x in profile]
    growth, criterion = flow(profile)
    average = [own.copy() for own in profile]
    best, best_criterion = profile, criterion.copy()
    adaptive = rules.step == "adaptive"
    dt = 0.1 * unit if adaptive else np.full(batch, rules.dt)
    time, movement = np.zeros(batch), np.full(batch, np.inf)
    steps = np.zeros(batch, dtype=np.int64)
    stopped = criterion <= allowed
    for step in range(1, rules.steps + 1):
        if stopped.all():
            break
        length = np.where(stopped, 0.0, dt)
        there, after = _moved(place, profile, growth, length, rules)
        if shared:  # without this, rounding would break the symmetry
            there, after = [there[0]] * len(there), [after[0]] * len(after)
        taken = np.ones(batch, dtype=bool)
        if adaptive:
            ahead, _ = flow(after)
            middle = [(a + b) / 2 for a, b in zip(growth, ahead, strict=True)]
            first = after
            there, after = _moved(place, profile, middle, length, rules)
            if shared:
                there, after = [there[0]] * len(there), [after[0]] * len(after)
            error = _distance(first, after) / _LOCAL_ERROR
            taken = stopped | (error <= 1.0) | (dt <= 1e-6 * unit)
            length = np.where(taken, length, 0.0)
            there = _where(taken, there, place)
            after = _where(taken, after, profile)
            change = np.clip(0.9 / np.sqrt(np.maximum(error, 1e-12)), 0.2, 4.0)
            dt = np.minimum(np.where(stopped, dt, dt * change), _LONGEST * unit)
        live = ~stopped & taken
        time = time + length
        share = np.where(live, length / np.where(time > 0, time, 1.0), 0.0)[:, None]
        for mean, new in zip(average, after, strict=True):
            mean += share * (new - mean)
        moved = _distance(after, profile) / np.where(live, length, 1.0)
        movement = np.where(live, moved, movement)
        steps[~stopped] = step
        place, profile = there, after
        growth, criterion = flow(profile)
        best = _where(criterion < best_criterion, profile, best)
        best_criterion = np.minimum(criterion, best_criterion)
        judged = criterion
        if rules.iterate == "average" and (step % 8 == 0 or step == rules.steps):
            judged = flow(average)[1]
        elif rules.iterate == "average":
            judged = np.full(batch, np.inf)
        stopped |= judged <= allowed
        if until_rest:
            stopped |= live & (movement * unit <= rules.tolerance)
    chosen = {"last": profile, "average": average, "best": best}[rules.iterate]
    return Trajectory(chosen, flow(chosen)[1], movement, stopped, steps, time)
