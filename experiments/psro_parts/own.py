"""Oracles and evaluators of a user's own on the page: what they are played on."""

from dataclasses import replace
from typing import Any

import numpy as np

from experiments.psro_parts.config import Settings
from meta_solvers.own_code import of_parts
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from psro.arena import Arena
from psro.exact import ExactEvaluator
from psro.executor import Executor
from psro.ground import Ground
from psro.own_parts import EVALUATORS, ORACLES
from psro.parts import PLAN, Population
from psro.setup import Evaluator, Oracle


def own_arena(config: Settings) -> Arena:
    """A game for an oracle of a user's own.

    Raises:
      UserError: there is no such oracle or evaluator, or one is none; or no such game.
    """
    oracle, evaluator, ground = _made(config, config.seed)
    with of_parts(oracle):
        population = oracle.initial(np.random.default_rng(0))
    if not isinstance(population, Population):
        raise UserError(
            f"oracle '{config.oracle}': initial() must give a Population; got "
            f"{type(population).__name__}"
        )
    players = len(population.pools)
    plays = {member.play for pool in population.pools for member in pool}

    def parts(seed: int, executor: Executor) -> tuple[Oracle, Evaluator]:
        if seed == config.seed:
            return oracle, evaluator
        return _made(config, seed)[:2]

    return Arena(
        name=_name(ground),
        fingerprint=_name(ground),
        facts={
            "oracle": config.oracle,
            "evaluator": config.evaluator or type(evaluator).__name__,
            "played": "the game itself",
            "caveats": [],
        },
        probe=Game(np.zeros((players, *(2,) * players))),
        parts=parts,
        form=ground.walked if plays == {PLAN} else None,
    )


def with_evaluator(config: Settings, arena: Arena) -> Arena:
    """An arena of exact best responses whose payoffs a user's evaluator fills in.

    Raises:
      UserError: there is no such evaluator, or it is none.
    """
    spec, form = config.evaluator, arena.form
    if spec is None or form is None:
        return arena

    def parts(seed: int, executor: Executor) -> tuple[Oracle, Evaluator]:
        oracle, _ = arena.parts(seed, executor)
        ground = replace(_ground(config, seed), tree=form)
        return oracle, _evaluator(spec, ground, oracle)

    facts = {**arena.facts, "evaluator": spec}
    return replace(arena, parts=parts, facts=facts, pools=None)


def _ground(config: Settings, seed: int) -> Ground:
    return Ground(
        name=config.game,
        players=config.players,
        seed=seed,
        memory_gb=config.memory_gb,
    )


def _name(ground: Ground) -> str:
    from metaspiel.games.walk import name_of

    return name_of(ground.game)


def _made(config: Settings, seed: int) -> tuple[Oracle, Evaluator, Ground]:
    """Oracle and evaluator of a trial, and what they were made for."""
    ground = _ground(config, seed)
    oracle = ORACLES.make(config.oracle, ground)
    if not isinstance(oracle, Oracle):
        raise UserError(
            f"oracle '{config.oracle}': its factory must make an oracle, with initial, "
            f"respond, measure and grow; got {type(oracle).__name__}"
        )
    return oracle, _evaluator(config.evaluator, ground, oracle), ground


def _evaluator(spec: str | None, ground: Ground, oracle: Oracle) -> Evaluator:
    """The evaluator of a spec, else the oracle's own, else exact payoffs."""
    brings: Any = getattr(oracle, "evaluator", None)
    if spec is None and callable(brings):
        made = brings(ground.seed)
    elif spec in (None, "exact"):
        made = ExactEvaluator(ground.form)
    else:
        made = EVALUATORS.make(spec, ground, oracle)
    if not isinstance(made, Evaluator):
        raise UserError(
            f"evaluator of '{spec or type(oracle).__name__}': it must have ensemble "
            f"and fill; got {type(made).__name__}"
        )
    return made
