"""From the fields of a PSRO run to what is played: game, responses and solvers."""

from dataclasses import replace
from typing import TYPE_CHECKING

from experiments.psro_parts.config import Settings
from experiments.psro_parts.own import own_arena, with_evaluator
from experiments.psro_parts.walking import walking
from meta_solvers import get
from metaspiel.games.sequence import SequenceForm, from_normal_form
from metaspiel.games.worlds import SIMULATORS
from metaspiel.nfg.errors import UnknownGame, UserError
from metaspiel.nfg.reading import read
from psro.arena import Arena, exact_arena, learned_arena
from psro.executor import Executor
from psro.neupl.settings import Neural
from psro.parts import CONCEPTS
from psro.selection import NO_TREE
from psro.setup import Setup

if TYPE_CHECKING:  # what loads torch
    from metaspiel.games.simulator import Simulator


def built(config: Settings) -> Arena:
    """The game, and who responds in it.

    Raises:
      UserError: no such game, or one that the oracle cannot play.
    """
    if config.responder == "own":
        return own_arena(config)
    if config.responder == "exact":
        form, assumed = _sequence_form(config)
        if config.oracle == "neupl":
            return _neural(config, form)
        arena = exact_arena(
            form,
            tie_break=config.tie_break,
            initial=config.initial,
            shared=config.symmetric,
            assumed=assumed,
            tensor=config.tensor,
        )
        return with_evaluator(config, arena)
    import torch

    from metaspiel.games.named import named_simulator

    torch.set_num_threads(1)
    game = named_simulator(config.game, config.players)
    judged = _refereed(config, game) if config.referee else None
    if config.oracle == "neupl":
        from psro.neupl import sampled_arena

        return sampled_arena(
            game,
            config.learner,
            neural=Neural(
                codes=config.codes,
                distillation=config.distil,
                states=config.states,
                head=config.head,
                payoffs=config.payoffs_by,
            ),
            episodes=config.episodes,
            memory=config.memory,
            network=config.network,
            form=judged,
        )
    return learned_arena(
        game,
        config.learner,
        episodes=config.episodes,
        every_instance=config.all_instances,
        start=config.start,
        width=config.width,
        memory=config.memory,
        network=config.network,
        form=judged,
    )


def _neural(config: Settings, form: SequenceForm) -> Arena:
    """One network as the population, of exact best responses."""
    import torch

    from psro.neupl import neural_arena

    torch.set_num_threads(1)
    return neural_arena(
        form,
        codes=config.codes,
        distillation=config.distil,
        weighting=config.weighting,
        tie_break=config.tie_break,
        initial=config.initial,
        shared=config.symmetric,
        ties=config.ties,
        payoffs=config.payoffs_by,
    )


def _refereed(config: Settings, game: "Simulator") -> SequenceForm:
    """The tree of a game that is learned, for its referee.

    Raises:
      UserError: it has none, or one that does not fit in memory.
    """
    from metaspiel.games.batched import OpenSpielSimulator
    from metaspiel.games.walk import TreeTooBig

    if not isinstance(game, OpenSpielSimulator):
        raise UserError(
            "--referee: the game must be one of OpenSpiel, whose tree is walked; got "
            f"'{game.name}'"
        )
    try:
        return walked(replace(config, game=game.name, players=None))
    except TreeTooBig as error:
        raise TreeTooBig(
            f"--referee: {error}; --memory-gb sets the limit, without --referee gaps "
            "are learned only"
        ) from None


def tree_of(config: Settings, arena: Arena, memory_gb: float) -> SequenceForm:
    """The tree of a run's game, walked where the run did not walk it.

    Args:
      config: of the run.
      arena: of the run.
      memory_gb: refuse a game whose tree makes the process grow by more than this.

    Raises:
      UserError: the game has no tree, or it does not fit.
    """
    if arena.form is not None:
        return arena.form
    if arena.referee is not None:
        return arena.referee.form
    from metaspiel.games.named import named_simulator

    judged = replace(config, referee=True, memory_gb=memory_gb)
    return _refereed(judged, named_simulator(config.game, config.players))


def _sequence_form(config: Settings) -> tuple[SequenceForm, str]:
    """The game, and what the reader of its file assumed."""
    if config.payoffs is not None:
        reading = read(config.payoffs, config.memory_gb)
        game = reading.game
        if game.members is not None or game.repeats is not None:
            raise UserError(
                "--payoffs: PSRO plays one game, without an ensemble or repeats; solve "
                "them with metaspiel solve"
            )
        return from_normal_form(game, config.payoffs.name), reading.assumed
    from metaspiel.games.walk import TreeTooBig

    try:
        return walked(config), ""
    except TreeTooBig as error:
        learn = ""
        if _can_learn(config):
            learn = f", {config.asks} ppo learns without the tree"
        raise TreeTooBig(f"{error}; --memory-gb sets the limit{learn}") from None


def walked(config: Settings) -> SequenceForm:
    """The tree of a game by its name, or of a file in Gambit's format.

    Raises:
      UserError: there is no such game, or it has no tree that fits.
    """
    with walking(config.game, config.run) as progress:
        if config.tree is not None:
            from metaspiel.games import efg

            return efg.from_file(
                config.tree, memory_gb=config.memory_gb, progress=progress
            )
        from metaspiel.games.openspiel import OPENSPIEL, sequence_form

        if config.game.startswith(OPENSPIEL):
            raise UserError(
                f"--game: a name after '{OPENSPIEL}' needs learned responses "
                f"({config.asks} ppo), exact ones take it without; got '{config.game}'"
            )
        try:
            return sequence_form(
                config.game,
                config.players,
                config.memory_gb,
                progress=progress,
                observations=config.observations,
            )
        except UnknownGame:
            if config.game.partition("(")[0] not in SIMULATORS:
                raise
            raise UserError(
                f"--game: '{config.game}' has no tree, it needs learned responses "
                f"({config.asks} ppo); got {config.asks} exact"
            ) from None


def _can_learn(config: Settings) -> bool:
    """Whether responses could be learned in the game instead."""
    if config.tree is not None:
        return False
    from metaspiel.games.information import has_tensors
    from metaspiel.games.openspiel import load

    return has_tensors(load(config.game, config.players).get_type())


def assembled(config: Settings, arena: Arena, executor: Executor) -> Setup:
    """The parts of the loop; all that was asked for is resolved.

    Raises:
      UserError: no such solver, or one that cannot take the meta-games of the run; or
        this machine cannot learn as is asked.
    """
    if config.responder not in ("own", "exact"):
        config.learner.check_here(f"--{config.responder}")
    solver = get(config.solver)
    evaluation = None if config.eval_solver is None else get(config.eval_solver)
    for chosen in (solver, evaluation):
        if chosen is not None:
            arena.require(chosen, config.horizon)
    if config.selection == "population_exploitability":
        reason = NO_TREE if arena.pools is None else arena.pools.objection
        if reason is not None:
            raise UserError(f"--selection {config.selection}: {reason}")
    concept = config.concept
    if concept == "auto":
        concept = "cce" if solver.concept == "none" else solver.concept
    oracle, evaluator = arena.parts(config.seed, executor)
    return Setup(
        oracle=oracle,
        evaluator=evaluator,
        solver=solver,
        concept=concept,
        seed=config.seed,
        evaluation=evaluation,
        selection=config.selection,
        update=config.update,
        repeats=config.repeats,
        prune=config.prune,
        measured=CONCEPTS if config.gaps == "all" else (),
        horizon=config.horizon,
    )
