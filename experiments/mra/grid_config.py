"""Outputs, arms, sizes and options of the grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from experiments.lab.options import Flat, LoggedParallel, each_once, least
from experiments.mra.scales_config import SCALES, Panel, Scale
from experiments.mra.task_config import Task
from experiments.mra.train_config import BudgetName
from metaspiel.nfg.errors import UserError, unknown


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
            *("until", "together", "plain", "deepsets", "reptile", "epc", "rl2"),
        )
    },
    "single": Arm("mra", alone=True),
    "maddpg": Arm("maddpg", alone=True),
    "maddpg-shared": Arm("plain", alone=True),
    "maac": Arm("maac", alone=True),
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

    @property
    def every(self) -> set[str]:
        """All arms that take part."""
        return {*self.arms, *self.adapted, *self.scratch}


OUTPUTS: Mapping[str, Output] = {
    "main": Output(
        title="All arms in Resource Occupation",
        arms=(
            *("mra", "uni", "uni-random", "both", "plain", "deepsets", "reptile"),
            *("until", "together", "epc", "rl2", "single", "maddpg", "maddpg-shared"),
            "maac",
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
        scratch=("mra", "maddpg", "maac"),
    ),
    "fig5": Output(title="Figure 5: sizes seen and unseen", arms=("mra", "epc", "rl2")),
    "fig7": Output(
        title="Figure 7: three graph networks", arms=("mra", "concat", "bilinear")
    ),
    "fig8": Output(
        title="Figure 8: number of games", panels=("-2", "-3", "-4"), arms=("mra",)
    ),
    "fig9": Output(
        title="Figure 9: information and cross entropy", arms=("mra", "uni-random")
    ),
    "tab1": Output(
        title="Tables 1 and 2: Pac-Men and ghosts of two kinds of training",
        arms=("mra", "single"),
    ),
    "gain": Output(title="What an agent gains that learns alone", arms=("single",)),
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
    """Print what would be run, and about how long it takes, and with --out FOLDER
    --resume what is finished there; run nothing."""
    run: Flat[LoggedParallel] = LoggedParallel()

    def __post_init__(self) -> None:
        least(self, seeds=1, seed=0, turns=1, rounds=1)
        each_once(self, outputs=tuple(OUTPUTS))
        for one in self.arms:
            if one not in ARMS:
                raise unknown("--arms", "arm", one, ARMS)
            takers = [n for n, output in OUTPUTS.items() if one in output.every]
            if not {*takers} & {*self.outputs}:
                raise UserError(
                    f"--arms: {one} must take part in one of the outputs, as in "
                    f"{', '.join(takers)}; got {' '.join(self.outputs)}"
                )

    @property
    def scale(self) -> Scale:
        """The sizes of the budget."""
        return SCALES[self.budget]

    @property
    def every_seed(self) -> range:
        """Seeds of the runs of an arm."""
        return range(self.seed, self.seed + self.seeds)

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
        base = panel.world.partition("(")[0]
        turns = self.turns or scale.turns.get(panel.world) or scale.turns[base]
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
                    training=scale.budget.usual(panel.world),
                    seed=seed,
                    sweeps=sweeps,
                    measure_every=max(1, sweeps // scale.looks),
                    episodes=scale.episodes,
                )
            )
        return tuple(made)
