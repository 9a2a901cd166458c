"""One row of plain numbers for each iteration."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, NotRequired, get_type_hints

import numpy as np

from meta_solvers.base import AnyGame
from metaspiel import files
from metaspiel.nfg.gaps import expected
from metaspiel.nfg.simplex import entropy, marginals, support
from psro.parts import CONCEPTS, State, TargetConcept
from psro.targets import played, targets


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is known about a state; numbers that were not measured are None.

    With a learned oracle the full-game gaps of other concepts and of a second
    meta-solver are never measured, that of the training meta-strategy once it is
    responded to.

    Attributes:
      iteration: number of steps done.
      gap: full-game gap of the training meta-strategy for the run's concept, summed
        over players: every policy of the game counts as a deviation (with a learned
        oracle every policy it can learn, a lower bound).
      gap_per_player: the same, not summed.
      gap_error: standard error of the gap, at most; see ``gap_error``.
      gaps: the full-game gap for each concept that was asked for.
      eval_gap: full-game gap of the second meta-solver's meta-strategy.
      exact_gap: what a referee says of the gap of a learned run, over all policies of
        the game; None without a referee.
      exact_value_sum: the sum of the players' expected payoffs there.
      exact_eval_gap: the exact gap of the second meta-solver's meta-strategy.
      population_exploitability: the least exploitability of any mixtures of the pools,
        NashConv / 2; None unless it was asked for.
      values: expected payoff of each player, and their sum.
      eval_values: under the second meta-solver's meta-strategy.
      policies: found by each player, repetitions included.
      unique_policies: without repetitions.
      novel: policies that the last step added.
      marginals: of the meta-strategy, for each player.
      support: profiles that it plays; None where only cells would tell, as of an
        average of correlated play without the tensor.
      entropy: of it, in nats; None as the support.
      status: of the meta-solver.
      meta_gap: the gap inside the population, the meta-solver's own business.
      eval_status: of the second meta-solver.
      cpu_seconds: so far, of each kind of work.
      notes: what the oracle recorded of how the population grew, and the evaluator of
        how it filled the table.
    """

    iteration: int
    gap: float | None
    gap_per_player: list[float] | None
    gap_error: float | None
    gaps: dict[str, float | None]
    eval_gap: float | None
    values: list[float]
    value_sum: float
    eval_values: list[float]
    eval_value_sum: float
    policies: list[int]
    unique_policies: list[int]
    novel: int
    marginals: list[list[float]]
    support: int | None
    entropy: float | None
    status: str
    meta_gap: float | None
    eval_status: str
    cpu_seconds: dict[str, float]
    notes: dict[str, Any]
    exact_gap: float | None = None
    exact_value_sum: float | None = None
    exact_eval_gap: float | None = None
    population_exploitability: float | None = None

    @property
    def flat(self) -> dict[str, Any]:
        """As one JSON object, with a field like ``ne_gap`` for each of the gaps."""
        every: dict[str, Any] = {}
        for name, value in asdict(self).items():
            if name == "gaps":
                every |= {f"{concept}_gap": gap for concept, gap in value.items()}
            else:
                every[name] = value
        return every

    @classmethod
    def shape(cls) -> dict[str, Any]:
        """The fields of every row as JSON has it, and their types.

        Those with a default need not be there: earlier rows were without them.
        """
        hints = get_type_hints(cls)
        shape: dict[str, Any] = {}
        for field in fields(cls):
            hint = hints[field.name]
            shape[field.name] = hint if field.default is MISSING else NotRequired[hint]
        del shape["gaps"]
        return shape

    @classmethod
    def read(cls, flat: Mapping[str, Any]) -> "Row":
        """The row that ``flat`` was made of.

        Raises:
          UserError: it is none: a field is missing, or of another type.
        """
        files.check_shape("a row of metrics", flat, cls.shape())
        known = {f.name: flat[f.name] for f in fields(cls) if f.name in flat}
        gaps: dict[str, float | None] = {
            concept: flat[f"{concept}_gap"]
            for concept in CONCEPTS
            if f"{concept}_gap" in flat
        }
        return cls(**known, gaps=gaps)


def gap_error(state: State, game: AnyGame, concept: TargetConcept) -> float | None:
    """Standard error of the full-game gap, at most; None without responses.

    A gap is what responses earn less what the meta-strategy earns. Responses have
    episodes of their own, so their errors add in quadrature, those of one response
    that several targets share as they are. The payoffs of the table share their
    episodes, and how they vary together is not kept: their errors add as if they erred
    all alike, which is the most.

    Args:
      state: a state with responses.
      game: its meta-game.
      concept: the concept that is responded to.
    """
    if state.responses is None:
        return None
    earned: dict[tuple[bytes, float, float], float] = {}
    asked = targets(game, state.train.joint, concept)
    for target, made in zip(asked, state.responses, strict=True):
        alike = made.policy.tobytes(), made.value, made.error
        earned[alike] = earned.get(alike, 0.0) + target.weight * made.error
    joint = played(state.train.joint, concept)
    known = state.table.error(joint)
    return float(np.sqrt(sum(error**2 for error in earned.values()) + known**2))


def row(state: State, concept: TargetConcept) -> Row:
    """What is known about a state of a run that targets a concept."""
    game = state.table.game(state.population, repeats=False)
    joint = played(state.train.joint, concept)
    values = expected(game, joint)
    final = expected(game, played(state.evaluation.joint, concept))
    per_player = state.gaps[concept]
    return Row(
        iteration=state.iteration,
        gap=state.gap(concept),
        gap_per_player=None if per_player is None else per_player.tolist(),
        gap_error=gap_error(state, game, concept),
        gaps={
            name: None if gap is None else float(gap.sum())
            for name, gap in state.gaps.items()
        },
        eval_gap=state.evaluation_gap,
        values=values.tolist(),
        value_sum=float(values.sum()),
        eval_values=final.tolist(),
        eval_value_sum=float(final.sum()),
        policies=[sum(m.repeats for m in pool) for pool in state.population.pools],
        unique_policies=list(state.population.sizes),
        novel=state.novel,
        marginals=[m.tolist() for m in marginals(joint)],
        support=support(joint),
        entropy=entropy(joint),
        status=state.train.status.name,
        meta_gap=float(np.sum(state.train.gaps.of(concept))),
        eval_status=state.evaluation.status.name,
        cpu_seconds=dict(state.cpu),
        notes={**state.population.notes, **state.table.notes},
    )
