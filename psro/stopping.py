"""When a run of the loop ends, and the loop up to there."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from psro.loop import respond, start, step
from psro.parts import State, TargetConcept
from psro.setup import Setup


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A run ends at the first of these; None is never.

    Attributes:
      iterations: so many steps are done.
      gap: the full-game gap is measured and at most this.
      no_novel: all responses are policies that the population has.
      seconds: more wall time has passed, which depends on the machine.
      gap_name: what the reason calls the gap: a learned one is no exact one.
    """

    iterations: int
    gap: float | None = None
    no_novel: bool = False
    seconds: float | None = None
    gap_name: str = "gap"

    def reason(
        self, state: State, concept: TargetConcept, passed: float = 0.0
    ) -> str | None:
        """Why a run is over in this state, if it is, as far as the state knows its gap.

        Args:
          state: where it is.
          concept: what is responded to.
          passed: seconds since the run began.
        """
        gap = state.gap(concept)
        if self.gap is not None and gap is not None and gap <= self.gap:
            return f"{self.gap_name} {gap:.3g} is at most {self.gap:g}"
        if self.no_novel and state.responses is not None:
            find = state.population.find
            if all(find(r.player, r.policy) is not None for r in state.responses):
                return "no novel policy"
        if state.iteration >= self.iterations:
            return f"{self.iterations} iteration{'s' * (self.iterations != 1)}"
        if self.seconds is not None and passed > self.seconds:
            return f"{self.seconds:g} seconds"
        return None


def until(
    stop: Stop, setup: Setup, state: State | None = None, *, final_gap: bool = False
) -> Iterator[tuple[State, str | None]]:
    """Yields a state and those after it, each with the reason why the run is over.

    Each has its responses and its gap, but for the last where the oracle must train.

    Args:
      stop: when the run is over; then it has a reason, and there are no more states.
      setup: the parts of the loop.
      state: where the run goes on; None for its start.
      final_gap: responses are trained for the gap of the last state too.
    """
    state = start(setup) if state is None else state
    begin = time.monotonic()
    while True:
        over = stop.reason(state, setup.concept, time.monotonic() - begin)
        if state.responses is None and (over is None or final_gap):
            state = respond(setup, state)
            over = stop.reason(state, setup.concept, time.monotonic() - begin)
        yield state, over
        if over is not None:
            return
        state = step(setup, state)
