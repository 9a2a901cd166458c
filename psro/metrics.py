"""One flat row of plain numbers for each iteration."""

from typing import Any

import numpy as np

from metaspiel.nfg.gaps import expected
from metaspiel.nfg.simplex import entropy, marginals, support
from psro.parts import State, TargetConcept
from psro.targets import played


def row(state: State, concept: TargetConcept) -> dict[str, Any]:
    """The metrics of a state, as plain numbers.

    ``gap`` is the full-game gap of the training meta-strategy for ``concept``, summed
    over players: every policy of the game counts as a deviation (with a learned oracle
    every policy it can learn, a lower bound). ``meta_gap`` is the gap inside the
    population, the meta-solver's own business. ``gap_error`` is the standard error of
    what the responses earn, 0 where they are exact. Full-game gaps that were not
    measured are None: with a learned oracle those of other concepts and of a second
    meta-solver always, that of the training meta-strategy until it is responded to.
    """
    game = state.table.game(state.population, repeats=False)
    joint = played(state.train.joint, concept)
    values = expected(game, joint)
    final = expected(game, played(state.evaluation.joint, concept))
    per_player, error = state.gaps[concept], None
    if state.responses is not None:
        error = float(np.sqrt(sum(r.error**2 for r in state.responses)))
    fields: dict[str, Any] = {
        "iteration": state.iteration,
        "gap": state.gap(concept),
        "gap_per_player": None if per_player is None else per_player.tolist(),
        "gap_error": error,
    }
    for name, gap in state.gaps.items():
        fields[f"{name}_gap"] = None if gap is None else float(gap.sum())
    fields |= {
        "eval_gap": state.evaluation_gap,
        "values": values.tolist(),
        "value_sum": float(values.sum()),
        "eval_values": final.tolist(),
        "eval_value_sum": float(final.sum()),
        "policies": [sum(m.repeats for m in pool) for pool in state.population.pools],
        "unique_policies": list(state.population.sizes),
        "novel": state.novel,
        "marginals": [m.tolist() for m in marginals(joint)],
        "support": support(joint),
        "entropy": entropy(joint),
        "status": state.train.status.name,
        "meta_gap": float(np.sum(state.train.gaps.of(concept))),
        "eval_status": state.evaluation.status.name,
        "cpu_seconds": dict(state.cpu),
    }
    return fields
