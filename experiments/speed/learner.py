"""Speed of learned best responses and sampled payoffs, beside OpenSpiel's DQN.

Example: metaspiel speed_learner --part update response

A response has the settings of --ddqn, by default those of COffeE-PSRO's Table 2; a
fraction of it is learned, and its time extrapolated. What is compared runs in turns in
one process and is measured in CPU seconds of one thread; values are medians over the
turns. OpenSpiel's agent (plain DQN) plays the same game, which OpenSpiel runs in
Python, and OpenSpiel's own `bargaining` in C++, whose network is larger. Its time is
that of as many decisions and updates as ours, the updates with a full replay.

Writes summary.json, table.md and report.html, and a file a part that --resume does not
measure again.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.options import Flat, Resumable, least
from experiments.lab.page import Answer, main
from experiments.speed.measuring import answer
from experiments.speed.our_learner import (
    Plan,
    Row,
    on_gpu,
    responses,
    row,
    stacked,
    updates,
)
from experiments.speed.payoffs import entries
from metaspiel.learn.settings import DDQN
from metaspiel.nfg.errors import UserError, unknown

PARTS = ("update", "response", "model", "openspiel", "stacked", "payoffs", "cuda")
NOTE = "OpenSpiel's DQN needs dm-tree, which is not installed"
MISSING = row("openspiel", "not measured", 0.0, unit="", note=NOTE)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    part: tuple[str, ...] = ()
    """Parts (default: all; cuda where there is a GPU): update, response, model (the
    response inside a learned model), openspiel (beside its agent), stacked, payoffs,
    cuda."""
    ddqn: DDQN = DDQN()
    """Settings of a whole response."""
    fraction: float = 1 / 30
    """Fraction of a response that is learned in each round."""
    whole: bool = False
    """Learn whole responses, once: some 10 minutes."""
    rounds: int = 3
    """Turns of everything that is compared."""
    policies: int = 40
    """Policies of each player in the empirical game."""
    episodes: int = 1000
    """Episodes played for each entry."""
    seed: int = 0
    """Seed of all randomness."""
    quick: bool = False
    """Tiny sizes: it runs, but its numbers mean little."""
    run: Flat[Resumable] = Resumable()


def chosen(config: Config) -> tuple[tuple[str, ...], Plan]:
    """The parts to run, and how much of them, checked before anything runs."""
    for name in config.part:
        if name not in PARTS:
            raise unknown("--part", "part", name, PARTS)
    if not 0 < config.fraction <= 1:
        raise UserError(f"--fraction must be in (0, 1]; got {config.fraction}")
    least(config, rounds=1, policies=2, episodes=2, seed=0)
    if config.ddqn.device != "cpu":
        raise UserError("--ddqn.device must be cpu, whose time is compared; got cuda")
    gpu = torch.cuda.is_available()
    if "cuda" in config.part and not gpu:
        raise UserError("--part: cuda needs a GPU that torch can use; there is none")
    parts = config.part or tuple(p for p in PARTS if p != "cuda" or gpu)
    plan = Plan(
        settings=config.ddqn,
        fraction=1.0 if config.whole else config.fraction,
        rounds=config.rounds,
        model="model" in parts,
        theirs="openspiel" in parts and installed(),
        policies=config.policies,
        episodes=config.episodes,
        seed=config.seed,
    )
    if config.quick:
        plan = replace(plan, fraction=1 / 1000, stacked=1 / 1000, rounds=1, times=1)
        plan = replace(plan, policies=4, episodes=20, few=10, trajectories=60, steps=20)
    return parts, plan


def installed() -> bool:
    """Whether OpenSpiel's DQN can be imported."""
    return importlib.util.find_spec("tree") is not None


# What is measured, for which parts.
WORKS: dict[str, tuple[Callable[[Plan], list[Row]], set[str]]] = {
    "update": (updates, {"update", "response", "model", "openspiel"}),
    "response": (responses, {"response", "model", "openspiel"}),
    "stacked": (stacked, {"stacked"}),
    "payoffs": (entries, {"payoffs"}),
    "cuda": (on_gpu, {"cuda"}),
}


def page(config: Config) -> Answer:
    """Measures what is missing and prints the table."""
    parts, plan = chosen(config)
    works = {name: work for name, (work, of) in WORKS.items() if of & {*parts}}
    rows = [] if plan.theirs or "openspiel" not in parts else [asdict(MISSING)]
    beside = "-beside-openspiel" if plan.theirs else ""
    with claim(config.run, "speed_learner") as folder:
        record(folder, config)
        torch.set_num_threads(1)
        before = os.getloadavg()[0]
        pieces = {name + beside: partial(work, plan) for name, work in works.items()}
        results, faults = fill(pieces, folder, config, room="parts")
        rows += [line for lines in results.values() for line in lines]
        load = [before, os.getloadavg()[0]]
        return answer(
            folder,
            "Speed of learned responses and sampled payoffs",
            [
                "CPU time of one thread; what is compared ran in turns in one process",
                f"load of the machine: {load[0]:.1f} before, {load[1]:.1f} after",
            ],
            rows,
            faults=faults,
            summary={"load": load, "rows": rows},
        )


if __name__ == "__main__":
    sys.exit(main(page, Config))
