"""How many decisions a response needs, begun with the population's network or fresh."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.neupl_learned.config import Size, Variant
from experiments.neupl_learned.course import Course, grown, ppo, tree
from experiments.neupl_learned.duels import Side, deviations
from metaspiel.learn.settings import PPOResponse
from metaspiel.nfg.game import Game
from psro.exact import ExactOracle
from psro.neupl.settings import Begin
from psro.parts import Member, Population, Response, State, Target
from psro.targets import targets

_PROBE = 21
_EPISODES = 1000  # where gains are sampled


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Responses of one player to one meta-strategy, after more and more decisions.

    Attributes:
      iteration: of the meta-strategy.
      player: who learns.
      best: gain of an exact best response; None where there is no tree.
      warm: gains of the response that begins with the population's network.
      cold: of the one that begins with fresh weights.
    """

    iteration: int
    player: int
    best: float | None
    warm: list[float]
    cold: list[float]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run came to.

    Attributes:
      budgets: decisions after which gains are known.
      probes: in the order of iterations and players.
      cpu_seconds: in all.
    """

    budgets: list[int]
    probes: list[Probe]
    cpu_seconds: float


def measured(size: Size, *, solver: str, seed: int) -> Result:
    """Runs NeuPL and probes it at some iterations.

    Learning with a constant rate for fewer decisions is the beginning of learning for
    more of them, bit for bit: a response is trained anew up to each budget.
    """
    begin = time.process_time()
    form = tree(size.game) if size.tree else None
    course = grown(size, Variant(), solver=solver, seed=seed, form=form)
    settings = [replace(ppo(size), decisions=b, anneal=False) for b in size.budgets]
    budgets = list(dict.fromkeys(one.budgeted["decisions"] for one in settings))
    probes = [
        probe
        for state in course.states
        if state.iteration in size.probes
        for probe in _probes(course, state, size, budgets, seed)
    ]
    return Result(
        budgets=budgets, probes=probes, cpu_seconds=time.process_time() - begin
    )


def _probes(
    course: Course, state: State, size: Size, budgets: Sequence[int], seed: int
) -> list[Probe]:
    """The probes of one meta-strategy."""
    judge = _Exact(course, state) if course.referee is not None else None
    table = state.table.game(state.population, repeats=False)
    asked = targets(table, state.train.joint, "cce")
    asked = [asked[player] for player in size.players]
    gains: dict[Begin, list[list[float]]] = {"warm": [], "cold": []}
    for start, found in gains.items():
        for budget in budgets:
            answers = _answers(
                course, state, asked, start=start, budget=budget, seed=seed
            )
            found.append(
                [
                    _sampled(course, state, made, seed)
                    if judge is None
                    else judge(made)
                    for made in answers
                ]
            )
    return [
        Probe(
            iteration=state.iteration,
            player=player,
            best=None if judge is None else judge.best[player],
            warm=[row[n] for row in gains["warm"]],
            cold=[row[n] for row in gains["cold"]],
        )
        for n, player in enumerate(size.players)
    ]


def _answers(
    course: Course,
    state: State,
    asked: Sequence[Target],
    *,
    start: Begin,
    budget: int,
    seed: int,
) -> list[Response]:
    """Responses after so many decisions, of the same seeds however they begin."""
    student = course.student
    assert student is not None
    student = replace(student, head=replace(student.head, start=start))
    settings = course.oracle.settings
    assert isinstance(settings, PPOResponse)  # as ``grown`` makes it
    settings = replace(settings, decisions=budget, anneal=False)
    teacher = replace(course.oracle, settings=settings, episodes=2)
    rng = np.random.default_rng((seed, state.iteration, _PROBE))
    oracle = student.prepared(teacher, state.population)
    return oracle.respond(student.realised(state.population), asked, rng)


def _sampled(course: Course, state: State, made: Response, seed: int) -> float:
    """The gain of a response in fresh episodes, the same for all of a player."""
    assert course.student is not None
    side = Side(course.student.realised(state.population), state.train.joint)
    paid = deviations(course, side, made.player, [made], episodes=_EPISODES, seed=seed)
    return float(paid.mean())


class _Exact:
    """Exact gains against one meta-strategy.

    Attributes:
      best: of each player's best response.
    """

    def __init__(self, course: Course, state: State) -> None:
        assert course.referee is not None
        self._referee, self._network = course.referee, course.oracle.network
        self._plans = self._referee.plans(state.population)
        exact = Game(self._referee.form.tensor(list(self._plans)))
        self._asked = targets(exact, state.train.joint, "cce")
        pools = tuple(tuple(Member(i, p) for i, p in enumerate(o)) for o in self._plans)
        oracle = ExactOracle(self._referee.form, tie_break="first")
        rng = np.random.default_rng(0)
        answers = oracle.respond(Population(pools), self._asked, rng)
        self.best = [one.gain for one in answers]

    def __call__(self, made: Response) -> float:
        """The gain of a learned response."""
        player, form = made.player, self._referee.form
        policy = made.policy[: self._network.size]
        member = Member(0, policy, play=made.play)
        does = self._referee.seen[player].behaviour(self._network, member)
        plans = list(self._plans)
        plans[player] = form.trees[player].plan(does[None])
        target = self._asked[player]
        paid = form.tensor(plans)[player].reshape(target.co_play.shape)
        return float((paid * target.co_play).sum()) - target.value
