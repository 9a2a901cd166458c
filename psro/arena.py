"""What PSRO is played on: a game, and the oracle and evaluator that it needs.

>>> from metaspiel.games.openspiel import sequence_form
>>> from psro import InProcess, exact_arena
>>> arena = exact_arena(sequence_form("kuhn_poker"), tie_break="first")
>>> oracle, evaluator = arena.parts(0, InProcess())
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from meta_solvers.base import MetaSolver, Progress, check
from metaspiel.games.population import population_game
from metaspiel.games.sequence import SequenceForm
from metaspiel.games.treeplex import TIE_TOLERANCE, TieBreak
from metaspiel.games.zero_sum import Pools
from metaspiel.learn.settings import DDQN, NetworkName, PPOResponse
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.implicit import ImplicitGame
from psro.exact import ExactEvaluator, ExactOracle
from psro.executor import Executor
from psro.implicit import ImplicitEvaluator
from psro.parts import Initial, Population, Start, as_it_is
from psro.setup import Evaluator, Oracle

if TYPE_CHECKING:  # what loads torch
    from metaspiel.games.simulator import Simulator
    from metaspiel.learn.nets import Network
    from psro.referee import Referee


_SIGHT = {
    "information state": "information states",
    "observation": "observations, which need not hold the history",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Arena:
    """A game and how it is played.

    Attributes:
      name: of the game.
      fingerprint: of all that a resumed run must find unchanged.
      caveats: sentences on how what is played differs from the game of that name, and
        on what the reader of its file assumed.
      facts: what else there is to say about the game and its oracle, as JSON values.
      probe: a small meta-game, so that a solver that must refuse does so at once.
      pools: the policies of that game in their tree, where the evaluator knows it.
      parts: (seed, executor) -> oracle and evaluator.
      referee: exact judge of what is learned; None where gaps are exact, or no tree
        was given.
      form: the tree, where responses are exact.
      simulator: where policies are learned and played, as they see it.
      network: of all policies that are learned.
      realised: the separate policies that a population stands for.
    """

    name: str
    fingerprint: str
    caveats: tuple[str, ...] = ()
    facts: Mapping[str, Any]
    probe: Game | ImplicitGame
    parts: Callable[[int, Executor], tuple[Oracle, Evaluator]]
    referee: "Referee | None" = None
    form: SequenceForm | None = None
    simulator: "Simulator | None" = None
    network: "Network | None" = None
    realised: Callable[[Population], Population] = as_it_is
    pools: Pools | None = None

    def require(self, solver: MetaSolver, horizon: int | None = None) -> None:
        """Refuses a meta-solver that could not take the meta-games of a run.

        Args:
          solver: it is asked before anything is trained or written.
          horizon: how many iterations the loop will name to it.

        Raises:
          UserError: it refuses.
        """
        pools = self.pools if solver.uses_tree else None
        progress = Progress(iteration=0, horizon=horizon, pools=pools)
        check(solver, self.probe, progress)


def exact_arena(
    form: SequenceForm,
    *,
    tie_break: TieBreak = "random",
    initial: Initial = "uniform",
    shared: bool = False,
    assumed: str = "",
    ties: float = TIE_TOLERANCE,
    tensor: bool = True,
) -> Arena:
    """Exact best responses and payoffs, where the tree of a game fits in memory.

    Args:
      form: the game.
      tie_break: which of several best actions a response takes; it changes results.
      initial: the policies before the first iteration.
      shared: one pool for all players.
      assumed: what the reader of the game's file took for granted, a caveat as well.
      ties: actions whose values differ by less than this fraction tie.
      tensor: payoffs of all profiles are written out; else the tree answers for the
        meta-game, which takes solvers that need no tensor and independent pools.

    Raises:
      UserError: a shared pool in a game that is not symmetric, or without the tensor.
    """
    if shared and not tensor:
        raise UserError("exact_arena(): a shared pool must have its tensor; got none")
    rng = np.random.default_rng(0)
    plans = [
        tree.plan(np.stack([tree.uniform(), tree.random_deterministic(rng)]))
        for tree in form.trees
    ]
    oracle = ExactOracle(
        form,
        tie_break=tie_break,
        initial_policies=initial,
        shared=shared,
        ties=ties,
    )
    evaluator = ExactEvaluator(form) if tensor else ImplicitEvaluator(form)
    caveats = (*form.caveats, assumed) if assumed else form.caveats
    return Arena(
        name=form.name,
        fingerprint=form.fingerprint,
        caveats=caveats,
        facts={
            "oracle": "exact",
            "tie_break": tie_break,
            "ties": ties,
            "initial": initial,
            "tensor": tensor,
            "infosets": [tree.infosets for tree in form.trees],
            "terminals": int(form.ends.shape[1]),
            "infostates_split": list(form.split),
            "absent_minded": list(form.absent_minded),
            "played": form.played,
            "caveats": list(caveats),
        },
        probe=_probe(form, plans, tensor),
        parts=lambda seed, executor: (oracle, evaluator),
        form=form,
        pools=Pools(form, tuple(plans)),
    )


def _probe(
    form: SequenceForm, plans: Sequence[ndarray], tensor: bool
) -> Game | ImplicitGame:
    """The meta-game of some policies, in the form that a run's will have."""
    game = Game(form.tensor(plans))
    return game if tensor else population_game(form, plans, game.scale)


