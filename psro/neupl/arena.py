"""What a neural population is played on."""

from dataclasses import replace

from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.sequence import SequenceForm
from metaspiel.games.simulator import Simulator
from metaspiel.games.treeplex import TIE_TOLERANCE, TieBreak
from metaspiel.learn.recurrent import network_of
from metaspiel.learn.settings import DDQN, NetworkName, PPOResponse
from metaspiel.nfg.errors import UserError
from psro.arena import Arena, exact_arena, learned_arena, remembering
from psro.executor import Executor, InProcess
from psro.neupl.exact import ExactStudent
from psro.neupl.oracle import NeuralOracle, RealisedEvaluator, Student
from psro.neupl.payoffs import EstimatedEvaluator
from psro.neupl.sampled import SampledStudent
from psro.neupl.settings import (
    Codes,
    Distillation,
    Neural,
    PayoffNetwork,
    Weighting,
)
from psro.parts import Initial
from psro.referee import Seen
from psro.setup import Evaluator, Oracle


def neural_arena(
    form: SequenceForm,
    *,
    codes: Codes | None = None,
    distillation: Distillation | None = None,
    weighting: Weighting = "own_reach",
    tie_break: TieBreak = "random",
    initial: Initial = "uniform",
    shared: bool = False,
    ties: float = TIE_TOLERANCE,
    payoffs: PayoffNetwork | None = None,
) -> Arena:
    """One conditional network as the population, exact teachers and exact payoffs.

    Args:
      form: the game, one of OpenSpiel's with information state tensors.
      codes: the network and its codes.
      distillation: how it learns.
      weighting: states that count, see ``ExactStudent``.
      tie_break: which of several best actions a teacher takes; it changes results.
      initial: the policies before the first iteration.
      shared: one pool for all players.
      ties: actions whose values differ by less than this fraction tie. By default
        rounding does: a softmax never avoids an action wholly, so that co-players'
        small errors break ties that separate policies leave open. At about the
        tolerance ties are what they are with separate policies.
      payoffs: how payoffs are estimated, where not all cells are filled in exactly.

    Raises:
      UserError: the game shows no tensors, or cannot tell its information states apart
        by them; or a shared pool in a game that is not symmetric.
    """
    arena = exact_arena(
        form, tie_break=tie_break, initial=initial, shared=shared, ties=ties
    )
    game = _tensors(form)
    student = ExactStudent.of(
        form,
        [Seen.of(game, tree, player) for player, tree in enumerate(form.trees)],
        codes=codes,
        distillation=distillation,
        weighting=weighting,
    )
    return neural(arena, student, payoffs)


def sampled_arena(
    game: Simulator,
    settings: DDQN | PPOResponse,
    *,
    neural: Neural | None = None,
    episodes: int = 1000,
    memory: int | None = None,
    network: NetworkName = "mlp",
    form: SequenceForm | None = None,
) -> Arena:
    """One conditional network as the population, learned teachers, sampled payoffs.

    Symmetric games have one pool for all players. Every code plays by sampling, what
    it learned of a greedy teacher as well.

    Args:
      game: where policies are learned and played.
      settings: how responses are learned, by Double DQN or PPO, and on which device.
      neural: the network, and how it learns of responses.
      episodes: of each payoff.
      memory: how many of their last decisions players remember; see ``learned_arena``.
      network: kind of all policies; "gru" and "lstm" read a memory step by step, and
        codes condition what comes after it.
      form: tree of the same game, for exact gaps of what the network plays.

    Raises:
      UserError: as ``learned_arena``; or responses cannot begin as is asked.
    """
    asked = neural or Neural()
    asked.head.check(settings)
    width = asked.codes.width
    arena = learned_arena(
        game,
        settings,
        episodes=episodes,
        width=width,
        memory=memory,
        network=network,
        form=form,
    )
    game = remembering(game, memory)
    body = network_of(game, network, width=width)

    def student(executor: Executor) -> SampledStudent:
        return SampledStudent(
            simulator=game,
            body=body,
            executor=executor,
            codes=asked.codes,
            distillation=asked.distillation,
            states=asked.states,
            head=asked.head,
            device=settings.device,
        )

    def parts(seed: int, executor: Executor) -> tuple[Oracle, Evaluator]:
        teacher, inner = arena.parts(seed, executor)
        mine = student(executor)
        evaluator = EstimatedEvaluator(RealisedEvaluator(inner, mine), asked.payoffs)
        return NeuralOracle(teacher, mine), evaluator

    here = student(InProcess())
    facts = {"teacher": arena.facts["oracle"]} | here.facts
    referee = arena.referee
    if referee is not None:
        referee = replace(referee, realised=here.realised)
    return replace(
        arena,
        facts={**arena.facts, "oracle": "neupl", **facts},
        parts=parts,
        referee=referee,
        realised=here.realised,
    )


def neural(
    arena: Arena, student: Student, payoffs: PayoffNetwork | None = None
) -> Arena:
    """The arena in which a student plays the population and learns of its oracle.

    Args:
      arena: separate policies, their oracle and their evaluator.
      student: the network.
      payoffs: how payoffs are estimated, where not all cells are played.
    """
    estimate = payoffs or PayoffNetwork()

    def parts(seed: int, executor: Executor) -> tuple[Oracle, Evaluator]:
        teacher, inner = arena.parts(seed, executor)
        evaluator = RealisedEvaluator(inner, student)
        return NeuralOracle(teacher, student), EstimatedEvaluator(evaluator, estimate)

    facts = {"teacher": arena.facts["oracle"]} | student.facts
    return replace(
        arena,
        facts={**arena.facts, "oracle": "neupl", **facts},
        parts=parts,
        realised=student.realised,
    )


def _tensors(form: SequenceForm) -> OpenSpielSimulator:
    """What shows the players of a game their tensors."""
    where = "neural_arena(): the game must show its information states as tensors"
    try:
        game = OpenSpielSimulator(form.name)
    except UserError as error:
        raise UserError(f"{where}; '{form.name}' does not ({error})") from None
    if game.reads != "information state":
        raise UserError(f"{where}; '{form.name}' shows observations only")
    return game
