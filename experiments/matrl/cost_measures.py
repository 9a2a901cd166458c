"""What the page on MATRL's cost measures; times are CPU seconds."""

import re
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from experiments.matrl.grid_config import side
from matrl import loop
from matrl.meta_game import estimate
from matrl.methods import METHODS, Settings
from meta_solvers.solving import solve
from meta_solvers.two_action import TwoActionNash
from metaspiel.games.markov import Discrete, MarkovGame
from metaspiel.games.worlds import load
from metaspiel.learn.ppo import PPO
from metaspiel.nfg.game import Game

if TYPE_CHECKING:
    from experiments.matrl.cost_config import Config

Row = dict[str, Any]

PHASES = ("play", "trial", "meta_game", "aggregate", "response")
MA_GYM = {"checkers": 12_600, "switch": 34_800, "switch(agents=4)": 21_000}
"""Environment steps a second of ma-gym 0.0.14 with random actions, in Python, on a
two-core machine under load."""
SIDES = (40, 1, 1000)
CMA_ES = {2: (42.0, 600.0), 3: (500.0, 6400.0), 4: (140.0, 1400.0)}
"""Milliseconds that the authors' CMA-ES takes for a meta-game by number of agents, at
payoffs from 1 down to 1e-4; same machine. It has no code for more than four."""
_STEPS = 2000  # of a simulator, a round
_GAMES = 20  # random games a number of agents


def works(config: "Config") -> Iterator[tuple[str, Callable[[], Row]]]:
    """Every measurement and the name of its file."""
    if "iteration" in config.parts:
        for name in config.games:
            yield f"iteration-{_slug(name)}", partial(iteration, config, name)
    if "simulator" in config.parts:
        for name in MA_GYM:
            yield f"simulator-{_slug(name)}", partial(simulator, config, name)
    if "nash" in config.parts:
        for agents in range(2, config.most + 1):
            yield f"nash-{agents}", partial(nash, config, agents)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")


def settings(config: "Config", game: MarkovGame) -> Settings:
    """The learners' settings; each environment has time for a whole episode."""
    ppo = PPO(
        batch=config.batch,
        envs=side(config.batch, game.limit),
        steps=config.steps,
        width=config.width,
    )
    return Settings(ppo=ppo, br_steps=config.br_steps)


def iteration(config: "Config", name: str) -> Row:
    """Seconds of an iteration of every method, by phase."""
    game = load(name)
    chosen = settings(config, game)
    state = loop.start(game, chosen, config.seed)
    for _ in range(config.warm):
        state, _ = loop.step(game, METHODS["il"], chosen, state)
    rounds: dict[str, list[dict[str, float]]] = {m: [] for m in config.methods}
    for number in range(config.rounds):
        following = state
        # The order changes, so that no method always comes after the same one.
        turn = number % len(config.methods)
        for method in (*config.methods[turn:], *config.methods[:turn]):
            after, row = loop.step(game, METHODS[method], chosen, state)
            rounds[method].append(row["seconds"])
            if method == "il":
                following = after
        state = following
    first = [sum(one.values()) for one in rounds["il"]]
    methods = {}
    for method, every in rounds.items():
        totals = [sum(one.values()) for one in every]
        ratios = [a / b for a, b in zip(totals, first, strict=True)]
        methods[method] = {
            "phases": {p: statistics.median(one[p] for one in every) for p in PHASES},
            "seconds": statistics.median(totals),
            "least": min(totals),
            "ratio": statistics.median(ratios),
            "samples_per_second": config.batch / statistics.median(totals),
        }
    return {
        "part": "iteration",
        "game": game.name,
        "agents": game.agents,
        "methods": methods,
    }


def simulator(config: "Config", name: str) -> Row:
    """Environment steps a second with random actions, drawing them included."""
    game = load(name)
    rates = {}
    for envs in SIDES:
        steps = max(200, _STEPS * 40 // max(40, envs))
        rounds = max(3, config.rounds // 4)
        taken = [_played(game, envs, steps, config.seed) for _ in range(rounds)]
        rates[str(envs)] = envs * steps / statistics.median(taken)
    return {
        "part": "simulator",
        "game": game.name,
        "steps_per_second": rates,
        "ma_gym": MA_GYM[name],
    }


def _played(game: MarkovGame, envs: int, steps: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    begin = time.process_time()
    scene = game.start(rng.random((envs, game.draws)))
    for _ in range(steps):
        scene = game.step(scene, _random(game, envs, rng))
        over = scene.over
        if over.any():
            scene = game.restart(scene, over, rng.random((envs, game.draws)))
    return time.process_time() - begin


def _random(game: MarkovGame, envs: int, rng: np.random.Generator) -> ndarray:
    space = game.actions
    if isinstance(space, Discrete):
        return rng.integers(0, space.size, (envs, game.agents))
    shape = (envs, game.agents, space.size)
    return rng.uniform(-1, 1, shape).astype(np.float32)


def nash(config: "Config", agents: int) -> Row:
    """Milliseconds to estimate and to solve a two-action game."""
    rng = np.random.default_rng((config.seed, agents))
    games = [Game(rng.standard_normal((agents, *(2,) * agents))) for _ in range(_GAMES)]
    samples = 2000
    logs = (0.1 * rng.standard_normal((agents, samples))).astype(np.float32)
    values = rng.standard_normal((agents, samples)).astype(np.float32)
    rounds = max(3, config.rounds)
    estimated = [_milliseconds(lambda: estimate(logs, values)) for _ in range(rounds)]
    row: Row = {
        "part": "nash",
        "agents": agents,
        "estimate": statistics.median(estimated),
        "cma_es": CMA_ES.get(agents),
    }
    for name, pure in (("all", False), ("pure_first", True)):
        solver = TwoActionNash("random", pure)
        taken, regret = [], 0.0
        for game in games:
            begin = time.process_time()
            answer = solve(solver, game, rng, throw=False)
            taken.append(1e3 * (time.process_time() - begin))
            regret = max(regret, answer.diagnostics["regret"])
        row[name] = statistics.median(taken)
        row[f"{name}_most"] = max(taken)
        row[f"{name}_regret"] = regret
    return row


def _milliseconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return 1e3 * (time.process_time() - begin)
