"""Flows on products of simplices, compiled: ``meta_solvers.flow`` for one game.

Names are those of ``meta_solvers.compiled``.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
import math
from typing import no_type_check

import numpy as np
from numba import types
from numba.extending import overload

from meta_solvers.compiled import deviations
from meta_solvers.compiled_sums import (
    dot,
    exponentials,
    highest,
    loop,
    lower,
    normal,
    write,
)
from meta_solvers.constants import LEAST_LOG

LOCAL_ERROR, STEP_SHARE, LONGEST = 1e-3, 0.5, 1e6  # as in ``meta_solvers.flow``


@loop
@no_type_check
def project(own, copies, order, floor):
    """Moves a point onto ``{y >= floor, sum y = 1}``, see ``metaspiel.nfg.simplex``.

    Its entries stand for ``copies``.

    ``order`` sorted the last point downwards, and sorts this one: little changes. Of
    equal entries the earlier one comes first, as sums depend on their order.
    """
    size = own.size
    for i in range(size):
        own[i] -= floor
    for place in range(1, size):
        moved, at = order[place], place
        while at > 0:
            other = order[at - 1]
            apart = own[moved] - own[other]
            if not (apart > 0.0 or (apart == 0.0 and moved < other)):
                break
            order[at] = other
            at -= 1
        order[at] = moved
    every = 0.0
    for i in range(size):
        every += copies[i]
    cumulated, count, excess, last = 0.0, 0.0, 0.0, 0.0
    for place in range(size):
        many = copies[order[place]]
        cumulated += many * own[order[place]]
        count += many
        over = cumulated - (1.0 - floor * every)
        if own[order[place]] * count > over or (last == 0.0 and place == size - 1):
            excess, last = over, count
    for i in range(size):
        over = own[i] - excess / last
        own[i] = (0.0 if over <= 0.0 else over) + floor  # what is no number stays one


@loop
@no_type_check
def by_gains(game, rule, player, profile, rate):
    """``grown`` by the gains over the mean."""
    _, _, bounds = game
    deviations(game, profile, player, rate)
    lower(rate, dot(profile[bounds[player] : bounds[player + 1]], rate))
    return highest(rate)


@loop
@no_type_check
def by_bounds(game, rule, player, profile, rate):
    """``grown`` by optimistic gains less worst-case regrets.

    The game has its payoffs ``[E, ...]`` under the lower and the upper bounds, or
    under each member. ``rule``: which bounds (entrywise, mixture, member), whether an
    action is its own rival, whether the mean growth is subtracted, and of which actions
    there are several copies; see ``RobustReplicatorDynamics``.
    """
    flats, sizes, bounds = game
    which, inclusive, centred, several = rule
    sides, size = flats.shape[0], sizes[player]
    part = slice(bounds[player], bounds[player + 1])
    own = profile[part]
    values = np.empty((sides, size))
    for side in range(sides):
        deviations((flats[side], sizes, bounds), profile, player, values[side])
    gain, worst = np.empty(size), np.empty(size)
    for i in range(size):
        gain[i] = worst[i] = -np.inf
    if which == 2:
        for side in range(sides):
            base, here = dot(own, values[side]), values[side]
            widen((here, here, base), inclusive, several[part], (gain, worst))
    else:
        low, high, base = values[0], values[sides - 1], dot(own, values[0])
        if which == 1:
            low, high = values[0].copy(), values[0].copy()
            for side in range(1, sides):
                base = min(base, dot(own, values[side]))
                for i in range(size):
                    low[i] = min(low[i], values[side, i])
                    high[i] = max(high[i], values[side, i])
        widen((low, high, base), inclusive, several[part], (gain, worst))
    for i in range(size):  # a single action has no rival and stays where it is
        rate[i] = gain[i] - worst[i] if size > 1 else 0.0
    if centred:
        lower(rate, dot(own, rate))
    return highest(gain)


@loop
@no_type_check
def widen(sides, inclusive, several, reached):
    """Raises gains and regrets to those that a pair of bounds gives.

    ``sides``: both bounds, and what the mixture is worth; ``reached``: gains, regrets.
    """
    low, high, base = sides
    gain, worst = reached
    top, second = -np.inf, -np.inf
    for value in high:
        if value > top:
            top, second = value, top
        elif value > second:
            second = value
    for i in range(high.size):
        alone = high[i] == top and not several[i] and not inclusive
        better, regret = high[i] - base, (second if alone else top) - low[i]
        if better > gain[i] or better != better:  # what is no number stays
            gain[i] = better
        if regret > worst[i] or regret != regret:
            worst[i] = regret


def grown(game, rule, player, profile, rate):
    """Writes the growth of a player's actions; the player's part of the criterion.

    By their gains where there is no rule; compiled loops choose when they compile.
    """
    return (by_gains if rule is None else by_bounds)(game, rule, player, profile, rate)


@overload(grown)
def _grown(game, rule, player, profile, rate):
    chosen = by_gains if isinstance(rule, types.NoneType) else by_bounds

    def call(game, rule, player, profile, rate):
        return chosen(game, rule, player, profile, rate)

    return call


@loop
@no_type_check
def growth(game, rule, movers, profile, rates):
    """Writes each action's growth; the criterion, the sum of the players' parts."""
    _, sizes, bounds = game
    criterion = 0.0
    for player in range(movers):
        rate = rates[bounds[player] : bounds[player + 1]]
        criterion += grown(game, rule, player, profile, rate)
    if movers == 1 and sizes.size > 1:
        share(bounds, sizes, rates)
        criterion *= sizes.size
    return criterion


@loop
@no_type_check
def share(bounds, sizes, row):
    """Gives all players what the first one has."""
    for player in range(1, sizes.size):
        write(row[: sizes[0]], row[bounds[player] : bounds[player + 1]])


@loop
@no_type_check
def move(game, movers, here, length, how, there):
    """A step from ``here = (place, profile, rates)`` to ``there = (place, profile)``.

    The places are those of ``meta_solvers.flow``. ``how``: the floor, negative for a
    multiplicative step, the orders that ``project`` keeps, and how often each action is
    there.
    """
    _, sizes, bounds = game
    place, profile, rates = here
    new_place, new_profile = there
    floor, orders, copies = how
    for player in range(movers):
        part = slice(bounds[player], bounds[player + 1])
        if floor >= 0.0:
            for i in range(bounds[player], bounds[player + 1]):
                own = profile[i] / copies[i]
                new_profile[i] = own + length * own * rates[i]
            project(new_profile[part], copies[part], orders[part], floor)
            for i in range(bounds[player], bounds[player + 1]):
                new_profile[i] *= copies[i]
            write(new_profile[part], new_place[part])
            continue
        for i in range(bounds[player], bounds[player + 1]):
            new_place[i] = place[i] + length * rates[i]
        lower(new_place[part], highest(new_place[part]))
        write(new_place[part], new_profile[part])
        exponentials(new_profile[part], LEAST_LOG)
        normal(new_profile[part], 0.0, new_profile[part])
    if movers == 1:
        share(bounds, sizes, new_place)
        share(bounds, sizes, new_profile)


@loop
@no_type_check
def distance(x, y, copies):
    """The largest difference of two entries in one place, of a single copy."""
    result = 0.0
    for i in range(x.size):
        far = abs(x[i] - y[i]) / copies[i]
        if far > result or far != far:  # after an overflow it is no number
            result = far
    return result


@loop
@no_type_check
def heun(game, rule, movers, here, length, how, ahead):
    """Mends Euler's step ``ahead = (place, profile, rates)``: Heun's in its place.

    Returns their distance over the allowed one, as ``meta_solvers.flow``.
    """
    place, profile, rates = here
    new_place, new_profile, middle = ahead
    growth(game, rule, movers, new_profile, middle)
    for i in range(middle.size):
        middle[i] = (rates[i] + middle[i]) / 2
    first = new_profile.copy()
    there = (new_place, new_profile)
    move(game, movers, (place, profile, middle), length=length, how=how, there=there)
    copies = how[2]
    most = min(LOCAL_ERROR, STEP_SHARE * distance(new_profile, profile, copies))
    return distance(first, new_profile, copies) / max(most, 1e-15)


@loop
@no_type_check
def integrate(game, rule, movers, how, logs, unit, allowed, steps, dt, iterate, rest):
    """``meta_solvers.flow.integrate`` for one game.

    Args:
      game: see the module.
      rule: how players grow, see ``by_bounds``; None where by their gains.
      movers: how many players move; 1 where interchangeable players move as one.
      how: see ``move``.
      logs: the place of a multiplicative flow in the beginning.
      unit: one over the payoff range.
      allowed: the criterion that ends it.
      steps: limit of steps.
      dt: length of fixed steps; 0 for adaptive ones.
      iterate: which profile is returned: 0 the last, 1 the average, 2 the best.
      rest: it also ends when it moves by no more than this in ``unit``; or negative.

    Returns:
      The profile in a row, its criterion, the last movement, whether a rule was met,
      steps, and time.
    """
    _, sizes, bounds = game
    copies, profile = how[2], np.empty(bounds[-1])
    for player in range(sizes.size):
        part = slice(bounds[player], bounds[player + 1])
        normal(copies[part], 0.0, profile[part])
    place = profile.copy() if how[0] >= 0.0 else logs.copy()
    rates, middle = np.empty(profile.size), np.empty(profile.size)
    there, after = np.empty(profile.size), np.empty(profile.size)
    criterion = growth(game, rule, movers, profile, rates)
    average, best, least = profile.copy(), profile.copy(), criterion
    length = dt if dt > 0.0 else 0.1 * unit
    step, time, movement, stopped = 0, 0.0, np.inf, criterion <= allowed
    while step < steps and not stopped:
        step += 1
        tried, taken, here = length, True, (place, profile, rates)
        move(game, movers, here, length=tried, how=how, there=(there, after))
        if dt == 0.0:
            ahead = (there, after, middle)
            error = heun(game, rule, movers, here, length=tried, how=how, ahead=ahead)
            taken = error <= 1.0 or tried <= 1e-6 * unit
            change = min(max(0.9 / math.sqrt(max(error, 1e-12)), 0.2), 4.0)
            length = min(tried * change, LONGEST * unit)
        if taken:
            time += tried
            part = tried / time if time > 0.0 else tried
            for i in range(profile.size):
                average[i] += part * (after[i] - average[i])
            movement = distance(after, profile, copies) / tried
            place, there = there, place
            profile, after = after, profile
            criterion = growth(game, rule, movers, profile, rates)
            if criterion < least:
                least = criterion
                write(profile, best)
        if iterate != 1:
            stopped = criterion <= allowed
        elif step % 8 == 0 or step == steps:
            stopped = growth(game, rule, movers, average, middle) <= allowed
        if taken and movement * unit <= rest:
            stopped = True
    chosen = (profile, average, best)[iterate]
    criterion = growth(game, rule, movers, chosen, middle)
    return chosen, criterion, movement, stopped, step, time
