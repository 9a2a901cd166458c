"""Our worlds of particles and other simulators of such worlds, a step at a time."""

import importlib.metadata
import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.page import Answer
from experiments.lab.process import environment
from experiments.speed.measuring import answer, in_turns
from experiments.speed.worlds_config import Config
from metaspiel.games.markov import MarkovGame
from metaspiel.games.pace import uniform_actions
from metaspiel.games.pacman import Pacman
from metaspiel.games.resource import Resource
from metaspiel.games.treasure import Treasure

Step = Callable[[], int]
"""Makes a step and says how many environments made it."""

LENGTH = 25  # steps of an episode of the others, which is mpe2's default
THEIRS = ("mpe2", "vmas")


def ours(game: MarkovGame, copies: int, seed: int) -> Step:
    """A step of a game of ours; episodes that end begin anew."""
    rng = np.random.default_rng(seed)
    scene = game.start(rng.random((copies, game.draws)))

    def step() -> int:
        nonlocal scene
        scene = game.step(scene, uniform_actions(game, copies, rng))
        over = scene.over
        if over.any():
            scene = game.restart(scene, over, rng.random((copies, game.draws)))
        return copies

    return step


def mpe2(env: Any, seed: int) -> Step:
    """A step of an environment of mpe2, one episode at a time."""
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)

    def step() -> int:
        if not env.agents:
            env.reset()
        env.step({agent: int(rng.integers(5)) for agent in env.agents})
        return 1

    return step


def vmas(scenario: str, copies: int, seed: int, **sizes: int) -> Step:
    """A step of a scenario that VMAS brings along."""
    from vmas import make_env

    env = make_env(
        scenario=scenario,
        num_envs=copies,
        device="cpu",
        continuous_actions=False,
        seed=seed,
        **sizes,
    )
    moves = torch.Generator().manual_seed(seed)
    agents, count = len(env.agents), 0

    def step() -> int:
        nonlocal count
        joint = torch.randint(5, (agents, copies, 1), generator=moves)
        env.step(list(joint))
        count += 1
        if count % LENGTH == 0:
            env.reset()
        return copies

    return step


def steps(config: Config, agents: int) -> dict[str, Step]:
    """All that is compared at a number of agents, as "simulator world copies"."""
    hunters = agents // 3
    hunted = agents - hunters
    seed = config.seed
    games: dict[str, MarkovGame] = {
        "treasure": Treasure(agents=agents),
        "resource": Resource(agents=agents),
        "pacman": Pacman(pacmen=hunted, ghosts=hunters),
    }
    works = {
        f"metaspiel {name} {copies}": ours(game, copies, seed)
        for name, game in games.items()
        for copies in config.copies
    }
    if "mpe2" in installed():
        from mpe2 import collect_treasure_v1, simple_spread_v3, simple_tag_v3

        tag = {"num_good": hunted, "num_adversaries": hunters}
        gather = {"num_collectors": agents - 2, "num_deposits": 2, "num_treasures": 20}
        spread = {"N": agents}
        for name, module, sizes in (
            ("simple_tag", simple_tag_v3, tag),
            ("simple_spread", simple_spread_v3, spread),
            ("collect_treasure", collect_treasure_v1, gather),
        ):
            env = module.parallel_env(max_cycles=LENGTH, **sizes)
            works[f"mpe2 {name} 1"] = mpe2(env, seed)
    if "vmas" in installed():
        tag = {"num_good_agents": hunted, "num_adversaries": hunters}
        for copies in config.copies:
            works |= {
                f"vmas simple_tag {copies}": vmas("simple_tag", copies, seed, **tag),
                f"vmas simple_spread {copies}": vmas(
                    "simple_spread", copies, seed, n_agents=agents
                ),
            }
    return works


def installed() -> dict[str, str]:
    """Versions of the other simulators that can be imported."""
    return {
        name: importlib.metadata.version(name)
        for name in THEIRS
        if importlib.util.find_spec(name) is not None
    }


def rate(step: Step, seconds: float) -> float:
    """Environment steps a CPU second; one step is not counted."""
    step()
    begin, made = time.process_time(), 0
    while time.process_time() - begin < seconds:
        made += step()
    return made / (time.process_time() - begin)


def measured(config: Config, agents: int) -> list[dict[str, Any]]:
    """Rows of the table at a number of agents."""
    works = {
        name: partial(rate, step, config.seconds)
        for name, step in steps(config, agents).items()
    }
    rates = in_turns(works, config.rounds)
    base = rates.get("mpe2 collect_treasure 1")
    rows = []
    for name, value in rates.items():
        simulator, world, copies = name.split()
        rows.append(
            {
                "simulator": simulator,
                "world": world,
                "agents": agents,
                "copies": int(copies),
                "steps_per_second": round(value),
                "times_collect_treasure": base and round(value / base, 1),
            }
        )
    return rows


def outcome(rows: Sequence[Mapping[str, Any]]) -> str:
    """The highest rate at each number of agents."""
    said = []
    for agents in dict.fromkeys(row["agents"] for row in rows):
        own = [row for row in rows if row["agents"] == agents]
        best = max(own, key=lambda row: row["steps_per_second"])
        who = "{simulator} {world}, {copies} copies".format(**best)
        said.append(f"{agents} agents: {who} ({best['steps_per_second']:,})")
    return f"Most steps a CPU second: {'; '.join(said)}."


def run(config: Config) -> Answer:
    """Measures what is missing and prints the table."""
    config.check()
    there = installed()
    beside = "".join(f"-{name}" for name in there)
    with claim(config.run, "speed_worlds") as folder:
        record(folder, config)
        torch.set_num_threads(1)
        before = os.getloadavg()[0]
        works = {f"{n}{beside}": partial(measured, config, n) for n in config.agents}
        results, faults = fill(works, folder, config, room="sizes")
        rows = [row for lines in results.values() for row in lines]
        load = [before, os.getloadavg()[0]]
        versions = environment()["versions"] | there
        return answer(
            folder,
            "Environment steps a CPU second",
            [
                "one thread; what has the same number of agents ran in turns; the last "
                "column is relative to mpe2's collect_treasure",
                *(
                    f"{name} is not installed, so its rows are not measured"
                    for name in THEIRS
                    if name not in there
                ),
                ", ".join(f"{name} {version}" for name, version in versions.items()),
                f"load of the machine: {load[0]:.1f} before, {load[1]:.1f} after",
            ],
            rows,
            said=[outcome(rows)],
            faults=faults,
            summary={"load": load, "versions": versions, "rows": rows},
        )
