"""One run in Kuhn poker, judged exactly in every iteration."""

from dataclasses import dataclass

import numpy as np

from experiments.neupl_learned.config import Size, Variant
from experiments.neupl_learned.course import Course, grown, tree
from experiments.neupl_learned.measures import (
    diversity,
    drift,
    everywhere,
    forgetting,
)
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure
from psro.parts import State


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a referee says of one iteration.

    Attributes:
      gap: exact full-game CCE gap, summed over players.
      learned: what responses were learned to gain; None where none were trained.
      stored: gap inside the population, by the stored payoffs.
      realised: the same, by exact payoffs of the same policies.
      eta: largest error of a stored payoff.
      excess: largest, over players, of realised - stored - 2 eta.
      said: the largest error on held-out cells; None where no estimator was asked.
      believed: payoffs were estimated.
      share: of the cells, those that were played.
    """

    gap: float
    learned: float | None
    stored: float
    realised: float
    eta: float
    excess: float
    said: float | None
    believed: bool
    share: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run came to.

    Attributes:
      judged: every iteration after the first state.
      policies: of each player at the end.
      unreached: distillations that ended at their limit.
      worst_error: largest difference of a probability from its teacher's.
      forgetting: divergence of policies from what they were, by age (nats).
      drift: largest change of an old payoff, by iteration.
      diversity: mean pairwise divergence of policies (nats).
      bytes_a_policy: stored, in float32.
      cpu: seconds by phase.
    """

    judged: list[Judged]
    policies: list[int]
    unreached: int
    worst_error: float
    forgetting: list[float]
    drift: list[float]
    diversity: float
    bytes_a_policy: float
    cpu: dict[str, float]


def measured(size: Size, variant: Variant, *, solver: str, seed: int) -> Result:
    """Runs a variant and judges it."""
    course = grown(size, variant, solver=solver, seed=seed, form=tree(size.game))
    assert course.referee is not None  # there is a tree
    states = everywhere(course.referee)
    notes = [s.population.notes for s in course.states]
    notes = [note for note in notes if "distil_error" in note]
    return Result(
        judged=[_judged(course, state) for state in course.states[1:]],
        policies=list(course.last.population.sizes),
        unreached=sum(not all(note["distil_reached"]) for note in notes),
        worst_error=max((max(note["distil_error"]) for note in notes), default=0.0),
        forgetting=forgetting(course, states),
        drift=drift(course),
        diversity=diversity(course.oracle.network, course.realised[-1], states),
        bytes_a_policy=course.bytes_a_policy,
        cpu=course.cpu,
    )


def _judged(course: Course, state: State) -> Judged:
    referee, joint = course.referee, state.train.joint
    assert referee is not None
    exact = Game(referee.form.tensor(referee.plans(state.population)))
    stored = state.table.game(state.population, repeats=False)
    inside, truly = measure(stored, joint).cce, measure(exact, joint).cce
    eta = float(np.abs(stored.payoffs - exact.payoffs).max())
    notes = state.table.notes
    gap, _ = referee.judge(state.population, joint, "cce")
    over = truly - inside
    return Judged(
        gap=gap,
        learned=state.gap("cce"),
        stored=float(inside.sum()),
        realised=float(truly.sum()),
        eta=eta,
        excess=float(over.max() - 2 * eta),
        said=notes.get("payoff_eta"),
        believed=bool(notes.get("payoff_estimated", False)),
        share=float(notes.get("payoff_played", 1.0)),
    )
