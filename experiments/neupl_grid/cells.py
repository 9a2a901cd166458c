"""One run of a variant on a game, and what is measured of it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.special import rel_entr

from experiments.neupl_grid.config import Case, Variant
from experiments.neupl_grid.controls import Concurrent, naive
from meta_solvers import get
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.sequence import SequenceForm
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure
from psro import InProcess, Setup, State, exact_arena, run, start
from psro.exact import ExactEvaluator, ExactOracle
from psro.neupl import (
    Codes,
    Distillation,
    ExactStudent,
    NeuralOracle,
    PayoffNetwork,
    RealisedEvaluator,
    neural_arena,
)
from psro.neupl.board import Board


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run came to.

    Attributes:
      gaps: full-game CCE gap of each iteration, summed over players.
      policies: of each player at the end.
      cpu_seconds: in all, and of each stage.
      stages: CPU seconds of responding (distillation included), payoffs and solver.
      worst_error: largest difference of a probability from its teacher's.
      unreached: iterations in which a distillation did not reach its tolerance.
      drift: largest change of an old profile's payoff, by iteration.
      ages: of policies, in iterations.
      forgetting: mean divergence of policies of these ages from what they were when
        they were new, in nats.
      moved: the largest change of a probability since a policy was new.
      diversity: mean Jensen-Shannon divergence of one player's policies from each
        other, in nats, where the first of the two arrives; at most log 2.
      violated: iterations in which the realised gap inside the population is above the
        stored one and twice eta, the largest error of a stored payoff.
      eta: the largest of them.
      numbers: stored for a policy: weights and codes over policies, or with separate
        policies the weights of a network of the same width each.
    """

    gaps: list[float]
    policies: list[int]
    cpu_seconds: float
    stages: dict[str, float]
    worst_error: float
    unreached: int
    drift: list[float]
    ages: list[int]
    forgetting: list[float]
    moved: float
    diversity: float
    violated: int
    eta: float
    numbers: float


def measured(case: Case, variant: Variant, *, solver: str, seed: int) -> Result:
    """Runs a variant on a game from its first to its last iteration."""
    import torch

    torch.set_num_threads(1)
    form = sequence_form(case.game)
    begun = time.process_time()
    setup, student = _assembled(form, variant, solver=solver, seed=seed)
    states = [start(setup)]
    states += run(setup, states[0], case.iterations)
    spent = time.process_time() - begun
    births: Births = []
    for state in states:
        births = _born(student, state, births)
    bounds = [_bound(form, student, state) for state in states]
    last = states[-1]
    ages = _forgetting(student, last, births)
    notes = [s.population.notes for s in states if "distil_error" in s.population.notes]
    return Result(
        gaps=[_gap(s) for s in states[1:]],
        policies=list(last.population.sizes),
        cpu_seconds=spent,
        stages=last.cpu,
        worst_error=max((max(n["distil_error"]) for n in notes), default=0.0),
        unreached=sum(not all(n["distil_reached"]) for n in notes),
        drift=[_drift(a, b) for a, b in pairwise(states)],
        ages=list(ages),
        forgetting=list(ages.values()),
        moved=_moved(student, last, births),
        diversity=_diversity(student, last),
        violated=sum(over for over, _ in bounds),
        eta=max(eta for _, eta in bounds),
        numbers=_numbers(student, last, stored=variant.kind != "separate"),
    )


def _assembled(
    form: SequenceForm, variant: Variant, *, solver: str, seed: int
) -> tuple[Setup, ExactStudent]:
    """The parts of a run; the student of separate policies only measures."""
    neural = neural_arena(
        form,
        codes=Codes(**variant.codes),
        distillation=Distillation(**variant.distil),
        weighting="all" if variant.weighting == "all" else "own_reach",
        payoffs=PayoffNetwork(**variant.payoffs),
    )
    oracle, evaluator = neural.parts(seed, InProcess())
    assert isinstance(oracle, NeuralOracle)
    student, teacher = oracle.student, oracle.teacher
    assert isinstance(student, ExactStudent)
    assert isinstance(teacher, ExactOracle)
    if variant.kind == "separate":
        oracle, evaluator = exact_arena(form).parts(seed, InProcess())
    elif variant.kind == "naive":
        student = replace(student, distiller=naive)
        oracle = replace(oracle, student=student)
        evaluator = RealisedEvaluator(ExactEvaluator(form), student)
    elif variant.kind == "concurrent":
        oracle = Concurrent(
            teacher=teacher, student=student, form=form, solver=get(solver)
        )
    setup = Setup(
        oracle=oracle,
        evaluator=evaluator,
        solver=get(solver),
        concept="cce",
        seed=seed,
    )
    return setup, student


