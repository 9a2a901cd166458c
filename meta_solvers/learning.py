"""Learning rules that average their play: fictitious play and regret matching."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from meta_solvers import ordered
from meta_solvers.base import Answer, AnyGame, MetaSolver, Status, alone
from meta_solvers.played import BLOCK_NUMBERS, average_of
from metaspiel.nfg.errors import UserError, unknown

# Payoffs closer than this fraction of the range are equally good replies.
TIE = 1e-12


def _check_steps(solver: MetaSolver, steps: int, tolerance: float) -> None:
    name = type(solver).__name__
    if steps < 1:
        raise UserError(f"{name}(): steps must be at least 1; got {steps}")
    if not 0.0 < tolerance < np.inf:
        raise UserError(
            f"{name}(): tolerance must be a finite number > 0; got {tolerance}"
        )


@dataclass(frozen=True)
class FictitiousPlay(MetaSolver):
    """Simultaneous discrete fictitious play (Brown 1951).

    In every step each player plays the first action that is a best reply to the
    others' average play, taken as independent; before the first step averages are
    uniform. Where replies tie, the order of actions so decides, and another order may
    lead elsewhere: the diagnostics count the steps with a tie under "ties". Averages
    converge in zero-sum, identical-interest and dominance-solvable games (Robinson
    1951; Monderer & Shapley 1996), and cycle in Shapley's (1964) game.

    Steps are computed in blocks: all steps of a block are guessed to repeat the first
    reply, the guess is checked for all of them at once, and what follows the first
    wrong guess is done again. The answer is that of the plain loop.

    Attributes:
      steps: largest number of steps.
      tolerance: stops when the averages' NE gaps, each as a fraction of the player's
        payoff range, sum to at most this.
      iterate: "average" returns the last averages, "best" those of the smallest gap.
    """

    steps: int = 100_000
    tolerance: float = 1e-2
    iterate: Literal["average", "best"] = "average"

    concept: ClassVar = "ne"
    needs_tensor: ClassVar[bool] = False
    maximises: ClassVar[str] = "nothing: average of best replies to averages"
    source: ClassVar[str] = "Brown 1951"

    def __post_init__(self) -> None:
        _check_steps(self, self.steps, self.tolerance)
        if self.iterate not in ("average", "best"):
            known = ("average", "best")
            raise unknown("FictitiousPlay()", "iterate", self.iterate, known)

    def distribution(self, game: AnyGame, rng: np.random.Generator) -> Answer:
        tables = _normalised(game)
        loops = ordered.loops_for(game)
        if loops is None:
            end = self._play(tables, game)
        else:
            row = ordered.in_a_row(tables, game.actions)
            copies = np.concatenate(game.weights)
            end = loops.fictitious_play(row, copies, self.steps, self.tolerance)
        counts, best, step, gap, smallest, changes, ties = end
        average = counts / step
        if self.iterate == "best":
            gap, average = smallest, best
        return Answer(
            alone(game, ordered.split(average, game.actions)),
            Status.OK if gap <= self.tolerance else Status.MAX_STEPS,
            self.tolerance * game.scale,
            {
                "steps": step,
                "relative_gap": gap,
                "changes_of_reply": changes,
                "ties": ties,
                "kernel": ordered.kernel(game),
            },
        )

    def _play(self, tables: list[ordered.Table], game: AnyGame) -> tuple[Any, ...]:
        """``compiled.fictitious_play`` in numpy, in blocks: the same bits."""
        counts = [np.zeros(a) for a in game.actions]
        uniform = [ordered.even(many[None]) for many in game.weights]
        (reply,), (tie,) = _first_best(_values(tables, uniform))
        largest = max(1, BLOCK_NUMBERS // game.profiles)
        best: tuple[float, list[ndarray]] = (np.inf, uniform)
        step, length, gap, changes, ties = 0, 1, np.inf, 0, int(tie)
        while step < self.steps and gap > self.tolerance:
            length = min(length, largest, self.steps - step)
            averages = _if_repeated(counts, reply, step, length)
            values = _values(tables, averages)
            gaps = _sum_of_gaps(averages, values)
            replies, tied = _first_best(values)
            stops = np.any(replies != reply, axis=1) | (gaps <= self.tolerance)
            done = int(np.argmax(stops)) + 1 if stops.any() else length
            lowest = int(np.argmin(gaps[:done]))
            if gaps[lowest] < best[0]:
                best = float(gaps[lowest]), [a[lowest].copy() for a in averages]
            for player, action in enumerate(reply):
                counts[player][action] += done
            length = 2 * length if done == length else max(1, 2 * done)
            changes += int(np.any(replies[done - 1] != reply))
            ties += int(tied[: done - 1].sum())
            step, gap, reply = step + done, float(gaps[done - 1]), replies[done - 1]
            # The last reply is played only if there is another step.
            ties += int(tied[done - 1]) * (step < self.steps and gap > self.tolerance)
        row = np.concatenate(counts)
        smallest, least = best
        return row, np.concatenate(least, axis=-1), step, gap, smallest, changes, ties


def _if_repeated(
    counts: Sequence[ndarray], reply: Int64[ndarray, " N"], step: int, length: int
) -> list[ndarray]:
    """Averages ``[T, A_p]`` after 1, ..., ``length`` more plays of ``reply``."""
    more = np.arange(1, length + 1, dtype=np.float64)
    averages = []
    for count, action in zip(counts, reply, strict=True):
        total = np.repeat(count[None], length, axis=0)
        total[:, action] += more
        averages.append(total / (step + more)[:, None])
    return averages


def _values(
    tables: Sequence[ordered.Table], averages: Sequence[ndarray]
) -> list[ndarray]:
    """Payoffs ``[T, A_p]`` of actions against ``averages`` ``[T, A_q]``."""
    return [ordered.deviations(t, averages, p) for p, t in enumerate(tables)]


def _first_best(
    values: Sequence[ndarray],
) -> tuple[Int64[ndarray, "T N"], Bool[ndarray, " T"]]:
    """The first action of each player that is best, up to rounding.

    Also in which steps a player had several that are.
    """
    best = [v >= v.max(axis=1, keepdims=True) - TIE for v in values]
    tied = np.any([b.sum(axis=1) > 1 for b in best], axis=0)
    return np.stack([b.argmax(axis=1) for b in best], axis=1), tied


def _sum_of_gaps(
    averages: Sequence[ndarray], values: Sequence[ndarray]
) -> Float64[ndarray, " T"]:
    gaps = np.zeros(len(averages[0]))
    for value, average in zip(values, averages, strict=True):
        gaps += value.max(axis=1) - ordered.total(value * average)
    return gaps


@dataclass(frozen=True)
class RegretMatching(MetaSolver):
    """Expected-payoff regret matching in self-play (Hart & Mas-Colell 2000).

    Each player mixes in proportion to the positive part of its accumulated regrets.
    The answer is the time average of the product of the players' strategies, with its
    correlation kept: regrets that grow slower than time make it an approximate CCE.

    Attributes:
      steps: largest number of steps.
      tolerance: stops when every player's CCE gap is at most this fraction of its
        payoff range; measured after each block of steps.
      variant: "rm", or "rm+" which never lets a regret fall below zero (Tammelin 2014).
      alternating: players move in turn, each against what the earlier ones just
        played; a step ends when all have moved. The regret bound is proved for moves
        at once, so in this mode only the measured gap speaks.
    """

    steps: int = 100_000
    tolerance: float = 1e-3
    variant: Literal["rm", "rm+"] = "rm"
    alternating: bool = False

    concept: ClassVar = "cce"
    needs_tensor: ClassVar[bool] = False
    maximises: ClassVar[str] = "nothing: time average of regret matching"
    source: ClassVar[str] = "Hart & Mas-Colell 2000; Tammelin 2014"

    def __post_init__(self) -> None:
        _check_steps(self, self.steps, self.tolerance)
        if self.variant not in ("rm", "rm+"):
            raise unknown("RegretMatching()", "variant", self.variant, ("rm", "rm+"))

    def distribution(self, game: AnyGame, rng: np.random.Generator) -> Answer:
        tables, loops = _normalised(game), ordered.loops_for(game)
        regrets = np.zeros(sum(game.actions))
        average = average_of(game)
        # Regrets of players who move at once and never forget are the CCE gap.
        known = None if self.variant == "rm+" or self.alternating else regrets
        step, gap = 0, np.inf
        while step < self.steps and gap > self.tolerance:
            # At most an eighth of all steps so far may be done in vain.
            length = min(max(16, step // 8), average.block, self.steps - step)
            played = self._play(loops, tables, game.weights, regrets, length)
            average.add(ordered.split(played, game.actions), known)
            step += length
            gap = float((average.gaps() / game.scale).max())
        return Answer(
            average.mean(),
            Status.OK if gap <= self.tolerance else Status.MAX_STEPS,
            self.tolerance * game.scale,
            {"steps": step, "relative_gap": gap, "kernel": ordered.kernel(game)},
        )

    def _play(
        self,
        loops: Any,
        tables: list[ordered.Table],
        weights: Sequence[ndarray],
        regrets: Float64[ndarray, " S"],
        length: int,
    ) -> Float64[ndarray, "T S"]:
        """Strategies of ``length`` more steps, in rows; adds to ``regrets``."""
        played = np.empty((length, len(regrets)))
        plus, actions = self.variant == "rm+", [len(many) for many in weights]
        if loops is not None:
            game, copies = ordered.in_a_row(tables, actions), np.concatenate(weights)
            how = {"plus": plus, "alternating": self.alternating}
            loops.regret_matching(game, copies, regrets, played, **how)
            return played
        own_regrets = ordered.split(regrets[None], actions)  # views
        for step in range(length):
            profile = [*map(_matched, own_regrets, weights)]
            played[step] = np.concatenate(profile, axis=1)
            for player, regret in enumerate(own_regrets):
                values = ordered.deviations(tables[player], profile, player)
                regret += values - ordered.total(values * profile[player])
                if plus:
                    np.maximum(regret, 0.0, out=regret)
                if self.alternating:
                    profile[player] = _matched(regret, weights[player])
        return played


def _normalised(game: AnyGame) -> list[ordered.Table]:
    """Payoffs of a range of 1, up to a constant of each player's."""
    return ordered.tables_of(game, lambda own: own.normalised, 1.0 / game.scale)


def _matched(
    regret: Float64[ndarray, "1 A_p"], copies: Float64[ndarray, " A_p"]
) -> Float64[ndarray, "1 A_p"]:
    """Probabilities in proportion to positive regrets; uniform if there are none.

    Copies of an action are played alike, and count together.
    """
    positive = copies * np.maximum(regret, 0.0)
    total = ordered.total(positive)[0]
    # Regrets of rounding size are none: they would make the first step's tie a choice.
    if total <= TIE:
        return ordered.even(copies[None])
    return positive / total
