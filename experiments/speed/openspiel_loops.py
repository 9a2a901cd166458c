"""OpenSpiel's jpsro and psro_v2 loops, run as they are, and judged by our means."""

import contextlib
import io
from typing import Any

import numpy as np
from open_spiel.python.algorithms import jpsro
from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

from experiments.speed.comparisons import Comparison
from metaspiel.games.openspiel import from_openspiel
from metaspiel.games.sequence import SequenceForm
from psro.exact import judge
from psro.openspiel_calls import globally_seeded, linear_programs_by

Played = dict[str, tuple[list[list[Any]], np.ndarray]]
"""Each player's OpenSpiel policies and a joint over them.

The key "" is the meta-strategy that was responded to, "eval_" the one only measured.
"""


def play(row: Comparison, game: Any, lp: str, seed: int, *, simulations: int) -> Played:
    """The loop that the row is about, on a game that is loaded already."""
    with linear_programs_by(lp), globally_seeded(seed):
        if row.evaluation is not None:
            return _jpsro(row, game, seed)
        with contextlib.redirect_stdout(io.StringIO()):  # it reports its settings
            return _psro_v2(row, game, simulations)


def _jpsro(row: Comparison, game: Any, seed: int) -> Played:
    """The jpsro loop; its results come out through the callback only."""
    kept: Played = {}

    def callback(*state: Any) -> Any:
        policies, joints, eval_joints, checkpoint = (state[i] for i in (2, 6, 7, 13))
        kept.update({"": (policies, joints[-1]), "eval_": (policies, eval_joints[-1])})
        return checkpoint

    jpsro.run_loop(
        game=game,
        game_name=str(game),
        seed=seed,
        iterations=row.iterations,
        target_equilibrium=row.concept,
        train_meta_solver=row.theirs,
        eval_meta_solver=row.evaluation,
        callback=callback,
    )
    return kept


def _psro_v2(row: Comparison, game: Any, simulations: int) -> Played:
    """PSROSolver with its exact best responses in C++."""
    solver = psro_v2.PSROSolver(
        game,
        best_response_oracle.BestResponseOracle(game=game),
        sims_per_entry=simulations,
        training_strategy_selector="probabilistic",
        meta_strategy_method=row.theirs,
        sample_from_marginals=True,
    )
    for _ in range(row.iterations):
        solver.iteration()
    first, second = solver.get_meta_strategies()
    return {"": (solver.get_policies(), np.multiply.outer(first, second))}


def judged(
    row: Comparison, form: SequenceForm, game: Any, played: Played
) -> dict[str, float]:
    """Full-game gaps and value sums of what came out, by our exact best responses."""
    numbers: dict[str, float] = {}
    for name, (policies, joint) in played.items():
        plans = [
            np.stack([tree.plan(from_openspiel(form, game, p, player)) for p in pool])
            for player, (tree, pool) in enumerate(
                zip(form.trees, policies, strict=True)
            )
        ]
        gap, value_sum = judge(form, plans, joint, row.concept)
        numbers |= {f"{name}gap": gap, f"{name}value_sum": value_sum}
    return numbers
