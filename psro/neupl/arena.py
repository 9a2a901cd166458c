"""What a neural population is played on."""

from dataclasses import replace

from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.sequence import SequenceForm
from metaspiel.games.treeplex import TIE_TOLERANCE, TieBreak
from metaspiel.nfg.errors import UserError
from psro.arena import Arena, exact_arena
from psro.executor import Executor
from psro.neupl.board import Weighting
from psro.neupl.codes import Codes
from psro.neupl.exact import ExactStudent
from psro.neupl.lesson import Distillation
from psro.neupl.oracle import NeuralOracle, RealisedEvaluator, Student
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
    return neural(arena, student)


def neural(arena: Arena, student: Student) -> Arena:
    """The arena in which a student plays the population and learns of its oracle."""

    def parts(seed: int, executor: Executor) -> tuple[Oracle, Evaluator]:
        teacher, inner = arena.parts(seed, executor)
        return NeuralOracle(teacher, student), RealisedEvaluator(inner, student)

    facts = {"teacher": arena.facts["oracle"]} | student.facts
    return replace(
        arena, facts={**arena.facts, "oracle": "neupl", **facts}, parts=parts
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
