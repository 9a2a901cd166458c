"""What the page on MATRL's cost measures, as values and as JSON."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from experiments.matrl.cost_config import Config
from matrl.timing import MethodTime, SolvingTime, time_iterations, time_solving
from metaspiel.games.pace import steps_per_second
from metaspiel.games.worlds import load

MA_GYM = {"checkers": 12_600, "switch": 34_800, "switch(agents=4)": 21_000}
"""Environment steps a second of ma-gym 0.0.14 with random actions, in Python, on a
two-core machine under load."""
SIDES = (40, 1, 1000)
CMA_ES = {2: (42.0, 600.0), 3: (500.0, 6400.0), 4: (140.0, 1400.0)}
"""Milliseconds that the authors' CMA-ES takes for a meta-game by number of agents, at
payoffs from 1 down to 1e-4; same machine. It has no code for more than four."""
_STEPS = 2000  # of a simulator, a round


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """An iteration of every method in a game."""

    part: str = "iteration"
    game: str
    agents: int
    methods: Mapping[str, MethodTime]


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """Environment steps a second by number of environments, and those of ma-gym."""

    part: str = "simulator"
    game: str
    steps_per_second: Mapping[str, float]
    ma_gym: int

    @property
    def usual(self) -> float:
        """Steps a second at the usual number of environments."""
        return self.steps_per_second[str(SIDES[0])]


@dataclass(frozen=True, kw_only=True)
class Solving(SolvingTime):
    """Solving a meta-game, and the least and the most time of the authors' CMA-ES."""

    part: str = "nash"
    cma_es: Sequence[float] | None


Cost = Iteration | Simulator | Solving


def read(fields: Mapping[str, Any]) -> Cost:
    """A measurement from what JSON has of it."""
    if fields["part"] == "iteration":
        timed = {name: MethodTime(**one) for name, one in fields["methods"].items()}
        return Iteration(**{**fields, "methods": timed})
    return Simulator(**fields) if fields["part"] == "simulator" else Solving(**fields)


def works(config: Config) -> Iterator[tuple[str, Callable[[], Cost]]]:
    """Every measurement and the name of its file."""
    several: list[tuple[str, Callable[..., Cost], Sequence[Any]]] = [
        ("iteration", iteration, config.games),
        ("simulator", simulator, list(MA_GYM)),
        ("nash", nash, range(2, config.most + 1)),
    ]
    for part, measure, subjects in several:
        for subject in subjects if part in config.parts else ():
            named = re.sub(r"[^A-Za-z0-9.]+", "-", f"{part}-{subject}").strip("-")
            yield named, partial(measure, config, subject)


def iteration(config: Config, name: str) -> Iteration:
    """An iteration of every method, by phase."""
    game = load(name)
    times = time_iterations(
        game,
        config.settings(game),
        config.methods,
        rounds=config.rounds,
        warm=config.warm,
        seed=config.seed,
    )
    return Iteration(game=game.name, agents=game.agents, methods=times)


def simulator(config: Config, name: str) -> Simulator:
    """Environment steps a second with random actions."""
    game, rounds = load(name), max(3, config.rounds // 4)
    rates = {}
    for envs in SIDES:
        steps = max(200, _STEPS * 40 // max(40, envs))
        rates[str(envs)] = steps_per_second(
            game, envs, steps=steps, rounds=rounds, seed=config.seed
        )
    return Simulator(game=game.name, steps_per_second=rates, ma_gym=MA_GYM[name])


def nash(config: Config, agents: int) -> Solving:
    """Estimating and solving a meta-game."""
    times = time_solving(agents, rounds=max(3, config.rounds), seed=config.seed)
    return Solving(**vars(times), cma_es=CMA_ES.get(agents))