def learned_arena(
    game: "Simulator",
    settings: DDQN | PPOResponse,
    *,
    episodes: int = 1000,
    every_instance: bool = False,
    start: Start = "scratch",
    width: int = 200,
    memory: int | None = None,
    network: NetworkName = "mlp",
    form: SequenceForm | None = None,
) -> Arena:
    """Learned best responses and sampled payoffs, on any batched simulator.

    Symmetric games have one pool for all players.

    Args:
      game: where policies are learned and played.
      settings: how they are learned, by Double DQN or PPO, and on which device.
      episodes: of each payoff.
      every_instance: greedy policies play every instance of chance once instead of
        random episodes, which is exact.
      start: weights that a response begins with, see ``LearnedOracle``.
      width: units of each hidden layer of all policies.
      memory: how many of their last decisions players remember, what they saw and did;
        None for what they see at the moment alone. See ``Recalling``.
      network: kind of all policies; "gru" and "lstm" read a memory step by step, "mlp"
        as one row of numbers. Double DQN takes "mlp" only.
      form: tree of the same game, for exact gaps of what is learned beside the learned
        ones.

    Raises:
      UserError: chance has no short list of instances, where all are to be played, or
        policies are not greedy; there is a tree of a game that is not OpenSpiel's; or
        the network has no memory to read, or cannot learn so.
    """
    from metaspiel.learn.evaluate import Instances
    from metaspiel.learn.recurrent import network_of
    from metaspiel.learn.update import check_written
    from psro.referee import Referee
    from psro.rl import LearnedOracle

    if every_instance and settings.play != "greedy":
        raise UserError(
            "learned_arena(): only greedy policies can play every instance once; the "
            "policies of PPO are sampled"
        )
    game = remembering(game, memory)
    policies = network_of(game, network, width=width)
    if isinstance(settings, DDQN):
        check_written("learned_arena()", policies)
    instances = Instances.of(game) if every_instance else None
    caveats = _caveats(game, form)

    def parts(seed: int, executor: Executor) -> tuple[Oracle, Evaluator]:
        oracle = LearnedOracle(
            simulator=game,
            network=policies,
            settings=settings,
            executor=executor,
            shared=game.symmetric,
            episodes=episodes,
            start=start,
        )
        return oracle, oracle.evaluator(seed, instances)

    size = (2,) * game.players
    return Arena(
        name=game.name,
        fingerprint=game.name if memory is None else f"{game.name}, {game.reads}",
        caveats=caveats,
        facts={
            **_learned_facts(game, settings, caveats),
            "start": start,
            "network": network,
            "width": width,
            "episodes": episodes,
        },
        probe=Game(np.zeros((game.players, *size)), symmetric=game.symmetric),
        parts=parts,
        referee=None if form is None else Referee.of(game, form, policies),
        simulator=game,
        network=policies,
    )


def remembering(game: "Simulator", memory: int | None) -> "Simulator":
    """The game as players see it who remember so many of their last decisions.

    Raises:
      UserError: no episode has as many moves.
    """
    from metaspiel.games.recalling import Recalling

    if memory is None:
        return game
    if memory > game.longest:
        raise UserError(
            f"learned_arena(): memory must be at most the {game.longest} moves of the "
            f"longest episode of '{game.name}'; got {memory}"
        )
    return Recalling(game, memory)


def _learned_facts(
    game: "Simulator", settings: DDQN | PPOResponse, caveats: tuple[str, ...]
) -> dict[str, Any]:
    """What there is to say about a game and how it is learned."""
    return {
        "oracle": f"{settings.name} (gaps estimate lower bounds; noise pushes them up)",
        "shared_pool": game.symmetric,
        **settings.budgeted,
        "longest_episode": game.longest,
        "policies_see": _SIGHT.get(game.reads, game.reads),
        "played": "the game itself",
        "caveats": list(caveats),
    }


def _caveats(game: "Simulator", form: SequenceForm | None) -> tuple[str, ...]:
    """Sentences on what players do not see, and on what exact gaps are of."""
    from metaspiel.games.batched import OpenSpielSimulator

    seen = game.caveats if isinstance(game, OpenSpielSimulator) else _unseen(game)
    judged = () if form is None else form.caveats
    return (*seen, *(f"exact gaps: {one}" for one in judged))


def _unseen(game: "Simulator") -> tuple[str, ...]:
    """A sentence where players of a game of ours see less than they may know."""
    if game.reads != "observation":
        return ()
    return (
        "observations: what players of this game observe at a move may not tell what "
        "they saw and did before",
    )
