"""Our learner and payoffs beside OpenSpiel's, part by part."""

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.options import least
from experiments.lab.page import Answer
from experiments.speed.learner_config import Config
from experiments.speed.measuring import answer
from experiments.speed.on_gpu import on_gpu
from experiments.speed.our_learner import (
    Plan,
    Row,
    responses,
    row,
    stacked,
    updates,
)
from experiments.speed.payoffs import entries
from metaspiel.nfg.errors import UserError, unknown

PARTS = ("update", "response", "model", "openspiel", "stacked", "payoffs", "cuda")
NOTE = "OpenSpiel's DQN needs dm-tree, which is not installed"
MISSING = row("openspiel", "not measured", 0.0, unit="", note=NOTE)


def chosen(config: Config) -> tuple[tuple[str, ...], Plan]:
    """The parts to run, and how much of them, checked before anything runs."""
    for name in config.part:
        if name not in PARTS:
            raise unknown("--part", "part", name, PARTS)
    if not 0 < config.fraction <= 1:
        raise UserError(f"--fraction must be in (0, 1]; got {config.fraction}")
    least(config, rounds=1, policies=2, episodes=2, seed=0)
    if not config.stacks or min(config.stacks) < 1:
        raise UserError(
            f"--stacks must name numbers of at least 1; got {list(config.stacks)}"
        )
    if config.ddqn.device != "cpu":
        raise UserError("--ddqn.device must be cpu, whose time is compared; got cuda")
    if config.ddqn.products != "float32":
        raise UserError(
            "--ddqn.products must be float32, beside which bfloat16 is timed; got "
            f"{config.ddqn.products}"
        )
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
        stacks=config.stacks,
    )
    if config.quick:
        plan = replace(plan, fraction=1 / 1000, stacked=1 / 1000, rounds=1, times=1)
        plan = replace(plan, policies=4, episodes=20, few=10, trajectories=60, steps=20)
        plan = replace(plan, small=True, stacks=config.stacks[:1])
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


def outcome(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many goals are met, and which are not."""
    judged = [row for row in rows if row["met"] is not None]
    missed = [f"{row['part']}, {row['what']}" for row in judged if not row["met"]]
    text = f"{len(judged) - len(missed)} of {len(judged)} goals are met"
    return f"{text}; not met: {'; '.join(missed)}." if missed else f"{text}."


def run(config: Config) -> Answer:
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
            said=[outcome(rows)],
            faults=faults,
            summary={"load": load, "rows": rows},
        )
