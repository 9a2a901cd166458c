"""What a PSRO run is played on: a game, and the oracle and evaluator it needs."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from experiments.psro.config import Config
    from meta_solvers import Game, MetaSolver
    from metaspiel.games.sequence import SequenceForm
    from metaspiel.games.simulator import Simulator
    from psro.executor import Executor
    from psro.setup import Evaluator, Oracle

OPENSPIEL = "openspiel/"  # a game by this prefix is never our own simulator
BARGAINING = ("bargaining", "bargaining_generalized")


@dataclass(frozen=True, eq=False, kw_only=True)
class Arena:
    """A game and how it is played.

    Attributes:
      name: of the game.
      fingerprint: of all that a resumed run must find unchanged.
      split: information states a player that were split to make recall perfect.
      facts: what the summary says about the game.
      probe: a small meta-game, so that a solver that must refuse does so at once.
      parts: (seed, executor) -> oracle and evaluator.
    """

    name: str
    fingerprint: str
    split: tuple[int, ...]
    facts: dict[str, Any]
    probe: "Game"
    parts: "Callable[[int, Executor], tuple[Oracle, Evaluator]]"


def build(config: "Config") -> Arena:
    """The arena of a run.

    Raises:
      UserError: no such game, or one that the oracle cannot play.
    """
    return _exact(config) if config.oracle == "exact" else _learned(config)


def _exact(config: "Config") -> Arena:
    import numpy as np

    from meta_solvers import Game
    from psro.exact import ExactEvaluator, ExactOracle

    form = _sequence_form(config)
    rng = np.random.default_rng(0)
    plans = [
        tree.plan(np.stack([tree.uniform(), tree.random_deterministic(rng)]))
        for tree in form.trees
    ]
    oracle = ExactOracle(
        form,
        tie_break=config.tie_break,
        initial_policies=config.initial,
        shared=config.symmetric,
    )
    facts = {
        "oracle": "exact",
        "tie_break": config.tie_break,
        "initial": config.initial,
        "infosets": [tree.infosets for tree in form.trees],
        "terminals": int(form.ends.shape[1]),
        "infostates_split": list(form.split),
    }
    return Arena(
        name=form.name,
        fingerprint=form.fingerprint,
        split=form.split,
        facts=facts,
        probe=Game(form.tensor(plans)),
        parts=lambda seed, executor: (oracle, ExactEvaluator(form)),
    )


def _sequence_form(config: "Config") -> "SequenceForm":
    if config.payoffs is not None:
        from metaspiel.games.sequence import from_normal_form
        from metaspiel.nfg import load

        game = load(config.payoffs)
        if game.members is not None or game.repeats is not None:
            raise UserError(
                "--payoffs: PSRO plays one game, without an ensemble or repeats; solve "
                "them with experiments.solve"
            )
        return from_normal_form(game, config.payoffs.name)
    from metaspiel.games.openspiel import sequence_form

    if config.run.silent or not sys.stdout.isatty():
        return sequence_form(config.game, config.players, config.memory_gb)
    from rich.console import Console

    with Console().status(f"walking the tree of {config.game}") as status:

        def show(seen: int) -> None:
            status.update(f"walking the tree of {config.game}: {seen} states")

        return sequence_form(
            config.game, config.players, config.memory_gb, progress=show
        )


def _learned(config: "Config") -> Arena:
    import numpy as np
    import torch

    from meta_solvers import Game
    from metaspiel.learn.evaluate import Instances
    from metaspiel.learn.mlp import MLP
    from metaspiel.learn.settings import DDQN
    from psro.rl import LearnedOracle, SampledEvaluator

    torch.set_num_threads(1)
    game = simulator(config.game, config.players)
    settings = DDQN.budget(config.decisions, device=config.device)
    network = MLP.of(game)
    shared = game.symmetric
    instances = Instances.of(game) if config.all_instances else None

    def parts(seed: int, executor: "Executor") -> "tuple[Oracle, Evaluator]":
        return (
            LearnedOracle(
                simulator=game,
                network=network,
                settings=settings,
                executor=executor,
                shared=shared,
                episodes=config.episodes,
            ),
            SampledEvaluator(
                simulator=game,
                network=network,
                executor=executor,
                episodes=config.episodes,
                seed=seed,
                device=config.device,
                instances=instances,
            ),
        )

    facts = {
        "oracle": "ddqn (gaps estimate lower bounds; noise pushes them up)",
        "shared_pool": shared,
        "decisions": settings.rounds * settings.games,
        "episodes": config.episodes,
        "longest_episode": game.longest,
    }
    size = (2,) * game.players
    probe = Game(np.zeros((game.players, *size)), symmetric=shared)
    return Arena(
        name=game.name,
        fingerprint=game.name,
        split=(),
        facts=facts,
        probe=probe,
        parts=parts,
    )


def check_solver(solver: "MetaSolver", probe: "Game", horizon: int | None) -> None:
    """Refuses a meta-solver that could not take the meta-games of a run.

    Args:
      solver: it is asked before anything is written.
      probe: a small meta-game of that kind.
      horizon: as configured.
    """
    from meta_solvers.base import Progress, check

    def refusal(horizon: int | None) -> UserError | None:
        try:
            check(solver, probe, Progress(iteration=0, horizon=horizon))
        except UserError as error:
            return error
        return None

    error = refusal(horizon)
    if error is None:
        return
    only_the_horizon = horizon is None and refusal(1) is None
    raise UserError(f"{error} (--horizon names one)") if only_the_horizon else error


def simulator(name: str, players: int | None) -> "Simulator":
    """The batched simulator of a game: our own, or any OpenSpiel game, wrapped.

    Raises:
      UserError: OpenSpiel does not know the game, or it cannot be played in batches.
    """
    if ("(" in name) != name.endswith(")"):
        raise UserError(f"--game: brackets must be closed at the end; got '{name}'")
    short, _, rest = name.removesuffix(")").partition("(")
    if short in BARGAINING:
        if players not in (None, 2):
            raise UserError(f"--players: {short} has 2 players; got {players}")
        return _bargaining(rest)
    from metaspiel.games.batched import OpenSpielSimulator

    text = name.removeprefix(OPENSPIEL)
    if players is not None:
        end = text.removesuffix(")")
        text = f"{end}{',' if '(' in end else '('}players={players})"
    return OpenSpielSimulator(text)


def _bargaining(rest: str) -> "Simulator":
    """Our Bargaining from OpenSpiel's way to write parameters."""
    from metaspiel.games.bargaining import Bargaining

    values: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        key, _, value = pair.partition("=")
        values[key.strip()] = value.strip()
    strange = values.keys() - {"discount", "exponent"}
    if strange:
        raise UserError(
            "--game: bargaining knows the parameters discount and exponent; got "
            f"{', '.join(sorted(strange))} (OpenSpiel's own game is "
            f"{OPENSPIEL}bargaining)"
        )
    try:
        discount = float(values.get("discount", "0.99"))
    except ValueError:
        raise UserError(
            f"--game: discount must be a number; got '{values['discount']}'"
        ) from None
    return Bargaining(discount, values.get("exponent", "offers"))  # type: ignore[arg-type]
