"""One run of a variant on a game, and what is measured of it."""

import time
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from experiments.neupl_grid.config import Case, Variant
from experiments.neupl_grid.controls import Concurrent, naive
from meta_solvers import get
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.sequence import SequenceForm
from psro import InProcess, Setup, State, exact_arena, run, start
from psro.exact import ExactEvaluator, ExactOracle
from psro.neupl import (
    Codes,
    Distillation,
    ExactStudent,
    NeuralOracle,
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
      forgetting: mean divergence of a code from what it was when it was new, in nats,
        by its age in iterations; of the youngest first.
      diversity: mean divergence of one player's policies from each other, in nats.
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
    forgetting: list[float]
    diversity: float
    numbers: float


def measured(case: Case, variant: Variant, *, solver: str, seed: int) -> Result:
    """Runs a variant on a game from its first to its last iteration."""
    import torch

    torch.set_num_threads(1)
    form = sequence_form(case.game)
    begun = time.process_time()
    setup, student = _assembled(form, variant, solver=solver, seed=seed)
    states = [start(setup)]
    births = [_born(student, states[0], [])]
    for state in run(setup, states[0], case.iterations):
        births.append(_born(student, state, births[-1]))
        states.append(state)
    spent = time.process_time() - begun
    last = states[-1]
    notes = [s.population.notes for s in states if "distil_error" in s.population.notes]
    return Result(
        gaps=[_gap(s) for s in states[1:]],
        policies=list(last.population.sizes),
        cpu_seconds=spent,
        stages=last.cpu,
        worst_error=max((max(n["distil_error"]) for n in notes), default=0.0),
        unreached=sum(not all(n["distil_reached"]) for n in notes),
        drift=[_drift(a, b) for a, b in pairwise(states)],
        forgetting=_forgetting(student, last, births[-1]),
        diversity=_diversity(student, last, births[-1]),
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


def _divergence(
    board: Board, one: Float64[ndarray, " S"], other: Float64[ndarray, " S"]
) -> float:
    """Mean divergence of behaviours over the states that ``one`` lets be reached."""
    rows = board.reached(one, "own_reach")
    first, second = board.behaviour(one)[rows], board.behaviour(other)[rows]
    floor = 1e-12  # separate policies avoid actions wholly
    logs = np.log(np.maximum(first, floor)) - np.log(np.maximum(second, floor))
    return float((first * logs).sum(axis=1).mean())


def _forgetting(student: ExactStudent, last: State, births: Births) -> list[float]:
    """Mean divergence of policies from their beginning, by age."""
    by_age: dict[int, list[float]] = {}
    for board, own, born in zip(
        student.boards, _plans(student, last), births, strict=True
    ):
        for now, (iteration, then) in zip(own, born, strict=True):
            age = last.iteration - iteration
            by_age.setdefault(age, []).append(_divergence(board, then, now))
    return [float(np.mean(by_age[age])) for age in sorted(by_age)]


def _diversity(student: ExactStudent, last: State, births: Births) -> float:
    """Mean pairwise divergence of a player's policies where the first one arrives."""
    pairs = [
        _divergence(board, one, other)
        for board, own in zip(student.boards, _plans(student, last), strict=True)
        for i, one in enumerate(own)
        for j, other in enumerate(own)
        if i != j
    ]
    return float(np.mean(pairs)) if pairs else 0.0


def _numbers(student: ExactStudent, last: State, *, stored: bool) -> float:
    """Numbers that a policy takes."""
    if not stored:
        return float(student.network.body.size)
    common = last.population.common
    assert common is not None
    return common.size / last.population.members + student.codes.size
