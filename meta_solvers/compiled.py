"""Loops of the dynamics, compiled by numba.

Players stand in a row: ``profile [S]`` holds the mixed strategies of all, player p from
``bounds[p]`` to ``bounds[p + 1]``. A game is ``(flat, sizes, bounds)``: the payoffs of
each player that moves, the others' axes in order, then its own; or, in place of these,
a tree. See ``ordered.in_a_row``.

Compiled code is kept on disk, beside this file or where NUMBA_CACHE_DIR says; where
neither can be written every process compiles anew. numba notices when a file has
changed, but not one that it calls: who changes this one touches ``compiled_flow`` too,
and who changes ``compiled_sums`` both.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from typing import no_type_check

import numpy as np
from numba import types
from numba.extending import overload

from meta_solvers.compiled_sums import (
    dot,
    exponentials,
    highest,
    loop,
    normal,
    total,
    write,
)
from meta_solvers.constants import UNSEEN

TIE = 1e-12  # as in ``meta_solvers.learning``


@loop
@no_type_check
def add_up(source, start, weights, into):
    """Sum of rows of ``source``, from ``start`` on, each times its weight.

    Four rows at a time, in order; those without a weight change no bit.
    """
    width, count = into.size, 0
    rows = np.empty(weights.size, dtype=np.int64)
    for row in range(weights.size):
        if weights[row] != 0.0:
            rows[count] = row
            count += 1
    into[:] = 0.0
    for k in range(0, count - 3, 4):
        a, b, c, d = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        wa, wb, wc, wd = weights[a], weights[b], weights[c], weights[d]
        ra = source[start + a * width : start + (a + 1) * width]
        rb = source[start + b * width : start + (b + 1) * width]
        rc = source[start + c * width : start + (c + 1) * width]
        rd = source[start + d * width : start + (d + 1) * width]
        for i in range(width):
            into[i] = (((into[i] + wa * ra[i]) + wb * rb[i]) + wc * rc[i]) + wd * rd[i]
    for k in range(count - count % 4, count):
        weight, at = weights[rows[k]], start + rows[k] * width
        for i in range(width):
            into[i] += weight * source[at + i]


@loop
@no_type_check
def by_table(game, profile, player, out):
    """``deviations`` in a game with its tensor."""
    flat, sizes, bounds = game
    left, more = 1, sizes.size - 1
    for size in sizes:
        left *= size
    source, start = flat, player * left
    for other in range(sizes.size):
        if other != player:
            left, more = left // sizes[other], more - 1
            into = np.empty(left) if more else out
            add_up(source, start, profile[bounds[other] : bounds[other + 1]], into)
            source, start = into, 0
    if sizes.size == 1:
        write(flat, out)


@loop
@no_type_check
def by_tree(game, profile, player, out):
    """``deviations`` in a game without its tensor, see ``metaspiel.games.population``.

    A tree holds the plans of all players in a row and where each player's begin; so
    the last sequences at what co-players reach; so the rows of payoff matrices, with
    their columns and entries; and units.
    """
    tree, sizes, bounds = game
    plans, plan_at, ends, end_at, rows, row_at, columns, data, data_at, units = tree
    reached = (end_at[player + 1] - end_at[player]) // sizes.size
    reach = np.ones(reached)
    for other in range(sizes.size):
        if other != player:
            width = (plan_at[other + 1] - plan_at[other]) // sizes[other]
            mixed = np.empty(width)
            own = profile[bounds[other] : bounds[other + 1]]
            add_up(plans, plan_at[other], own, mixed)
            start = end_at[player] + other * reached
            for i in range(reached):
                reach[i] *= mixed[ends[start + i]]
    width, first = row_at[player + 1] - row_at[player] - 1, row_at[player]
    start = data_at[player]
    out[:] = 0.0
    for sequence in range(width):
        value = 0.0
        for at in range(rows[first + sequence], rows[first + sequence + 1]):
            value += data[start + at] * reach[columns[start + at]]
        for action in range(sizes[player]):
            out[action] += plans[plan_at[player] + action * width + sequence] * value
    for action in range(sizes[player]):
        out[action] *= units[player]


def deviations(game, profile, player, out):
    """Payoff of each own action of ``player`` when the others mix alone.

    Compiled loops choose by what the game is; from elsewhere it is ``by_table``.
    """
    by_table(game, profile, player, out)


@overload(deviations)
def _deviations(game, profile, player, out):
    chosen = by_table if isinstance(game[0], types.Array) else by_tree

    def call(game, profile, player, out):
        chosen(game, profile, player, out)

    return call


@loop
@no_type_check
def uniform(game):
    """Every player mixes evenly."""
    _, sizes, bounds = game
    profile = np.empty(bounds[-1])
    for player in range(sizes.size):
        profile[bounds[player] : bounds[player + 1]] = 1.0 / sizes[player]
    return profile


@loop
@no_type_check
def shor(game, steps, mix, temperature, bonus, momentum, negligible, least_mass):
    """``meta_solvers.shor``: the last profile and the mean one, each in a row."""
    _, sizes, bounds = game
    profile, cold = uniform(game), 1.0 / temperature
    mean, values, soft = np.zeros(profile.size), profile.copy(), profile.copy()
    gains, regrets, before = mean.copy(), mean.copy(), mean.copy()
    strength = mean.copy()
    for _ in range(steps):
        for player in range(sizes.size):
            part = slice(bounds[player], bounds[player + 1])
            deviations(game, profile, player, values[part])
        for player in range(sizes.size):
            start, stop = bounds[player], bounds[player + 1]
            middle = total(values[start:stop]) / sizes[player]
            top = highest(values[start:stop])
            for i in range(start, stop):
                soft[i] = (values[i] - top) * cold
                values[i] -= middle
                gain = (1.0 + momentum) * values[i] - momentum * before[i]
                gains[i] = gain + bonus * (1.0 - profile[i])
                before[i] = values[i]
                strength[i] = abs(gains[i])
            largest = highest(strength[start:stop])
            unit = 1.0 / largest if largest > negligible else 1.0
            for i in range(start, stop):
                regret = regrets[i] + gains[i] * unit
                regrets[i] = regret if regret > 0.0 else 0.0
            exponentials(soft[start:stop], UNSEEN)
            share = mix / total(soft[start:stop])
            mass = total(regrets[start:stop])
            some = mass > least_mass
            matched = (1.0 - mix) / (mass if some else sizes[player])
            for i in range(start, stop):
                profile[i] = (regrets[i] if some else 1.0) * matched + soft[i] * share
        for i in range(mean.size):
            mean[i] += profile[i]
    return profile, mean / steps


@loop
@no_type_check
def matched(regrets, copies, bounds, player, out):
    """Writes a player's probabilities: in proportion to its positive regrets.

    Copies of an action are played alike, and count together.
    """
    part = slice(bounds[player], bounds[player + 1])
    for i in range(bounds[player], bounds[player + 1]):
        out[i] = copies[i] * regrets[i] if regrets[i] > 0.0 else 0.0
    if total(out[part]) > TIE:
        normal(out[part], TIE, out[part])
    else:
        normal(copies[part], 0.0, out[part])


@loop
@no_type_check
def regret_matching(game, copies, regrets, played, plus, alternating):
    """Steps of regret matching, one for each row of ``played``, which they fill.

    Adds to ``regrets``. ``copies``: how often each action is there. ``plus``: regrets
    never fall below 0.
    """
    _, sizes, bounds = game
    profile, values = np.empty(regrets.size), np.empty(regrets.size)
    for step in range(len(played)):
        for player in range(sizes.size):
            matched(regrets, copies, bounds, player, profile)
        write(profile, played[step])
        for player in range(sizes.size):
            part = slice(bounds[player], bounds[player + 1])
            deviations(game, profile, player, values[part])
            mean = dot(values[part], profile[part])
            for i in range(bounds[player], bounds[player + 1]):
                regrets[i] += values[i] - mean
                if plus and not regrets[i] > 0.0:
                    regrets[i] = 0.0
            if alternating:
                matched(regrets, copies, bounds, player, profile)


@loop
@no_type_check
def reply(game, averages, values, replies):
    """Writes the first best replies; the sum of gaps, and whether any reply ties."""
    _, sizes, bounds = game
    gap, tied = 0.0, False
    for player in range(sizes.size):
        part = slice(bounds[player], bounds[player + 1])
        value = values[part]
        deviations(game, averages, player, value)
        top = highest(value)
        best, replies[player] = 0, 0
        for i in range(value.size - 1, -1, -1):
            if value[i] >= top - TIE:
                best += 1
                replies[player] = i
        tied = tied or best > 1
        gap += top - dot(value, averages[part])
    return gap, tied


@loop
@no_type_check
def fictitious_play(game, copies, steps, tolerance):
    """The loop of ``meta_solvers.learning.FictitiousPlay``, one step at a time.

    ``copies``: how often each action is there, for the averages before the first step.
    Returns counts of plays and the averages of the smallest gap, each in a row; then
    steps, the last gap and the smallest, changes of reply, and steps with a tie.
    """
    _, sizes, bounds = game
    averages = np.empty(copies.size)
    for player in range(sizes.size):
        part = slice(bounds[player], bounds[player + 1])
        normal(copies[part], 0.0, averages[part])
    counts, best, values = np.zeros(copies.size), averages.copy(), averages.copy()
    now, then = np.empty_like(sizes), np.empty_like(sizes)
    _, tied = reply(game, averages, values, now)
    step, gap, smallest, changes, ties = 0, np.inf, np.inf, 0, 0
    while step < steps and gap > tolerance:
        ties += tied
        step += 1
        for player in range(sizes.size):
            counts[bounds[player] + now[player]] += 1.0
        for i in range(counts.size):
            averages[i] = counts[i] / step
        now, then = then, now
        gap, tied = reply(game, averages, values, now)
        changed = False
        for player in range(sizes.size):
            changed = changed or then[player] != now[player]
        changes += changed
        if gap < smallest:
            smallest = gap
            write(averages, best)
    return counts, best, step, gap, smallest, changes, ties
