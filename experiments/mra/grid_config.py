"""Outputs, arms, sizes and options of the grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from experiments.lab.options import Flat, Parallel, each_once, least
from experiments.mra.task import Task
from experiments.mra.train_config import BudgetName
from metaspiel.nfg.errors import UserError, unknown
from mra.settings import BUDGETS, Training


@dataclass(frozen=True)
class Arm:
    """What is compared: a method, in all games at once or in each of them alone."""

    method: str
    alone: bool = False


ARMS: Mapping[str, Arm] = {
    **{
        name: Arm(name)
        for name in (
            *("mra", "uni", "uni-random", "both", "concat", "bilinear", "paper-input"),
            *("plain", "deepsets", "reptile", "epc", "rl2"),
        )
    },
    "single": Arm("mra", alone=True),
    "maddpg": Arm("maddpg", alone=True),
    "maddpg-shared": Arm("plain", alone=True),
}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Games of an output.

    Attributes:
      world: by name.
      sizes: that are learned together.
      shown: of them, where not all are; an arm that learns alone learns these.
    """

    world: str
    sizes: tuple[str, ...]
    shown: tuple[str, ...] = ()

    @property
    def seen(self) -> tuple[str, ...]:
        """The sizes that are shown."""
        return self.shown or self.sizes


