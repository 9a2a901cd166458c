"""A run of learned responses, with all that is needed to measure it afterwards."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from numpy.random import Generator

from experiments.neupl_learned.config import Size, Variant
from meta_solvers import get
from metaspiel.games.named import named_simulator
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.sequence import SequenceForm
from metaspiel.games.simulator import Simulator
from metaspiel.learn.settings import PPOResponse
from metaspiel.learn.tasks import Learned
from psro import InProcess, Setup, State, learned_arena, respond, run, start
from psro.arena import Arena
from psro.executor import Work
from psro.neupl import (
    Codes,
    Head,
    NeuralOracle,
    PayoffNetwork,
    SampledStudent,
    States,
    sampled_arena,
)
from psro.neupl.settings import Neural
from psro.parts import Population, Response, Target
from psro.referee import Referee
from psro.rl import LearnedOracle
from psro.setup import Oracle

R = TypeVar("R")
A = TypeVar("A")


class Listening(InProcess):
    """An executor that notes the CPU seconds of each kind of work, and learning curves.

    Attributes:
      cpu: seconds by the name of the work: train, play and visit.
      curves: mean payoff an episode of each batch, of all responses.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cpu: dict[str, float] = {}
        self.curves: list[list[float]] = []

    def answer(self, work: Work[R, A], requests: Sequence[R]) -> list[A]:
        """The answers, as those of an executor that does not listen."""
        begin = time.process_time()
        answers = super().answer(work, requests)
        name = work.__name__
        self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - begin
        learned = [made for made in answers if isinstance(made, Learned)]
        self.curves += [made.returns.tolist() for made in learned]
        return answers


@dataclass(frozen=True, eq=False)
class Growing:
    """An oracle that notes the CPU seconds in which populations grow.

    Attributes:
      inner: the oracle.
      seconds: one number for each time.
    """

    inner: Oracle
    seconds: list[float] = field(default_factory=list)

    def initial(self, rng: Generator) -> Population:
        """As the oracle."""
        return self.inner.initial(rng)

    def respond(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response]:
        """As the oracle."""
        return self.inner.respond(population, targets, rng)

    def measure(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response] | None:
        """As the oracle."""
        return self.inner.measure(population, targets, rng)

    def grow(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """As the oracle."""
        begin = time.process_time()
        grown = self.inner.grow(population, chosen, rng)
        self.seconds.append(time.process_time() - begin)
        return grown


@dataclass(frozen=True, eq=False, kw_only=True)
class Course:
    """A finished run.

    Attributes:
      simulator: the game.
      states: from the start to the last iteration.
      realised: the networks that play in each of them.
      oracle: the learned one; of codes, the teacher.
      student: of codes; None for separate networks.
      referee: exact judge, where there is a tree.
      executor: where it ran.
      cpu: seconds of each phase.
    """

    simulator: Simulator
    states: list[State]
    realised: list[Population]
    oracle: LearnedOracle
    student: SampledStudent | None
    referee: Referee | None
    executor: Listening
    cpu: dict[str, float]

    @property
    def last(self) -> State:
        """The state at the end."""
        return self.states[-1]

    @property
    def bytes_a_policy(self) -> float:
        """What a policy takes in float32: its share of what is stored."""
        population = self.last.population
        own = sum(
            member.policy.size
            for pool in population.pools[: 1 if population.shared else None]
            for member in pool
        )
        common = 0 if population.common is None else population.common.size
        return 4 * (own + common) / population.members


def ppo(size: Size) -> PPOResponse:
    """How responses of a study are learned."""
    return PPOResponse(decisions=size.decisions, width=size.width, **size.ppo)


def _arena(
    game: Simulator, size: Size, variant: Variant, form: SequenceForm | None
) -> Arena:
    """The game with one network or separate ones."""
    if variant.separate:
        return learned_arena(
            game,
            ppo(size),
            episodes=size.episodes,
            start=variant.start,
            width=size.width,
            form=form,
        )
    plain = Neural()
    neural = Neural(
        codes=Codes(size=64, width=size.width),
        distillation=replace(plain.distillation, **{**size.distil, **variant.distil}),
        states=States(**size.states),
        head=Head(**variant.head),
        payoffs=PayoffNetwork(**variant.payoffs),
    )
    return sampled_arena(
        game, ppo(size), neural=neural, episodes=size.episodes, form=form
    )


def grown(
    size: Size,
    variant: Variant,
    *,
    solver: str,
    seed: int,
    form: SequenceForm | None = None,
) -> Course:
    """Runs the loop from its first to its last iteration."""
    import torch

    torch.set_num_threads(1)
    game, executor = named_simulator(size.game), Listening()
    arena = _arena(game, size, variant, form)
    oracle, evaluator = arena.parts(seed, executor)
    student = oracle.student if isinstance(oracle, NeuralOracle) else None
    teacher = oracle.teacher if isinstance(oracle, NeuralOracle) else oracle
    assert student is None or isinstance(student, SampledStudent)
    assert isinstance(teacher, LearnedOracle)
    growing = Growing(oracle)
    setup = Setup(
        oracle=growing,
        evaluator=evaluator,
        solver=get(solver),
        concept="cce",
        seed=seed,
    )
    begin = time.process_time()
    states = [respond(setup, start(setup))]
    states += run(setup, states[0], size.iterations)
    total = time.process_time() - begin
    heard = {name: executor.cpu.get(name, 0.0) for name in ("train", "play", "visit")}
    distil = sum(growing.seconds)  # visits are played within
    distil = max(0.0, distil - heard["visit"]) if student is not None else 0.0
    known = {**heard, "distil": distil, "solve": states[-1].cpu["solve"]}
    return Course(
        simulator=teacher.simulator,
        states=states,
        realised=[
            state.population if student is None else student.realised(state.population)
            for state in states
        ],
        oracle=teacher,
        student=student,
        referee=arena.referee,
        executor=executor,
        cpu={**known, "rest": total - sum(known.values()), "all": total},
    )


def tree(game: str) -> SequenceForm:
    """The tree of a game."""
    return sequence_form(game)