def _gap(state: State) -> float:
    gap = state.gap("cce")
    assert gap is not None  # exact oracles measure it
    return gap


def _plans(student: ExactStudent, state: State) -> list[Float64[ndarray, "_ _"]]:
    """What all policies play."""
    population = state.population
    if population.common is not None:
        population = student.realised(population)
    return population.stacked()


Births = list[list[tuple[int, Float64[ndarray, " _"]]]]
"""The iteration and the plan with which each player's policies began."""


def _born(student: ExactStudent, state: State, before: Births) -> Births:
    """The births so far, with those of the state's new policies."""
    births: Births = []
    for player, own in enumerate(_plans(student, state)):
        known = before[player] if before else []
        fresh = [(state.iteration, plan) for plan in own[len(known) :]]
        births.append([*known, *fresh])
    return births


def _drift(before: State, after: State) -> float:
    """The largest change of a payoff that both tables have."""
    old = before.table.values
    cut = (slice(None), slice(None), *(slice(n) for n in old.shape[2:]))
    return float(np.abs(after.table.values[cut] - old).max())


def _bound(
    form: SequenceForm, student: ExactStudent, state: State
) -> tuple[bool, float]:
    """Whether the bound on the realised gap is violated, and eta."""
    stored = state.table.values[0]
    realised = form.tensor(_plans(student, state))
    eta = float(np.abs(realised - stored).max())
    joint = np.asarray(state.train.joint)
    inside = measure(Game(realised), joint).cce
    allowed = measure(Game(stored.copy()), joint).cce + 2 * eta + form.noise
    return bool((inside > allowed).any()), eta


def _both(
    board: Board, one: Float64[ndarray, " S"], other: Float64[ndarray, " S"]
) -> tuple[Float64[ndarray, "R A"], Float64[ndarray, "R A"]]:
    """The behaviours of two policies where the first lets states be reached."""
    rows = board.reached(one, "own_reach")
    return board.behaviour(one)[rows], board.behaviour(other)[rows]


def _divergence(
    first: Float64[ndarray, "R A"], second: Float64[ndarray, "R A"]
) -> float:
    """Mean Kullback-Leibler divergence."""
    # A softmax can fall below the smallest number there is.
    least = np.finfo(float).tiny
    return float(rel_entr(first, np.maximum(second, least)).sum(axis=1).mean())


def _each(
    student: ExactStudent, last: State, births: Births
) -> Iterator[tuple[int, Float64[ndarray, "R A"], Float64[ndarray, "R A"]]]:
    """Age of each policy, what it did when it was new, and what it does now."""
    for board, own, born in zip(
        student.boards, _plans(student, last), births, strict=True
    ):
        for now, (iteration, then) in zip(own, born, strict=True):
            yield last.iteration - iteration, *_both(board, then, now)


def _forgetting(student: ExactStudent, last: State, births: Births) -> dict[int, float]:
    """Mean divergence of policies from their beginning, by age."""
    by_age: dict[int, list[float]] = {}
    for age, then, now in _each(student, last, births):
        by_age.setdefault(age, []).append(_divergence(then, now))
    return {age: float(np.mean(by_age[age])) for age in sorted(by_age)}


def _moved(student: ExactStudent, last: State, births: Births) -> float:
    """The largest change of a probability since a policy was new."""
    each = _each(student, last, births)
    return max(float(np.abs(then - now).max()) for _, then, now in each)


def _diversity(student: ExactStudent, last: State) -> float:
    """Mean pairwise Jensen-Shannon divergence of a player's policies."""
    pairs = [
        _both(board, one, other)
        for board, own in zip(student.boards, _plans(student, last), strict=True)
        for i, one in enumerate(own)
        for j, other in enumerate(own)
        if i != j
    ]
    shared = [
        (_divergence(a, (a + b) / 2) + _divergence(b, (a + b) / 2)) / 2
        for a, b in pairs
    ]
    return float(np.mean(shared)) if shared else 0.0


def _numbers(student: ExactStudent, last: State, *, stored: bool) -> float:
    """Numbers that a policy takes."""
    if not stored:
        return float(student.network.body.size)
    common = last.population.common
    assert common is not None
    return common.size / last.population.members + student.codes.size