@dataclass(frozen=True, kw_only=True)
class Target:
    """A game that agents of a panel adapt to."""

    source: Panel
    world: str
    size: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The sizes of a budget.

    Attributes:
      training: how all arms learn.
      turns: of a game, in each run, by world; they are shared out between its games, so
        that all arms play as many episodes in total.
      looks: measurements of a run.
      episodes: of a size in a measurement.
      tests: of a size in the tests at the end.
      rounds: of an adaptation.
      panels: by output, and a letter where it has several.
      targets: of figure 4.
      unseen: sizes that are scored without learning, by world.
    """

    training: Training
    turns: Mapping[str, int]
    looks: int
    episodes: int
    tests: int
    rounds: int
    panels: Mapping[str, Panel]
    targets: Mapping[str, Target]
    unseen: Mapping[str, tuple[str, ...]]


def _scale(
    name: str,
    *,
    treasure: tuple[str, ...],
    resource: tuple[str, ...],
    wide: tuple[str, ...],
    nested: tuple[tuple[str, ...], ...],
    pacman: tuple[str, ...],
    shown: tuple[str, str, str],
    targets: tuple[str, str, str],
    more: Mapping[str, object],
) -> Scale:
    """A scale from the sizes of its worlds.

    Args:
      name: of the budget.
      treasure: sizes of figures 2a and 3.
      resource: of the main comparison.
      wide: of figures 3, 5 and 9, in the world of resources.
      nested: of figure 8.
      pacman: of figure 2c and the tables.
      shown: sizes of figures 2a, 2b and 2c.
      targets: of figures 4a, 4b and 4c.
      more: the other fields.
    """
    known = dict(more)
    second = known.pop("fig2b", resource)
    dots = Panel(world="treasure", sizes=treasure, shown=(shown[0],))
    chase = Panel(world="pacman", sizes=pacman, shown=(shown[2],))
    panels = {
        "main": Panel(world="resource", sizes=resource),
        "fig2a": dots,
        "fig2b": Panel(world="resource", sizes=second, shown=(shown[1],)),  # type: ignore[arg-type]
        "fig2c": chase,
        "fig3a": Panel(world="treasure", sizes=treasure),
        "fig3b": Panel(world="resource", sizes=wide),
        "fig5": Panel(world="resource", sizes=wide),
        "fig7": Panel(world="resource", sizes=resource),
        **{
            f"fig8-{len(one)}": Panel(world="resource", sizes=one, shown=resource)
            for one in nested
        },
        "fig9": Panel(world="resource", sizes=wide),
        "tab1": chase,
    }
    every = {
        "fig4a": Target(source=dots, world="treasure(shaping=false)", size=targets[0]),
        "fig4b": Target(source=dots, world="treasure", size=targets[1]),
        "fig4c": Target(source=chase, world="pacman", size=targets[2]),
    }
    training = BUDGETS[name].training
    return Scale(training=training, panels=panels, targets=every, **known)  # type: ignore[arg-type]


SCALES: Mapping[str, Scale] = {
    "tiny": _scale(
        "tiny",
        treasure=("2", "3"),
        resource=("2", "3"),
        wide=("2", "3"),
        nested=(("2", "3"), ("2", "3", "4")),
        pacman=("1,1", "2,1"),
        shown=("3", "3", "2,1"),
        targets=("3", "4", "1,2"),
        more={
            "turns": {"treasure": 6, "resource": 6, "pacman": 6},
            "looks": 2,
            "episodes": 8,
            "tests": 8,
            "rounds": 2,
            "unseen": {"treasure": (), "resource": ("4",), "pacman": ()},
        },
    ),
    "ten-minutes": _scale(
        "ten-minutes",
        treasure=("3", "6", "12"),
        resource=("6", "9", "12"),
        wide=("3", "6", "12"),
        nested=(("6", "12"), ("6", "9", "12"), ("6", "9", "12", "15")),
        pacman=("4,2", "6,3", "8,4"),
        shown=("6", "12", "8,4"),
        targets=("6", "24", "2,8"),
        more={
            "turns": {"treasure": 288, "resource": 96, "pacman": 288},
            "looks": 8,
            "episodes": 256,
            "tests": 512,
            "rounds": 40,
            "unseen": {
                "treasure": ("24",),
                "resource": ("3", "4", "9", "15", "18", "24"),
                "pacman": ("2,8",),
            },
        },
    ),
    "paper": _scale(
        "paper",
        treasure=("3", "6", "12", "24"),
        resource=("6", "9", "12"),
        wide=("3", "6", "12", "24"),
        nested=(("6", "12"), ("6", "9", "12"), ("6", "9", "12", "15")),
        pacman=("4,2", "6,3", "8,4"),
        shown=("6", "12", "8,4"),
        targets=("6", "48", "2,8"),
        more={
            "fig2b": ("6", "9", "12", "15"),
            # 12 episodes a turn: 80,028 of each of four games
            "turns": {"treasure": 26_676, "resource": 26_676, "pacman": 26_676},
            "looks": 50,
            "episodes": 256,
            "tests": 1024,
            "rounds": 6667,
            "unseen": {
                "treasure": ("48",),
                "resource": ("3", "4", "9", "15", "18", "24", "30"),
                "pacman": ("2,8",),
            },
        },
    ),
}


@dataclass(frozen=True, kw_only=True)
class Output:
    """A figure or table, and what it compares.

    Attributes:
      title: in words.
      panels: names of its panels, without the output's own.
      arms: that are trained in them.
      adapted: arms that go on from there, and those that begin from scratch.
      scratch: the latter.
    """

    title: str
    panels: tuple[str, ...] = ("",)
    arms: tuple[str, ...] = ()
    adapted: tuple[str, ...] = ()
    scratch: tuple[str, ...] = ()


OUTPUTS: Mapping[str, Output] = {
    "main": Output(
        title="All arms in Resource Occupation",
        arms=(
            *("mra", "uni", "uni-random", "both", "plain", "deepsets", "reptile"),
            *("epc", "rl2", "single", "maddpg", "maddpg-shared"),
        ),
    ),
    "fig2": Output(
        title="Figure 2: learning curves of one game of several",
        panels=("a", "b", "c"),
        arms=("mra", "reptile", "maddpg", "single"),
    ),
    "fig3": Output(
        title="Figure 3: learning curves of all games",
        panels=("a", "b"),
        arms=("mra", "uni", "epc", "rl2"),
    ),
    "fig4": Output(
        title="Figure 4: adaptation, and learning from scratch",
        panels=("a", "b", "c"),
        adapted=("mra", "epc", "rl2"),
        scratch=("mra", "maddpg"),
    ),
    "fig5": Output(title="Figure 5: sizes seen and unseen", arms=("mra", "epc", "rl2")),
    "fig7": Output(
        title="Figure 7: three graph networks", arms=("mra", "concat", "bilinear")
    ),
    "fig8": Output(
        title="Figure 8: number of games", panels=("-2", "-3", "-4"), arms=("mra",)
    ),
    "fig9": Output(title="Figure 9: information and cross entropy", arms=("mra",)),
    "tab1": Output(
        title="Tables 1 and 2: Pac-Men and ghosts of two kinds of training",
        arms=("mra", "single"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is run and compared."""

    may_change: ClassVar[tuple[str, ...]] = ("outputs", "arms", "seeds", "plan")

    outputs: tuple[str, ...] = ("main",)
    """Figures and tables: main, fig2, fig3, fig4, fig5, fig7, fig8, fig9, tab1 (tables
    1 and 2), gain. Runs that several need are made once."""
    arms: tuple[str, ...] = ()
    """What to compare in them, of those listed above (default: what each compares)."""
    budget: BudgetName = "ten-minutes"
    """Sizes and lengths of all runs; paper is the full size (see --plan)."""
    turns: int | None = None
    """Turns of a game in each run, shared out between its games (default: the
    budget's)."""
    rounds: int | None = None
    """Rounds of each adaptation (default: the budget's)."""
    seeds: int = 4
    """Runs of each arm."""
    seed: int = 0
    """Seed of the first run; the others count on."""
    plan: bool = False
    """Print what would be run, and about how long it takes; run nothing."""
    run: Flat[Parallel] = Parallel()

    def __post_init__(self) -> None:
        least(self, seeds=1, seed=0, turns=1, rounds=1)
        each_once(self, outputs=tuple(OUTPUTS))
        for one in self.arms:
            if one not in ARMS:
                raise unknown("--arms", "arm", one, ARMS)

    @property
    def scale(self) -> Scale:
        """The sizes of the budget."""
        return SCALES[self.budget]

    def panels(self, output: str) -> dict[str, Panel]:
        """The panels of an output, by name."""
        every = self.scale.panels
        names = [f"{output}{one}" for one in OUTPUTS[output].panels]
        return {name: every[name] for name in names if name in every}

    def compared(self, output: str) -> tuple[str, ...]:
        """The arms of an output that are asked for."""
        return self._asked(OUTPUTS[output].arms)

    def _asked(self, arms: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one for one in arms if not self.arms or one in self.arms)

    def adapted(self, output: str) -> tuple[tuple[str, bool], ...]:
        """The arms of an adaptation that are asked for, and whether from scratch."""
        one = OUTPUTS[output]
        pairs = [(a, False) for a in self._asked(one.adapted)]
        return (*pairs, *((a, True) for a in self._asked(one.scratch)))

    def tasks(self, panel: Panel, arm: str, seed: int) -> tuple[Task, ...]:
        """The trainings of an arm: one, or one a shown size.

        Raises:
          UserError: the turns cannot be shared out between the games.
        """
        how, scale = ARMS[arm], self.scale
        turns = self.turns or scale.turns[panel.world.partition("(")[0]]
        sets = [(one,) for one in panel.seen] if how.alone else [panel.sizes]
        made = []
        for sizes in sets:
            sweeps, rest = divmod(turns, len(sizes))
            if rest:
                raise UserError(
                    f"--turns must be a multiple of the {len(sizes)} games of "
                    f"{panel.world} {' '.join(sizes)}, so that all arms play as many "
                    f"episodes; got {turns}"
                )
            made.append(
                Task(
                    world=panel.world,
                    sizes=sizes,
                    method=how.method,
                    training=scale.training,
                    seed=seed,
                    sweeps=sweeps,
                    measure_every=max(1, sweeps // scale.looks),
                    episodes=scale.episodes,
                )
            )
        return tuple(made)
