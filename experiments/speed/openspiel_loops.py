"""OpenSpiel's jpsro and psro_v2 loops, run as they are, and judged by our means."""

import contextlib
import io
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from metaspiel.games.sequence import SequenceForm
    from psro.parts import TargetConcept

Played = dict[str, tuple[list[list[Any]], np.ndarray]]
"""Each player's OpenSpiel policies and a joint over them.

The key "" is the meta-strategy that was responded to, "eval_" the one only measured.
"""


def run_jpsro(
    game: Any,
    iterations: int,
    lp: str,
    seed: int,
    concept: "TargetConcept",
    train: str,
    evaluation: str,
) -> Played:
    """OpenSpiel's jpsro loop; its results come out through the callback only."""
    from open_spiel.python.algorithms import jpsro

    from psro.openspiel import linear_programs_by

    kept: Played = {}

    def callback(*state: Any) -> Any:
        policies, joints, eval_joints, checkpoint = (state[i] for i in (2, 6, 7, 13))
        kept.update({"": (policies, joints[-1]), "eval_": (policies, eval_joints[-1])})
        return checkpoint

    with linear_programs_by(lp), _global_seed(seed):
        jpsro.run_loop(
            game=game,
            game_name=str(game),
            seed=seed,
            iterations=iterations,
            target_equilibrium=concept,
            train_meta_solver=train,
            eval_meta_solver=evaluation,
            callback=callback,
        )
    return kept


def run_psro_v2(
    game: Any, iterations: int, lp: str, seed: int, method: str, simulations: int
) -> Played:
    """OpenSpiel's PSROSolver with its exact best responses in C++."""
    from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

    from psro.openspiel import linear_programs_by

    with (
        linear_programs_by(lp),
        _global_seed(seed),
        contextlib.redirect_stdout(io.StringIO()),  # it reports its settings
    ):
        solver = psro_v2.PSROSolver(
            game,
            best_response_oracle.BestResponseOracle(game=game),
            sims_per_entry=simulations,
            training_strategy_selector="probabilistic",
            meta_strategy_method=method,
            sample_from_marginals=True,
        )
        for _ in range(iterations):
            solver.iteration()
    first, second = solver.get_meta_strategies()
    return {"": (solver.get_policies(), np.multiply.outer(first, second))}


@contextlib.contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seeds the two global generators that OpenSpiel draws from, and restores them."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002


def judge(
    concept: "TargetConcept",
    form: "SequenceForm",
    game: Any,
    policies: list[list[Any]],
    joint: np.ndarray,
) -> tuple[float, float]:
    """Full-game gap and value sum of a joint over OpenSpiel's policies.

    Both come from our sequence form, with exact payoffs and best responses.
    """
    from metaspiel.games.openspiel import from_openspiel
    from metaspiel.nfg.game import Game
    from metaspiel.nfg.gaps import expected
    from psro.exact import ExactOracle
    from psro.parts import Member, Population
    from psro.targets import gap_of, played, targets

    plans = [
        np.stack([tree.plan(from_openspiel(form, game, p, player)) for p in pool])
        for player, (tree, pool) in enumerate(zip(form.trees, policies, strict=True))
    ]
    meta = Game(form.tensor(plans))
    pools = tuple(tuple(Member(i, p) for i, p in enumerate(pool)) for pool in plans)
    asked = targets(meta, joint, concept)
    oracle, rng = ExactOracle(form, "first"), np.random.default_rng(0)
    answers = oracle.respond(Population(pools), asked, rng)
    gap = gap_of(form.players, answers).sum()
    return float(gap), float(expected(meta, played(joint, concept)).sum())
