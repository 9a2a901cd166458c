"""Half-cheetah of two legs: does a response play better with its partner's code?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from experiments.neupl_learned.config import Size, Variant
from experiments.neupl_learned.course import Course, grown, ppo
from experiments.neupl_learned.duels import played
from metaspiel.learn.head import Mixture, ResponseHead
from metaspiel.learn.policies import Pool
from metaspiel.learn.random import generators
from metaspiel.learn.responses import train
from metaspiel.learn.tasks import Task
from psro.neupl.codes import learners
from psro.sampled import pools_of

PASSES = 2
_EPISODES = 100
_HEAD, _FRESH = 31, 32  # purposes of seeds
_MINE, _PARTNER = 0, 1


@dataclass(frozen=True, kw_only=True)
class Result:
    """Returns of the hind leg with every partner of the population.

    Attributes:
      right: of a head that is given the partner's code.
      wrong: of the same head, mean over the other partners' codes.
      blank: of a head that learned as long with zeros for a code.
      alone: of the hind leg that learned with one partner, its newest, all the time.
      best: of the population's best code for the partner, by the stored payoffs.
      table: the population's payoffs, in fresh episodes.
      pair: of the two legs that learned together without a population.
      cpu: seconds of the population, of the pair and of both heads.
    """

    right: list[float]
    wrong: list[float]
    blank: list[float]
    alone: list[float]
    best: list[float]
    table: list[list[float]]
    pair: float
    cpu: dict[str, float]


def measured(size: Size, *, solver: str, seed: int) -> Result:
    """Runs a population and a pair, then heads that meet one partner after another."""
    course = grown(size, Variant(), solver=solver, seed=seed)
    pair = grown(size, Variant(separate=True, start="last"), solver="last", seed=seed)
    begin = time.process_time()
    heads = [_learned(course, size, seed=seed, blank=blank) for blank in (False, True)]
    heads_cpu = time.process_time() - begin
    partners = range(len(course.realised[-1].pools[_PARTNER]))
    with torch.no_grad():
        told = [_exported(course, heads[0], k, blank=False) for k in partners]
        blank = _exported(course, heads[1], 0, blank=True)
    alone = pair.realised[-1].pools[_MINE][-1].policy
    returns = _returns(course, [*told, blank, alone], seed)
    with_code = returns[: len(told)]
    table = _table(course, seed)
    stored = course.last.table.values[0, 0]
    return Result(
        right=[float(with_code[k, k]) for k in partners],
        wrong=[float(np.delete(with_code[:, k], k).mean()) for k in partners],
        blank=returns[-2].tolist(),
        alone=returns[-1].tolist(),
        best=[float(table[stored[:, k].argmax(), k]) for k in partners],
        table=table.tolist(),
        pair=_pair(pair, seed),
        cpu={
            "population": course.cpu["all"],
            "pair": pair.cpu["all"],
            "heads": heads_cpu,
        },
    )


def _head(course: Course, partner: int, *, blank: bool) -> ResponseHead:
    """The network that answers one partner of the population."""
    student = course.student
    assert student is not None
    population = course.last.population
    codes = student.codes.of(population, _PARTNER).astype(np.float32)
    return ResponseHead(
        conditional=student.network,
        mixture=Mixture.of([codes], np.eye(len(codes))[partner], 1),
        width=student.head.width,
        blank=blank,
    )


def _learned(course: Course, size: Size, *, seed: int, blank: bool) -> torch.Tensor:
    """Weights that met every partner in turn, told its code or not.

    They begin with the network of the population; optimisers begin anew at each turn.
    """
    student, population = course.student, course.last.population
    assert student is not None
    groups = student.codes.groups(learners(population))
    at = next(n for n, group in enumerate(groups) if _MINE in group)
    assert population.common is not None
    common = population.common[at * student.network.size :][: student.network.size]
    pools = pools_of(course.realised[-1])
    partners = len(pools[_PARTNER])
    (fresh,) = generators((seed, _HEAD), 1)
    weights = _head(course, 0, blank=blank).warm(torch.from_numpy(common), fresh)
    settings = ppo(size).part(1 / partners)
    for number in range(PASSES * partners):
        partner = number % partners
        task = Task(
            simulator=course.simulator,
            network=course.oracle.network,
            settings=settings,
            player=_MINE,
            pools=pools,
            co_play=np.eye(partners)[partner],
            seed=(seed, _HEAD, number),
            scale=course.oracle.scale,
            initial=weights.numpy(),
            learner=_head(course, partner, blank=blank),
        )
        (made,) = course.executor.answer(train, [task])
        weights = torch.from_numpy(made.policy)
    return weights


def _exported(
    course: Course, weights: torch.Tensor, partner: int, *, blank: bool
) -> np.ndarray:
    """The plain network that a head is with one partner's code."""
    made: np.ndarray = _head(course, partner, blank=blank).exported(weights).numpy()
    return made


def _returns(course: Course, policies: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """Mean return of policies of the hind leg with every partner."""
    pools = list(pools_of(course.realised[-1]))
    pools[_MINE] = Pool.of(np.stack(policies).astype(np.float32), "sampled")
    return _crossed(course, tuple(pools), seed)


def _table(course: Course, seed: int) -> np.ndarray:
    """Mean returns of all pairs of the population, in episodes that nobody chose by."""
    return _crossed(course, pools_of(course.realised[-1]), seed)


def _crossed(course: Course, pools: tuple[Pool, ...], seed: int) -> np.ndarray:
    shape = tuple(len(pool) for pool in pools)
    cells = np.argwhere(np.ones(shape))
    profiles = np.repeat(cells[:, None], _EPISODES, axis=1)
    scores = played(course, pools, profiles, (seed, _FRESH))
    made: np.ndarray = scores.mean[0, :, 0].reshape(shape)
    return made


def _pair(pair: Course, seed: int) -> float:
    """The return of the newest two legs of a run without a population."""
    population = pair.realised[-1]
    newest = tuple((pool[-1],) for pool in population.pools)
    pools = pools_of(replace(population, pools=newest))
    return float(_crossed(pair, pools, seed)[0, 0])
