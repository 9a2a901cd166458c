"""Rows of metrics of a trial, with what is measured of the tree beside the loop."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.linalg import LinAlgError

from metaspiel.games.zero_sum import Pools, objection
from metaspiel.nfg.errors import UserError
from psro.arena import Arena
from psro.metrics import Row, row
from psro.parts import Population, State, TargetConcept

if TYPE_CHECKING:  # it loads torch
    from psro.referee import Referee

REFEREE, POPULATION = "referee", "population"
"""What their seconds are called beside those of the loop's stages."""
AFTER = (REFEREE, POPULATION)
Numbers = Mapping[str, Any]


def pooled(arena: Arena) -> Callable[[Population], Pools]:
    """How the populations of an arena are seen in the tree of its game.

    Raises:
      UserError: the game has none at hand, or nothing can be guaranteed in it.
    """
    where = "--population-exploitability"
    referee, form = arena.referee, arena.form
    form = form if referee is None else referee.form
    if form is None:
        raise UserError(
            f"{where}: the tree of the game must be at hand, by exact responses or "
            f"--referee; got '{arena.name}' without"
        )
    reason = objection(form)
    if reason is not None:
        raise UserError(f"{where}: {reason}")
    tree = form

    def made(population: Population) -> Pools:
        if referee is not None:
            return Pools(tree, tuple(referee.plans(population)))
        return Pools(tree, tuple(arena.realised(population).stacked()))

    return made


def least(
    pooled: Callable[[Population], Pools], population: Population
) -> float | None:
    """The exploitability of a population; None where the program had no answer."""
    try:
        return pooled(population).exploitability
    except LinAlgError:
        return None


class Judge:
    """Makes the rows of one trial.

    What is measured of the tree changes nothing of the run, so it is no part of the
    loop: its CPU seconds are stages of their own, in rows only.

    Args:
      arena: with a referee, where gaps are not exact and somebody asked for exact ones.
      concept: what is responded to.
      known: rows of the trial so far; what they know is not measured again.
      population: the least exploitability of the population is measured too.

    Raises:
      UserError: it was asked for and there is none, see ``pooled``.
    """

    def __init__(
        self,
        arena: Arena,
        concept: TargetConcept,
        *,
        known: Sequence[Row] = (),
        population: bool = False,
    ) -> None:
        self.concept = concept
        self._measures: dict[str, Callable[[State], Numbers]] = {}
        if arena.referee is not None:
            self._measures[REFEREE] = _Refereed(arena.referee, concept)
        if population:
            self._measures[POPULATION] = _Exploited(pooled(arena))
        self._last = known[-1] if known else None

    def row(self, state: State) -> Row:
        """The row of a state."""
        made, last = row(state, self.concept), self._last
        for stage, measure in self._measures.items():
            spent = 0.0 if last is None else last.cpu_seconds.get(stage, 0.0)
            if last is not None and last.iteration == state.iteration:
                numbers: Numbers = {n: getattr(last, n) for n in _NUMBERS[stage]}
            else:
                begin = time.process_time()
                numbers = measure(state)
                spent += time.process_time() - begin
            seconds = made.cpu_seconds | {stage: spent}
            made = replace(made, cpu_seconds=seconds, **numbers)
        self._last = made
        return made


_NUMBERS = {
    REFEREE: ("exact_gap", "exact_value_sum", "exact_eval_gap"),
    POPULATION: ("population_exploitability",),
}
"""The numbers of a row that each of them measures."""


@dataclass(frozen=True)
class _Refereed:
    """What a referee says of both meta-strategies."""

    referee: "Referee"
    concept: TargetConcept

    def __call__(self, state: State) -> Numbers:
        population, judge = state.population, self.referee.judge
        gap, value_sum = judge(population, state.train.joint, self.concept)
        final = gap
        if state.evaluation is not state.train:
            final, _ = judge(population, state.evaluation.joint, self.concept)
        return dict(zip(_NUMBERS[REFEREE], (gap, value_sum, final), strict=True))


@dataclass(frozen=True)
class _Exploited:
    """The least exploitability of any mixtures of the pools."""

    pooled: Callable[[Population], Pools]

    def __call__(self, state: State) -> Numbers:
        (name,) = _NUMBERS[POPULATION]
        return {name: least(self.pooled, state.population)}
