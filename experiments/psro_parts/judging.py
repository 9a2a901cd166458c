"""Rows of metrics of a trial, with exact gaps where there is a referee."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from psro.metrics import Row, row
from psro.parts import State, TargetConcept

if TYPE_CHECKING:  # it loads torch
    from psro.referee import Referee

REFEREE = "referee"  # what its seconds are called beside those of the loop's stages


class Judge:
    """Makes the rows of one trial.

    A referee changes nothing of what is learned, so it is no part of the loop: its CPU
    seconds are a stage of their own, in rows only.

    Args:
      referee: None where gaps are exact, or nobody asked for exact ones.
      concept: what is responded to.
      known: rows of the trial so far; what they know is not judged again.
    """

    def __init__(
        self, referee: "Referee | None", concept: TargetConcept, known: Sequence[Row]
    ) -> None:
        self.referee, self.concept = referee, concept
        self._last = known[-1] if known else None

    def row(self, state: State) -> Row:
        """The row of a state."""
        made = row(state, self.concept)
        if self.referee is None:
            return made
        last = self._last
        spent = 0.0 if last is None else last.cpu_seconds.get(REFEREE, 0.0)
        if last is None or last.iteration != state.iteration:
            begin = time.process_time()
            last = self._judged(self.referee, state, made)
            spent += time.process_time() - begin
        self._last = replace(
            made,
            exact_gap=last.exact_gap,
            exact_value_sum=last.exact_value_sum,
            exact_eval_gap=last.exact_eval_gap,
            cpu_seconds=made.cpu_seconds | {REFEREE: spent},
        )
        return self._last

    def _judged(self, referee: "Referee", state: State, made: Row) -> Row:
        """The row with what the referee says of both meta-strategies."""
        population, concept = state.population, self.concept
        gap, value_sum = referee.judge(population, state.train.joint, concept)
        final = gap
        if state.evaluation is not state.train:
            final, _ = referee.judge(population, state.evaluation.joint, concept)
        return replace(
            made, exact_gap=gap, exact_value_sum=value_sum, exact_eval_gap=final
        )
