"""Tasks and options of the grid-world page."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from experiments.lab.options import Flat, LoggedParallel, each_once, least
from matrl.methods import METHODS, Settings
from metaspiel.games.worlds import WORLDS, load
from metaspiel.learn.markov_settings import (
    MADDPG,
    PPO,
    Mixing,
    Schedule,
    whole_episodes,
)
from metaspiel.nfg.errors import unknown

_MOST = 200  # environments, where none are asked for

REPLAYED: dict[str, Schedule] = {
    "vdn": Mixing(kind="vdn"),
    "qmix": Mixing(kind="qmix"),
    "qtran": Mixing(kind="qtran"),
    "maddpg": MADDPG(),
}
"""Methods that learn from a replay, and their settings."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A game and how it is learned.

    Attributes:
      game: as ``metaspiel.games.worlds.load`` reads it; the rules go into the braces.
      team: agents learn from the sum of their rewards, whatever the learner says.
      steps: environment steps of a run.
      published: final team returns that MATRL's Figure 4 shows, by method.
    """

    game: str
    team: bool = False
    steps: int = 400_000
    published: tuple[tuple[str, float], ...] = ()


TASKS = {
    "checkers": Task(
        game="checkers(rules={})", published=(("matrl", 18.0), ("il", -2.0))
    ),
    "checkers-team": Task(game="checkers(rules={})", team=True),
    "switch2": Task(game="switch(agents=2,rules={})", steps=1_000_000),
    "switch3": Task(game="switch(agents=3,rules={})", steps=1_000_000),
    "switch4": Task(
        game="switch(agents=4,rules={})", steps=1_000_000, published=(("matrl", 6.5),)
    ),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A task as a configuration trains it.

    Attributes:
      name: of the task.
      game: as ``metaspiel.games.worlds.load`` reads it.
      learner: settings of MATRL and of the independent learners.
      iterations: of a run.
      published: final team returns that MATRL's Figure 4 shows, by method.
    """

    name: str
    game: str
    learner: Settings
    iterations: int
    published: tuple[tuple[str, float], ...]

    def settings(self, method: str) -> Settings | Schedule:
        """The settings of a method, of its own class."""
        ppo = self.learner.ppo
        if method == "il-six-rows":
            return replace(self.learner, ppo=replace(ppo, rows=6))
        if method not in REPLAYED:
            return self.learner
        asked = REPLAYED[method]
        if method == "maddpg":
            asked = replace(asked, reward=ppo.reward)
        return replace(asked, batch=ppo.batch, envs=ppo.envs, gamma=ppo.gamma)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is trained and compared."""

    may_change: ClassVar[tuple[str, ...]] = ("games", "methods", "seeds")

    games: tuple[str, ...] = ("checkers", "checkers-team", "switch2", "switch4")
    """Tasks, or worlds by name."""
    methods: tuple[str, ...] = tuple(METHODS)
    """Methods to compare, of those listed above."""
    rules: Literal["legacy", "modern"] = "legacy"
    """Rules of tasks that do not name theirs: ma-gym as the authors had it, or
    0.0.14."""
    seeds: int = 5
    """Runs of each method on each task."""
    seed: int = 0
    """Seed of the first run; the others count on."""
    iterations: int | None = None
    """Iterations of a run (default: 0.4 million steps, 1 million in Switch, as
    published)."""
    last: int = 10
    """Iterations at the end whose mean is a run's final return."""
    learner: Settings = Settings(ppo=PPO(envs=_MOST))
    """Settings of MATRL and of independent learners, where br_rate does not follow
    ppo.rate; learners from a replay take batch, envs and gamma of it."""
    whole_episodes: Literal["unless-given", "always", "never"] = "unless-given"
    """When to play fewer environments than --learner.ppo.envs, so many that each has
    time for one whole episode an iteration (20 in Checkers, 40 in Switch). unless-
    given: where that flag is left at its 200; any other number is obeyed."""
    run: Flat[LoggedParallel] = LoggedParallel()

    def __post_init__(self) -> None:
        least(self, seeds=1, seed=0, last=1, iterations=1)
        each_once(self, games=None, methods=(*METHODS, "il-six-rows", *REPLAYED))

    def plan(self, name: str) -> Plan:
        """How a task is trained.

        Raises:
          UserError: there is no task or world of that name.
        """
        base, rules = name, str(self.rules)
        for ending in ("legacy", "modern"):
            if name.endswith(f"-{ending}"):
                base, rules = name.removesuffix(f"-{ending}"), ending
        if base in TASKS:
            task = TASKS[base]
        elif name.partition("(")[0].strip() in WORLDS:
            task = Task(game=name)
        else:
            raise unknown("--games", "task or world", name, [*TASKS, *WORLDS])
        game, ppo = task.game.format(rules), self.learner.ppo
        if task.team:
            ppo = replace(ppo, reward="team")
        fewer = ("always",) if ppo.envs != _MOST else ("always", "unless-given")
        if self.whole_episodes in fewer:
            ppo = whole_episodes(ppo, load(game).limit)
        iterations = self.iterations
        if iterations is None:
            iterations = max(1, task.steps // ppo.batch)
        return Plan(
            name=name,
            game=game,
            learner=replace(self.learner, ppo=ppo),
            iterations=iterations,
            published=task.published,
        )
